"""What waits behind a dead letter steps aside, and comes back the moment that somebody mends it, on all databases."""

from dataclasses import replace
from datetime import timedelta

import pytest

from hub.core.errors import Cause, Reason
from hub.core.model.delivery import Bundle, Dead, Delivered, WhenDead
from hub.store.messages import blocked
from tests.support.making import claim, laid, settled

WHY = Cause(Reason.REFUSED, "no")


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(blocked, "PATIENCE", timedelta(0))


def behind(store, *, when_dead=WhenDead.PARK, number=3):
    """A dead delivery of key a, so many behind it, and one of key b. The dead one's id."""
    store.add([laid(order_key="a", when_dead=when_dead)])
    [first] = claim(store)
    store.settle([settled(first, Dead(WHY))])
    store.add([laid(order_key="a", when_dead=when_dead) for _ in range(number)])
    store.add([laid(order_key="b", when_dead=when_dead)])
    return first.id


def keys(claims):
    return [one.order_key for one in claims]


def deliver_all(store):
    done = []
    while claims := claim(store):
        store.settle([settled(one, Delivered()) for one in claims])
        done += claims
    return done


def test_what_is_parked_is_no_longer_due_and_the_rest_goes(store):
    behind(store)
    assert store.step_aside(["warehouse"]) == 3
    assert store.step_aside(["warehouse"]) == 0
    assert keys(claim(store)) == ["b"]
    assert store.conservation().unaccounted == 0


@pytest.mark.parametrize("act", ["replay", "cancel"])
def test_it_is_due_at_once_when_the_dead_one_is_replayed_or_ended_and_goes_in_order(store, act):
    dead = behind(store)
    assert store.step_aside(["warehouse"]) == 3
    if act == "replay":
        store.reopen([dead], by="ann", force=False)
    else:
        store.cancel([dead], by="ann", why="no such order")
    done = [one for one in deliver_all(store) if one.order_key == "a"]
    assert len(done) == (4 if act == "replay" else 3)
    assert [one.seq for one in done] == sorted(one.seq for one in done)


def test_after_a_while_it_is_looked_at_again_whatever_happened(store, monkeypatch):
    behind(store)
    monkeypatch.setattr(blocked, "AHEAD", timedelta(0))
    assert store.step_aside(["warehouse"]) == 3
    assert store.due_lanes() == ["warehouse"]
    assert keys(claim(store)) == ["b"]


def test_what_goes_on_past_a_dead_one_does_not_step_aside(store):
    behind(store, when_dead=WhenDead.SKIP)
    assert store.step_aside(["warehouse"]) == 0
    assert len(deliver_all(store)) == 4


def test_what_travels_in_a_bundle_keeps_the_bundles_time(store):
    store.add([laid(order_key="a")])
    [first] = claim(store)
    store.settle([settled(first, Dead(WHY))])
    one = laid(order_key="a")
    store.add(
        [
            replace(
                one,
                deliveries=tuple(replace(planned, bundle=Bundle("b", 10, timedelta(0))) for planned in one.deliveries),
            )
        ]
    )
    assert store.step_aside(["warehouse"]) == 0
