"""Which deliveries a message gets: a pure function of the message and the routes. Content-based router, filter and splitter (EIP)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from hub.core.breaker import BreakerPolicy
from hub.core.delivery import Bundle, InDoubtPolicy, Planned, Priority, Slot, WhenDead
from hub.core.errors import Code, Fault, GiveUp, Reason, Refused, Why
from hub.core.expression import MISSING, Expression
from hub.core.mapping import Mapping as FieldMapping
from hub.core.message import Disposition, Json, Ref
from hub.core.retry import RetryPolicy
from hub.core.times import instant
from hub.core.windows import Quota

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
    """A delivery waits until the time that `until` gives over its payload; `zone` is where a time without an offset is meant."""

    until: Expression
    zone: str = ""


@dataclass(frozen=True, slots=True)
class Capacity:
    """At most so many deliveries per window, and per value of `by` over the payload. What is over it goes in the next window with room."""

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
    """A look-up before the mapping, bound there as `$name`: asked once per message, recorded, and from then on the same for ever."""

    name: str
    call: Ref
    fields: FieldMapping  # from the source's payload to what is asked
    cache: timedelta | None = None
    on_fail: OnFail = OnFail.RETRY


@dataclass(frozen=True, slots=True)
class Sync:
    """The caller waits for the target's answer, at most `deadline`. `answer`: what it gets, mapped from the destination's `reply`; without it the
    target's own body. `fallback`: an answer to the same question serves again for so long where the target gives none.
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
    """A trial by share or by condition. By share: `percent` of the values of `by`, and a value is always on the same side."""

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
    """A message and what a route must make of it: per target the payload (a subset), several for a split; or why nothing goes out.

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
    alert: str = ""  # the level at which its dead letters are told: P0 to P3


@dataclass(frozen=True, slots=True)
class TargetPolicy:
    """How one system may be treated."""

    concurrency: int = 32
    rate: Quota | None = None
    breaker: BreakerPolicy | None = None
    in_doubt: InDoubtPolicy = InDoubtPolicy.RESEND


@dataclass(frozen=True, slots=True)
class Matched:
    """What matching decided: the deliveries, or why there is none. `considered` has a line for each route from this type."""

    disposition: Disposition
    planned: tuple[Planned, ...]
    considered: tuple[Mapping[str, Json], ...] = ()


def parts(payload: Json, split: Split, now: datetime) -> list[Json]:
    """The payloads of a split message, in the order of first appearance. Each is the whole payload with `list` cut down to the part.

    Raises GiveUp where `list` is not an array. An empty array gives no parts.
    """
    path = split.list.split(".")
    found: Json = payload
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    if not isinstance(found, list):
        raise GiveUp(Why(Reason.TRANSFORM_ERROR, f"split: {split.list} is not an array.", split.list, "Send an array, or take `split` out of the route."))
    groups: dict[str, list[Json]] = {}
    for index, element in enumerate(found):
        value = split.by.evaluate(element, now=now) if split.by is not None else index
        groups.setdefault(_group_name(value), []).append(element)
    return [_with(payload, path, elements) for elements in groups.values()]


def _group_name(value: object) -> str:
    """Equal values have one name: 1 and 1.0 are one group, 1, "1" and true are three. Null and nothing are one."""
    if value is MISSING or value is None:
        return ""
    if isinstance(value, Decimal) and value == value.to_integral_value():
        value = int(value)
    return f"{type(value).__name__}:{value.normalize() if isinstance(value, Decimal) else value}"


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
) -> Matched:
    """All deliveries of one message. `routes` are those from its type. Raises Refused where a condition cannot be decided.

    A condition that fails to compute refuses the message instead of guessing: a wrong guess would lose it or send it twice.
    """
    if hops > MAX_HOPS:
        why = f"{hops} messages caused one another; a loop of routes is cut at {MAX_HOPS}"
        return Matched(Disposition.FILTERED, (), ({"route": "*", "result": "dropped", "why": why},))
    planned: list[Planned] = []
    considered: list[Mapping[str, Json]] = []
    dropped = False
    for route in routes:
        if route.drop is not None and _holds(route.drop.when, payload, now, route.name):
            considered.append({"route": route.name, "result": "dropped", "why": route.drop.why, "condition": route.drop.when.text})
            dropped = True
            continue
        if route.when is not None and not _holds(route.when, payload, now, route.name):
            considered.append({"route": route.name, "result": "missed", "condition": route.when.text})
            continue
        pieces = _pieces(route, payload, now)
        if not pieces:
            considered.append({"route": route.name, "result": "missed", "why": "the list that it splits is empty"})
            continue
        for destination in route.to:
            missed = _missed(route, destination, payload, now)
            if missed is not None:
                considered.append({"route": route.name, "target": str(destination.ref), "result": "missed", **missed})
                continue
            considered.append({"route": route.name, "target": str(destination.ref), "result": "matched"})
            policy = targets.get(destination.ref.system, TargetPolicy())
            planned += [_planned(route, destination, policy, order_key, number, piece, now, new_id()) for number, piece in pieces]
    disposition = Disposition.ROUTED if planned else Disposition.FILTERED if dropped else Disposition.UNROUTED
    return Matched(disposition, tuple(planned), tuple(considered))


def _planned(
    route: Route, to: Destination, policy: TargetPolicy, order_key: str | None, number: int | None, piece: Json, now: datetime, new_id: str
) -> Planned:
    return Planned(
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
    """The time that the payload names, if it lies ahead. Raises Refused for a value that is none: to send at once would be a guess."""
    if route.hold is None:
        return None
    value = _value(route.hold.until, piece, now, route.name)
    if value is MISSING or value is None:
        return None
    try:
        until = instant(str(value), route.hold.zone)
    except ValueError as error:
        pointer = "/" + route.hold.until.text.replace(".", "/") if route.hold.until.path is not None else ""
        fault = Fault(pointer, f"{type(value).__name__} of {len(str(value))} characters", "a time", str(error))
        raise Refused(Code.CONTRACT_VIOLATION, f"Route {route.name} waits until {route.hold.until.text}, and that is no time.", [fault]) from error
    return until if until > now else None


def _slot(route: Route, piece: Json, now: datetime) -> Slot | None:
    if route.capacity is None:
        return None
    by = route.capacity.by
    return Slot(route.name, _group_name(_value(by, piece, now, route.name)) if by is not None else "", route.capacity.quota)


def _missed(route: Route, to: Destination, payload: Json, now: datetime) -> dict[str, Json] | None:
    """Why a destination does not get it; None where it does."""
    if to.when is not None and not _holds(to.when, payload, now, route.name):
        return {"condition": to.when.text}
    if to.canary is None:
        return None
    in_trial, shown = _in_trial(to.canary, payload, now, route.name)
    return None if in_trial is to.is_trial else {"canary": shown}


def _in_trial(canary: Canary, payload: Json, now: datetime, route: str) -> tuple[bool, str]:
    if canary.when is not None:
        holds = _holds(canary.when, payload, now, route)
        return holds, f"{canary.when.text} {'holds' if holds else 'does not hold'}"
    assert canary.by is not None
    assert canary.percent is not None
    share = bucket(_group_name(_value(canary.by, payload, now, route)))
    return share < canary.percent, f"bucket {share} of 100, the trial takes those below {canary.percent}"


def bucket(name: str) -> Decimal:
    """Where a value lies between 0 and 100, in steps of a hundredth: the same in every process and for ever, and evenly spread."""
    return Decimal(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") % 10_000) / 100


def _pieces(route: Route, payload: Json, now: datetime) -> list[tuple[int | None, Json]]:
    if route.split is None:
        return [(None, payload)]
    try:
        return list(enumerate(parts(payload, route.split, now)))
    except GiveUp as error:
        raise _undecided(route.name, error.why) from error


def _value(expression: Expression, payload: Json, now: datetime, route: str) -> object:
    try:
        return expression.evaluate(payload, now=now)
    except GiveUp as error:
        raise _undecided(route, error.why) from error


def _holds(condition: Expression, payload: Json, now: datetime, route: str) -> bool:
    try:
        return condition.holds(payload, now=now)
    except GiveUp as error:
        raise _undecided(route, error.why) from error


def _undecided(route: str, why: Why) -> Refused:
    if why.reason is Reason.TRANSFORM_TIMEOUT:
        # A time limit says more about how busy this machine is than about the message: the sender tries again, and nothing is lost.
        return Refused(Code.UNAVAILABLE, f"Route {route} could not be decided in time; send it again, under the same key.")
    fault = Fault("", f"a message that route {route} cannot decide on", "a value that its conditions can be computed from", why.text)
    return Refused(Code.CONTRACT_VIOLATION, f"Route {route} cannot decide where this goes: {why.text}", [fault])
