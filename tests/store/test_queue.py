"""What waits at a target and on a route: in the order in which it goes, bounded, also while a person has stopped it. On
all databases.
"""

from dataclasses import replace

from hub.core.errors import Cause, Reason
from hub.core.message import Ref
from hub.core.model.delivery import Dead, Priority
from tests.support.making import claim, laid, settled

WMS, TMS = Ref("wms", "outbound.create", 1), Ref("tms", "waybill.create", 1)


def add(store, *, route="orders", target=WMS, priority=Priority.NORMAL):
    one = laid(targets=(target,))
    store.add(
        [replace(one, deliveries=tuple(replace(line, route=route, priority=priority) for line in one.deliveries))]
    )
    return one.deliveries[0].id


def ids(rows):
    return [row.id for row in rows]


def test_the_next_of_a_target_stand_first_and_no_more_than_asked_for(store):
    # Given deliveries of two targets
    low, other = [add(store) for _ in range(3)], add(store, target=TMS)
    assert ids(store.queue_of_lane("wms")) == low
    assert ids(store.queue_of_lane("wms", limit=2)) == low[:2]
    assert ids(store.queue_of_lane("tms")) == [other]
    assert store.queue_of_lane("nobody") == []
    # What is under way or over does not wait
    first = claim(store, lane="wms", size=1)
    assert ids(store.queue_of_lane("wms")) == low[1:]
    store.settle([settled(first[0], Dead(Cause(Reason.REFUSED, "no")))])
    assert ids(store.queue_of_lane("wms")) == low[1:]


def test_those_in_a_hurry_stand_before_those_that_came_earlier(store):
    late, soon = add(store, priority=Priority.BULK), add(store, priority=Priority.URGENT)
    assert ids(store.queue_of_lane("wms")) == [soon, late]


def test_a_route_has_its_own_of_each_target_and_what_its_pause_holds(store):
    # Given two routes that share a lane, one of them paused
    mine, other, beside = add(store, route="a"), add(store, route="b"), add(store, route="a", target=TMS)
    assert ids(store.queue_of_route("a", ["tms", "wms"])) == [beside, mine]
    store.pause("route", "a", by="ann", why="")
    # When a claim sets what is due of it aside, then it still waits, and is counted
    assert [held.id for held in store.claim("wms", size=10, lease_s=30, worker="w", holds=True)] == [other]
    assert set(ids(store.queue_of_route("a", ["tms", "wms"]))) == {mine, beside}
    assert store.held_by_pauses() == {"a": 1}
    store.resume("route", "a", by="ann")
    while store.free_paused()[0]:
        pass
    assert store.held_by_pauses() == {}
