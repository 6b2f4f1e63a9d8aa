"""Which deliveries a message gets: a pure function of the message and the routes. Content-based router, filter and
splitter (EIP).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

from hub.core.config.mapping import Mapping as FieldMapping
from hub.core.documents.times import instant
from hub.core.errors import Busy, Cause, GiveUp, Reason
from hub.core.expressions.expression import Expression
from hub.core.expressions.prepared import MISSING
from hub.core.message import Disposition, Json, Ref
from hub.core.model.breaker import BreakerPolicy
from hub.core.model.capacity_windows import Quota
from hub.core.model.delivery import Bundle, InDoubtPolicy, NewDelivery, Priority, Slot, WhenDead
from hub.core.model.retry import RetryPolicy
from hub.core.schemas.integers import plain

MAX_HOPS = 32  # a chain of messages that caused each other is cut here: routes that form a loop end


@dataclass(frozen=True, slots=True)
class Drop:
    """A filter with its reason: what it matches is recorded as filtered."""

    when: Expression
    why: str


@dataclass(frozen=True, slots=True)
class Split:
    """One message becomes several: one part per element of `list`, or per group of elements with the same `by`."""

    list: str  # a plain path to an array of the payload
    by: Expression | None = None  # over one element


@dataclass(frozen=True, slots=True)
class HoldUntil:
    """A delivery waits until the time that `until` gives over its payload; `zone` is where a time without an offset is
    meant.
    """

    until: Expression
    zone: str = ""


@dataclass(frozen=True, slots=True)
class Capacity:
    """At most so many deliveries per window, and per value of `by` over the payload. What is over it goes in the next
    window with room.
    """

    quota: Quota
    by: Expression | None = None


class OnFail(StrEnum):
    """What becomes of a delivery whose look-up was not to be had."""

    RETRY = "retry"  # by the destination's retry policy
    HOLD = "hold"  # until a person sends it on
    DEAD = "dead"
    SKIP = "skip"  # it goes without: the name is bound to nothing


@dataclass(frozen=True, slots=True)
class Enrich:
    """A look-up before the mapping, bound there as `$name`: asked once per message, recorded, and from then on the same
    for ever.
    """

    name: str
    call: Ref
    fields: FieldMapping  # from the source's payload to what is asked
    cache: timedelta | None = None
    on_fail: OnFail = OnFail.RETRY
    reply: Ref | None = None  # the message that the answer is, and by whose contract it is judged; None: any JSON


@dataclass(frozen=True, slots=True)
class Sync:
    """The caller waits for the target's answer, at most `deadline`. `answer`: what it gets, mapped from the
    destination's `reply`; without it the target's own body. `fallback`: an answer to the same question serves again for
    so long where the target gives none.
    """

    deadline: timedelta
    answer: Ref | None = None
    fallback: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Deliveries that go out in one call: at most `size`, and none waits longer than `within` for the others."""

    size: int
    within: timedelta


@dataclass(frozen=True, slots=True)
class Canary:
    """A trial by share or by condition. By share: `percent` of the values of `by`, and a value is always on the same
    side.
    """

    percent: Decimal | None = None
    by: Expression | None = None
    when: Expression | None = None


@dataclass(frozen=True, slots=True)
class OrderPolicy:
    when_dead: WhenDead = WhenDead.PARK


@dataclass(frozen=True, slots=True)
class Destination:
    """One target of a route, with what the route says of it (defaults filled in)."""

    ref: Ref
    when: Expression | None = None
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    order: OrderPolicy | None = field(default_factory=OrderPolicy)  # None: order is not kept
    timeout: timedelta = timedelta(seconds=5)
    reply: str | None = None  # the type that the target's answer becomes a message of, such as inventory/stock.reserved
    priority: Priority = Priority.NORMAL
    expires: timedelta | None = None
    batch: Batch | None = None
    canary: Canary | None = None
    is_trial: bool = False  # of a canary: the side that the trial takes (`then`), or the other (`else`)
    topic: str = ""  # of a message that is published; `{field}` is filled from what is sent


@dataclass(frozen=True, slots=True)
class RouteTest:
    """A message and what a route must make of it: per target the payload (a subset), several for a split; or why
    nothing goes out.

    `given` is a sample's path, or the payload itself, which is then of version `version`.
    """

    about: str
    given: Json
    version: int = 1
    expect: Mapping[str, Json] = field(default_factory=dict)
    disposition: Disposition = Disposition.ROUTED
    lookups: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Route:
    """From which message, under which conditions, to which targets."""

    name: str
    about: str
    owner: str
    source: str  # system/name: all live versions
    to: tuple[Destination, ...]
    when: Expression | None = None
    drop: Drop | None = None
    split: Split | None = None
    hold: HoldUntil | None = None
    capacity: Capacity | None = None
    enrich: tuple[Enrich, ...] = ()
    sync: Sync | None = None
    tests: tuple[RouteTest, ...] = ()
    alert: str = ""  # the level at which its dead letters are told: `P0` to `P3`


