"""Rates: what flows on each way now, how much of it comes through, how long it takes; and the same as a curve. From the minutes' counts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from hub.core.documents import json
from hub.core.message import Json
from hub.core.model.latency import quantile
from hub.flow.hub import Hub
from hub.store import Flowed
from hub.store.engine.register_tables import OUTCOMES
from hub.store.queries.throughput import KEPT, MINUTE

LATELY = timedelta(minutes=5)  # over which a rate is told: the minute that runs, and four before it
LEAST_S = 1.0  # between two looks of one process
STEPS = 600  # points of a curve, at most
ATTEMPTED = ("delivered", "retried", "dead", "unknown", "held", "ended")


def ways(hub: Hub) -> dict[str, Json]:
    """What flowed lately: `total`, `accepted` per message type, `ways` per route and target, `routes`, `targets` per target system.

    Each has perSecond, attempts, delivered, success (0 to 1; null: nothing was tried), failing (its other side), dead, unknown, held, retried,
    p50Ms and p99Ms from acceptance to target, sendP50Ms and sendP99Ms of the call alone (null: none). Counts come in up to 5 s late.
    """
    return hub.shelf.at("rates", lambda: _ways(hub), least_s=LEAST_S).get()


def _ways(hub: Hub) -> dict[str, Json]:
    now = hub.store.now()
    since = begin(now)
    seconds = (now - since).total_seconds()
    rows = hub.store.flowed(since)
    sent = [row for row in rows if row.route]
    taken: list[Json] = [_taken(row, seconds) for row in rows if not row.route]
    accepted = sum(row.numbers["accepted"] for row in rows)
    lanes, routes = sorted({row.way.split("/")[0] for row in sent}), sorted({row.route for row in sent})
    return {
        "at": now.isoformat(),
        "since": since.isoformat(),
        "total": {**_told(_sum(sent, since), seconds), "accepted": accepted, "acceptedPerSecond": round(accepted / seconds, 3)},
        "accepted": taken,
        "ways": [{"route": row.route, "target": row.way, **_told(row, seconds)} for row in sent],
        "routes": [{"route": name, **_told(_sum((row for row in sent if row.route == name), since), seconds)} for name in routes],
        "targets": [{"system": lane, **_told(_sum((row for row in sent if row.way.split("/")[0] == lane), since), seconds)} for lane in lanes],
    }


def begin(now: datetime) -> datetime:
    """Since when a rate counts: from a whole minute on, so that the rows of it are whole."""
    return now.replace(second=0, microsecond=0) - LATELY + MINUTE


def _taken(row: Flowed, seconds: float) -> Json:
    number = row.numbers["accepted"]
    return {"message": row.way, "accepted": number, "apart": row.numbers["apart"], "perSecond": round(number / seconds, 3)}


def _sum(rows: Iterable[Flowed], at: datetime) -> Flowed:
    found = Flowed(at, "", "", dict.fromkeys(OUTCOMES, 0))
    for row in rows:
        found += row
    return found


def _told(row: Flowed, seconds: float) -> dict[str, Json]:
    attempts = sum(row.numbers[name] for name in ATTEMPTED)
    delivered = row.numbers["delivered"]
    return {
        "perSecond": round(delivered / seconds, 3),
        "attempts": attempts,
        **{name: row.numbers[name] for name in ATTEMPTED},
        "success": round(delivered / attempts, 4) if attempts else None,
        "failing": round(1 - delivered / attempts, 4) if attempts else None,
        "p50Ms": _ms(row.journey, 0.5),
        "p99Ms": _ms(row.journey, 0.99),
        "sendP50Ms": _ms(row.sending, 0.5),
        "sendP99Ms": _ms(row.sending, 0.99),
    }


def _ms(numbers: tuple[int, ...], share: float) -> Json:
    found = quantile(numbers, share)
    return None if found is None else round(found, 1)


def series(hub: Hub, *, minutes: int = 60, step: int = 1, route: str | None = None, way: str | None = None, lane: str | None = None) -> dict[str, Json]:
    """A curve of the last `minutes`, a point per `step` minutes, oldest first, also where nothing flowed: at, accepted, and what `ways` tells.

    `route`, `way` and `lane` narrow it to a route, a target (wms/outbound.create@1), a target system; route "" and a message to what was accepted.
    Asked once for all who look. Raises ValueError for more than two days, or than 600 points.
    """
    if not 0 < minutes <= KEPT / MINUTE or step < 1:
        raise ValueError(f"A curve goes back at most {int(KEPT / MINUTE)} minutes, in steps of at least one.")
    if minutes / step > STEPS:
        raise ValueError(f"A curve has at most {STEPS} points; take a longer step.")
    name = json.encode(["series", minutes, step, route, way, lane]).decode()
    return hub.shelf.at(name, lambda: _series(hub, minutes, step, route, way, lane), least_s=LEAST_S).get()


def _series(hub: Hub, minutes: int, step: int, route: str | None, way: str | None, lane: str | None) -> dict[str, Json]:
    now = hub.store.now()
    span = timedelta(minutes=step)
    points = -(-minutes // step)
    since = now.replace(second=0, microsecond=0) + MINUTE - points * span
    rows = {row.at: row for row in hub.store.flow_series(since, step=span, route=route, way=way, lane=lane)}
    told: list[Json] = []
    for index in range(points):
        at = since + index * span
        row = rows.get(at) or Flowed(at, "", "", dict.fromkeys(OUTCOMES, 0))
        seconds = max(1.0, min(span, now - at).total_seconds())
        told.append({"at": at.isoformat(), "accepted": row.numbers["accepted"], **_told(row, seconds)})
    return {"at": now.isoformat(), "stepMinutes": step, "points": told}
