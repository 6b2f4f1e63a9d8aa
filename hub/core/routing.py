"""Which deliveries a message gets: a pure function of the message and the routes. Content-based router, filter and splitter (EIP)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from hub.core.delivery import InDoubtPolicy, Planned, WhenDead
from hub.core.errors import Code, Fault, GiveUp, Reason, Refused, Why
from hub.core.expression import MISSING, Expression
from hub.core.message import Disposition, Json, Ref
from hub.core.retry import RetryPolicy

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


@dataclass(frozen=True, slots=True)
class TargetPolicy:
    """How one system may be treated."""

    concurrency: int = 32
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
        numbers = _part_numbers(route, payload, now)
        if not numbers:
            considered.append({"route": route.name, "result": "missed", "why": "the list that it splits is empty"})
            continue
        for destination in route.to:
            if destination.when is not None and not _holds(destination.when, payload, now, route.name):
                considered.append({"route": route.name, "target": str(destination.ref), "result": "missed", "condition": destination.when.text})
                continue
            considered.append({"route": route.name, "target": str(destination.ref), "result": "matched"})
            policy = targets.get(destination.ref.system, TargetPolicy())
            planned += [
                Planned(
                    id=new_id(),
                    route=route.name,
                    ref=destination.ref,
                    order_key=order_key if destination.order is not None else None,
                    part=number,
                    when_dead=destination.order.when_dead if destination.order is not None else WhenDead.SKIP,
                    in_doubt=policy.in_doubt,
                )
                for number in numbers
            ]
    disposition = Disposition.ROUTED if planned else Disposition.FILTERED if dropped else Disposition.UNROUTED
    return Matched(disposition, tuple(planned), tuple(considered))


def _part_numbers(route: Route, payload: Json, now: datetime) -> list[int | None]:
    if route.split is None:
        return [None]
    try:
        return list(range(len(parts(payload, route.split, now))))
    except GiveUp as error:
        raise _undecided(route.name, error.why) from error


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