@dataclass(frozen=True, slots=True)
class TargetPolicy:
    """How one system may be treated."""

    concurrency: int = 32
    rate: Quota | None = None
    breaker: BreakerPolicy | None = None
    in_doubt: InDoubtPolicy = InDoubtPolicy.RESEND


@dataclass(frozen=True, slots=True)
class RoutingResult:
    """What matching decided: the deliveries, or why there is none. `considered` has a line for each route from this
    type.

    A route that cannot be decided has one delivery per target that says so (`NewDelivery.undecided`).
    """

    disposition: Disposition
    planned: tuple[NewDelivery, ...]
    considered: tuple[Mapping[str, Json], ...] = ()


def parts(payload: Json, split: Split, now: datetime) -> list[Json]:
    """The payloads of a split message, in the order of first appearance. Each is the whole payload with `list` cut down
    to the part.

    Raises GiveUp where `list` is something else than an array. An empty array gives no parts, and so does a list that
    is absent or null.
    """
    path = split.list.split(".")
    found: Json = payload
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    if found is None:
        return []
    if not isinstance(found, list):
        raise GiveUp(
            Cause(
                Reason.TRANSFORM_ERROR,
                f"split: {split.list} is not an array.",
                split.list,
                "Send an array, or take `split` out of the route.",
            )
        )
    groups: dict[str, list[Json]] = {}
    for index, element in enumerate(found):
        value = split.by.evaluate(element, now=now) if split.by is not None else index
        groups.setdefault(_group_name(value), []).append(element)
    return [_with(payload, path, elements) for elements in groups.values()]


def _group_name(value: object) -> str:
    """Equal values have one name: 1 and 1.0 are one group, 1, "1" and true are three. Null and nothing are one."""
    if value is MISSING or value is None:
        return ""
    value = plain(value) if isinstance(value, Decimal) else value
    return f"{type(value).__name__}:{value}"


def _with(payload: Json, path: Sequence[str], elements: list[Json]) -> Json:
    if not path:
        return elements
    assert isinstance(payload, dict)
    return {**payload, path[0]: _with(payload[path[0]], path[1:], elements)}


def match(
    routes: Sequence[Route],
    payload: Json,
    *,
    targets: Mapping[str, TargetPolicy],
    order_key: str | None,
    hops: int,
    now: datetime,
    new_id: Callable[[], str],
) -> RoutingResult:
    """All deliveries of one message. `routes` are those from its type.

    A condition, split, hold, capacity or canary that cannot be computed is the fault of its route alone: a guess would
    lose the message or send it twice, so each target of that route gets a delivery that is undecided, and the other
    routes go on.
    """
    if hops > MAX_HOPS:
        # Nobody wrote that it shall end here, so it waits for a person. The text is the same for all, so that they
        # share a cause.
        why = f"more than {MAX_HOPS} messages caused one another; a loop of routes is cut there"
        return RoutingResult(Disposition.UNROUTED, (), ({"route": "*", "result": "missed", "why": why},))
    planned: list[NewDelivery] = []
    considered: list[Mapping[str, Json]] = []
    dropped = False
    for route in routes:
        try:
            missed, pieces = _route_decision(route, payload, now)
        except GiveUp as error:
            for destination in route.to:
                considered.append(_undecided_line(route, destination, error.why))
                planned.append(_undecided(route, destination, targets, order_key, now, new_id(), error))
            continue
        if missed is not None:
            considered.append({"route": route.name, **missed})
            # What the route leaves out by its own word, and a list to split that has nothing in it: nobody need be
            # asked.
            dropped = dropped or missed["result"] == "dropped" or "condition" not in missed
            continue
        for destination in route.to:
            policy = targets.get(destination.ref.system, TargetPolicy())
            try:
                missed = _missed(destination, payload, now)
                if missed is not None:
                    considered.append(
                        {"route": route.name, "target": str(destination.ref), "result": "missed", **missed}
                    )
                    # a trial without another side: what it does not take shall go nowhere
                    dropped = dropped or "canary" in missed
                    continue
                planned += [
                    _planned(route, destination, policy, order_key, number, piece, now, new_id())
                    for number, piece in pieces
                ]
            except GiveUp as error:
                considered.append(_undecided_line(route, destination, error.why))
                planned.append(_undecided(route, destination, targets, order_key, now, new_id(), error))
            else:
                considered.append({"route": route.name, "target": str(destination.ref), "result": "matched"})
    disposition = Disposition.ROUTED if planned else Disposition.FILTERED if dropped else Disposition.UNROUTED
    return RoutingResult(disposition, tuple(planned), tuple(considered))


Pieces: TypeAlias = "list[tuple[int | None, Json]]"


