"""What waits: for its hour, for room in a capacity, for its bundle, behind what is more urgent; and what waits no
longer. On all databases.
"""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest
import sqlalchemy as sa

from hub.core.errors import Cause, Reason
from hub.core.model.capacity_windows import quota
from hub.core.model.delivery import Bundle, Dead, Priority, Retry, Slot, Status
from hub.store import open_store
from hub.store.columns import EPOCH
from tests.support.making import claim, laid, seen, settled

SOON, LATE = timedelta(milliseconds=300), timedelta(hours=1)


def planned(order_key=None, **given):
    one = laid(order_key=order_key)
    return replace(one, deliveries=tuple(replace(delivery, **given) for delivery in one.deliveries))


def lines(store, *added):
    return [store.deliveries(one.message.id)[0] for one in added]


def after(wait):
    return datetime.now(UTC) + wait


def until(found, seconds=5.0):
    end = datetime.now(UTC) + timedelta(seconds=seconds)
    while datetime.now(UTC) < end:
        if result := found():
            return result
    raise AssertionError(f"not within {seconds} s")


def test_a_held_delivery_goes_when_its_hour_comes_and_not_before(store):
    early, late = planned(hold_until=after(SOON)), planned(hold_until=after(LATE))
    store.add([early, late])
    assert [line.status for line in lines(store, early, late)] == [Status.HELD, Status.HELD]
    assert lines(store, early)[0].why.reason is Reason.SCHEDULED
    assert claim(store) == []
    assert until(store.release) == ["warehouse"]
    assert [one.id for one in claim(store)] == [early.deliveries[0].id]
    assert store.release() == []
    assert store.conservation().unaccounted == 0


def test_a_person_may_send_what_is_held_before_its_hour(store):
    one = planned(hold_until=after(LATE))
    store.add([one])
    assert store.reopen([one.deliveries[0].id], by="op") == {one.deliveries[0].id: "reopened"}
    assert len(claim(store)) == 1
    assert store.release() == []


def test_what_is_held_keeps_its_place_on_its_key(store):
    held, behind = planned("K", hold_until=after(SOON)), planned("K")
    store.add([held, behind])
    assert claim(store) == []
    until(store.release)
    [first] = claim(store)
    assert first.id == held.deliveries[0].id
    store.settle([settled(first)])
    assert [one.id for one in claim(store)] == [behind.deliveries[0].id]


def test_what_is_too_old_is_cancelled_and_never_sent(store):
    # Given one that expires while it waits, one that expires while it is held, and one behind them on the key
    old, held, behind = (
        planned("K", expires_at=after(SOON)),
        planned("J", expires_at=after(SOON), hold_until=after(LATE)),
        planned("K"),
    )
    store.add([old, held, behind])
    assert until(store.lapse) + store.lapse() == 2
    # Then both say why, and what stood behind goes
    assert {(line.status, line.why.reason) for line in lines(store, old, held)} == {(Status.CANCELLED, Reason.EXPIRED)}
    assert [one.id for one in claim(store)] == [behind.deliveries[0].id]
    assert store.conservation().unaccounted == 0


def test_an_expired_one_is_not_claimed_even_before_the_sweep(store):
    store.add([planned(expires_at=after(-SOON))])
    assert claim(store) == []


def test_what_a_worker_has_is_not_cancelled_under_its_hands(store):
    one = planned(expires_at=after(SOON))
    store.add([one])
    [held] = claim(store)
    until(lambda: datetime.now(UTC) > one.deliveries[0].expires_at)
    assert store.lapse() == 0
    assert store.settle([settled(held)]) == [held.id]


def test_a_dead_letter_waits_for_a_person_and_its_replay_does_not_expire(store):
    one = planned(expires_at=after(SOON))
    store.add([one])
    [held] = claim(store)
    store.settle([settled(held, Dead(Cause(Reason.REFUSED, "no")))])
    until(lambda: datetime.now(UTC) > one.deliveries[0].expires_at)
    assert store.lapse() == 0
    store.reopen([held.id], by="op")
    assert len(claim(store)) == 1


def test_urgent_goes_first_and_bulk_last(store):
    bulk, normal, urgent = (
        planned(priority=priority) for priority in (Priority.BULK, Priority.NORMAL, Priority.URGENT)
    )
    store.add([bulk, normal, urgent])
    assert [one.id for one in claim(store, size=3)] == [one.deliveries[0].id for one in (urgent, normal, bulk)]


