"""Lines: the last hour by the minute, on each route and at each target, for small pictures beside names. One look into the minutes for all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hub.core.message import Json
from hub.flow.hub import Hub
from hub.store import Beat
from hub.store.queries.throughput import MINUTE

MINUTES = 60
LEAST_S = 5.0  # what is shown by the minute need not be asked for by the second


@dataclass(slots=True)
class Line:
    """An hour of one thing, oldest minute first; the last minute is still running."""

    accepted: list[int] = field(default_factory=lambda: [0] * MINUTES)
    delivered: list[int] = field(default_factory=lambda: [0] * MINUTES)
    failed: list[int] = field(default_factory=lambda: [0] * MINUTES)

    def add(self, minute: int, beat: Beat) -> None:
        self.accepted[minute] += beat.accepted
        self.delivered[minute] += beat.delivered
        self.failed[minute] += beat.failed

    def as_json(self) -> dict[str, Json]:
        return {"accepted": list(self.accepted), "delivered": list(self.delivered), "failed": list(self.failed)}


@dataclass(frozen=True, slots=True)
class Lines:
    """`targets` by system, `ways` by (route, target); each line has MINUTES values from `since` on."""

    since: datetime
    total: Line
    routes: Mapping[str, Line]
    targets: Mapping[str, Line]
    ways: Mapping[tuple[str, str], Line]

    def as_json(self) -> dict[str, Json]:
        ways: list[Json] = [{"route": route, "target": way, **line.as_json()} for (route, way), line in sorted(self.ways.items())]
        return {
            "since": self.since.isoformat(),
            "total": self.total.as_json(),
            "routes": [{"route": name, **line.as_json()} for name, line in sorted(self.routes.items())],
            "targets": [{"system": name, **line.as_json()} for name, line in sorted(self.targets.items())],
            "ways": ways,
        }


def lines(hub: Hub) -> Lines:
    """Asked for every five seconds for all who look. What never flowed within the hour has no line."""
    return hub.shelf.at("lines", lambda: _lines(hub), least_s=LEAST_S).get()


def _lines(hub: Hub) -> Lines:
    since = hub.store.now().replace(second=0, microsecond=0) - timedelta(minutes=MINUTES - 1)
    return drawn(since, hub.store.beats(since))


def drawn(since: datetime, beats: Iterable[Beat]) -> Lines:
    """Adds up the minutes of `beats` from `since` on."""
    found = Lines(since, Line(), {}, {}, {})
    routes, targets, ways = dict[str, Line](), dict[str, Line](), dict[tuple[str, str], Line]()
    for beat in beats:
        minute = int((beat.at - since) / MINUTE)
        if not 0 <= minute < MINUTES:
            continue  # a process whose clock is ahead
        found.total.add(minute, beat)
        if beat.route:
            routes.setdefault(beat.route, Line()).add(minute, beat)
            targets.setdefault(beat.way.split("/")[0], Line()).add(minute, beat)
            ways.setdefault((beat.route, beat.way), Line()).add(minute, beat)
    return Lines(since, found.total, routes, targets, ways)
