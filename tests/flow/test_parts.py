"""The caps of a target over several processes: what each may use, while others come, work and go."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from hub.core.adapter import Reply
from hub.core.config.routing import TargetPolicy
from hub.core.errors import Cause, Reason, TryLater
from hub.core.model.breaker import BreakerPolicy, Circuit
from hub.core.model.capacity_windows import quota
from hub.flow.context.pace import Pace
from hub.store import open_store

AWAY = TryLater(Cause(Reason.UNREACHABLE, "It is away."))
SHARED = TargetPolicy(concurrency=8)


# Where several processes share a store: on SQLite there is one.
pytestmark = pytest.mark.parametrize("store_url", ["postgresql", "mariadb"], indirect=True)


@pytest.fixture
def paces(store, store_url):
    others = [open_store(store_url) for _ in range(2)]
    yield [Pace(one, lambda: datetime.now(UTC), worker=f"w{number}") for number, one in enumerate(others, 1)]
    for one in others:
        one.close()


def test_two_processes_share_the_places_of_a_target(paces):
    first, second = paces
    # Given one that has the lane to itself, but for the one place that is kept free
    assert first.width("wms", SHARED) == 7
    # When another gets work, then it begins with that one, and the first comes down to its half once it has looked
    assert second.width("wms", SHARED) == 1
    first.look()
    assert first.width("wms", SHARED) == 4
    second.look()
    assert second.width("wms", SHARED) == 3
    # When the second ends, then the first has all again
    second.close()
    first.look()
    assert first.width("wms", SHARED) == 7


def test_a_round_that_is_under_way_keeps_its_places(paces, monkeypatch):
    first, second = paces
    monkeypatch.setattr("hub.flow.context.concurrency_shares.IDLE_S", 0.0)
    with_one = TargetPolicy(concurrency=1)
    assert first.width("wms", with_one) == 1
    with first.working("wms"):
        assert second.width("wms", with_one) == 0
        first.look()  # it is wanted, and nothing was asked of it for long; but it is in use
        time.sleep(0.25)
        assert second.width("wms", with_one) == 0
    # When there is no more work, then it is free at once
    first.allows("wms", with_one, 1)
    first.give_back("wms", 1, claimed=0)
    time.sleep(0.25)
    assert second.width("wms", with_one) == 1


def test_a_small_rate_is_not_doubled_by_a_second_process(paces):
    policy = TargetPolicy(concurrency=32, rate=quota("5/s"))
    assert paces[0].width("wms", policy) == 32
    assert paces[1].width("wms", policy) == 0


def test_slow_start_is_the_same_for_all(paces):
    # Given a breaker that one process opened, and another probes with success
    first, second = paces
    policy = TargetPolicy(concurrency=40, breaker=BreakerPolicy(of=2, open=timedelta(seconds=2)))
    for _ in range(2):
        first.allows("wms", policy, 1)
        first.saw("wms", AWAY)
    second.look()
    second.width("wms", policy)
    assert second.allows("wms", policy, 10) == 0
    time.sleep(2.1)
    assert second.allows("wms", policy, 10) == 1
    assert first.allows("wms", policy, 10) == 0  # one ticket
    second.saw("wms", Reply())
    # Then neither goes at full width: both know since when it is closed
    first.look()
    for pace in paces:
        assert pace.breakers()[0].state is Circuit.CLOSED
        assert 1 <= pace.allows("wms", policy, 40) <= 10
    time.sleep(2.0)
    assert first.allows("wms", policy, 10) == 10
