"""Minutes: what flows on each way, counted in memory, written by the tick. A kill loses the last seconds of counts, no message."""

from __future__ import annotations

import threading
from bisect import bisect_left
from datetime import datetime

from hub.core.message import Disposition, Ref
from hub.core.model.delivery import Settled, Status
from hub.core.model.latency import BOUNDS_MS, BUCKETS
from hub.store import Flowed, Store
from hub.store.engine.register_tables import OUTCOMES
from hub.store.messages.settle import next_status
from hub.store.queries.throughput import NUMBERS

MAX_WAYS = 2_000  # of one minute: routes and targets are the configuration's own words, and so are few
_JOURNEY = len(OUTCOMES)
_SENDING = _JOURNEY + BUCKETS
_PLACES = {name: place for place, name in enumerate(OUTCOMES)}
_WORDS = {Status.DELIVERED: "delivered", Status.PENDING: "retried", Status.DEAD: "dead", Status.UNKNOWN: "unknown", Status.HELD: "held"}
Key = tuple[datetime, str, str]


class Minutes:
    """Counts of this process that are not written yet. Safe in all threads; one note costs about a microsecond."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[Key, list[int]] = {}

    def accepted(self, ref: Ref, disposition: Disposition, at: datetime) -> None:
        """One message that was accepted for the first time."""
        with self._lock:
            row = self._row(at, "", str(ref))
            row[_PLACES["accepted"]] += 1
            if disposition is not Disposition.ROUTED:
                row[_PLACES["apart"]] += 1

    def settled(self, one: Settled, at: datetime) -> None:
        """One attempt that was written. Only what left the house counts among the times of sending."""
        status = next_status(one.outcome)
        claim = one.claim
        with self._lock:
            row = self._row(at, claim.route, str(claim.ref))
            row[_PLACES[_WORDS.get(status, "ended")]] += 1
            if one.exchange.sent:
                row[_SENDING + bisect_left(BOUNDS_MS, one.exchange.ms)] += 1
            if status is Status.DELIVERED:
                ms = (at - claim.message.received_at).total_seconds() * 1000
                row[_JOURNEY + bisect_left(BOUNDS_MS, ms)] += 1

    def flush(self, store: Store) -> int:
        """Writes what was counted; gives how many rows. Raises StoreBusy: then it is written the next time."""
        with self._lock:
            rows, self._rows = self._rows, {}
        try:
            store.add_minutes([_flowed(key, row) for key, row in rows.items()])
        except BaseException:
            with self._lock:
                for key, row in rows.items():
                    known = self._rows.setdefault(key, [0] * len(NUMBERS))
                    known[:] = [a + b for a, b in zip(known, row, strict=True)]
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


def _flowed(key: Key, row: list[int]) -> Flowed:
    at, route, way = key
    return Flowed(at, route, way, dict(zip(OUTCOMES, row, strict=False)), tuple(row[_JOURNEY:_SENDING]), tuple(row[_SENDING:]))
