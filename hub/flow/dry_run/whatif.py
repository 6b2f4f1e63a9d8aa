"""What if: stored messages run again through two configurations, with no side effect. What would have gone otherwise is told, grouped, with examples.

Pure steps on stored bodies: contract, upgrade, match, map, the target's contract. `$now()` is each message's own time, look-ups are the recorded ones,
delivery ids are not made; so the only differences are those of the configurations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count

from hub.catalog import Catalog
from hub.core.config.routing import Route, match
from hub.core.documents import json
from hub.core.documents.json import LIMITS, Limits
from hub.core.errors import GiveUp, Refused
from hub.core.message import Json, Ref
from hub.flow.render import found, render, upgraded
from hub.store import Lookup, Store

PAGE = 500
MAX_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Stored:
    """A message as it was accepted, with what its routes looked up."""

    id: str
    ref: Ref
    raw: bytes
    received_at: datetime
    lookups: tuple[Lookup, ...] = ()


@dataclass(frozen=True, slots=True)
class Made:
    """What one configuration makes of a message: why it refuses it, or per (route, target, part) the payload, or why there is none."""

    refused: str | None
    disposition: str = ""
    payloads: dict[tuple[str, str, int | None], Json] = field(default_factory=dict)
    faults: dict[tuple[str, str, int | None], str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, order=True)
class Kind:
    """What is different: `refused`, `accepted`, `target_gained`, `target_lost`, `fault_gained`, `fault_mended`, `field`; where; and for a field its place."""

    what: str
    route: str = ""
    target: str = ""
    pointer: str = ""


@dataclass(slots=True)
class Group:
    """All messages that differ in one way. `examples`: message id, before, after."""

    number: int = 0
    examples: list[tuple[str, Json, Json]] = field(default_factory=list)


@dataclass(slots=True)
class Report:
    """What the change would have done. `unchanged` messages gave the same in every respect."""

    messages: int = 0
    unchanged: int = 0
    groups: dict[Kind, Group] = field(default_factory=dict)

    def as_json(self) -> dict[str, Json]:
        differences: list[Json] = [
            {
                "what": kind.what,
                "route": kind.route,
                "target": kind.target,
                "pointer": kind.pointer,
                "messages": group.number,
                "examples": [{"message": id_, "before": before, "after": after} for id_, before, after in group.examples],
            }
            for kind, group in sorted(self.groups.items())
        ]
        return {"messages": self.messages, "unchanged": self.unchanged, "differences": differences}


def what_if(old: Catalog, new: Catalog, messages: Iterable[Stored], *, limits: Limits = LIMITS, step: Callable[[], None] = lambda: None) -> Report:
    """Compares what `old` and `new` make of each message. `step` is called after each: progress."""
    report = Report()
    for message in messages:
        report.messages += 1
        found_ = list(_differences(old, new, make(old, message, limits), make(new, message, limits)))
        report.unchanged += not found_
        for kind, before, after in found_:
            group = report.groups.setdefault(kind, Group())
            group.number += 1
            if len(group.examples) < MAX_EXAMPLES:
                group.examples.append((message.id, before, after))
        step()
    return report


def make(catalog: Catalog, message: Stored, limits: Limits = LIMITS) -> Made:
    """What `catalog` would make of the message, if it were posted now as it was then."""
    try:
        payload = json.decode(message.raw, limits)
        contract = catalog.contract(message.ref)
        emit = catalog.emit(message.ref.type)
        if contract is None or emit is None or message.ref.version not in emit.live:
            return Made(f"there is no live version {message.ref}")
        faults = contract.check(payload)
        if faults:
            return Made(f"{faults[0].pointer or '/'} wanted {faults[0].want}")
        _, newest = upgraded(catalog, message.ref, payload, message.received_at)
        ids = count(1)
        matched = match(
            catalog.routes_from(emit.type),
            newest,
            targets=catalog.targets,
            order_key=None,
            hops=0,
            now=message.received_at,
            new_id=lambda: str(next(ids)),
        )
    except Refused as error:
        return Made(error.text)
    except GiveUp as error:
        return Made(error.why.text)
    made = Made(None, matched.disposition.value)
    for planned in matched.planned:
        key = (planned.route, str(planned.ref), planned.part)
        try:
            if planned.undecided is not None:
                raise GiveUp(planned.undecided)  # noqa: TRY301  nothing can be made until its route is mended
            made.payloads[key] = render(
                catalog,
                message.raw,
                message.ref,
                planned.ref,
                route=planned.route,
                part=planned.part,
                at=message.received_at,
                limits=limits,
                lookups=found(message.lookups, planned.route, planned.part),
            )
        except GiveUp as error:
            made.faults[key] = f"{error.why.field} {error.why.text}".strip()
    return made


def recent(store: Store, *, since: datetime | None = None, most: int | None = None) -> Iterator[Stored]:
    """Stored messages, newest first, page by page: all since a time, or the last so many."""
    before: str | None = None
    left = most if most is not None else float("inf")
    while left > 0:
        rows = store.search(since=since, limit=int(min(PAGE, left)), before=before)
        if not rows:
            return
        bodies = store.bodies(*(row.id for row in rows))
        lookups: dict[str, list[Lookup]] = {}
        for one in store.lookups(*(row.id for row in rows)):
            lookups.setdefault(one.message_id, []).append(one)
        for row in rows:
            if row.id in bodies:
                yield Stored(row.id, row.ref, bodies[row.id], row.received_at, tuple(lookups.get(row.id, ())))
        left -= len(rows)
        before = rows[-1].id


def orphans(routes: Sequence[Route]) -> frozenset[tuple[str, str]]:
    """All ways that there are, as (route, target): a delivery whose way is not among them has nowhere to go."""
    return frozenset((route.name, str(to.ref)) for route in routes for to in route.to)


def _differences(old: Catalog, new: Catalog, one: Made, other: Made) -> Iterator[tuple[Kind, Json, Json]]:
    if one.refused is not None or other.refused is not None:
        if (one.refused is None) != (other.refused is None):
            yield Kind("refused" if other.refused is not None else "accepted"), one.refused, other.refused
        return
    before, after = {**one.faults, **one.payloads}.keys(), {**other.faults, **other.payloads}.keys()
    for route, target, _ in sorted(before - after, key=str):
        yield Kind("target_lost", route, target), "a delivery", None
    for route, target, _ in sorted(after - before, key=str):
        yield Kind("target_gained", route, target), None, "a delivery"
    for key in sorted(before & after, key=str):
        route, target, _ = key
        if key in one.payloads and key in other.payloads:
            for pointer, was, is_ in _fields(one.payloads[key], other.payloads[key]):
                ref = Ref.parse(target)
                yield Kind("field", route, target, _any_element(pointer)), masked((old, new), ref, pointer, was), masked((old, new), ref, pointer, is_)
        elif key in other.faults and key in one.payloads:
            yield Kind("fault_gained", route, target), "made", other.faults[key]
        elif key in one.faults and key in other.payloads:
            yield Kind("fault_mended", route, target), one.faults[key], "made"


def _fields(one: Json, other: Json, at: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Json, Json]]:
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted(one.keys() | other.keys()):
            yield from _fields(one.get(name, _NOTHING), other.get(name, _NOTHING), (*at, name))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (was, is_) in enumerate(zip(one, other, strict=True)):
            yield from _fields(was, is_, (*at, index))
    elif type(one) is not type(other) or one != other:
        yield at, one, other


_NOTHING = "(nothing)"


def _any_element(at: tuple[str | int, ...]) -> str:
    return "".join("/*" if isinstance(step, int) else f"/{json.escape(step)}" for step in at)


def masked(by: Iterable[Catalog], ref: Ref, at: tuple[str | int, ...], value: Json) -> Json:
    """A value at a place of `ref` as people may see it. Any of the configurations says what is personal: a change that drops the mark shows no more."""
    for catalog in by:
        contract = catalog.contract(ref)
        if contract is not None and value != _NOTHING:
            value = contract.masked(value, at)
    return value
