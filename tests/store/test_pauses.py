"""Pauses on all databases: nothing of a paused route or target is claimed, nothing is lost, and all of it goes on."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from hub.core.errors import Reason
from hub.core.message import Receipt, Ref
from hub.core.model.delivery import Delivered, Exchange, Settlement, Status
from tests.support.making import laid

LONG = {"lease_s": 60, "worker": "w"}


def add(store, *ways, key=None):
    """A message with a delivery per way: (route, target)."""
    one = laid(order_key=key, targets=[Ref.parse(ref) for _, ref in ways])
    one = replace(
        one, deliveries=tuple(replace(line, route=route) for line, (route, _) in zip(one.deliveries, ways, strict=True))
    )
    assert [type(answer) for answer in store.add([one])] == [Receipt]
    return [line.id for line in one.deliveries]


def claimed(store, lane="wms", **given):
    return {held.id for held in store.claim(lane, size=100, **LONG, **given)}


A, B = ("a", "wms/outbound.create@1"), ("b", "wms/outbound.create@1")


def test_nothing_of_a_paused_target_is_claimed_and_all_of_it_afterwards(store):
    # Given deliveries of two lanes, one of which is paused
    mine, other = add(store, A)[0], add(store, ("a", "tms/waybill.create@1"))[0]
    assert store.pause("target", "wms", by="ann", why="stocktaking")
    assert not store.pause("target", "wms", by="bob", why="again")
    # Then nothing of it goes, what comes later neither; it stays pending, and is counted
    later = add(store, B)[0]
    assert claimed(store) == set()
    assert claimed(store, "tms") == {other}
    assert store.delivery(mine).status is Status.PENDING
    assert store.waiting_behind("target", "wms") == 2
    [paused] = store.pauses()
    assert (paused.kind, paused.name, paused.by, paused.why) == ("target", "wms", "ann", "stocktaking")
    # And after it all of it goes; no attempt was spent
    assert store.resume("target", "wms", by="bob")
    assert not store.resume("target", "wms", by="bob")
    assert store.pauses() == []
    assert {held.attempt for held in store.claim("wms", size=100, **LONG)} == {1}
    assert {store.delivery(one).status for one in (mine, later)} == {Status.LEASED}
    assert [(one.by, one.what, one.object) for one in reversed(store.acts())] == [
        ("ann", "target.paused", "wms"),
        ("bob", "target.resumed", "wms"),
    ]


@pytest.mark.parametrize("holds", [False, True])
def test_nothing_of_a_paused_route_is_claimed_and_its_neighbours_are(store, holds):
    # Given two routes on one lane, one of them paused, whether the worker knows it yet or not
    first, neighbour = add(store, A)[0], add(store, B)[0]
    store.pause("route", "a", by="ann", why="")
    assert claimed(store, holds=holds) == {neighbour}
    # Then what is due of it is set aside once it is known, with why; until then it is left out
    found = store.delivery(first)
    assert found.status is (Status.HELD if holds else Status.PENDING)
    if holds:
        assert found.why.reason is Reason.PAUSED
        assert "hub route resume a" in found.why.fix
    assert store.waiting_behind("route", "a") == 1
    assert store.release() == []  # no hour frees it
    # When it is resumed, then all of it goes, and the pause is forgotten
    store.resume("route", "a", by="ann")
    while store.free_paused()[0]:
        pass
    assert claimed(store, holds=holds) == {first}
    assert store.waiting_behind("route", "a") == 0
    assert store.pause("route", "a", by="ann", why="once more")


def test_a_key_keeps_its_order_behind_what_a_pause_holds(store):
    # Given a create of a paused route, and a cancel of another route behind it on the same key
    create = add(store, A, key="SO-1")[0]
    store.pause("route", "a", by="ann", why="")
    cancel = add(store, B, key="SO-1")[0]
    # Then the cancel does not overtake it
    assert claimed(store, holds=True) == set()
    store.resume("route", "a", by="ann")
    store.free_paused()
    [held] = store.claim("wms", size=10, **LONG)
    assert held.id == create
    store.settle([Settlement(held, Delivered(), Exchange(), "r")])
    assert claimed(store) == {cancel}


def test_a_resume_that_died_in_the_midst_is_finished_by_the_next_sweep(store):
    # Given a pause that holds, and somebody who resumed it and died before anything was set free
    ids = {add(store, A)[0] for _ in range(5)}
    store.pause("route", "a", by="ann", why="")
    assert claimed(store, holds=True) == set()
    store.resume("route", "a", by="ann")
    # When the sweep of any process comes by, then it is free; paused again meanwhile, it would be held anew
    number, lanes = store.free_paused()
    assert (number, lanes) == (5, ["wms"])
    assert store.free_paused() == (0, [])
    assert claimed(store) == ids


def test_a_person_cancels_what_a_pause_holds_and_the_rest_goes_on(store):
    one, other = add(store, A)[0], add(store, A)[0]
    store.pause("route", "a", by="ann", why="")
    claimed(store, holds=True)
    assert store.cancel([one], by="ann", why="not wanted") == {one: "cancelled"}
    store.resume("route", "a", by="ann")
    store.free_paused()
    assert claimed(store) == {other}
    assert store.conservation().unaccounted == 0


def test_claims_pauses_and_resumes_at_once_lose_nothing(store):
    # Given a hundred deliveries, workers that claim, and somebody who pauses and resumes all the time
    ids = {add(store, A)[0] for _ in range(100)}
    got = []

    def work(_):
        for _ in range(15):
            got.extend(held.id for held in store.claim("wms", size=5, holds=True, **LONG))

    def toggle(_):
        for _ in range(10):
            store.pause("route", "a", by="ann", why="")
            store.resume("route", "a", by="ann")
            store.free_paused()

    with ThreadPoolExecutor(4) as threads:
        for done in [*(threads.submit(work, one) for one in range(3)), threads.submit(toggle, 0)]:
            done.result()
    # When all is resumed, then each was claimed once
    store.resume("route", "a", by="ann")
    while store.free_paused()[0]:
        pass
    while more := claimed(store):
        got.extend(more)
    assert len(got) == len(set(got))
    assert set(got) == ids
    assert store.pauses() == []


def test_the_instant_that_marks_a_pause_lies_beyond_any_hour(store):
    assert store.now() < datetime(9999, 1, 1, tzinfo=UTC)
