"""Trying a mapping on a message: what comes out, how it differs, what each contract says. Nothing is sent, and nothing is stored.

What a person brings along is theirs, and shown as it is; a stored message's personal values are masked, unless it is revealed, which is on record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from hub.catalog import Catalog
from hub.core.config.mapping import Mapping
from hub.core.config.target_answers import read
from hub.core.documents import json
from hub.core.documents.difference import difference
from hub.core.errors import Code, Fault, GiveUp, Refused, Why
from hub.core.message import Json
from hub.core.schemas.contract import Contract
from hub.core.schemas.integers import declared
from hub.core.schemas.masking import Veil
from hub.flow.interfaces import samples
from hub.flow.interfaces.mappings import Named, named
from hub.flow.views.stages import REVEALED
from hub.store import Store

EXAMPLE = "example "  # of a mapping, by its number from 1; other names are of samples


@dataclass(frozen=True, slots=True)
class Step:
    """One mapping of a way, tried: what its target's contract says of what it made."""

    mapping: Mapping
    faults: tuple[Fault, ...]

    def as_json(self) -> dict[str, Json]:
        return {"from": str(self.mapping.source), "to": str(self.mapping.target), "faults": [dict(one.as_json()) for one in self.faults]}


@dataclass(frozen=True, slots=True)
class Tried:
    """What came out at the end, each step on the way, and what stopped it. `before`: what the source's contract says."""

    result: Json
    before: tuple[Fault, ...]
    steps: tuple[Step, ...]
    fault: Why | None = None


def tried(catalog: Catalog, way: Sequence[Mapping], payload: Json, at: datetime, *, lookups: dict[str, Json] | None = None) -> Tried:
    """Runs mappings one after the other. A version on the way that does not fit its contract stops it: so it does a message."""
    before = _faults(catalog.contract(way[0].source), payload)
    steps: list[Step] = []
    payload = declared(catalog.contract(way[0].source), payload)
    for number, mapping in enumerate(way, 1):
        try:
            payload = declared(catalog.contract(mapping.target), mapping.apply(payload, now=at, lookups=lookups or {}))
        except GiveUp as error:
            return Tried(None, before, tuple(steps), error.why)
        steps.append(Step(mapping, _faults(catalog.contract(mapping.target), payload)))
        if steps[-1].faults and number < len(way):
            return Tried(None, before, tuple(steps))
    return Tried(payload, before, tuple(steps))


def _faults(contract: Contract | None, value: Json) -> tuple[Fault, ...]:
    return tuple(contract.check(value)) if contract is not None else ()


@dataclass(frozen=True, slots=True)
class Given:
    """What a mapping is tried on. `veil`: what of it may be shown."""

    payload: Json
    veil: Veil
    at: datetime
    lookups: dict[str, Json]
    of: str  # what it is, for people: a case's name, a message's id; empty: brought along


def cases(catalog: Catalog, folder: Path, one: Named) -> list[str]:
    """What lies ready to be tried: samples of its source, and its own examples that are written out."""
    found = sorted(samples.samples(folder, one.mapping.source), key=lambda name: name.endswith(".bad")) if not one.is_foreign else []
    found += [f"{EXAMPLE}{number}" for number, example in enumerate(one.mapping.examples, 1) if not isinstance(example.given, str)]
    return found


def of_case(store: Store, folder: Path, one: Named, case: str) -> Given:
    """A sample or an example. Raises Refused where there is none."""
    lookups: dict[str, Json] = {}
    try:
        if case.startswith(EXAMPLE):
            example = {f"{EXAMPLE}{number}": example for number, example in enumerate(one.mapping.examples, 1)}[case]
            payload, lookups = example.given, example.lookups
        else:
            payload = samples.read(folder, one.mapping.source, case)
    except (ValueError, KeyError, OSError) as error:
        raise Refused(Code.NOT_FOUND, f"There is no case {case} of {one.name}.") from error
    return Given(payload, Veil(is_lifted=True), store.now(), lookups, case)


def brought(store: Store, payload: Json) -> Given:
    """What a person pasted or sent."""
    return Given(payload, Veil(is_lifted=True), store.now(), {}, "")


def of_message(store: Store, catalog: Catalog, one: Named, message_id: str, *, by: str = "", why: str = "") -> Given:
    """A stored message, upgraded to the mapping's source where it is older. With `why` it is revealed: on record before it is read.

    Raises Refused: there is none, or it does not lead to this mapping.
    """
    row, raw = store.message(message_id), store.body(message_id)
    if row is None or raw is None:
        raise Refused(Code.NOT_FOUND, "There is no such message.")
    if row.ref != one.mapping.source and (row.type != one.mapping.source.type or catalog.way(row.ref, one.mapping.source) is None):
        raise Refused(Code.BAD_REQUEST, f"The message is a {row.ref}; this mapping reads {one.source}.")
    if why:
        store.note_act(by=by, what=REVEALED, object_=message_id, details={"why": why, "mapping": one.name})
    veil = Veil(is_lifted=bool(why))
    payload = json.decode(raw)
    veil.learn(catalog.contract(row.ref), payload)
    for step in (catalog.way(row.ref, one.mapping.source) or ()) if row.ref != one.mapping.source else ():
        try:
            payload = declared(catalog.contract(step.target), step.apply(payload, now=row.received_at))
        except GiveUp as error:
            raise Refused(Code.BAD_REQUEST, f"It cannot be upgraded to {step.target}: {error.why.field} {veil.over_text(error.why.text)}") from error
    lookups: dict[str, Json] = {look.name: read(look.found).value for look in store.lookups(row.id) if look.found is not None}
    return Given(payload, veil, row.received_at, lookups, row.id)


def try_on(catalog: Catalog, one: Named, given: Given) -> dict[str, Json]:
    """What the mapping makes of it: mapping, from, to, of, source, result (null: nothing), changes (see core.documents.difference), isMasked,
    `fault` (reason, text, field, fix: what stopped it; null: nothing), sourceFaults and targetFaults ({pointer, got, want, fix}).
    """
    veil, mapping = given.veil, one.mapping
    done = tried(catalog, [mapping], given.payload, given.at, lookups=given.lookups)
    reads, makes = catalog.contract(mapping.source), catalog.contract(mapping.target)
    veil.learn(reads, given.payload)
    veil.learn(makes, done.result)
    changes: list[Json] = []
    if done.steps:
        found = veil.over_changes(difference(given.payload, done.result), (reads, given.payload), (makes, done.result))
        changes = [veil.over(None, change) for change in found]
    fault = done.fault
    if fault is not None:
        fault = replace(fault, text=veil.over_text(fault.text))
    return {
        "mapping": one.name,
        "from": one.source,
        "to": str(mapping.target),
        "of": given.of,
        "source": veil.over(reads, given.payload),
        # A target's contract may forget to say what is personal: what the source's calls so is masked in it all the same.
        "result": veil.over(None, veil.over(makes, done.result)) if done.steps else None,
        "changes": changes,
        "fault": dict(fault.as_json()) if fault is not None else None,
        "sourceFaults": [_fault(veil, one) for one in done.before],
        "targetFaults": [_fault(veil, one) for step in done.steps for one in step.faults],
        "isMasked": veil.has_masked,
    }


def _fault(veil: Veil, fault: Fault) -> dict[str, Json]:
    return dict(replace(fault, got=veil.over_text(fault.got)).as_json())


def one_named(catalog: Catalog, name: str) -> Named:
    """Raises Refused where there is no such mapping."""
    found = named(catalog).get(name)
    if found is None:
        raise Refused(Code.NOT_FOUND, f"There is no mapping {name}.")
    return found
