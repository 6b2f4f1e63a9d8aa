"""`routes.yaml` → routes, and how each target may be treated. The only place where systems meet."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hub.catalog.codes import Check
from hub.catalog.documents import Document, Map, Path
from hub.catalog.findings import Findings
from hub.catalog.mappings import REF
from hub.catalog.shape import Either, Fork, Formula, Free, Key, ListOf, MapOf, Number, Reading, Record, Single, Span, Text, Whole, Word, Zone, lacks
from hub.catalog.system import MESSAGE_NAME, SYSTEM_NAME
from hub.core import windows
from hub.core.breaker import BreakerPolicy
from hub.core.delivery import InDoubtPolicy, Priority, WhenDead
from hub.core.mapping import Mapping
from hub.core.message import Ref
from hub.core.retry import RetryPolicy
from hub.core.routing import Batch, Canary, Capacity, Destination, Drop, Enrich, HoldUntil, OnFail, OrderPolicy, Route, Split, Sync, TargetPolicy

_TYPE = Text(want="a message such as oms/order.created, without a version", pattern=rf"{SYSTEM_NAME}/{MESSAGE_NAME}", longest=150)
_TO = Text(want="a message such as wms/outbound.create@1", pattern=rf"{SYSTEM_NAME}/{MESSAGE_NAME}(@[1-9][0-9]{{0,3}})?", longest=150)
_PATH = Text(want="a path such as items or order.lines", pattern=r"[^\s.\[\]{}()$'\"`]+(\.[^\s.\[\]{}()$'\"`]+)*")

_RETRY = Record(
    {
        "attempts": Key(Whole(1, 1_000), "in all, the first included"),
        "first": Key(Span("0s", "1d"), "wait after the first attempt"),
        "factor": Key(Number(1, 100), "each wait is so many times the one before"),
        "max": Key(Span("0s", "30d"), "the longest wait"),
        "jitter": Key(Word(("full", "none")), "full: each wait is spread evenly from nothing to its length"),
        "give_up_after": Key(Span("1s", "365d"), "dead when it is older than this"),
        "schedule": Key(ListOf(Span("0s", "30d"), most=1_000), "the waits themselves; attempts is then one more than there are waits"),
    },
    what="retry",
    excludes=(("schedule", "first"), ("schedule", "factor"), ("schedule", "max")),
)
_ORDER = Either(
    Word(("none",)),
    Record({"when_dead": Key(Word(tuple(word.value for word in WhenDead)), "park, skip, block or latest", required=True)}, what="order"),
)
_TIMEOUT = Span("1ms", "10m")
_PRIORITY = Word(tuple(priority.value for priority in Priority))
_EXPIRES = Span("1s", "365d")
_HOW: dict[str, Key] = {
    "retry": Key(_RETRY, "when to try again"),
    "order": Key(_ORDER, "per target and business key; none switches it off"),
    "timeout": Key(_TIMEOUT, "for everything: name, connection, sending, answer"),
    "priority": Key(_PRIORITY, "urgent goes first, bulk last, of what is due for one target"),
    "expires": Key(_EXPIRES, "not delivered within this: cancelled, as it is of no use any more"),
}
_BATCH = Record(
    {
        "size": Key(Whole(1, 1_000), "the most in one call", required=True),
        "within": Key(Span("10ms", "1d"), "the longest that one waits for the others", required=True),
    },
    what="batch",
)
_CANARY = Record(
    {
        "percent": Key(Number(0, 100), "the share of the values of `by` that go to `then`"),
        "by": Key(Formula(), "whose values are shared out: a value is always on the same side"),
        "when": Key(Formula(), "in place of a share: what goes to `then`"),
        "then": Key(_TO, "the trial, such as wms/outbound.create@2", required=True),
        "else": Key(_TO, "all others, such as wms/outbound.create@1", required=True),
        **_HOW,
    },
    what="canary",
    excludes=(("percent", "when"), ("by", "when")),
)
_DESTINATION = Record(
    {
        "when": Key(Formula(), "only if this holds"),
        "batch": Key(_BATCH, "several go out in one call, as a JSON array"),
        **_HOW,
        "reply": Key(REF, "the message that the target's answer becomes, such as inventory/stock.reserved@1"),
    },
    later=frozenset({"topic", "rate", "breaker"}),
    what="a destination",
    excludes=(("batch", "reply"),),
)
_ZONE = Zone()
_HOLD = Record(
    {"until": Key(Formula(), "an expression that gives a time", required=True), "zone": Key(_ZONE, "where a time without an offset is meant")}, what="hold"
)
_CAPACITY = Record(
    {
        "limit": Key(Text(want="a number per unit such as 5000/day", pattern=windows.PATTERN), "5000/day", required=True),
        "by": Key(Formula(), "each value has a capacity of its own"),
        "zone": Key(_ZONE, "whose clock says when a day begins; default UTC"),
    },
    what="capacity",
)
_ENRICH = Record(
    {
        "call": Key(_TO, "the message that is asked with, such as inventory/stock.query", required=True),
        "with": Key(Free(), "its fields, as in a mapping", required=True),
        "cache": Key(Span("1s", "1d"), "an answer to the same question serves again for so long"),
        "on_fail": Key(Word(tuple(word.value for word in OnFail)), "retry, hold, dead or skip; default: retry"),
    },
    what="a look-up",
)
_ROUTE = Record(
    {
        "about": Key(Text(), "what it is for"),
        "owner": Key(Text(), "who answers for it"),
        "from": Key(_TYPE, "the message that it takes, such as oms/order.created", required=True),
        "when": Key(Formula(), "only if this holds"),
        "drop": Key(
            Record({"when": Key(Formula(), "an expression", required=True), "why": Key(Text(), "a reason", required=True)}, what="drop"),
            "what it matches is recorded as filtered",
        ),
        "split": Key(
            Record({"list": Key(_PATH, "path of a list", required=True), "by": Key(Formula(), "one part per group; without it one per element")}, what="split"),
            "one message becomes several",
        ),
        "hold": Key(_HOLD, "its deliveries wait until then"),
        "enrich": Key(
            MapOf(Text(want="a name such as stock", pattern=r"(?!source$)[a-z][A-Za-z0-9_]{0,39}"), _ENRICH, most=20), "look-ups, bound as $name in the mapping"
        ),
        "mode": Key(Word(("async", "sync")), "sync: the caller waits for the target's answer"),
        "deadline": Key(Span("10ms", "60s"), "how long the caller of a sync route waits at most"),
        "answer": Key(_TO, "what the caller of a sync route gets, mapped from the target's reply"),
        "fallback": Key(Record({"cached": Key(Span("1s", "1d"), "60s", required=True)}, what="fallback"), "an earlier answer, where the target gives none"),
        "capacity": Key(_CAPACITY, "what is over it waits for the next window"),
        "to": Key(
            ListOf(Either(_TO, Fork("canary", _CANARY, Single(MapOf(_TO, _DESTINATION)))), most=200),
            "where it goes, such as [wms/outbound.create@1]",
            required=True,
        ),
        "alert": Key(Word(("P0", "P1", "P2", "P3")), "the level at which its dead letters are told"),
        **_HOW,
    },
    later=frozenset({"tests"}),
    what="a route",
)
_BREAKER = Record(
    {
        "ratio": Key(Text(want="a share such as 50%", pattern=r"([1-9]|[1-9][0-9]|100)%"), "50%: opens when so many of the last calls failed"),
        "of": Key(Whole(2, 1_000), "how many calls are looked at"),
        "open": Key(Span("100ms", "1h"), "how long nothing goes"),
    },
    what="breaker",
)
_TARGET = Record(
    {
        "concurrency": Key(Whole(1, 1_024), "calls under way at once"),
        "rate": Key(Text(want="a number per unit such as 200/s", pattern=windows.PATTERN), "calls per second, minute, hour or day, of all workers together"),
        "breaker": Key(_BREAKER, "leaves a target alone that fails, and tries it again with one delivery"),
        "in_doubt": Key(Word(tuple(policy.value for policy in InDoubtPolicy), ("probe",)), "resend or park"),
    },
    what="a target",
)
SHAPE = Record(
    {
        "version": Key(Whole(1, 1), "1", required=True),
        "defaults": Key(Record(_HOW, what="defaults"), "for every route and destination that says nothing else"),
        "targets": Key(MapOf(Text(want="a system's name", pattern=SYSTEM_NAME), _TARGET), "how each system may be treated"),
        "routes": Key(MapOf(Text(want="a route's name such as outbound", pattern=r"[a-z][a-z0-9-]{0,62}"), _ROUTE), "by name", required=True),
    },
    later=frozenset({"sagas", "joins", "expects", "delays", "polls", "reconcile", "alerts", "hooks", "fresh_by", "tests"}),
    what="routes.yaml",
)


@dataclass(frozen=True, slots=True)
class Wish:
    """A destination as it is written: its version may be missing, and nothing is resolved yet. `path` is its place in the file."""

    to: str
    path: Path
    row: dict[str, Any]
    canary: Canary | None = None
    is_trial: bool = False


@dataclass(frozen=True, slots=True)
class RouteFile:
    """One route as it is written, with what it says for all of its destinations."""

    name: str
    source: str | None
    row: dict[str, Any]
    wishes: tuple[Wish, ...]
    how: tuple[dict[str, Any], ...]  # the file's defaults, then the route's own


@dataclass(frozen=True, slots=True)
class RoutesFile:
    document: Document
    routes: tuple[RouteFile, ...] = ()
    targets: dict[str, TargetPolicy] = field(default_factory=dict)


def read(document: Document, findings: Findings) -> RoutesFile:
    """What `routes.yaml` says. Whether the names in it exist is for `workspace` to say, which knows them."""
    assert document.root is not None
    values = SHAPE.read(document.root, Reading(document.file, findings)) or {}
    defaults = values.get("defaults") or {}
    routes: list[RouteFile] = []
    for name, row in (values.get("routes") or {}).items():
        if row is None:
            continue
        own = {key: row[key] for key in _HOW if row.get(key) is not None}
        wishes = tuple(_wishes(name, row))
        _judge_canaries(document, name, row, findings)
        _judge_sync(document, name, row, findings)
        routes.append(RouteFile(name, row.get("from"), row, wishes, (defaults, own)))
        _judge_owner(document, name, findings)
        for path, chain in [(("routes", name), (defaults, own)), *((wish.path, (defaults, own, wish.row)) for wish in wishes)]:
            _judge_waits(document, path, chain, findings)
    _judge_waits(document, ("defaults",), (defaults,), findings)
    return RoutesFile(document, tuple(routes), _targets(values.get("targets") or {}))


def _wishes(route: str, row: dict[str, Any]) -> list[Wish]:
    wishes: list[Wish] = []
    for index, entry in enumerate(row.get("to") or ()):
        at: Path = ("routes", route, "to", index)
        if isinstance(entry, dict):
            wishes += _forked(entry.get("canary") or {}, (*at, "canary"))
        elif isinstance(entry, tuple):
            wishes.append(Wish(entry[0], (*at, entry[0]), entry[1] or {}))
        elif entry is not None:
            wishes.append(Wish(entry, at, {}))
    return wishes


def _forked(row: dict[str, Any], at: Path) -> list[Wish]:
    """Both sides of a canary: two destinations, of which each message gets one."""
    percent = row.get("percent")
    canary = Canary(Decimal(str(percent)) if percent is not None else None, row.get("by"), row.get("when"))
    how = {key: row[key] for key in _HOW if row.get(key) is not None}
    return [Wish(row[side], (*at, side), how, canary, side == "then") for side in ("then", "else") if row.get(side)]


def _judge_canaries(document: Document, route: str, row: dict[str, Any], findings: Findings) -> None:
    """A trial is taken by a share of values, or by a condition; and both of its sides are one system's."""
    for index, entry in enumerate(row.get("to") or ()):
        canary = (entry.get("canary") or {}) if isinstance(entry, dict) else {}
        place = document.place(("routes", route, "to", index, "canary"))
        if canary and "when" not in canary and not {"percent", "by"} <= canary.keys():
            findings.add(document.file, place, Check.MISSING_KEY, "the canary does not say who takes part", "add percent: 10 and by: orderNo, or when:")
        sides = {str(canary[side]).partition("/")[0] for side in ("then", "else") if canary.get(side)}
        if len(sides) > 1:
            text = f"the two sides of the canary are of {' and '.join(sorted(sides))}: a key's deliveries would overtake each other"
            findings.add(document.file, place, Check.EXCLUDES, text, "let both sides be of one system")