def test_urgency_does_not_overtake_on_a_key(store):
    first, urgent = planned("K", priority=Priority.BULK), planned("K", priority=Priority.URGENT)
    store.add([first, urgent])
    assert [one.id for one in claim(store)] == [first.deliveries[0].id]


def test_nothing_waits_for_ever_behind_urgent_work(store):
    # Given far more urgent work than one claim takes, when a batch is claimed
    store.add(
        [
            planned(priority=priority)
            for priority in (Priority.URGENT,) * 200 + (Priority.NORMAL,) * 50 + (Priority.BULK,) * 50
        ]
    )
    ranks = Counter(line.rank for one in claim(store, size=64) for line in [store.delivery(one.id)])
    # Then most places are urgent's, and a few are not; together they are no more than was asked for
    assert sum(ranks.values()) == 64
    assert ranks[0] == 60
    assert min(ranks[1], ranks[2]) >= 1


def test_an_empty_rank_leaves_its_places_to_the_others(store):
    store.add([planned(priority=Priority.BULK) for _ in range(100)])
    assert len(claim(store, size=64)) == 64


def slot(limit, key="W1", unit="day"):
    return Slot("outbound", key, quota(f"{limit}/{unit}"))


def test_a_full_capacity_sends_what_is_over_it_to_the_next_windows(store):
    # Given room for three a day, when eight come at once and one for another warehouse
    eight = [planned(slot=slot(3)) for _ in range(8)]
    other = planned(slot=slot(3, key="W2"))
    store.add([*eight[:5], other])
    store.add(eight[5:])
    # Then three go today, three tomorrow, two the day after; and the other warehouse's goes today
    today = quota("3/day").window(datetime.now(UTC))
    starts = [store.delivery(one.deliveries[0].id).release_at for one in eight]
    assert [None if start is None else (start - today).days for start in starts] == [None, None, None, 1, 1, 1, 2, 2]
    assert lines(store, eight[3])[0].why.reason is Reason.OVER_CAPACITY
    assert lines(store, other)[0].status is Status.PENDING
    assert len(claim(store)) == 4


def test_an_hour_far_away_takes_a_place_there_and_none_here(store):
    later = planned(slot=slot(1), hold_until=after(timedelta(days=40)))
    store.add([later])
    now, over = planned(slot=slot(1)), planned(slot=slot(1))
    store.add([now, over])
    assert lines(store, now)[0].status is Status.PENDING
    tomorrow = quota("1/day").next(quota("1/day").window(datetime.now(UTC)))
    assert store.delivery(over.deliveries[0].id).release_at == tomorrow


def test_more_windows_than_are_looked_at_at_once(store):
    # Given a capacity that is full for two hundred windows, and one place free in the midst of them
    many = [planned(slot=slot(1, unit="hour")) for _ in range(200)]
    store.add(many)
    starts = sorted(
        line.release_at
        for one in many
        for line in [store.delivery(one.deliveries[0].id)]
        if line.release_at is not None
    )
    assert len(set(starts)) == 199
    last = planned(slot=slot(1, unit="hour"))
    store.add([last])
    assert store.delivery(last.deliveries[0].id).release_at == starts[-1] + timedelta(hours=1)


def test_a_refused_repeat_takes_no_place(store):
    one = replace(planned(slot=slot(1)), dedupe_keys=(seen("m1"),))
    again = replace(planned(slot=slot(1)), dedupe_keys=(seen("m1"),))
    store.add([one])
    store.add([again])
    after_it = planned(slot=slot(2))
    store.add([after_it])
    assert lines(store, after_it)[0].status is Status.PENDING


