"""How things stand on each way: what is pending, what waits for a person, since when. Asked once a second for all who look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from hub.core.message import Json
from hub.flow.hub import Hub
from hub.flow.overview.clusters import counted
from hub.flow.views import trace
from hub.store import DeliveryRow, Pause
from hub.store.messages.pauses import ROUTE, TARGET
from hub.store.queries.backlog import Lane, Parked

LEAST_S = 1.0
PARKED_S = 2.0


@dataclass(frozen=True, slots=True)
class Backlog:
    """By (route, target): `ways` pending, `stuck` dead, held and unknown. `lanes` by system, also those with nothing."""

    at: datetime
    lanes: Mapping[str, Lane]
    ways: Mapping[tuple[str, str], int]
    stuck: Mapping[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class Stopped:
    """A pause with how many wait because of it. `is_exact`: False where that is scaled up, or counted no further."""

    pause: Pause
    number: int
    is_exact: bool


@dataclass(frozen=True, slots=True)
class Behind:
    """What waits at a target, or on a route: how many, the first of them in the order in which they go, and the pause, if a person made one."""

    number: int
    is_exact: bool
    oldest_due_at: datetime | None
    rows: tuple[DeliveryRow, ...]
    stopped: Stopped | None


def backlog(hub: Hub) -> Backlog:
    return hub.shelf.at("backlog", lambda: _backlog(hub), least_s=LEAST_S).get()


def _backlog(hub: Hub) -> Backlog:
    store = hub.store
    names = sorted(name for name, system in hub.catalogs.active().systems.items() if system.accepts)
    lanes = {one.lane: one for one in store.lanes(names)}
    ways = {(way.route, way.target): way.number for lane in lanes.values() for way in lane.ways}
    stuck: dict[tuple[str, str], int] = {}
    for one in counted(hub):
        if one.cluster is not None:
            key = (one.cluster.cause.route, str(one.cluster.cause.target))
            stuck[key] = stuck.get(key, 0) + one.number
    return Backlog(store.now(), lanes, ways, stuck)


def told(found: Backlog) -> list[Json]:
    """Per target system: backlog, isExact, oldestDueAt, lagS (0: nothing is late), and the ways with their backlog."""
    lines: list[Json] = []
    for name, lane in sorted(found.lanes.items()):
        due = lane.oldest_due_at
        lag = max(0.0, (found.at - due).total_seconds()) if due is not None else 0.0
        ways: list[Json] = [{"route": way.route, "target": way.target, "backlog": way.number, "isExact": way.is_exact} for way in lane.ways]
        lines.append(
            {
                "system": name,
                "backlog": lane.number,
                "isExact": lane.is_exact,
                "oldestDueAt": due.isoformat() if due is not None else None,
                "lagS": round(lag, 3),
                "ways": ways,
            }
        )
    return lines


def stopped(hub: Hub) -> list[Stopped]:
    """What is paused, oldest first. Counted from what is counted anyway, so that a million waiting costs no more than none."""
    return hub.shelf.at("stopped", lambda: _stopped(hub), least_s=LEAST_S).get()


def parked(hub: Hub) -> tuple[list[Parked], bool]:
    """Keys that wait behind a dead delivery, the oldest first, and whether these are all; asked once for all who look."""
    return hub.shelf.at("parked", hub.store.parked, least_s=PARKED_S).get()


def _stopped(hub: Hub) -> list[Stopped]:
    pauses = hub.store.pauses()
    if not pauses:
        return []
    found = backlog(hub)
    held = hub.store.held_by_pauses() if any(one.kind == ROUTE for one in pauses) else {}
    return [Stopped(one, *_number(found, one.kind, one.name, held)) for one in pauses]


def _number(found: Backlog, kind: str, name: str, held: Mapping[str, int]) -> tuple[int, bool]:
    if kind == TARGET:
        lane = found.lanes.get(name)
        return (lane.number, lane.is_exact) if lane is not None else (0, True)
    ways = [way for lane in found.lanes.values() for way in lane.ways if way.route == name]
    return sum(way.number for way in ways) + held.get(name, 0), all(way.is_exact for way in ways)


def behind(hub: Hub, kind: str, name: str, *, limit: int = 50) -> Behind:
    """What waits at target `name`, or on route `name`, with the first `limit` of it. Of a name that nothing bears: nothing.

    Whether it is paused is asked for anew: whoever paused it this moment sees it paused.
    """
    found = backlog(hub)
    pause = next((one for one in _stopped(hub) if (one.pause.kind, one.pause.name) == (kind, name)), None)
    number, is_exact = (pause.number, pause.is_exact) if pause is not None else _number(found, kind, name, {})
    if kind == TARGET:
        rows = hub.store.queue_of_lane(name, limit=limit)
        due = found.lanes[name].oldest_due_at if name in found.lanes else None
    else:
        lanes = sorted(lane.lane for lane in found.lanes.values() if any(way.route == name for way in lane.ways))
        rows = hub.store.queue_of_route(name, lanes, limit=limit)
        due = min((row.due_at for row in rows), default=None)
    return Behind(max(number, len(rows)), is_exact, due, tuple(rows), pause)


def behind_json(found: Behind) -> dict[str, Json]:
    """count, isExact, oldestDueAt, paused {since, by, why} or null, items: deliveries, without their attempts."""
    pause = found.stopped.pause if found.stopped is not None else None
    return {
        "count": found.number,
        "isExact": found.is_exact,
        "oldestDueAt": found.oldest_due_at.isoformat() if found.oldest_due_at is not None else None,
        "paused": {"since": pause.at.isoformat(), "by": pause.by, "why": pause.why} if pause is not None else None,
        "items": [trace.delivery_json(row, []) for row in found.rows],
    }