def _targets(rows: dict[str, Any]) -> dict[str, TargetPolicy]:
    return {name: _target(row or {}) for name, row in rows.items()}


def _target(row: dict[str, Any]) -> TargetPolicy:
    default = TargetPolicy()
    return TargetPolicy(
        concurrency=row.get("concurrency") or default.concurrency,
        rate=windows.quota(row["rate"]) if row.get("rate") else None,
        breaker=_breaker(row["breaker"]) if row.get("breaker") is not None else None,
        in_doubt=InDoubtPolicy(row.get("in_doubt") or default.in_doubt),
    )


def _breaker(row: dict[str, Any]) -> BreakerPolicy:
    default = BreakerPolicy()
    ratio = Decimal(row["ratio"].removesuffix("%")) / 100 if row.get("ratio") else default.ratio
    return BreakerPolicy(ratio, row.get("of") or default.of, row.get("open") or default.open)


def _judge_owner(document: Document, name: str, findings: Findings) -> None:
    routes = document.root.get("routes") if isinstance(document.root, Map) else None
    node = routes.get(name) if isinstance(routes, Map) else None
    if node is not None and lacks(node, "owner"):
        findings.add(document.file, document.place(("routes", name)), Check.NO_OWNER, f"the route {name} has no owner", "owner: who answers for it")


