"""Throughput rates, success ratios and latencies per route and target, now and as a time series. Computed from the
per-minute counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from hub.core import json
from hub.core.model.latency import quantile
from hub.flow.answers import overview as answers
from hub.flow.hub import Hub
from hub.store import ThroughputRow
from hub.store.engine.register_tables import OUTCOMES
from hub.store.queries.throughput import KEPT, MINUTE

LATELY = timedelta(minutes=5)  # a rate covers the current minute and the four before it
LEAST_S = 1.0  # cache TTL
STEPS = 600  # maximum number of points of a time series
ATTEMPTED = ("delivered", "retried", "dead", "unknown", "held", "ended")


def ways(hub: Hub) -> answers.Rates:
    """The throughput of the last minutes: `total`, `accepted` per message type, `ways` per route and target, `routes`,
    `targets` per target system.

    Each has perSecond, attempts, delivered, success (0 to 1; null: nothing was tried), failing (its other side), dead,
    unknown, held, retried, p50Ms and p99Ms from acceptance to target, sendP50Ms and sendP99Ms of the call alone (null:
    none). Counts come in up to 5 s late.
    """
    return hub.shelf.at("rates", lambda: _ways(hub), least_s=LEAST_S).get()


def _ways(hub: Hub) -> answers.Rates:
    now = hub.store.now()
    since = begin(now)
    seconds = (now - since).total_seconds()
    rows = hub.store.flowed(since)
    sent = [row for row in rows if row.route]
    taken = [_taken(row, seconds) for row in rows if not row.route]
    accepted = sum(row.numbers["accepted"] for row in rows)
    lanes, routes = sorted({row.way.split("/")[0] for row in sent}), sorted({row.route for row in sent})
    return {
        "at": now.isoformat(),
        "since": since.isoformat(),
        "total": {
            **_told(_sum(sent, since), seconds),
            "accepted": accepted,
            "acceptedPerSecond": round(accepted / seconds, 3),
        },
        "accepted": taken,
        "ways": [{"route": row.route, "target": row.way, **_told(row, seconds)} for row in sent],
        "routes": [
            {"route": name, **_told(_sum((row for row in sent if row.route == name), since), seconds)}
            for name in routes
        ],
        "targets": [
            {"system": lane, **_told(_sum((row for row in sent if row.way.split("/")[0] == lane), since), seconds)}
            for lane in lanes
        ],
    }


def begin(now: datetime) -> datetime:
    """The start of the time that a rate covers: a full minute, so that its rows are complete."""
    return now.replace(second=0, microsecond=0) - LATELY + MINUTE


def _taken(row: ThroughputRow, seconds: float) -> answers.Accepted:
    number = row.numbers["accepted"]
    return {
        "message": row.way,
        "accepted": number,
        "apart": row.numbers["apart"],
        "perSecond": round(number / seconds, 3),
    }


def _sum(rows: Iterable[ThroughputRow], at: datetime) -> ThroughputRow:
    total = ThroughputRow(at, "", "", dict.fromkeys(OUTCOMES, 0))
    for row in rows:
        total += row
    return total


def _told(row: ThroughputRow, seconds: float) -> answers.Flow:
    attempts = sum(row.numbers[name] for name in ATTEMPTED)
    delivered = row.numbers["delivered"]
    return {
        "perSecond": round(delivered / seconds, 3),
        "attempts": attempts,
        "delivered": delivered,
        "retried": row.numbers["retried"],
        "dead": row.numbers["dead"],
        "unknown": row.numbers["unknown"],
        "held": row.numbers["held"],
        "ended": row.numbers["ended"],
        "success": round(delivered / attempts, 4) if attempts else None,
        "failing": round(1 - delivered / attempts, 4) if attempts else None,
        "p50Ms": _ms(row.journey, 0.5),
        "p99Ms": _ms(row.journey, 0.99),
        "sendP50Ms": _ms(row.sending, 0.5),
        "sendP99Ms": _ms(row.sending, 0.99),
    }


def _ms(numbers: tuple[int, ...], share: float) -> float | None:
    milliseconds = quantile(numbers, share)
    return None if milliseconds is None else round(milliseconds, 1)


def series(
    hub: Hub,
    *,
    minutes: int = 60,
    step: int = 1,
    route: str | None = None,
    way: str | None = None,
    lane: str | None = None,
) -> answers.Series:
    """A time series of the last `minutes`, a point per `step` minutes, oldest first, without gaps: at, accepted, and
    the fields of `ways`.

    `route`, `way` and `lane` narrow it to a route, a target (wms/outbound.create@1), a target system; route "" and a
    message to what was accepted. Asked once for all who look. Raises ValueError for more than two days, or than 600
    points.
    """
    if not 0 < minutes <= KEPT / MINUTE or step < 1:
        raise ValueError(f"A curve goes back at most {int(KEPT / MINUTE)} minutes, in steps of at least one.")
    if minutes / step > STEPS:
        raise ValueError(f"A curve has at most {STEPS} points; take a longer step.")
    name = json.encode(["series", minutes, step, route, way, lane]).decode()
    return hub.shelf.at(name, lambda: _series(hub, minutes, step, route, way, lane), least_s=LEAST_S).get()


def _series(hub: Hub, minutes: int, step: int, route: str | None, way: str | None, lane: str | None) -> answers.Series:
    now = hub.store.now()
    span = timedelta(minutes=step)
    points = -(-minutes // step)
    since = now.replace(second=0, microsecond=0) + MINUTE - points * span
    rows = {row.at: row for row in hub.store.flow_series(since, step=span, route=route, way=way, lane=lane)}
    curve: list[answers.Point] = []
    for index in range(points):
        at = since + index * span
        row = rows.get(at) or ThroughputRow(at, "", "", dict.fromkeys(OUTCOMES, 0))
        seconds = max(1.0, min(span, now - at).total_seconds())
        curve.append({"at": at.isoformat(), "accepted": row.numbers["accepted"], **_told(row, seconds)})
    return {"at": now.isoformat(), "stepMinutes": step, "points": curve}
