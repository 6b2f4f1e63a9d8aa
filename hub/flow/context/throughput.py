"""Throughput per minute: counts messages and attempts per route and target in memory; the tick writes them. A kill
loses seconds of counts, no message.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from datetime import datetime

from hub.core.message import Disposition, Ref
from hub.core.model.delivery import Settlement, Status
from hub.core.model.latency import BOUNDS_MS, BUCKETS
from hub.store import Store, ThroughputRow
from hub.store.engine.register_tables import OUTCOMES
from hub.store.messages.settle import next_status
from hub.store.queries.throughput import NUMBERS

MAX_WAYS = 2_000  # maximum number of rows per minute; routes and targets come from the configuration, so there are few
_JOURNEY = len(OUTCOMES)
_SENDING = _JOURNEY + BUCKETS
_PLACES = {name: place for place, name in enumerate(OUTCOMES)}
_WORDS = {
    Status.DELIVERED: "delivered",
    Status.PENDING: "retried",
    Status.DEAD: "dead",
    Status.UNKNOWN: "unknown",
    Status.HELD: "held",
}
Key = tuple[datetime, str, str]


class Minutes:
    """The counts of this process that are not written yet. Thread-safe; one call costs about a microsecond."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[Key, list[int]] = {}

    def accepted(self, ref: Ref, disposition: Disposition, at: datetime) -> None:
        """Counts a message that was accepted for the first time."""
        with self._lock:
            row = self._row(at, "", str(ref))
            row[_PLACES["accepted"]] += 1
            if disposition is not Disposition.ROUTED:
                row[_PLACES["apart"]] += 1

    def settled(self, settlement: Settlement, at: datetime) -> None:
        """Counts an attempt that is stored. Only attempts that were sent count in the histogram of send times."""
        status = next_status(settlement.outcome)
        claim = settlement.claim
        with self._lock:
            row = self._row(at, claim.route, str(claim.ref))
            row[_PLACES[_WORDS.get(status, "ended")]] += 1
            if settlement.exchange.sent:
                row[_SENDING + bisect_left(BOUNDS_MS, settlement.exchange.ms)] += 1
            if status is Status.DELIVERED:
                ms = (at - claim.message.received_at).total_seconds() * 1000
                row[_JOURNEY + bisect_left(BOUNDS_MS, ms)] += 1

    def flush(self, store: Store) -> int:
        """Writes the counts; gives the number of rows. Raises StoreBusy: then they are written the next time."""
        with self._lock:
            rows, self._rows = self._rows, {}
        try:
            store.add_minutes([_flowed(key, row) for key, row in rows.items()])
        except BaseException:
            with self._lock:
                for key, row in rows.items():
                    counts = self._rows.setdefault(key, [0] * len(NUMBERS))
                    counts[:] = [a + b for a, b in zip(counts, row, strict=True)]
            raise
        return len(rows)

    def _row(self, at: datetime, route: str, way: str) -> list[int]:
        key = (at.replace(second=0, microsecond=0), route, way)
        row = self._rows.get(key)
        if row is None:
            if len(self._rows) >= MAX_WAYS:
                key = (key[0], "other", "other")
            row = self._rows.setdefault(key, [0] * len(NUMBERS))
        return row


def _flowed(key: Key, row: list[int]) -> ThroughputRow:
    at, route, way = key
    return ThroughputRow(
        at, route, way, dict(zip(OUTCOMES, row, strict=False)), tuple(row[_JOURNEY:_SENDING]), tuple(row[_SENDING:])
    )