def _judge_waits(document: Document, path: Path, chain: tuple[dict[str, Any], ...], findings: Findings) -> None:
    """A longest wait that is shorter than the first is a slip, wherever the two numbers come from."""
    own = chain[-1].get("retry") or {}
    if "first" not in own and "max" not in own:
        return
    policy = retry_of(chain)
    if not policy.schedule and policy.max < policy.first:
        place = document.place((*path, "retry"))
        findings.add(document.file, place, Check.EXCLUDES, "the longest wait (max) is shorter than the first", "write max: at least as long as first:")


def retry_of(chain: tuple[dict[str, Any], ...]) -> RetryPolicy:
    """One policy of several layers, the nearer over the farther, key by key. A schedule and the formula (first, factor, max) replace each other."""
    merged: dict[str, Any] = {}
    for layer in chain:
        row = {key: value for key, value in (layer.get("retry") or {}).items() if value is not None}
        if "schedule" in row:
            merged = {key: value for key, value in merged.items() if key not in ("first", "factor", "max", "attempts")}
        elif row.keys() & {"first", "factor", "max"}:
            merged.pop("schedule", None)
        merged |= row
    schedule = tuple(wait for wait in merged.get("schedule") or () if wait is not None)
    default = RetryPolicy()
    return RetryPolicy(
        attempts=merged.get("attempts") or (len(schedule) + 1 if schedule else default.attempts),
        first=merged.get("first", default.first),
        factor=merged.get("factor", default.factor),
        max=merged.get("max", default.max),
        full_jitter=merged.get("jitter", "full") == "full",
        give_up_after=merged.get("give_up_after", default.give_up_after),
        schedule=schedule,
    )


