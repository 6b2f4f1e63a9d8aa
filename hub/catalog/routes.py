"""`routes.yaml` → routes, and how each target may be treated. The only place where systems meet."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from hub.catalog.codes import Check
from hub.catalog.documents import Document, Map, Path
from hub.catalog.findings import Findings
from hub.catalog.mappings import REF
from hub.catalog.shape import Either, Formula, Key, ListOf, MapOf, Number, Reading, Record, Single, Span, Text, Whole, Word, lacks
from hub.catalog.system import MESSAGE_NAME, SYSTEM_NAME
from hub.core.delivery import InDoubtPolicy, WhenDead
from hub.core.message import Ref
from hub.core.retry import RetryPolicy
from hub.core.routing import Destination, Drop, OrderPolicy, Route, Split, TargetPolicy

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
_HOW: dict[str, Key] = {
    "retry": Key(_RETRY, "when to try again"),
    "order": Key(_ORDER, "per target and business key; none switches it off"),
    "timeout": Key(_TIMEOUT, "for everything: name, connection, sending, answer"),
}
_DESTINATION = Record(
    {
        "when": Key(Formula(), "only if this holds"),
        **_HOW,
        "reply": Key(REF, "the message that the target's answer becomes, such as inventory/stock.reserved@1"),
    },
    later=frozenset({"batch", "topic", "canary", "rate", "breaker", "priority", "expires"}),
    what="a destination",
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
        "to": Key(ListOf(Either(_TO, Single(MapOf(_TO, _DESTINATION))), most=200), "where it goes, such as [wms/outbound.create@1]", required=True),
        **_HOW,
    },
    later=frozenset({"hold", "capacity", "enrich", "mode", "deadline", "fallback", "canary", "batch", "priority", "expires", "alert", "tests"}),
    what="a route",
)
_TARGET = Record(
    {
        "concurrency": Key(Whole(1, 1_024), "calls under way at once"),
        "in_doubt": Key(Word(tuple(policy.value for policy in InDoubtPolicy), ("probe",)), "resend or park"),
    },
    later=frozenset({"rate", "breaker"}),
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
        if isinstance(entry, tuple):
            wishes.append(Wish(entry[0], (*at, entry[0]), entry[1] or {}))
        elif entry is not None:
            wishes.append(Wish(entry, at, {}))
    return wishes


def _targets(rows: dict[str, Any]) -> dict[str, TargetPolicy]:
    default = TargetPolicy()
    return {
        name: TargetPolicy(
            concurrency=(row or {}).get("concurrency") or default.concurrency,
            in_doubt=InDoubtPolicy((row or {}).get("in_doubt") or default.in_doubt),
        )
        for name, row in rows.items()
    }


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
    for layer in chain:
        order = layer.get("order") or order
        timeout = layer.get("timeout") or timeout
    return Destination(
        ref=ref,
        when=wish.row.get("when"),
        retry=retry_of(chain),
        order=None if order == "none" else OrderPolicy(WhenDead(order.get("when_dead") or WhenDead.PARK)),
        timeout=timeout,
        reply=wish.row.get("reply"),
    )


def route(written: RouteFile, to: tuple[Destination, ...]) -> Route:
    """The route, once its destinations are resolved."""
    drop = written.row.get("drop") or {}
    split = written.row.get("split") or {}
    return Route(
        name=written.name,
        about=written.row.get("about") or "",
        owner=written.row.get("owner") or "",
        source=written.source or "",
        to=to,
        when=written.row.get("when"),
        drop=Drop(drop["when"], drop.get("why") or "") if drop.get("when") is not None else None,
        split=Split(split["list"], split.get("by")) if split.get("list") else None,
    )
