"""Latencies as counts in buckets: what can be added up over processes and minutes, and still says its median and its
worst.
"""

from __future__ import annotations

from collections.abc import Sequence

BOUNDS_MS = (5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 300_000)
BUCKETS = len(BOUNDS_MS) + 1  # the last one: longer than all bounds


def quantile(numbers: Sequence[int], share: float) -> float | None:
    """The milliseconds within which `share` of them lay, straight between two bounds; beyond the last bound, that
    bound. None: there were none.
    """
    total = sum(numbers)
    if not total:
        return None
    wanted, before, low = share * total, 0, 0
    for number, bound in zip(numbers, BOUNDS_MS, strict=False):
        if number and before + number >= wanted:
            return low + (bound - low) * (wanted - before) / number
        before, low = before + number, bound
    return float(BOUNDS_MS[-1])
