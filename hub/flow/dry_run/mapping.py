"""Tries a mapping on a message: the result, the changes, and the faults by each contract. Nothing is sent or stored.

A person's own input is shown unmasked. The personal values of a stored message are masked, unless a person reveals it,
which is recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from hub.catalog import Catalog
from hub.core import json
from hub.core.config.mapping import Mapping
from hub.core.config.target_answers import read
from hub.core.documents.difference import difference
from hub.core.errors import Cause, Code, Fault, GiveUp, Refused
from hub.core.message import Json
from hub.core.schemas.contract import Contract
from hub.core.schemas.integers import declared
from hub.core.schemas.masking import Masker
from hub.flow.answers import contracts as answers
from hub.flow.answers.fields import fill
from hub.flow.answers.messages import Why
from hub.flow.interfaces import samples
from hub.flow.interfaces.mappings import NamedMapping, named
from hub.flow.views.stages import REVEALED
from hub.store import Store

EXAMPLE = "example "  # of a mapping, by its number from 1; other names are of samples


@dataclass(frozen=True, slots=True)
class Step:
    """One mapping of a chain, with the faults of its result by the target's contract."""

    mapping: Mapping
    faults: tuple[Fault, ...]

    def as_json(self) -> dict[str, Json]:
        return {
            "from": str(self.mapping.source),
            "to": str(self.mapping.target),
            "faults": [dict(fault.as_json()) for fault in self.faults],
        }


@dataclass(frozen=True, slots=True)
class MappingTrial:
    """The final result, each step, and the fault that stopped it. `before`: the faults of the input by the source's
    contract.
    """

    result: Json
    before: tuple[Fault, ...]
    steps: tuple[Step, ...]
    fault: Cause | None = None


def tried(
    catalog: Catalog, way: Sequence[Mapping], payload: Json, at: datetime, *, lookups: dict[str, Json] | None = None
) -> MappingTrial:
    """Runs mappings one after the other. An intermediate result that does not fit its contract stops the run, as in a
    delivery.
    """
    before = _faults(catalog.contract(way[0].source), payload)
    steps: list[Step] = []
    payload = declared(catalog.contract(way[0].source), payload)
    for number, mapping in enumerate(way, 1):
        try:
            payload = declared(catalog.contract(mapping.target), mapping.apply(payload, now=at, lookups=lookups or {}))
        except GiveUp as error:
            return MappingTrial(None, before, tuple(steps), error.why)
        steps.append(Step(mapping, _faults(catalog.contract(mapping.target), payload)))
        if steps[-1].faults and number < len(way):
            return MappingTrial(None, before, tuple(steps))
    return MappingTrial(payload, before, tuple(steps))


def _faults(contract: Contract | None, value: Json) -> tuple[Fault, ...]:
    return tuple(contract.check(value)) if contract is not None else ()


@dataclass(frozen=True, slots=True)
class TrialInput:
    """The input of a trial. `veil`: masks what may not be shown."""

    payload: Json
    veil: Masker
    at: datetime
    lookups: dict[str, Json]
    of: str  # what it is, for people: a case's name, a message's id; empty: brought along


def cases(catalog: Catalog, folder: Path, named_mapping: NamedMapping) -> list[str]:
    """The available test inputs: samples of the source, and the mapping's own inline examples."""
    names = (
        sorted(samples.samples(folder, named_mapping.mapping.source), key=lambda name: name.endswith(".bad"))
        if not named_mapping.is_foreign
        else []
    )
    names += [
        f"{EXAMPLE}{number}"
        for number, example in enumerate(named_mapping.mapping.examples, 1)
        if not isinstance(example.given, str)
    ]
    return names


def of_case(store: Store, folder: Path, named_mapping: NamedMapping, case: str) -> TrialInput:
    """The trial input of a sample or an example. Raises Refused if there is none."""
    lookups: dict[str, Json] = {}
    try:
        if case.startswith(EXAMPLE):
            example = {
                f"{EXAMPLE}{number}": example for number, example in enumerate(named_mapping.mapping.examples, 1)
            }[case]
            payload, lookups = example.given, example.lookups
        else:
            payload = samples.read(folder, named_mapping.mapping.source, case)
    except (ValueError, KeyError, OSError) as error:
        raise Refused(Code.NOT_FOUND, f"There is no case {case} of {named_mapping.name}.") from error
    return TrialInput(payload, Masker(is_lifted=True), store.now(), lookups, case)


