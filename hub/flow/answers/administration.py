"""Answers about running the hub: pauses, people and their record, keys, processes, the store."""

from typing import Annotated, TypedDict

from hub.flow.answers.fields import Rate, Time, one_of
from hub.store.engine.people_tables import ROLES
from hub.store.messages.pauses import ROUTE, TARGET


class Paused(TypedDict):
    kind: Annotated[str, one_of(ROUTE, TARGET)]
    name: str
    since: Time
    by: str
    why: str
    waiting: int


PausedList = TypedDict("PausedList", {"items": list[Paused]})
Changed = TypedDict("Changed", {"changed": bool, "waiting": int})


RecordedAct = TypedDict(
    "RecordedAct",
    {
        "sequence": int,
        "at": Time,
        "by": str,
        "what": str,
        "object": str,
        "details": object,
        "before": str,
        "hash": str,
    },
)
Acts = TypedDict("Acts", {"items": list[RecordedAct], "next": int | None})
Verdict = TypedDict("Verdict", {"records": int, "head": str, "broken": int | None, "text": str})


class Person(TypedDict):
    name: str
    role: Annotated[str, one_of(*ROLES)]
    createdAt: Time
    changedAt: Time
    disabledAt: Time | None


Persons = TypedDict("Persons", {"items": list[Person]})
Named = TypedDict("Named", {"name": str, "role": str})
ChangedPerson = TypedDict("ChangedPerson", {"name": str, "changed": str})


class CallerKey(TypedDict):
    id: str
    name: str
    systems: list[str]
    form: str
    pins: object
    state: str
    createdAt: Time
    expiresAt: Time | None
    revokedAt: Time | None


Keys = TypedDict("Keys", {"items": list[CallerKey]})
MadeKey = TypedDict("MadeKey", {"id": str, "key": str, "secret": str})
Revoked = TypedDict("Revoked", {"revoked": bool})


class Process(TypedDict):
    name: str
    role: str
    version: str
    revision: str
    startedAt: Time
    seenAt: Time
    leads: list[str]
    silent: bool


Processes = TypedDict("Processes", {"items": list[Process]})


class Stored(TypedDict):
    kind: str
    bytes: int
    schema: str | None
    tables: object
    parts: object
    keepMessagesDays: Rate
    keepKeysDays: float
    archive: str | None
    keptAt: Time | None
    oldestAt: Time | None
