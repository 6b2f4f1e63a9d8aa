"""Sparklines: the last hour per minute, for each route and target. One query for all, cached."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hub.flow.answers import overview as answers
from hub.flow.answers.fields import fill
from hub.flow.hub import Hub
from hub.store import MinuteCount
from hub.store.queries.throughput import MINUTE

MINUTES = 60
LEAST_S = 5.0  # cache TTL; the values are per minute


@dataclass(slots=True)
class Sparkline:
    """The values of one hour, oldest minute first; the last minute is incomplete."""

    accepted: list[int] = field(default_factory=lambda: [0] * MINUTES)
    delivered: list[int] = field(default_factory=lambda: [0] * MINUTES)
    failed: list[int] = field(default_factory=lambda: [0] * MINUTES)

    def add(self, minute: int, beat: MinuteCount) -> None:
        self.accepted[minute] += beat.accepted
        self.delivered[minute] += beat.delivered
        self.failed[minute] += beat.failed

    def as_json(self) -> answers.Hour:
        return fill(answers.Hour, self)


@dataclass(frozen=True, slots=True)
class Lines:
    """`targets` by system, `ways` by (route, target); each line has MINUTES values from `since` on."""

    since: datetime
    total: Sparkline
    routes: Mapping[str, Sparkline]
    targets: Mapping[str, Sparkline]
    ways: Mapping[tuple[str, str], Sparkline]

    def as_json(self) -> answers.Lines:
        ways: list[answers.HourOfWay] = [
            {"route": route, "target": way, **line.as_json()} for (route, way), line in sorted(self.ways.items())
        ]
        return {
            "since": self.since.isoformat(),
            "total": self.total.as_json(),
            "routes": [{"route": name, **line.as_json()} for name, line in sorted(self.routes.items())],
            "targets": [{"system": name, **line.as_json()} for name, line in sorted(self.targets.items())],
            "ways": ways,
        }


def lines(hub: Hub) -> Lines:
    """The sparklines of the last hour, cached for five seconds. Routes and targets without traffic have none."""
    return hub.shelf.at("lines", lambda: _lines(hub), least_s=LEAST_S).get()


def _lines(hub: Hub) -> Lines:
    since = hub.store.now().replace(second=0, microsecond=0) - timedelta(minutes=MINUTES - 1)
    return drawn(since, hub.store.beats(since))


def drawn(since: datetime, beats: Iterable[MinuteCount]) -> Lines:
    """Sums the minutes of `beats` from `since` on."""
    result = Lines(since, Sparkline(), {}, {}, {})
    routes, targets, ways = dict[str, Sparkline](), dict[str, Sparkline](), dict[tuple[str, str], Sparkline]()
    for beat in beats:
        minute = int((beat.at - since) / MINUTE)
        if not 0 <= minute < MINUTES:
            continue  # from a process whose clock is ahead
        result.total.add(minute, beat)
        if beat.route:
            routes.setdefault(beat.route, Sparkline()).add(minute, beat)
            targets.setdefault(beat.way.split("/")[0], Sparkline()).add(minute, beat)
            ways.setdefault((beat.route, beat.way), Sparkline()).add(minute, beat)
    return Lines(since, result.total, routes, targets, ways)