def brought(store: Store, payload: Json) -> TrialInput:
    """The trial input that a person supplied."""
    return TrialInput(payload, Masker(is_lifted=True), store.now(), {}, "")


def of_message(
    store: Store, catalog: Catalog, named_mapping: NamedMapping, message_id: str, *, by: str = "", why: str = ""
) -> TrialInput:
    """The trial input of a stored message, upgraded to the mapping's source version. With `why` it is revealed, which
    is recorded first.

    Raises Refused: there is none, or it does not lead to this mapping.
    """
    row, raw = store.message(message_id), store.body(message_id)
    if row is None or raw is None:
        raise Refused(Code.NOT_FOUND, "There is no such message.")
    if row.ref != named_mapping.mapping.source and (
        row.type != named_mapping.mapping.source.type or catalog.way(row.ref, named_mapping.mapping.source) is None
    ):
        raise Refused(Code.BAD_REQUEST, f"The message is a {row.ref}; this mapping reads {named_mapping.source}.")
    if why:
        store.note_act(by=by, what=REVEALED, object_=message_id, details={"why": why, "mapping": named_mapping.name})
    veil = Masker(is_lifted=bool(why))
    payload = json.decode(raw)
    veil.learn(catalog.contract(row.ref), payload)
    for step in (
        (catalog.way(row.ref, named_mapping.mapping.source) or ()) if row.ref != named_mapping.mapping.source else ()
    ):
        try:
            payload = declared(catalog.contract(step.target), step.apply(payload, now=row.received_at))
        except GiveUp as error:
            raise Refused(
                Code.BAD_REQUEST,
                f"It cannot be upgraded to {step.target}: {error.why.field} {veil.over_text(error.why.text)}",
            ) from error
    lookups: dict[str, Json] = {
        look.name: read(look.found).value for look in store.lookups(row.id) if look.found is not None
    }
    return TrialInput(payload, veil, row.received_at, lookups, row.id)


def try_on(catalog: Catalog, named_mapping: NamedMapping, trial_input: TrialInput) -> answers.MappingTrial:
    """What the mapping makes of it: mapping, from, to, of, source, result (null: nothing), changes (see
    core.documents.difference), isMasked, `fault` (reason, text, field, fix: what stopped it; null: nothing),
    sourceFaults and targetFaults ({pointer, got, want, fix}).
    """
    veil, mapping = trial_input.veil, named_mapping.mapping
    done = tried(catalog, [mapping], trial_input.payload, trial_input.at, lookups=trial_input.lookups)
    reads, makes = catalog.contract(mapping.source), catalog.contract(mapping.target)
    veil.learn(reads, trial_input.payload)
    veil.learn(makes, done.result)
    changes: list[Any] = []
    if done.steps:
        masked_changes = veil.over_changes(
            difference(trial_input.payload, done.result), (reads, trial_input.payload), (makes, done.result)
        )
        changes = [veil.over(None, change) for change in masked_changes]
    fault = done.fault
    if fault is not None:
        fault = replace(fault, text=veil.over_text(fault.text))
    return {
        "mapping": named_mapping.name,
        "from": named_mapping.source,
        "to": str(mapping.target),
        "of": trial_input.of,
        "source": veil.over(reads, trial_input.payload),
        # A target's contract may forget to say what is personal: what the source's calls so is masked in it all the
        # same.
        "result": veil.over(None, veil.over(makes, done.result)) if done.steps else None,
        "changes": changes,
        "fault": fill(Why, fault) if fault is not None else None,
        "sourceFaults": [_fault(veil, fault) for fault in done.before],
        "targetFaults": [_fault(veil, fault) for step in done.steps for fault in step.faults],
        "isMasked": veil.has_masked,
    }


def _fault(veil: Masker, fault: Fault) -> dict[str, str]:
    return replace(fault, got=veil.over_text(fault.got)).as_json()


def one_named(catalog: Catalog, name: str) -> NamedMapping:
    """The mapping of this name. Raises Refused if there is none."""
    named_mapping = named(catalog).get(name)
    if named_mapping is None:
        raise Refused(Code.NOT_FOUND, f"There is no mapping {name}.")
    return named_mapping
