"""The `Hub`: settings, store, notifier, caches, targets, clock, as `main` wires them for the flow. It has no behaviour
of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from hub.core.adapter import Answer, Parcel, Probe, Source
from hub.core.json import Limits
from hub.flow.context.answer_cache import AnswerCache
from hub.flow.context.background_queue import BackgroundQueue
from hub.flow.context.callers import Callers
from hub.flow.context.counts import Counts
from hub.flow.context.pace import Pace
from hub.flow.context.pins import Pins
from hub.flow.context.query_cache import QueryCache
from hub.flow.context.rate_limit import Allowance
from hub.flow.context.refusal_writer import Refusals
from hub.flow.context.revisions import Revisions
from hub.flow.context.spans import Spans
from hub.flow.context.throughput import Minutes
from hub.flow.context.usage import Usage
from hub.kit.http.call import Call, HttpResult
from hub.kit.target import BatchTarget
from hub.settings import Settings
from hub.store import GroupCommit, Store
from hub.transport.notifier import Notifier
from hub.vault.jwt import Authorities


class LaneTarget(Protocol):
    """A system as an HTTP target: builds the call, and interprets the answer."""

    def call(self, parcel: Parcel) -> Call: ...

    def verdict(self, parcel: Parcel, done: HttpResult, *, now: datetime) -> Answer: ...

    def question(self, parcel: Parcel) -> Call | None: ...

    def judged(self, parcel: Parcel, done: HttpResult, *, now: datetime) -> Probe: ...


@dataclass(frozen=True, slots=True)
class Hub:
    """All dependencies of the flow. `clock` gives aware UTC; `random` gives [0, 1); ids are UUIDv7."""

    settings: Settings
    store: Store
    commit: GroupCommit
    notifier: Notifier
    catalogs: Revisions
    callers: Callers
    allowance: Allowance
    authorities: Authorities
    counts: Counts
    pace: Pace
    limits: Limits
    targets: Callable[[str], LaneTarget | BatchTarget | None]  # by system, from the active revision and the settings
    values: Callable[[str], Mapping[str, str]]  # by system: its settings by name, secrets included
    sources: Callable[[str, str], Source]  # by system and hook: the request reader of its adapter.py
    clock: Callable[[], datetime]
    random: Callable[[], float]
    new_id: Callable[[], str]
    worker: str
    role: str = ""  # the process role: up, web, worker, scheduler
    spans: Spans | None = None  # None: tracing is off
    usage: Usage = field(default_factory=Usage)
    pins: Pins = field(default_factory=Pins)
    minutes: Minutes = field(default_factory=Minutes)
    shelf: QueryCache = field(default_factory=QueryCache)
    noting: BackgroundQueue = field(default_factory=BackgroundQueue)
    remembered: AnswerCache = field(default_factory=AnswerCache)
    refusals: Refusals = field(default_factory=Refusals)
