"""A contract that is not published yet, tried on what was really sent. Reads only; of a body nothing is told but the place that would be refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from hub.core import json
from hub.core.contract import Contract
from hub.core.errors import Fault, GiveUp, Refused
from hub.core.message import Json
from hub.flow.usage import ELEMENT
from hub.store import Store

PAGE = 500
MAX_EXAMPLES = 5


@dataclass(slots=True)
class Group:
    """One caller's messages that would be refused at one place for one reason, with the ids of a few."""

    caller: str
    pointer: str
    want: str
    number: int = 0
    messages: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Trial:
    """What a candidate would have refused of what was sent since a time."""

    since: datetime
    messages: int = 0
    refused: int = 0
    unreadable: int = 0  # bodies that no contract can be asked about
    groups: list[Group] = field(default_factory=list)

    def as_json(self) -> dict[str, Json]:
        groups: list[Json] = [
            {"caller": one.caller, "pointer": one.pointer, "want": one.want, "number": one.number, "messages": list(one.messages)} for one in self.groups
        ]
        return {"since": self.since.isoformat(), "messages": self.messages, "refused": self.refused, "unreadable": self.unreadable, "groups": groups}


def try_contract(store: Store, candidate: Contract, *, since: datetime, step: Callable[[], None] = lambda: None) -> Trial:
    """Runs every stored message of the candidate's type and version since then through it."""
    trial = Trial(since)
    groups: dict[tuple[str, str, str], Group] = {}
    before: str | None = None
    while rows := store.search(type_=candidate.ref.type, since=since, limit=PAGE, before=before):
        bodies = store.bodies(*(row.id for row in rows))
        for row in rows:
            if row.version == candidate.ref.version and row.id in bodies:
                _try(trial, groups, candidate, row.id, row.caller, bodies[row.id], row.received_at)
                step()
        before = rows[-1].id
    trial.groups = sorted(groups.values(), key=lambda one: (-one.number, one.caller, one.pointer))
    return trial


def _try(trial: Trial, groups: dict[tuple[str, str, str], Group], candidate: Contract, id_: str, caller: str, raw: bytes, at: datetime) -> None:
    trial.messages += 1
    try:
        payload = json.decode(raw)
        faults = candidate.check(payload) or candidate.contradictions(payload, now=at)
    except Refused:
        trial.unreadable += 1
        return
    except GiveUp as error:
        faults = [Fault("", "a message", "one that the contract's rules can be computed of", error.why.text)]
    trial.refused += bool(faults)
    for pointer, want in dict.fromkeys((ELEMENT.sub("/*", fault.pointer), fault.want) for fault in faults):
        group = groups.setdefault((caller, pointer, want), Group(caller, pointer, want))
        group.number += 1
        if len(group.messages) < MAX_EXAMPLES:
            group.messages.append(id_)
