"""The retry budget: retries stay a fifth of a target's traffic, few of them are never kept waiting, and each has an
end.
"""

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.model.retry_budget import CELL_S, FLOOR_PER_SECOND, RetryBudget, floor

STEPS = st.lists(st.tuples(st.floats(0, 3), st.integers(0, 200), st.lists(st.floats(0, 60), max_size=30)), max_size=40)


@given(STEPS, st.floats(0.01, 20), st.sampled_from([30.0, 10_000.0]))
def test_no_cell_of_the_calendar_holds_more_than_fitted_when_it_was_booked(steps, least, limit):
    # Given first attempts and failures in any order
    budget, now, booked, most = RetryBudget(), 1_000.0, [], 1
    for passes, firsts, waits in steps:
        now += passes
        budget.tried(now, firsts)
        most = max(most, budget.room(now, least))
        for wait in waits:
            at = budget.book(now, now + wait, latest=now + limit, floor_per_second=least)
            # Then none goes before its policy says, and none later than when it is given up
            assert now + wait <= at <= max(now + wait, now + limit)
            booked.append((at, now + limit))
    # And no cell gets more than fitted at some moment
    held = Counter(int(at // CELL_S) for at, latest in booked if at < latest)
    assert max(held.values(), default=0) <= most


@given(st.integers(1, int(FLOOR_PER_SECOND * CELL_S)), st.floats(0, 7_200))
def test_a_few_retries_go_when_their_policy_says_whatever_else_goes(number, wait):
    budget = RetryBudget()
    assert {budget.book(0.0, wait, latest=1e9, floor_per_second=FLOOR_PER_SECOND) for _ in range(number)} == {wait}


@pytest.mark.parametrize("processes", [1, 4])
@pytest.mark.parametrize("fails", [0.2, 0.5, 0.9])
def test_of_a_steady_load_that_partly_fails_a_fifth_is_retries(processes, fails):
    # Given 200 first attempts a second, shared by several processes, and a target that fails evenly
    random, budgets = Random(1), [RetryBudget() for _ in range(processes)]
    least = floor(None, 1 / processes)
    due, firsts, retries = Counter(), 0, 0
    for tick in range(1_200):
        now = tick / 10
        for number in range(20 + due.pop(tick, 0)):
            budget = budgets[random.randrange(processes)]
            if number < 20:
                budget.tried(now)
                firsts += 1
            else:
                retries += 1
            if random.random() < fails:
                at = budget.book(now, now + random.random() * 2, latest=1e9, floor_per_second=least)
                due[max(tick + 1, int(at * 10))] += 1
    # Then retries are a quarter of the first attempts, or as many as there were failures, beside the few that always
    # may
    assert retries <= firsts / 4 + FLOOR_PER_SECOND * 120
    assert fails > 0.2 or retries >= firsts * 0.2
    # And when the load is over, each that waits has its hour
    assert sum(due.values()) == 0 or max(due) / 10 < 120 + sum(due.values()) / least / processes + CELL_S


def test_a_process_gets_its_part_of_what_always_may_and_a_slow_target_less():
    assert floor(None, 1.0) == FLOOR_PER_SECOND
    assert floor(None, 0.25) == FLOOR_PER_SECOND / 4
    assert floor(5.0, 1.0) == 1.0
    assert floor(500.0, 1.0) == FLOOR_PER_SECOND


def test_a_calendar_of_hours_is_booked_as_fast_as_one_of_seconds():
    # Given a target that fails for hours without a breaker, when the last of a hundred thousand is booked
    budget = RetryBudget()
    for number in range(100_000):
        at = budget.book(number / 1_000, number / 1_000, latest=1e9, floor_per_second=10.0)
    # Then it stands at the end of the queue, and its place was found in one step (a walk over all full cells takes
    # minutes)
    assert at == pytest.approx(10_000, rel=0.01)