def destination(wish: Wish, ref: Ref, route: RouteFile) -> Destination:
    """A destination with everything that its route and the file's defaults say of it."""
    chain = (*route.how, wish.row)
    order: Any = {"when_dead": WhenDead.PARK}
    timeout = timedelta(seconds=5)
    priority, expires = Priority.NORMAL.value, None
    for layer in chain:
        order = layer.get("order") or order
        timeout = layer.get("timeout") or timeout
        priority = layer.get("priority") or priority
        expires = layer.get("expires") or expires
    batch = wish.row.get("batch") or {}
    return Destination(
        ref=ref,
        when=wish.row.get("when"),
        retry=retry_of(chain),
        order=None if order == "none" else OrderPolicy(WhenDead(order.get("when_dead") or WhenDead.PARK)),
        timeout=timeout,
        reply=wish.row.get("reply"),
        priority=Priority(priority),
        expires=expires,
        batch=Batch(batch["size"], batch["within"]) if batch.get("size") and batch.get("within") else None,
        canary=wish.canary,
        is_trial=wish.is_trial,
    )


_NOT_SYNC = ("split", "hold", "capacity", "enrich", "priority", "expires", "retry", "order")
_ONLY_SYNC = ("deadline", "answer", "fallback")


def _judge_sync(document: Document, route: str, row: dict[str, Any], findings: Findings) -> None:
    """A route whose caller waits is tried once, at once, at one target; what is for waiting and trying again has no place in it."""
    at: Path = ("routes", route)
    if row.get("mode") != "sync":
        for key in _ONLY_SYNC:
            if row.get(key) is not None:
                findings.add(document.file, document.place((*at, key)), Check.EXCLUDES, f"{key} is for routes whose caller waits", "add mode: sync")
        return
    if row.get("deadline") is None and not row.keys() & {"deadline"}:
        findings.add(document.file, document.place((*at, "mode")), Check.MISSING_KEY, "a sync route has no deadline", "add deadline: 800ms")
    for key in _NOT_SYNC:
        if row.get(key) is not None:
            findings.add(document.file, document.place((*at, key)), Check.EXCLUDES, f"{key} has no meaning in a sync route: its caller waits", "take it out")
    wishes = row.get("to") or ()
    if len(wishes) != 1:
        findings.add(document.file, document.place((*at, "to")), Check.OUT_OF_RANGE, f"a sync route has one target, not {len(wishes)}", "keep one")
    for index, entry in enumerate(wishes):
        inner = (entry[1] or {}) if isinstance(entry, tuple) else {}
        for key in ("batch", "retry", "order", "priority", "expires", "timeout"):
            if inner.get(key) is not None:
                place = document.place((*at, "to", index))
                findings.add(document.file, place, Check.EXCLUDES, f"{key} has no meaning in a sync route: its caller waits", "take it out")