@pytest.mark.parametrize("store_url", ["postgresql", "mariadb"], indirect=True)  # SQLite has one writing process
def test_two_processes_give_each_place_once(store, store_url):
    # Given two stores on one database, when both add at the same time
    other = open_store(store_url)
    batches = [[planned(slot=slot(5, unit="hour")) for _ in range(10)] for _ in range(10)]
    threads = [
        Thread(target=(store if number % 2 else other).add, args=(batch,)) for number, batch in enumerate(batches)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    # Then no window has more than five
    windows = Counter(store.delivery(one.deliveries[0].id).release_at for batch in batches for one in batch)
    assert sum(windows.values()) == 100
    assert max(windows.values()) == 5


def places(store):
    """What is given away of each window that is there, in turn; the rows that are locks left out."""
    query = sa.text('SELECT used FROM capacity WHERE used > 0 OR window_at <> :lock ORDER BY route, "key", window_at')
    lock = EPOCH if store._database.is_postgresql else 0
    return store._database.read(lambda connection: connection.execute(query, {"lock": lock}).scalars().all())


def rows(store):
    return store._database.read(
        lambda connection: [
            connection.execute(sa.text(f"SELECT count(*) FROM {name}")).scalar() for name in ("capacity", "place")
        ]
    )


def test_a_held_delivery_that_is_cancelled_gives_its_place_back_once(store):
    # Given room for one a day, and three that wait for it
    three = [planned(slot=slot(1)) for _ in range(3)]
    store.add(three)
    assert places(store) == [1, 1, 1]
    starts = [store.delivery(one.deliveries[0].id).release_at for one in three]
    # When the second is cancelled, twice, then its place is there once more, and the next one gets it
    for _ in range(2):
        store.cancel([three[1].deliveries[0].id], by="op", why="sold out")
        assert places(store) == [1, 0, 1]
    after_it, last = planned(slot=slot(1)), planned(slot=slot(1))
    store.add([after_it])
    store.add([last])
    assert store.delivery(after_it.deliveries[0].id).release_at == starts[1]
    assert store.delivery(last.deliveries[0].id).release_at > starts[2]


def test_what_lapses_or_is_sent_early_gives_its_place_back_too(store):
    now, lapsing, early = planned(slot=slot(1)), planned(slot=slot(1), expires_at=after(SOON)), planned(slot=slot(1))
    store.add([now, lapsing, early])
    assert until(store.lapse) == 1
    assert places(store) == [1, 0, 1]
    store.reopen([early.deliveries[0].id], by="op")
    assert places(store) == [1, 0, 0]
    # And nothing is given back of what is under way, or was delivered
    store.cancel([early.deliveries[0].id], by="op", why="no")
    store.cancel([now.deliveries[0].id], by="op", why="no")
    assert places(store) == [1, 0, 0]
    assert rows(store)[1] == 0


def test_a_place_whose_hour_has_come_is_used(store):
    over, later = [planned(slot=slot(1, unit="second"), hold_until=after(SOON * number)) for number in (1, 1)]
    store.add([over, later])
    until(store.release)
    until(lambda: (store.release(), rows(store)[1] == 0)[1])
    before = places(store)
    store.cancel([one.deliveries[0].id for one in (over, later)], by="op", why="no")
    assert places(store) == before


def test_windows_that_are_over_are_pruned_and_no_other(store):
    # Given windows that are over, one that runs, and one to come
    store.add([planned(slot=slot(1, key="S", unit="second")) for _ in range(2)])
    store.add([planned(slot=slot(1, key="D")) for _ in range(2)])
    assert store.prune_windows() == 0
    assert rows(store) == [6, 2]
    until(lambda: (store.prune_windows(margin=timedelta(0)), rows(store)[0] == 4)[1])
    # Then the day's places are still taken: the third one goes the day after tomorrow
    third = planned(slot=slot(1, key="D"))
    store.add([third])
    today = quota("1/day").window(datetime.now(UTC))
    assert (store.delivery(third.deliveries[0].id).release_at - today).days == 2
    # And locks that nobody takes go as well, and come again with the next delivery
    assert store.prune_windows(margin=timedelta(days=-1, seconds=-1)) == 3
    store.add([planned(slot=slot(1, key="S", unit="second"))])


def test_a_window_is_kept_for_the_longest_unit_that_begins_with_it(store):
    # Given a capacity per day that became one per hour, with a place in each for the same midnight
    midnight = quota("1/day").next(quota("1/day").window(datetime.now(UTC)))
    for unit in ("day", "hour"):
        store.add([planned(slot=slot(5, unit=unit), hold_until=midnight)])
    assert places(store) == [2]
    sql = sa.text("SELECT ends_at FROM capacity WHERE used > 0")
    ends = store._database.read(lambda connection: connection.execute(sql).scalar())
    assert store._database.instant(ends) == midnight + timedelta(days=1)


@pytest.mark.parametrize("turn", range(3))
def test_cancelling_and_adding_at_once_loses_no_place_and_gives_none_twice(store, store_url, turn):
    # Given forty that wait for room for two an hour, when half are cancelled by two people at once while others come
    other = store if store_url.startswith("sqlite") else open_store(store_url)
    waiting = [planned(slot=slot(2, unit="hour")) for _ in range(40)]
    store.add(waiting)
    ids = [one.deliveries[0].id for one in waiting if store.delivery(one.deliveries[0].id).release_at is not None][::2]
    later = [[planned(slot=slot(2, unit="hour")) for _ in range(5)] for _ in range(4)]
    threads = [
        Thread(target=who.cancel, args=(ids[start:],), kwargs={"by": "op", "why": "no"})
        for who in (store, other)
        for start in (0, 3)
    ]
    threads += [
        Thread(target=(other if number % 2 else store).add, args=(batch,)) for number, batch in enumerate(later)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if other is not store:
        other.close()
    # Then as many places are taken as deliveries have one, and no window has more than two
    alive = [
        line
        for one in (*waiting, *(one for batch in later for one in batch))
        for line in lines(store, one)
        if line.status is not Status.CANCELLED
    ]
    assert len(alive) == 60 - len(ids)
    assert sum(places(store)) == len(alive)
    assert max(places(store)) == 2


def bundle(size, within, name="stock"):
    return Bundle(name, size, within)


def test_a_bundle_waits_for_the_others_but_not_longer_than_it_says(store):
    two = [planned(bundle=bundle(5, SOON)) for _ in range(2)]
    store.add(two[:1])
    assert claim_bundled(store) == []
    store.add(two[1:])
    # When the first one's time is over, the second goes with it although its own is not
    together = until(lambda: claim_bundled(store))
    assert [one.id for one in together] == [one.deliveries[0].id for one in two]
    assert {one.bundle for one in together} == {"stock"}


def test_a_full_bundle_goes_at_once(store):
    five = [planned(bundle=bundle(5, LATE)) for _ in range(5)]
    store.add(five[:4])
    assert claim_bundled(store) == []
    store.add(five[4:])
    assert len(claim_bundled(store)) == 5


def test_what_is_left_over_of_full_bundles_waits_its_own_time(store):
    # Given 13 in bundles of five
    thirteen = [planned(bundle=bundle(5, SOON)) for _ in range(13)]
    store.add(thirteen)
    # Then two full ones go at once, whatever a claim is allowed to take; and nobody takes the rest along
    went = {one.id for size, number in ((8, 8), (100, 2)) for one in claim_bundled(store, size=size)}
    assert len(went) == 10
    assert claim_bundled(store) == []
    # And the rest goes together, when its first has waited
    rest = until(lambda: claim_bundled(store))
    assert {one.id for one in rest} == {one.deliveries[0].id for one in thirteen} - went


def test_the_rest_and_what_comes_after_it_fill_the_next_bundle(store):
    store.add([planned(bundle=bundle(5, LATE)) for _ in range(8)])
    assert len(claim_bundled(store, bundle(5, LATE))) == 5
    store.add([planned(bundle=bundle(5, LATE)) for _ in range(2)])
    assert len(claim_bundled(store, bundle(5, LATE))) == 5


def test_the_dead_one_that_its_key_waits_behind_lets_no_other_go_early(store):
    # Given a dead one, and another that waits behind it on its key, due long since
    first, second = (planned("SO-1", bundle=bundle(5, timedelta(0))) for _ in range(2))
    store.add([first])
    [claim] = claim_bundled(store, bundle(5, timedelta(0)))
    store.settle([settled(claim, Dead(Cause(Reason.REFUSED, "no")))])
    store.add([second])
    # When a fresh one comes in the same bundle
    store.add([planned(bundle=bundle(5, LATE))])
    # Then it waits for others, or for its own time
    assert claim_bundled(store, bundle(5, LATE)) == []
    # And a person's replay of the dead one goes at once, alone
    store.reopen([claim.id], by="tests")
    assert [one.id for one in claim_bundled(store, bundle(5, LATE))] == [claim.id]


def test_one_that_was_tried_keeps_its_own_time_and_one_that_goes_alone_stays_alone(store):
    five = [planned(bundle=bundle(2, LATE)) for _ in range(2)]
    store.add(five)
    first, second = claim_bundled(store)
    why = Cause(Reason.SERVER_ERROR, "no")
    store.settle([settled(first, Retry(why, 3600.0)), settled(second, Retry(why, 0.0, alone=True))])
    [again] = claim_bundled(store)
    assert (again.id, again.bundle) == (second.id, None)


def claim_bundled(store, of=None, size=100):
    bundles = {one.name: one for one in (of or bundle(5, SOON),)}
    return store.claim("warehouse", size=size, lease_s=30.0, worker="w1", bundles=bundles)
