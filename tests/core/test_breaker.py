"""When a breaker opens, and what speaks for it."""

from datetime import timedelta
from decimal import Decimal

import pytest

from hub.core.adapter import Reply
from hub.core.errors import Cause, GiveUp, Reason, TryLater, Unknown
from hub.core.model.breaker import LONGEST, BreakerPolicy, Window, is_failure


def opened_after(policy, outcomes):
    window = Window(policy)
    return next((number for number, failed in enumerate(outcomes, 1) if window.saw(failed=failed)), None)


@pytest.mark.parametrize(
    ("outcomes", "after"),
    [
        ([True] * 3, None),  # a few bad ones prove nothing
        ([True] * 4, 4),
        ([True, False] * 4, 4),  # half of the last four
        ([True, False, False, False] * 5, None),
        ([False] * 50 + [True] * 2, 52),  # only the last ones count
    ],
)
def test_it_opens_by_share_of_the_last_calls_and_never_on_few(outcomes, after):
    assert opened_after(BreakerPolicy(Decimal("0.5"), of=4), outcomes) == after


def test_what_was_seen_before_it_opened_does_not_open_it_again():
    window = Window(BreakerPolicy(Decimal("0.5"), of=4))
    assert [window.saw(failed=True) for _ in range(5)] == [False, False, False, True, False]


def test_it_stays_open_longer_each_time_up_to_a_limit():
    policy = BreakerPolicy(open=timedelta(seconds=30))
    assert [policy.span(trips).total_seconds() for trips in (1, 2, 3, 10, 1000)] == [
        30,
        60,
        120,
        LONGEST.total_seconds(),
        LONGEST.total_seconds(),
    ]
    assert BreakerPolicy(open=timedelta(hours=1)).span(5) == timedelta(hours=1)


@pytest.mark.parametrize(
    ("answer", "speaks"),
    [
        (Reply(), False),
        (TryLater(Cause(Reason.SERVER_ERROR, "")), True),
        (TryLater(Cause(Reason.THROTTLED, "")), True),
        (TryLater(Cause(Reason.UNREACHABLE, "")), True),
        (Unknown(Cause(Reason.NO_ANSWER, "")), True),
        (GiveUp(Cause(Reason.REFUSED, "")), None),  # one message's fault
        (TryLater(Cause(Reason.BAD_ANSWER, "")), None),
    ],
)
def test_only_what_says_something_about_the_target_counts(answer, speaks):
    assert is_failure(answer) is speaks


def test_a_slow_start_rises_evenly_for_as_long_as_it_was_open_a_minute_at_most():
    policy = BreakerPolicy(open=timedelta(seconds=20))
    assert [policy.slow_start(timedelta(seconds=at)) for at in (0, 5, 10, 20, 99)] == [0.01, 0.25, 0.5, 1.0, 1.0]
    assert BreakerPolicy(open=timedelta(hours=1)).slow_start(timedelta(seconds=30)) == 0.5
