"""What-if: runs stored messages through two configurations without side effects, and groups the differences with
examples.

Pure steps on stored bodies: contract, upgrade, match, map, the target's contract. `$now()` is each message's own time,
look-ups are the recorded ones, delivery ids are not made; so the only differences are those of the configurations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count

from hub.catalog import Catalog
from hub.core import json
from hub.core.config.routing import Route, match
from hub.core.errors import GiveUp, Refused
from hub.core.json import LIMITS, Limits
from hub.core.message import Json, Ref
from hub.flow.answers import building as answers
from hub.flow.answers.fields import fill
from hub.flow.render import found, render, upgraded
from hub.store import Lookup, Store

PAGE = 500
MAX_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as it was accepted, with the recorded look-ups of its routes."""

    id: str
    ref: Ref
    raw: bytes
    received_at: datetime
    lookups: tuple[Lookup, ...] = ()


@dataclass(frozen=True, slots=True)
class Rendition:
    """What one configuration makes of a message: a refusal, or the payload or fault per (route, target, part)."""

    refused: str | None
    disposition: str = ""
    payloads: dict[tuple[str, str, int | None], Json] = field(default_factory=dict)
    faults: dict[tuple[str, str, int | None], str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, order=True)
class Kind:
    """What is different: `refused`, `accepted`, `target_gained`, `target_lost`, `fault_gained`, `fault_mended`,
    `field`; where; and for a field its place.
    """

    what: str
    route: str = ""
    target: str = ""
    pointer: str = ""


@dataclass(slots=True)
class Group:
    """The messages with the same difference. `examples`: message id, before, after."""

    number: int = 0
    examples: list[tuple[str, Json, Json]] = field(default_factory=list)

    def as_json(self) -> list[answers.WhatIfExample]:
        return [{"message": id_, "before": before, "after": after} for id_, before, after in self.examples]


@dataclass(slots=True)
class Report:
    """The effect of the change. `unchanged`: the number of messages without any difference."""

    messages: int = 0
    unchanged: int = 0
    groups: dict[Kind, Group] = field(default_factory=dict)

    def as_json(self) -> answers.WhatIf:
        differences = [
            fill(answers.WhatIfGroup, kind, messages=group.number, examples=group.as_json())
            for kind, group in sorted(self.groups.items())
        ]
        return fill(answers.WhatIf, self, differences=differences)


def what_if(
    old: Catalog,
    new: Catalog,
    messages: Iterable[StoredMessage],
    *,
    limits: Limits = LIMITS,
    step: Callable[[], None] = lambda: None,
) -> Report:
    """Compares what `old` and `new` make of each message. `step` is called after each: progress."""
    report = Report()
    for message in messages:
        report.messages += 1
        differences = list(_differences(old, new, make(old, message, limits), make(new, message, limits)))
        report.unchanged += not differences
        for kind, before, after in differences:
            group = report.groups.setdefault(kind, Group())
            group.number += 1
            if len(group.examples) < MAX_EXAMPLES:
                group.examples.append((message.id, before, after))
        step()
    return report


