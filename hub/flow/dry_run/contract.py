"""Tries an unpublished contract on stored messages. Reads only.

The result names the field that would be refused, never its value. Examples are given on request, and are masked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from hub.core import json
from hub.core.errors import Fault, GiveUp, Refused
from hub.core.message import Json
from hub.core.schemas.contract import MASK, Contract
from hub.flow.context.usage import ELEMENT
from hub.store import MessageRow, Store

PAGE = 500
MAX_EXAMPLES = 5


@dataclass(slots=True)
class Group:
    """One caller's messages that would be refused at one place for one reason, with the ids of a few; `examples` are
    masked.
    """

    caller: str
    pointer: str
    want: str
    number: int = 0
    messages: list[str] = field(default_factory=list)
    examples: list[Json] = field(default_factory=list)

    def as_json(self) -> dict[str, Json]:
        row: dict[str, Json] = {
            "caller": self.caller,
            "pointer": self.pointer,
            "want": self.want,
            "number": self.number,
            "messages": list(self.messages),
        }
        return {**row, "examples": list(self.examples)} if self.examples else row


@dataclass(slots=True)
class Trial:
    """What a candidate contract would have refused since a time."""

    since: datetime
    messages: int = 0
    refused: int = 0
    unreadable: int = 0  # bodies that no contract can be asked about
    groups: list[Group] = field(default_factory=list)

    def as_json(self) -> dict[str, Json]:
        groups: list[Json] = [group.as_json() for group in self.groups]
        return {
            "since": self.since.isoformat(),
            "messages": self.messages,
            "refused": self.refused,
            "unreadable": self.unreadable,
            "groups": groups,
        }


def try_contract(
    store: Store,
    candidate: Contract,
    *,
    since: datetime,
    examples: int = 0,
    known: Sequence[Contract] = (),
    step: Callable[[], None] = lambda: None,
) -> Trial:
    """Validates every stored message of the candidate's type and version since then.

    `examples`: up to so many messages per group are shown, without what is personal by the candidate or by one of
    `known`, and without what none of them describes.
    """
    trial = Trial(since)
    groups: dict[tuple[str, str, str], Group] = {}
    before: str | None = None
    while rows := store.search(
        type_=candidate.ref.type, version=candidate.ref.version, since=since, limit=PAGE, before=before
    ):
        bodies = store.bodies(*(row.id for row in rows))
        for row in rows:
            if row.id in bodies:
                for group, payload in _try(trial, groups, candidate, row, bodies[row.id]):
                    if len(group.examples) < examples:
                        group.examples.append(shown(payload, [candidate, *known]))
                step()
        before = rows[-1].id
    trial.groups = sorted(groups.values(), key=lambda group_: (-group_.number, group_.caller, group_.pointer))
    return trial


def _try(
    trial: Trial, groups: dict[tuple[str, str, str], Group], candidate: Contract, row: MessageRow, raw: bytes
) -> list[tuple[Group, Json]]:
    """The groups of a message's faults; none if it fits."""
    trial.messages += 1
    try:
        payload = json.decode(raw)
    except Refused:
        trial.unreadable += 1
        return []
    try:
        faults = candidate.check(payload) or candidate.contradictions(payload, now=row.received_at)
    except GiveUp as error:
        faults = [Fault("", "a message", "one that the contract's rules can be computed of", error.why.text)]
    trial.refused += bool(faults)
    matches: list[tuple[Group, Json]] = []
    for pointer, want in dict.fromkeys((ELEMENT.sub("/*", fault.pointer), fault.want) for fault in faults):
        group = groups.setdefault((row.caller, pointer, want), Group(row.caller, pointer, want))
        group.number += 1
        if len(group.messages) < MAX_EXAMPLES:
            group.messages.append(row.id)
        matches.append((group, payload))
    return matches


def shown(value: Json, contracts: Sequence[Contract], at: tuple[str | int, ...] = ()) -> Json:
    """`value` for display: masked where a contract marks it as personal, or where no contract describes it."""
    place = list(at)
    if any(contract.is_personal(place) for contract in contracts) or not any(
        contract.describes(place) for contract in contracts
    ):
        return MASK
    if isinstance(value, dict):
        return {name: shown(member, contracts, (*at, name)) for name, member in value.items()}
    if isinstance(value, list):
        return [shown(member, contracts, (*at, index)) for index, member in enumerate(value)]
    return value
