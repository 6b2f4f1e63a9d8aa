"""`routes.yaml` → routes, and how each target may be treated. The only place where systems meet."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hub.catalog.files.route_rules import judge
from hub.catalog.files.route_shape import HOW, SHAPE
from hub.catalog.yaml.codes import Check
from hub.catalog.yaml.file_reading import FileContext
from hub.catalog.yaml.findings import Findings
from hub.catalog.yaml.yaml_documents import Document, Path
from hub.core.config.mapping import Mapping
from hub.core.config.routing import (
    Batch,
    Canary,
    Capacity,
    Destination,
    Drop,
    Enrich,
    HoldUntil,
    OnFail,
    OrderPolicy,
    Route,
    RouteTest,
    Split,
    Sync,
    TargetPolicy,
)
from hub.core.message import Disposition, Ref
from hub.core.model import capacity_windows
from hub.core.model.breaker import BreakerPolicy
from hub.core.model.delivery import InDoubtPolicy, Priority, WhenDead
from hub.core.model.retry import RetryPolicy


@dataclass(frozen=True, slots=True)
class Wish:
    """A destination as it is written: its version may be missing, and nothing is resolved yet. `path` is its place in
    the file.
    """

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
    values = SHAPE.read(document.root, FileContext(document.file, findings)) or {}
    defaults = values.get("defaults") or {}
    routes: list[RouteFile] = []
    for name, row in (values.get("routes") or {}).items():
        if row is None:
            continue
        own = {key: row[key] for key in HOW if row.get(key) is not None}
        wishes = tuple(_wishes(name, row))
        routes.append(RouteFile(name, row.get("from"), row, wishes, (defaults, own)))
        judge(document, name, row, findings)
        for path, chain in [
            (("routes", name), (defaults, own)),
            *((wish.path, (defaults, own, wish.row)) for wish in wishes),
        ]:
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
    how = {key: row[key] for key in HOW if row.get(key) is not None}
    return [Wish(row[side], (*at, side), how, canary, side == "then") for side in ("then", "else") if row.get(side)]


def _targets(rows: dict[str, Any]) -> dict[str, TargetPolicy]:
    return {name: _target(row or {}) for name, row in rows.items()}


def _target(row: dict[str, Any]) -> TargetPolicy:
    default = TargetPolicy()
    return TargetPolicy(
        concurrency=row.get("concurrency") or default.concurrency,
        rate=capacity_windows.quota(row["rate"]) if row.get("rate") else None,
        breaker=_breaker(row["breaker"]) if row.get("breaker") is not None else None,
        in_doubt=InDoubtPolicy(row.get("in_doubt") or default.in_doubt),
    )


def _breaker(row: dict[str, Any]) -> BreakerPolicy:
    default = BreakerPolicy()
    ratio = Decimal(row["ratio"].removesuffix("%")) / 100 if row.get("ratio") else default.ratio
    return BreakerPolicy(ratio, row.get("of") or default.of, row.get("open") or default.open)


def _judge_waits(document: Document, path: Path, chain: tuple[dict[str, Any], ...], findings: Findings) -> None:
    """A longest wait that is shorter than the first is a slip, wherever the two numbers come from."""
    own = chain[-1].get("retry") or {}
    if "first" not in own and "max" not in own:
        return
    policy = retry_of(chain)
    if not policy.schedule and policy.max < policy.first:
        place = document.place((*path, "retry"))
        findings.add(
            document.file,
            place,
            Check.EXCLUDES,
            "the longest wait (max) is shorter than the first",
            "write max: at least as long as first:",
        )


def retry_of(chain: tuple[dict[str, Any], ...]) -> RetryPolicy:
    """One policy of several layers, the nearer over the farther, key by key. A schedule and the formula (first, factor,
    max) replace each other.
    """
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
        topic=wish.row.get("topic") or "",
    )


def look_up(name: str, row: dict[str, Any], ref: Ref, fields: Mapping) -> Enrich:
    reply = Ref.parse(row["reply"]) if row.get("reply") else None
    return Enrich(name, ref, fields, row.get("cache"), OnFail(row.get("on_fail") or OnFail.RETRY), reply)


def _test(row: dict[str, Any]) -> RouteTest:
    expect = row.get("expect")
    disposition = Disposition(expect) if expect in (Disposition.UNROUTED, Disposition.FILTERED) else Disposition.ROUTED
    return RouteTest(
        about=row.get("about") or "",
        given=row.get("given"),
        version=row.get("version") or 1,
        expect=expect if isinstance(expect, dict) else {},
        disposition=disposition,
        lookups=row.get("lookups") or {},
    )


def sync(row: dict[str, Any], answer: Ref | None) -> Sync | None:
    if row.get("mode") != "sync" or not row.get("deadline"):
        return None
    return Sync(row["deadline"], answer, (row.get("fallback") or {}).get("cached"))


def route(
    written: RouteFile, to: tuple[Destination, ...], enrich: tuple[Enrich, ...] = (), answer: Ref | None = None
) -> Route:
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
        capacity=Capacity(capacity_windows.quota(capacity["limit"], capacity.get("zone") or "UTC"), capacity.get("by"))
        if capacity.get("limit")
        else None,
        enrich=enrich,
        sync=sync(written.row, answer),
        tests=tuple(_test(row) for row in written.row.get("tests") or () if row is not None),
        alert=written.row.get("alert") or "",
    )
