"""When to try again: pure arithmetic. The only retry layer there is (law 7)."""

from __future__ import annotations

import email.utils
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

# A Retry-After is honoured within these: a target can neither be hammered by its own word, nor push a delivery out of
# sight.
LEAST_ASKED, MAX_ASKED = timedelta(seconds=1), timedelta(hours=1)
_SECONDS = re.compile(r"([+-]?)([0-9]{1,400})(\.[0-9]{0,400})?(?: ?s(?:ec(?:ond)?s?)?)?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`attempts` in all, the first included. Waits: `schedule` if given (its last value repeats), else
    `first * factor**n`, at most `max`.

    `full_jitter` spreads each wait evenly over [0, wait): a thousand deliveries that failed together do not come back
    together.
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
    """Seconds to wait after attempt number `spent`. `jitter` in [0, 1). What the target asked for (Retry-After) is a
    floor, from a second to an hour.
    """
    turn = max(spent, 1)
    base = (
        policy.schedule[min(turn, len(policy.schedule)) - 1].total_seconds()
        if policy.schedule
        else _grown(policy, turn)
    )
    wait = base * jitter if policy.full_jitter else base
    if asked_s is not None:
        wait = max(wait, clamped(asked_s))
    return wait


def clamped(asked_s: float) -> float:
    """What is honoured of a wait that a target, or its adapter, asks for. What is no number asks for the least."""
    least = LEAST_ASKED.total_seconds()
    return least if math.isnan(asked_s) else min(max(asked_s, least), MAX_ASKED.total_seconds())


def retry_after(text: str | None, now: datetime) -> float | None:
    """Seconds that a Retry-After asks for, within a second and an hour; None for what asks for nothing that can be
    read.

    RFC 9110 section 10.2.3 has whole seconds, or a date in one of three forms; fractions, signs and a unit come too.
    What is over, is a second.
    """
    text = (text or "").strip().strip("\"'").strip()
    found = _SECONDS.fullmatch(text)
    if found:
        return clamped(float(f"{found[1]}{found[2]}{found[3] or ''}"))
    for date in (email.utils.parsedate_to_datetime, datetime.fromisoformat):
        try:
            until = date(text[:64])
            return clamped(((until if until.tzinfo else until.replace(tzinfo=UTC)) - now).total_seconds())
        except (
            ValueError,
            TypeError,
            IndexError,
            OverflowError,
        ):  # the library's reader of dates is not written for strangers' text
            continue
    return None


def _grown(policy: RetryPolicy, turn: int) -> float:
    longest = policy.max.total_seconds()
    try:
        return min(policy.first.total_seconds() * policy.factor ** (turn - 1), longest)
    except OverflowError:  # a power that no float holds is longer than anything
        return longest
