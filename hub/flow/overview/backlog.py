"""The backlog per lane, route and target: pending deliveries, deliveries that wait for a person, and the oldest due
time. Cached for one second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from hub.flow.answers import overview as answers
from hub.flow.answers.fields import fill
from hub.flow.hub import Hub
from hub.flow.overview.clusters import counted
from hub.flow.views import trace
from hub.store import DeliveryRow, Pause
from hub.store.messages.pauses import ROUTE, TARGET
from hub.store.queries.backlog import Lane, ParkedKey

LEAST_S = 1.0
PARKED_S = 2.0


@dataclass(frozen=True, slots=True)
class Backlog:
    """By (route, target): `ways` counts pending deliveries, `stuck` dead, held and unknown ones. `lanes`: by system,
    also empty ones.
    """

    at: datetime
    lanes: Mapping[str, Lane]
    ways: Mapping[tuple[str, str], int]
    stuck: Mapping[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class PauseImpact:
    """A pause with the number of deliveries that wait because of it. `is_exact`: False if the number is estimated or
    capped.
    """

    pause: Pause
    number: int
    is_exact: bool


@dataclass(frozen=True, slots=True)
class Behind:
    """The deliveries that wait for a target or on a route: their number, the first ones in sending order, and the
    pause, if there is one.
    """

    number: int
    is_exact: bool
    oldest_due_at: datetime | None
    rows: tuple[DeliveryRow, ...]
    stopped: PauseImpact | None


def backlog(hub: Hub) -> Backlog:
    return hub.shelf.at("backlog", lambda: _backlog(hub), least_s=LEAST_S).get()


def _backlog(hub: Hub) -> Backlog:
    store = hub.store
    names = sorted(name for name, system in hub.catalogs.active().systems.items() if system.accepts)
    lanes = {lane.lane: lane for lane in store.lanes(names)}
    ways = {(way.route, way.target): way.number for lane in lanes.values() for way in lane.ways}
    stuck: dict[tuple[str, str], int] = {}
    for entry in counted(hub):
        if entry.cluster is not None:
            key = (entry.cluster.cause.route, str(entry.cluster.cause.target))
            stuck[key] = stuck.get(key, 0) + entry.number
    return Backlog(store.now(), lanes, ways, stuck)


def told(counted_backlog: Backlog) -> list[answers.LaneBacklog]:
    """Per target system: backlog, isExact, oldestDueAt, lagS (0: nothing is late), and the ways with their backlog."""
    lines: list[answers.LaneBacklog] = []
    for name, lane in sorted(counted_backlog.lanes.items()):
        due = lane.oldest_due_at
        lag = max(0.0, (counted_backlog.at - due).total_seconds()) if due is not None else 0.0
        ways = [fill(answers.WayBacklog, way, backlog=way.number) for way in lane.ways]
        line = fill(answers.LaneBacklog, lane, system=name, backlog=lane.number, lagS=round(lag, 3), ways=ways)
        lines.append(line)
    return lines


def stopped(hub: Hub) -> list[PauseImpact]:
    """The pauses with their impact, oldest first. Uses the cached backlog, so that a large backlog costs nothing
    extra.
    """
    return hub.shelf.at("stopped", lambda: _stopped(hub), least_s=LEAST_S).get()


def parked(hub: Hub) -> tuple[list[ParkedKey], bool]:
    """Order keys that are blocked by a dead delivery, oldest first, and whether the list is complete. Cached."""
    return hub.shelf.at("parked", hub.store.parked, least_s=PARKED_S).get()


def _stopped(hub: Hub) -> list[PauseImpact]:
    pauses = hub.store.pauses()
    if not pauses:
        return []
    waiting = backlog(hub)
    held = hub.store.held_by_pauses() if any(row.kind == ROUTE for row in pauses) else {}
    return [PauseImpact(row, *_number(waiting, row.kind, row.name, held)) for row in pauses]


def _number(waiting: Backlog, kind: str, name: str, held: Mapping[str, int]) -> tuple[int, bool]:
    if kind == TARGET:
        lane = waiting.lanes.get(name)
        return (lane.number, lane.is_exact) if lane is not None else (0, True)
    ways = [way for lane in waiting.lanes.values() for way in lane.ways if way.route == name]
    return sum(way.number for way in ways) + held.get(name, 0), all(way.is_exact for way in ways)


def behind(hub: Hub, kind: str, name: str, *, limit: int = 50) -> Behind:
    """The deliveries that wait for target `name`, or on route `name`, with the first `limit` of them; none for an
    unknown name.

    Whether it is paused is asked for anew: whoever paused it this moment sees it paused.
    """
    waiting = backlog(hub)
    pause = next((impact for impact in _stopped(hub) if (impact.pause.kind, impact.pause.name) == (kind, name)), None)
    number, is_exact = (pause.number, pause.is_exact) if pause is not None else _number(waiting, kind, name, {})
    if kind == TARGET:
        rows = hub.store.queue_of_lane(name, limit=limit)
        due = waiting.lanes[name].oldest_due_at if name in waiting.lanes else None
    else:
        lanes = sorted(lane.lane for lane in waiting.lanes.values() if any(way.route == name for way in lane.ways))
        rows = hub.store.queue_of_route(name, lanes, limit=limit)
        due = min((row.due_at for row in rows), default=None)
    return Behind(max(number, len(rows)), is_exact, due, tuple(rows), pause)


def behind_json(entry: Behind) -> answers.Behind:
    """count, isExact, oldestDueAt, paused {since, by, why} or null, items: deliveries, without their attempts."""
    pause = entry.stopped.pause if entry.stopped is not None else None
    paused = fill(answers.PausedBy, pause, since=pause.at) if pause is not None else None
    items = [trace.delivery_json(row, []) for row in entry.rows]
    return fill(answers.Behind, entry, count=entry.number, paused=paused, items=items)