def look_up(name: str, row: dict[str, Any], ref: Ref, fields: Mapping) -> Enrich:
    return Enrich(name, ref, fields, row.get("cache"), OnFail(row.get("on_fail") or OnFail.RETRY))


def sync(row: dict[str, Any], answer: Ref | None) -> Sync | None:
    if row.get("mode") != "sync" or not row.get("deadline"):
        return None
    return Sync(row["deadline"], answer, (row.get("fallback") or {}).get("cached"))


def route(written: RouteFile, to: tuple[Destination, ...], enrich: tuple[Enrich, ...] = (), answer: Ref | None = None) -> Route:
    """The route, once its destinations and look-ups are resolved."""
    drop = written.row.get("drop") or {}
    split = written.row.get("split") or {}
    hold = written.row.get("hold") or {}
    capacity = written.row.get("capacity") or {}
    return Route(
        name=written.name,
        about=written.row.get("about") or "",
        owner=written.row.get("owner") or "",
        source=written.source or "",
        to=to,
        when=written.row.get("when"),
        drop=Drop(drop["when"], drop.get("why") or "") if drop.get("when") is not None else None,
        split=Split(split["list"], split.get("by")) if split.get("list") else None,
        hold=HoldUntil(hold["until"], hold.get("zone") or "") if hold.get("until") is not None else None,
        capacity=Capacity(windows.quota(capacity["limit"], capacity.get("zone") or "UTC"), capacity.get("by")) if capacity.get("limit") else None,
        enrich=enrich,
        sync=sync(written.row, answer),
        alert=written.row.get("alert") or "",
    )
