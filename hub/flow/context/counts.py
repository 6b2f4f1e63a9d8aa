"""Counters and histograms of this process for `/metrics`. Figures about stored data are not kept here: they are read
from the store on demand.

A label value comes from the hub or the configuration (a code, a lane, a route, a message type), never from a caller. As
a second guard, the number of series per metric is limited.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

Labels: TypeAlias = tuple[str, ...]

# The names that are counted; a misspelt one is a type error. hub/http/monitoring/metric_definitions.py says what each
# is.
CounterName: TypeAlias = Literal[
    "accepted",
    "attempts",
    "cancelled",
    "lost_leases",
    "posts",
    "probed",
    "put_off",
    "refused",
    "reopened",
    "rings",
    "shadow",
    "unkept",
    "unrouted_ended",
]
TimerName: TypeAlias = Literal["accept", "commit", "delivery", "ring_to_claim", "send", "settle"]
SizeName: TypeAlias = Literal["claim", "commit_group"]

BUCKETS_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000, 3_600_000)
BUCKETS_COUNT = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
MAX_SERIES = 5_000  # maximum number of series per metric; more are counted under OTHER, so that sums stay correct
OTHER = "other"


@dataclass(frozen=True, slots=True)
class Histogram:
    """The count per bucket, not cumulative; the last one is above all bounds. `total` is the sum of all values."""

    bounds: tuple[int, ...]
    numbers: tuple[int, ...]
    total: float

    def cumulative(self) -> list[int]:
        """The cumulative counts; the last one is the count of all values."""
        added, rows = 0, []
        for number in self.numbers:
            added += number
            rows.append(added)
        return rows


class Counts:
    """Counters, histograms and states by name and labels. Thread-safe; one call costs about half a microsecond."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, Labels], int] = {}
        self._rows: dict[tuple[str, Labels], list[float]] = {}  # per bucket, then above all bounds, then the sum
        self._bounds: dict[str, tuple[int, ...]] = {}
        self._states: dict[tuple[str, str], str] = {}
        self._series: Counter[str] = Counter()
        self._heard: dict[str, float] = {}
        self.started_at = time.time()

    def add(self, name: CounterName, *labels: str, by: int = 1) -> None:
        key: tuple[str, Labels] = (name, labels)
        with self._lock:
            try:
                self._counts[key] += by
            except KeyError:
                key = self._bounded(name, labels)
                self._counts[key] = self._counts.get(key, 0) + by

    def time(self, name: TimerName, ms: float, *labels: str, by: int = 1) -> None:
        """Records that `by` operations took `ms` each."""
        self._note(name, BUCKETS_MS, ms, labels, by)

    def size(self, name: SizeName, number: int, *labels: str) -> None:
        """Records the size of one batch."""
        self._note(name, BUCKETS_COUNT, number, labels, 1)

    def state(self, name: str, of: str, state: str) -> None:
        """Sets the current state of `of`."""
        with self._lock:
            self._states[name, of] = state

    def heard(self, lane: str) -> None:
        """Records that a notification for `lane` arrived; the first one counts until something is claimed."""
        with self._lock:
            self._heard.setdefault(lane, time.monotonic())

    def claimed(self, lane: str, number: int) -> None:
        """Records a claim of `number` deliveries of the lane; 0: nothing was due."""
        now = time.monotonic()
        with self._lock:
            since = self._heard.pop(lane, None)
        if number:
            self.size("claim", number, lane)
            if since is not None:
                self.time("ring_to_claim", (now - since) * 1000, lane)

    def counts(self) -> dict[tuple[str, Labels], int]:
        with self._lock:
            return dict(self._counts)

    def histograms(self) -> dict[tuple[str, Labels], Histogram]:
        with self._lock:
            rows = {key: tuple(row) for key, row in self._rows.items()}
            return {
                key: Histogram(self._bounds[key[0]], tuple(int(number) for number in row[:-1]), row[-1])
                for key, row in rows.items()
            }

    def states(self) -> dict[tuple[str, str], str]:
        with self._lock:
            return dict(self._states)

    def total(self, name: CounterName, labels: Iterable[str] | None = None) -> int:
        """The sum of a counter, or of those of its series whose labels begin with `labels`."""
        prefix = tuple(labels or ())
        return sum(
            number for (of, series), number in self.counts().items() if of == name and series[: len(prefix)] == prefix
        )

    def _note(self, name: str, bounds: tuple[int, ...], value: float, labels: Labels, by: int) -> None:
        index = bisect_left(bounds, value)
        key = (name, labels)
        with self._lock:
            row = self._rows.get(key)
            if row is None:
                key = self._bounded(name, labels)
                self._bounds[name] = bounds
                row = self._rows.setdefault(key, [0.0] * (len(bounds) + 2))
            row[index] += by
            row[-1] += value * by

    def _bounded(self, name: str, labels: Labels) -> tuple[str, Labels]:
        if self._series[name] >= MAX_SERIES and labels:
            return name, (OTHER,) * len(labels)
        self._series[name] += 1
        return name, labels
