"""Shares of a target's places, as all processes see them, on all databases."""

from concurrent.futures import ThreadPoolExecutor

import sqlalchemy as sa

from hub.store.engine.register_tables import share
from hub.store.messages import concurrency_shares


def test_eight_workers_at_once_never_hold_more_than_there_is(store):
    # Given eight workers that take their part of ten places again and again, all at once
    names = [f"w{number}" for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        for _ in range(3):
            list(threads.map(lambda name: store.take_share("wms", name, 10), names))
            # Then together they hold ten at most
            assert sum(one.slots for one in store.shares()) <= 10
    assert {one.slots for one in store.shares()} <= {1, 2}


def test_what_is_given_up_is_the_others_at_their_next_look(store):
    assert store.take_share("wms", "w1", 4) == 4
    assert store.take_share("wms", "w2", 4) == 0
    assert [(one.worker, one.slots) for one in store.shares()] == [("w1", 4), ("w2", 0)]
    # The first comes down to its part, now that there are two; then the second has its own
    assert store.take_share("wms", "w1", 4) == 2
    assert store.take_share("wms", "w2", 4) == 2
    store.leave_shares("w1", ["wms"])
    assert store.take_share("wms", "w2", 4) == 4
    assert store.take_share("tms", "w1", 4) == 4  # another lane is another cap


def test_what_is_not_renewed_lapses_and_is_not_renewed_after_that(store):
    # Given a worker that was away for longer than a share is held
    store.take_share("wms", "w1", 4)
    late = sa.update(share).values(until=store.now() - concurrency_shares.HOLD)
    store._database.write(lambda connection: connection.execute(late))
    # When another takes the places, then the first does not get them back by renewing
    assert store.take_share("wms", "w2", 4) == 4
    assert store.renew_shares("w1") == 0
    assert store.renew_shares("w2") == 1
    assert store.take_share("wms", "w1", 4) == 0
