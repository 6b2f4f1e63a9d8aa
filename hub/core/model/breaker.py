"""Circuit breaker: when a target is left alone for a while, and how it is tried again. Values and judgement, no clock.

closed ──(enough of the last calls failed)──▶ open ──(its time is over: one probe)──▶ half open ──▶ closed, or open
again
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from hub.core.adapter import Answer, Reply
from hub.core.errors import GiveUp, Reason

# What says something about the target, not about one message: nothing came through, or it says itself that it cannot
# now (promise P10).
TELLING = frozenset({Reason.UNREACHABLE, Reason.NO_ANSWER, Reason.SERVER_ERROR, Reason.THROTTLED})
LONGEST = timedelta(minutes=10)
SLOWEST = timedelta(minutes=1)  # a slow start is over by then
LEAST = 0.01  # of its caps: what a target gets in the moment after its breaker closed


class Circuit(StrEnum):
    CLOSED = "closed"  # calls go out
    OPEN = "open"  # none goes out until its time is over
    HALF_OPEN = "half_open"  # one worker has the one probe


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """Opens when `ratio` or more of the last `of` calls failed; stays open for `open`, longer each time it opens again,
    up to ten minutes.
    """

    ratio: Decimal = Decimal("0.5")
    of: int = 20
    open: timedelta = timedelta(seconds=30)

    def span(self, trips: int) -> timedelta:
        """How long it stays open the `trips`-th time in a row, from 1."""
        doubled: int = 2 ** min(max(trips, 1) - 1, 16)
        return min(self.open * doubled, max(LONGEST, self.open))

    def slow_start(self, age: timedelta) -> float:
        """Which part of its caps a target gets, in (0, 1], so long after its breaker closed: it rises evenly, for as
        long as `open`, a minute at most.
        """
        span = min(self.open, SLOWEST)
        return min(1.0, max(age / span, LEAST)) if span > timedelta() else 1.0


@dataclass(frozen=True, slots=True)
class BreakerState:
    """One target's breaker as all processes see it. `until`: when an open one may be probed, or a probe counts as lost.

    `left` until then, and its `age` in this state, are by the database's clock when it was read: whoever asks need not
    believe his own.
    """

    lane: str
    state: Circuit = Circuit.CLOSED
    until: datetime | None = None
    trips: int = 0
    left: timedelta = timedelta()
    age: timedelta = timedelta()


class Window:
    """The last calls to one target, as one process saw them."""

    def __init__(self, policy: BreakerPolicy) -> None:
        self._policy = policy
        self._failed: deque[bool] = deque(maxlen=policy.of)

    def saw(self, *, failed: bool) -> bool:
        """Notes one call; returns whether the breaker opens. Never before `of` calls were seen: a few bad ones prove
        nothing.
        """
        self._failed.append(failed)
        if len(self._failed) < self._policy.of or sum(self._failed) < self._policy.ratio * self._policy.of:
            return False
        self._failed.clear()
        return True

    def clear(self) -> None:
        self._failed.clear()


def is_failure(answer: Answer) -> bool | None:
    """Whether an answer speaks against the target; None where it says nothing about it (a refusal of one message is
    that message's fault).
    """
    if isinstance(answer, Reply):
        return False
    if isinstance(answer, GiveUp):
        return None
    return True if answer.why.reason in TELLING else None