def _route_decision(route: Route, payload: Json, now: datetime) -> tuple[dict[str, Json] | None, Pieces]:
    """Why the route does not take it, or None with the parts that it makes of it. Raises GiveUp."""
    if route.drop is not None and route.drop.when.holds(payload, now=now):
        return {"result": "dropped", "why": route.drop.why, "condition": route.drop.when.text}, []
    if route.when is not None and not route.when.holds(payload, now=now):
        return {"result": "missed", "condition": route.when.text}, []
    if route.split is None:
        return None, [(None, payload)]
    pieces: Pieces = list(enumerate(parts(payload, route.split, now)))
    return (
        (None, pieces)
        if pieces
        else ({"result": "missed", "why": f"the list that it splits is empty or absent: {route.split.list}"}, [])
    )


def _undecided(
    route: Route,
    to: Destination,
    targets: Mapping[str, TargetPolicy],
    order_key: str | None,
    now: datetime,
    new_id: str,
    error: GiveUp,
) -> NewDelivery:
    """What keeps the place of the deliveries that the route would make, in the order of its key too."""
    bare = replace(route, hold=None, capacity=None)
    planned = _planned(
        bare, replace(to, batch=None), targets.get(to.ref.system, TargetPolicy()), order_key, None, None, now, new_id
    )
    return replace(planned, undecided=undecided_why(route.name, error.why), is_busy=isinstance(error, Busy))


def undecided_why(route: str, why: Cause) -> Cause:
    """The same reason, said of the route."""
    return Cause(
        why.reason,
        f"Route {route} cannot decide whether it takes this: {why.text}",
        why.field,
        "Mend the route and apply it, then replay: it is decided again.",
    )


def _undecided_line(route: Route, to: Destination, why: Cause) -> dict[str, Json]:
    return {"route": route.name, "target": str(to.ref), "result": "undecided", "why": why.text}


def _planned(
    route: Route,
    to: Destination,
    policy: TargetPolicy,
    order_key: str | None,
    number: int | None,
    piece: Json,
    now: datetime,
    new_id: str,
) -> NewDelivery:
    return NewDelivery(
        id=new_id,
        route=route.name,
        ref=to.ref,
        order_key=order_key if to.order is not None else None,
        part=number,
        when_dead=to.order.when_dead if to.order is not None else WhenDead.SKIP,
        in_doubt=policy.in_doubt,
        priority=to.priority,
        expires_at=now + to.expires if to.expires is not None else None,
        hold_until=_hold_until(route, piece, now),
        slot=_slot(route, piece, now),
        bundle=bundle_of(route, to),
    )


def bundle_of(route: Route, to: Destination) -> Bundle | None:
    """What the deliveries by this way travel in; None: each goes by itself."""
    return Bundle(f"{route.name} {to.ref}", to.batch.size, to.batch.within) if to.batch is not None else None


def _hold_until(route: Route, piece: Json, now: datetime) -> datetime | None:
    """The time that the payload names, if it lies ahead. Raises GiveUp for a value that is none: to send at once would
    be a guess.
    """
    if route.hold is None:
        return None
    value = route.hold.until.evaluate(piece, now=now)
    if value is MISSING or value is None:
        return None
    try:
        until = instant(str(value), route.hold.zone)
    except ValueError as error:
        text = f"it waits until {route.hold.until.text}, and that is no time but {type(value).__name__} of {len(str(value))} characters ({error})."
        raise GiveUp(Cause(Reason.TRANSFORM_ERROR, text)) from error
    return until if until > now else None


def _slot(route: Route, piece: Json, now: datetime) -> Slot | None:
    if route.capacity is None:
        return None
    by = route.capacity.by
    return Slot(route.name, _group_name(by.evaluate(piece, now=now)) if by is not None else "", route.capacity.quota)


def _missed(to: Destination, payload: Json, now: datetime) -> dict[str, Json] | None:
    """Why a destination does not get it; None where it does. Raises GiveUp."""
    if to.when is not None and not to.when.holds(payload, now=now):
        return {"condition": to.when.text}
    if to.canary is None:
        return None
    in_trial, shown = _in_trial(to.canary, payload, now)
    return None if in_trial is to.is_trial else {"canary": shown}


def _in_trial(canary: Canary, payload: Json, now: datetime) -> tuple[bool, str]:
    if canary.when is not None:
        holds = canary.when.holds(payload, now=now)
        return holds, f"{canary.when.text} {'holds' if holds else 'does not hold'}"
    assert canary.by is not None
    assert canary.percent is not None
    share = bucket(_group_name(canary.by.evaluate(payload, now=now)))
    return share < canary.percent, f"bucket {share} of 100, the trial takes those below {canary.percent}"


def bucket(name: str) -> Decimal:
    """Where a value lies between 0 and 100, in steps of a hundredth: the same in every process and for ever, and evenly
    spread.
    """
    return Decimal(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") % 10_000) / 100
