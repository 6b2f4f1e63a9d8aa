"""When to try again: pure arithmetic. The only retry layer there is (DESIGN law 7)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

MAX_ASKED = timedelta(hours=24)  # a Retry-After is honoured up to this; a target cannot push a delivery out of sight


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`attempts` in all, the first included. Waits: `schedule` if given (its last value repeats), else `first * factor**n`, at most `max`.

    `full_jitter` spreads each wait evenly over [0, wait): a thousand deliveries that failed together do not come back together.
    """

    attempts: int = 16
    first: timedelta = timedelta(seconds=10)
    factor: float = 2.0
    max: timedelta = timedelta(hours=2)
    full_jitter: bool = True
    give_up_after: timedelta = timedelta(days=3)
    schedule: tuple[timedelta, ...] = ()


def may_retry(policy: RetryPolicy, *, spent: int, age: timedelta) -> bool:
    """Whether a delivery that has used `spent` attempts and is `age` old may be tried once more."""
    return spent < policy.attempts and age < policy.give_up_after


def wait_s(policy: RetryPolicy, *, spent: int, jitter: float, asked_s: float | None = None) -> float:
    """Seconds to wait after attempt number `spent`. `jitter` in [0, 1). What the target asked for (Retry-After) is a floor, up to a day."""
    turn = max(spent, 1)
    base = policy.schedule[min(turn, len(policy.schedule)) - 1].total_seconds() if policy.schedule else _grown(policy, turn)
    wait = base * jitter if policy.full_jitter else base
    if asked_s is not None:
        wait = max(wait, min(max(asked_s, 0.0), MAX_ASKED.total_seconds()))
    return wait


def _grown(policy: RetryPolicy, turn: int) -> float:
    longest = policy.max.total_seconds()
    try:
        return min(policy.first.total_seconds() * policy.factor ** (turn - 1), longest)
    except OverflowError:  # a power that no float holds is longer than anything
        return longest
