"""The hub as the flow sees it: its ports, wired by `main`. No verbs live here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from hub.core.adapter import Answer, Parcel, Probe, Source
from hub.core.documents.json import Limits
from hub.flow.context.answer_cache import Remembered
from hub.flow.context.background_queue import Noting
from hub.flow.context.callers import Callers
from hub.flow.context.counts import Counts
from hub.flow.context.pace import Pace
from hub.flow.context.pins import Pins
from hub.flow.context.query_cache import Shelf
from hub.flow.context.rate_limit import Allowance
from hub.flow.context.refusal_writer import Refusals
from hub.flow.context.revisions import Revisions
from hub.flow.context.spans import Spans
from hub.flow.context.throughput import Minutes
from hub.flow.context.usage import Usage
from hub.kit.http.call import Call, Done
from hub.kit.target import BatchTarget
from hub.settings import Settings
from hub.store import GroupCommit, Store
from hub.transport.bell import Bell
from hub.vault.jwt import Authorities


class LaneTarget(Protocol):
    """One system as a target over HTTP: what to send, and what the answer means."""

    def call(self, parcel: Parcel) -> Call: ...

    def verdict(self, parcel: Parcel, done: Done, *, now: datetime) -> Answer: ...

    def question(self, parcel: Parcel) -> Call | None: ...

    def judged(self, parcel: Parcel, done: Done, *, now: datetime) -> Probe: ...


@dataclass(frozen=True, slots=True)
class Hub:
    """Everything that a step of the flow may reach. `clock` gives aware UTC; `random` gives [0, 1); ids are UUIDv7."""

    settings: Settings
    store: Store
    commit: GroupCommit
    bell: Bell
    catalogs: Revisions
    callers: Callers
    allowance: Allowance
    authorities: Authorities
    counts: Counts
    pace: Pace
    limits: Limits
    targets: Callable[[str], LaneTarget | BatchTarget | None]  # by system, as the active revision and the settings have it
    values: Callable[[str], Mapping[str, str]]  # a system's settings by name, its secrets among them
    sources: Callable[[str, str], Source]  # by system and hook: what its adapter.py reads requests with
    clock: Callable[[], datetime]
    random: Callable[[], float]
    new_id: Callable[[], str]
    worker: str
    role: str = ""  # up, web, worker, scheduler: what this process was started as
    spans: Spans | None = None  # None: nothing is traced
    usage: Usage = field(default_factory=Usage)
    pins: Pins = field(default_factory=Pins)
    minutes: Minutes = field(default_factory=Minutes)
    shelf: Shelf = field(default_factory=Shelf)
    noting: Noting = field(default_factory=Noting)
    remembered: Remembered = field(default_factory=Remembered)
    refusals: Refusals = field(default_factory=Refusals)