def make(catalog: Catalog, message: StoredMessage, limits: Limits = LIMITS) -> Rendition:
    """What `catalog` makes of the message, as if it were posted again."""
    try:
        payload = json.decode(message.raw, limits)
        contract = catalog.contract(message.ref)
        emit = catalog.emit(message.ref.type)
        if contract is None or emit is None or message.ref.version not in emit.live:
            return Rendition(f"there is no live version {message.ref}")
        faults = contract.check(payload)
        if faults:
            return Rendition(f"{faults[0].pointer or '/'} wanted {faults[0].want}")
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
        return Rendition(error.text)
    except GiveUp as error:
        return Rendition(error.why.text)
    rendition = Rendition(None, matched.disposition.value)
    for planned in matched.planned:
        key = (planned.route, str(planned.ref), planned.part)
        try:
            if planned.undecided is not None:
                raise GiveUp(planned.undecided)  # noqa: TRY301  nothing can be made until its route is mended
            rendition.payloads[key] = render(
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
            rendition.faults[key] = f"{error.why.field} {error.why.text}".strip()
    return rendition


def recent(store: Store, *, since: datetime | None = None, most: int | None = None) -> Iterator[StoredMessage]:
    """Stored messages, newest first, page by page: all since a time, or the last so many."""
    before: str | None = None
    left = most if most is not None else float("inf")
    while left > 0:
        rows = store.search(since=since, limit=int(min(PAGE, left)), before=before)
        if not rows:
            return
        bodies = store.bodies(*(row.id for row in rows))
        lookups: dict[str, list[Lookup]] = {}
        for lookup in store.lookups(*(row.id for row in rows)):
            lookups.setdefault(lookup.message_id, []).append(lookup)
        for row in rows:
            if row.id in bodies:
                yield StoredMessage(row.id, row.ref, bodies[row.id], row.received_at, tuple(lookups.get(row.id, ())))
        left -= len(rows)
        before = rows[-1].id


def all_destinations(routes: Sequence[Route]) -> frozenset[tuple[str, str]]:
    """All (route, target) pairs; a delivery with another pair is orphaned."""
    return frozenset((route.name, str(to.ref)) for route in routes for to in route.to)


def _differences(
    old: Catalog, new: Catalog, old_made: Rendition, new_made: Rendition
) -> Iterator[tuple[Kind, Json, Json]]:
    if old_made.refused is not None or new_made.refused is not None:
        if (old_made.refused is None) != (new_made.refused is None):
            yield Kind("refused" if new_made.refused is not None else "accepted"), old_made.refused, new_made.refused
        return
    before, after = {**old_made.faults, **old_made.payloads}.keys(), {**new_made.faults, **new_made.payloads}.keys()
    for route, target, _ in sorted(before - after, key=str):
        yield Kind("target_lost", route, target), "a delivery", None
    for route, target, _ in sorted(after - before, key=str):
        yield Kind("target_gained", route, target), None, "a delivery"
    for key in sorted(before & after, key=str):
        route, target, _ = key
        if key in old_made.payloads and key in new_made.payloads:
            for pointer, was, is_ in _fields(old_made.payloads[key], new_made.payloads[key]):
                ref = Ref.parse(target)
                yield (
                    Kind("field", route, target, _any_element(pointer)),
                    masked((old, new), ref, pointer, was),
                    masked((old, new), ref, pointer, is_),
                )
        elif key in new_made.faults and key in old_made.payloads:
            yield Kind("fault_gained", route, target), "made", new_made.faults[key]
        elif key in old_made.faults and key in new_made.payloads:
            yield Kind("fault_mended", route, target), old_made.faults[key], "made"


def _fields(
    old_value: Json, new_value: Json, at: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], Json, Json]]:
    if isinstance(old_value, dict) and isinstance(new_value, dict):
        for name in sorted(old_value.keys() | new_value.keys()):
            yield from _fields(old_value.get(name, _NOTHING), new_value.get(name, _NOTHING), (*at, name))
    elif isinstance(old_value, list) and isinstance(new_value, list) and len(old_value) == len(new_value):
        for index, (was, is_) in enumerate(zip(old_value, new_value, strict=True)):
            yield from _fields(was, is_, (*at, index))
    elif type(old_value) is not type(new_value) or old_value != new_value:
        yield at, old_value, new_value


_NOTHING = "(nothing)"


def _any_element(at: tuple[str | int, ...]) -> str:
    return "".join("/*" if isinstance(step, int) else f"/{json.escape(step)}" for step in at)


def masked(by: Iterable[Catalog], ref: Ref, at: tuple[str | int, ...], value: Json) -> Json:
    """A value at a place of `ref` as people may see it. Any of the configurations says what is personal: a change that
    drops the mark shows no more.
    """
    for catalog in by:
        contract = catalog.contract(ref)
        if contract is not None and value != _NOTHING:
            value = contract.masked(value, at)
    return value
