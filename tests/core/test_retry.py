"""When to try again."""

from datetime import timedelta

import pytest

from hub.core.model.retry import RetryPolicy, may_retry, wait_s

STEADY = RetryPolicy(first=timedelta(seconds=10), factor=2, max=timedelta(minutes=5), full_jitter=False)


@pytest.mark.parametrize(
    ("spent", "seconds"), [(1, 10), (2, 20), (3, 40), (5, 160), (6, 300), (100, 300), (10_000, 300)]
)
def test_waits_grow_up_to_the_longest(spent, seconds):
    assert wait_s(STEADY, spent=spent, jitter=0.5) == seconds


@pytest.mark.parametrize(("spent", "seconds"), [(1, 1), (2, 5), (3, 60), (9, 60)])
def test_the_last_wait_of_a_schedule_repeats(spent, seconds):
    policy = RetryPolicy(
        schedule=(timedelta(seconds=1), timedelta(seconds=5), timedelta(seconds=60)), full_jitter=False
    )
    assert wait_s(policy, spent=spent, jitter=0.9) == seconds


def test_full_jitter_spreads_over_the_whole_wait():
    policy = RetryPolicy(first=timedelta(seconds=10))
    assert [wait_s(policy, spent=1, jitter=jitter) for jitter in (0.0, 0.5, 0.999)] == [0.0, 5.0, pytest.approx(9.99)]


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [(None, 10), (0, 10), (3, 10), (60, 60), (-5, 10), (10**9, 3_600), (float("inf"), 3_600), (float("nan"), 10)],
)
def test_what_the_target_asks_for_is_a_floor_from_a_second_to_an_hour(asked, seconds):
    assert wait_s(STEADY, spent=1, jitter=0.0, asked_s=asked) == seconds


@pytest.mark.parametrize("spent", [0, -1])
def test_a_count_below_one_waits_as_the_first(spent):
    assert wait_s(STEADY, spent=spent, jitter=0.0) == 10
    assert (
        wait_s(
            RetryPolicy(schedule=(timedelta(seconds=1), timedelta(seconds=9)), full_jitter=False),
            spent=spent,
            jitter=0.0,
        )
        == 1
    )


@pytest.mark.parametrize(
    ("spent", "age", "may"),
    [
        (1, timedelta(0), True),
        (15, timedelta(days=2), True),
        (16, timedelta(0), False),
        (17, timedelta(0), False),
        (1, timedelta(days=3), False),
    ],
)
def test_attempts_and_age_are_both_limits(spent, age, may):
    assert may_retry(RetryPolicy(), spent=spent, age=age) is may


def test_a_factor_of_one_never_grows_and_a_huge_one_does_not_overflow():
    assert wait_s(RetryPolicy(factor=1, full_jitter=False), spent=50, jitter=0) == 10
    assert wait_s(RetryPolicy(factor=1e10, full_jitter=False), spent=50, jitter=0) == 7_200
