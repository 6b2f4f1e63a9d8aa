"""What this process has done, counted for `/metrics`. Depths and conservation are not counted here: they come from one SQL snapshot."""

from __future__ import annotations

import threading
from collections import Counter

BUCKETS_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000)


class Counts:
    """Counters by name and label, and a latency histogram per name. Safe for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._times: dict[str, list[float]] = {}  # per bucket, then the sum in ms, then the number

    def add(self, name: str, label: str = "", by: int = 1) -> None:
        with self._lock:
            self._counts[name, label] += by

    def time(self, name: str, ms: float, by: int = 1) -> None:
        """Notes that `by` of them took `ms` each."""
        with self._lock:
            row = self._times.setdefault(name, [0.0] * (len(BUCKETS_MS) + 2))
            for index, bound in enumerate(BUCKETS_MS):
                if ms <= bound:
                    row[index] += by
            row[-2] += ms * by
            row[-1] += by

    def counts(self) -> dict[tuple[str, str], int]:
        with self._lock:
            return dict(self._counts)

    def times(self) -> dict[str, tuple[float, ...]]:
        """Per name: cumulative numbers per bucket of BUCKETS_MS, then the sum in milliseconds, then the number of all."""
        with self._lock:
            return {name: tuple(row) for name, row in self._times.items()}
