"""Sharing: how many of a target's places each process may fill, so that all together keep to its cap. Pure
arithmetic.
"""

from __future__ import annotations

from collections.abc import Mapping

LEAST_PER_SECOND = 10.0  # a rate is not cut into parts smaller than this: it goes to one process after another instead
FEW = 8  # of fewer places none is kept free: who has them gives them up as soon as it has no work


def at_once(per_second: float | None) -> int | None:
    """How many processes may hold places at once under a rate; None: as many as there are places."""
    return None if per_second is None else max(1, int(per_second / LEAST_PER_SECOND))


def is_scarce(most: int, holders: int | None) -> bool:
    """Whether a process that comes may find nothing free, so that nobody may keep what it does not use."""
    return most < FEW or holders == 1


def fair(most: int, others: Mapping[str, int], me: str, *, holders: int | None = None) -> int:
    """How many of `most` places are mine. `others`: what each other process holds now; 0 is one that waits for its
    part. `holders`: at most so many hold any.

    Never more than is free: whoever comes later waits until the others have come down to their own part; of many places
    one is kept free, so that it can begin at once. With more processes than places, who has one keeps it as long as it
    has work.
    """
    free = most - sum(others.values())
    if holders is not None and sum(number > 0 for number in others.values()) >= holders:
        return 0
    names = sorted({*others, me})
    parts = min(len(names), holders or len(names))
    kept = 0 if is_scarce(most, holders) else 1
    part, rest = divmod(most - kept, parts)
    return max(0, min(free, max(part + (names.index(me) < rest), 1)))
