"""Repairs in the store: each delivery is sent again once, whoever asks, in the order of its key, at the rate, and its
result is seen.
"""

import threading
from datetime import timedelta

import pytest

from hub.core.errors import Cause, Code, Reason, Refused
from hub.core.message import Receipt
from hub.core.model.delivery import Dead, Delivered, Hold, Retry, Status, WhenDead
from hub.core.model.repair import Act, Order, Result, Selection, State, With
from hub.store import open_store
from tests.support.making import claim, laid, new_id, seen, settled

WHY = Cause(Reason.TRANSFORM_ERROR, "What the mapping made does not fit: /qty, 100% 库存", "/qty", "Mend it.")
OTHER = Cause(Reason.REFUSED, "no")


def dead(store, number=3, *, why=WHY, keys=None, when_dead=WhenDead.SKIP):
    """So many dead deliveries, oldest first; their ids."""
    store.add([laid(order_key=keys[place] if keys else None, when_dead=when_dead) for place in range(number)])
    done: list[str] = []
    while claims := claim(store):
        store.settle([settled(one, Dead(why)) for one in claims])
        done += [one.id for one in claims]
    return sorted(done)


def made(store, **given):
    order = {"selection": Selection(), "by": "ann", "why": "mended", "rate": 1_000_000, **given}
    id_, _ = store.create_repair(new_id(), Order(**order))
    return id_


def results(store, id_):
    return [row.result for row in store.repaired(id_)]


def finish(store, *, outcome=None):
    """Works off all that is due."""
    while claims := claim(store):
        store.settle([settled(one, outcome or Delivered()) for one in claims])


def test_only_what_fits_the_whole_cause_is_chosen_and_nothing_is_done_to_it(store):
    # Given dead ones of two causes
    mine, _others = dead(store), dead(store, why=OTHER)
    # When a repair is made of one cause, named in full
    cause = Selection(
        route="orders",
        lane="warehouse",
        target="warehouse/order.create@1",
        reason=WHY.reason,
        field="/qty",
        text="100% 库存",
    )
    id_ = made(store, selection=cause)
    # Then it has these, in their order, and they are as dead as before
    assert [row.delivery_id for row in store.repaired(id_)] == mine
    assert {row.status for row in store.repaired(id_)} == {Status.DEAD}
    assert store.repair(id_).results == {Result.WAITING: 3}
    assert store.repair(id_).selection["field"] == "/qty"
    # And a cause that nothing has is refused: % and _ are characters, not wildcards
    for other in (
        Selection(text="1__%"),
        Selection(field="/qt"),
        Selection(route="other"),
        Selection(until=store.repair(id_).created_at, reason=Reason.POISON),
    ):
        with pytest.raises(Refused) as refused:
            made(store, selection=other)
        assert refused.value.code is Code.NOT_FOUND


def test_the_oldest_are_chosen_up_to_the_bound(store):
    ids = dead(store, 5)
    assert [row.delivery_id for row in store.repaired(made(store, selection=Selection(most=2)))] == ids[:2]


def test_named_ones_each_get_a_result_those_that_are_not_there_too(store):
    [one] = dead(store, 1)
    unknown = new_id()
    id_ = made(store, selection=Selection(ids=(unknown, one, one)))
    store.start_repair(id_, by="ann")
    assert store.step_repair(id_).state is State.RUNNING
    assert {row.delivery_id: row.result for row in store.repaired(id_)} == {one: Result.GOING, unknown: Result.SKIPPED}


def test_the_same_call_twice_is_one_repair_and_another_under_its_key_is_refused(store):
    dead(store)
    order = Order(Selection(), "ann", "mended")
    first, again = (store.create_repair(new_id(), order, request_key="k", fingerprint="one") for _ in range(2))
    assert (first[0], False) == first
    assert again == (first[0], True)
    with pytest.raises(Refused) as refused:
        store.create_repair(new_id(), order, request_key="k", fingerprint="two")
    assert refused.value.code is Code.IDEMPOTENCY_MISMATCH
    assert len(store.repairs()) == 1


def test_a_started_repair_sends_each_again_and_sees_what_became_of_it(store):
    # Given a started repair over three, by another revision than theirs
    ids = dead(store)
    id_ = made(store, with_=With.CANDIDATE, revision="c" * 64)
    assert store.step_repair(id_) is None
    assert store.start_repair(id_, by="ben").is_new
    assert not store.start_repair(id_, by="ben").is_new
    # When it is moved on, then all go, and what makes them stands on each
    step = store.step_repair(id_)
    assert (step.state, step.results, step.lanes) == (State.RUNNING, {Result.GOING: 3}, ("warehouse",))
    assert {(row.status, row.made_with) for row in store.repaired(id_)} == {(Status.PENDING, "c" * 64)}
    # When one is delivered, one is tried again later, and one is dead of another cause
    first, second, third = claim(store)
    assert first.content_revision == "c" * 64
    store.settle([settled(first), settled(second, Retry(OTHER, 0.0)), settled(third, Dead(OTHER))])
    assert store.step_repair(id_).results == {Result.DELIVERED: 1, Result.FAILED: 1}
    finish(store)
    assert store.step_repair(id_).state is State.DONE
    rows = {row.delivery_id: row for row in store.repaired(id_)}
    assert [rows[one].result for one in ids] == [rows[one].result for one in (first.id, second.id, third.id)]
    assert rows[third.id].why == OTHER
    assert {one.made_with for one in store.attempts(first.id)} == {None, "c" * 64}
    assert store.repair(id_).results == {Result.DELIVERED: 2, Result.FAILED: 1}
    # And what is done stays done
    assert store.step_repair(id_) is None
    assert not store.stop_repair(id_, by="ann").is_new
    assert store.conservation().unaccounted == 0


def test_as_it_was_takes_back_what_an_earlier_repair_chose(store):
    dead(store, 1)
    for with_, revision in ((With.CANDIDATE, "c" * 64), (With.PINNED, None)):
        id_ = made(store, with_=with_, revision=revision)
        store.start_repair(id_, by="ann")
        store.step_repair(id_)
        [one] = claim(store)
        assert one.made_with == revision
        store.settle([settled(one, Dead(WHY))])
        assert store.step_repair(id_).state is State.DONE


def test_of_two_repairs_over_the_same_deliveries_one_sends_each(store):
    # Given two people who chose the same ones
    dead(store)
    one, other = made(store), made(store, by="ben")
    store.start_repair(one, by="ann")
    store.start_repair(other, by="ben")
    # When the first is moved on, and its deliveries die again, before the second is
    store.step_repair(one)
    finish(store, outcome=Dead(OTHER))
    step = store.step_repair(other)
    # Then the second leaves them alone and says why
    assert (step.state, step.results) == (State.DONE, {Result.SKIPPED: 3})
    assert {row.note for row in store.repaired(other)} == {"It was tried since it was chosen; look at it again."}
    assert {row.attempts for row in store.deliveries(*(row.message_id for row in store.repaired(one)))} == {2}


def test_however_many_drivers_each_is_sent_once(store, store_url):
    # Given a repair, and four processes that move it on at once
    dead(store, 60)
    id_ = made(store)
    store.start_repair(id_, by="ann")
    stores = [store, *(open_store(store_url) for _ in range(3))]
    steps: list = []
    threads = [
        threading.Thread(target=lambda mine: steps.append(mine.step_repair(id_)), args=(mine,))
        for mine in stores
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for mine in stores[1:]:
        mine.close()
    # Then together they sent each once
    assert sum(step.results.get(Result.GOING, 0) for step in steps if step is not None) == 60
    assert len(claim(store, size=200)) == 60


def test_the_canary_takes_the_heads_of_keys_and_waits_for_a_person(store):
    # Given dead ones on two keys and without one
    ids = dead(store, 5, keys=["a", "a", "b", None, "a"])
    by_key = {id_: store.delivery(id_).order_key for id_ in ids}
    id_ = made(store, canary=3)
    places = [row.delivery_id for row in store.repaired(id_)]
    assert [by_key[one] for one in places[3:]] == ["a", "a"]
    numbers = [store.delivery(one).seq for one in places if by_key[one] == "a"]
    assert numbers == sorted(numbers)
    # When it starts, then only these go
    assert store.start_repair(id_, by="ann").state is State.CANARY
    assert store.step_repair(id_).results == {Result.GOING: 3}
    assert store.step_repair(id_).results == {}
    # And when they have ended, a person is waited for
    finish(store)
    assert store.step_repair(id_).state is State.WAITING
    assert store.step_repair(id_) is None
    assert store.continue_repair(id_, by="ben").state is State.RUNNING
    assert store.step_repair(id_).results == {Result.GOING: 2}
    finish(store)
    assert store.step_repair(id_).state is State.DONE


@pytest.mark.parametrize(("go_on_at", "after"), [(50, State.RUNNING), (51, State.WAITING), (None, State.WAITING)])
def test_a_canary_that_is_good_enough_lets_the_rest_go_by_itself(store, go_on_at, after):
    dead(store, 5)
    id_ = made(store, canary=2, go_on_at=go_on_at)
    store.start_repair(id_, by="ann")
    store.step_repair(id_)
    good, bad = claim(store)
    store.settle([settled(good), settled(bad, Dead(OTHER))])
    assert store.step_repair(id_).state is after


def test_the_rest_goes_at_its_rate_and_no_further_ahead_than_the_target_takes(store):
    # Given 40 dead ones, and a rate of 5 per second
    dead(store, 40)
    id_ = made(store, rate=5)
    store.start_repair(id_, by="ann")
    # When it is moved on again and again, and nothing is claimed, then few are on the way
    sent = sum(step.results.get(Result.GOING, 0) for step in (store.step_repair(id_) for _ in range(20)))
    assert sent <= 10
    # And what was stopped sends nothing more; started again, it goes on where it was
    store.stop_repair(id_, by="ann")
    assert store.step_repair(id_) is None
    finish(store)
    assert store.start_repair(id_, by="ann").state is State.RUNNING
    step = store.step_repair(id_)
    assert step.results[Result.DELIVERED] == sent
    assert step.results.get(Result.GOING, 0) <= 10


def test_an_old_one_behind_a_newer_one_is_skipped_but_by_force(store):
    # Given a dead one, and a later one on its key that is delivered (F80)
    [old] = dead(store, 1, keys=["SO-1"])
    store.add([laid(order_key="SO-1", when_dead=WhenDead.SKIP)])
    finish(store)
    # Then a repair skips it with the reason
    id_ = made(store)
    assert "A later one" in store.skipped(store.repaired(id_), force=False)[old]
    store.start_repair(id_, by="ann")
    assert store.step_repair(id_).state is State.DONE
    assert "A later one on the key SO-1" in store.repaired(id_)[0].note
    # And one by force sends it
    forced = made(store, force=True)
    assert store.skipped(store.repaired(forced), force=True) == {}
    store.start_repair(forced, by="ann")
    assert store.step_repair(forced).results == {Result.GOING: 1}


def test_what_waits_behind_one_that_a_person_must_mend_is_parked_and_the_repair_ends(store):
    # Given two dead ones on one key, sent again together
    dead(store, 2, keys=["k", "k"])
    id_ = made(store)
    store.start_repair(id_, by="ann")
    assert store.step_repair(id_).results == {Result.GOING: 2}
    # When the first is held again
    [first] = claim(store)
    store.settle([settled(first, Hold(OTHER))])
    # Then the repair says of both where they are, and is done: the second goes once the first is mended
    step = store.step_repair(id_)
    assert (step.state, step.results) == (State.DONE, {Result.FAILED: 1, Result.PARKED: 1})
    store.cancel([first.id], by="ann", why="test")
    assert len(claim(store)) == 1


def test_a_lane_that_is_blocked_parks_what_was_sent_again(store):
    [one] = dead(store, 1)
    dead(store, 1, when_dead=WhenDead.BLOCK, keys=["k"], why=OTHER)
    id_ = made(store, selection=Selection(ids=(one,)), canary=1)
    store.start_repair(id_, by="ann")
    store.step_repair(id_)
    assert claim(store) == []
    step = store.step_repair(id_)
    assert (step.state, step.results) == (State.DONE, {Result.PARKED: 1})


def test_discarding_ends_them_with_the_reason_and_twice_changes_nothing(store):
    ids = dead(store, 3)
    one, again = made(store, act=Act.DISCARD, why="test orders"), made(store, act=Act.DISCARD, why="mine too", by="ben")
    for id_ in (one, again):
        store.start_repair(id_, by="ann")
    assert store.step_repair(one).results == {Result.DISCARDED: 3}
    assert store.step_repair(again).results == {Result.SKIPPED: 3}
    row = store.delivery(ids[0])
    assert (row.status, row.why.text, row.changed_by) == (Status.CANCELLED, "Discarded by ann: test orders", "ann")
    assert store.repair(one).state is State.DONE
    assert store.conservation().unaccounted == 0


def test_a_repair_that_is_done_goes_with_time_and_one_that_may_go_on_stays(store):
    dead(store, 3)
    done, waiting = made(store, act=Act.DISCARD), made(store)
    store.start_repair(done, by="ann")
    store.step_repair(done)
    assert store.forget_ended(store.now() - timedelta(days=1)) == 0
    # Its rows, then itself
    assert [store.forget_ended(store.now() + timedelta(days=1)) for _ in range(3)] == [3, 1, 0]
    assert [row.id for row in store.repairs()] == [waiting]
    assert len(store.repaired(waiting)) == 3


def test_a_repair_that_is_not_there_or_not_started_is_refused(store):
    dead(store, 1)
    id_ = made(store, canary=1)
    for act, code in (
        (lambda: store.start_repair(new_id(), by="x"), Code.NOT_FOUND),
        (lambda: store.continue_repair(id_, by="x"), Code.CONFLICT),
    ):
        with pytest.raises(Refused) as refused:
            act()
        assert refused.value.code is code
    assert store.repair(new_id()) is None


def test_repairs_are_listed_newest_first_by_state_and_by_delivery(store):
    [one] = dead(store, 1)
    first, second = made(store), made(store)
    store.start_repair(first, by="ann")
    assert [row.id for row in store.repairs()] == [second, first]
    assert [row.id for row in store.repairs(before=second)] == [first]
    assert [row.id for row in store.repairs(state=State.READY)] == [second]
    assert [row.id for row in store.repairs(delivery_id=one)] == [second, first]
    assert store.repairs(delivery_id=new_id()) == []
    assert store.live_repairs() == [first]


def test_what_people_and_their_repairs_did_is_on_record(store):
    ids = dead(store, 3)
    id_ = made(store, canary=1, selection=Selection(ids=tuple(ids)))
    store.start_repair(id_, by="ben")
    store.step_repair(id_)
    finish(store)
    store.step_repair(id_)
    store.continue_repair(id_, by="cleo")
    store.step_repair(id_)
    finish(store)
    store.step_repair(id_)
    told = [(one.what, one.by, one.object or one.details["repair"]) for one in reversed(store.acts())]
    first = store.repaired(id_)[0].delivery_id
    assert told == [
        ("repair.created", "ann", id_),
        ("repair.started", "ben", id_),
        ("delivery.replayed", "ben", first),
        ("repair.continued", "cleo", id_),
        ("delivery.replayed", "cleo", id_),
        ("repair.done", "cleo", id_),
    ]
    assert sorted(store.acts(what="delivery.replayed")[0].details["ids"]) == sorted(set(ids) - {first})
    assert store.acts(what="repair.done")[0].details == {"delivered": 3}
    assert store.verify_acts().broken is None


def replacing(old, raw=b'{"orderNo":"SO-2"}', *, order_key="k", name="one", when_dead=WhenDead.SKIP):
    """A message of one delivery that goes in the place of `old`."""
    return laid(order_key=order_key, when_dead=when_dead, raw=raw, dedupe_keys=[seen(old, name, "hub", "edit")])


def test_a_changed_message_takes_the_place_in_the_order_and_the_old_delivery_ends_with_its_name(store):
    # Given a dead one, and one that waits behind it
    store.add([laid(order_key="k")])
    [old] = claim(store)
    store.settle([settled(old, Dead(WHY))])
    store.add([laid(order_key="k")])
    assert claim(store) == []
    # When a changed message is put in its place
    new = replacing(old.id)
    receipt = store.replace(old.id, new, by="ann", why="typing error")
    # Then it goes first, and the old one is cancelled, with both names
    [first] = claim(store)
    assert (first.id, first.seq, receipt.duplicate) == (new.deliveries[0].id, old.seq, False)
    row = store.delivery(old.id)
    assert (row.status, row.changed_by) == (Status.CANCELLED, "ann")
    assert new.message.id in row.why.text
    assert "typing error" in row.why.text
    # And the same change again is known; another one, or one of what does not wait, is refused, and nothing is left of
    # it
    assert store.replace(old.id, replacing(old.id), by="ann", why="again") == Receipt(new.message.id, duplicate=True)
    for delivery, name, code in (
        (old.id, "two", Code.IDEMPOTENCY_MISMATCH),
        (first.id, "one", Code.CONFLICT),
        (new_id(), "one", Code.NOT_FOUND),
    ):
        with pytest.raises(Refused) as refused:
            store.replace(delivery, replacing(delivery, name=name), by="ann", why="x")
        assert refused.value.code is code
    assert store.conservation().messages == 3
    assert store.conservation().unaccounted == 0
    assert [one.what for one in store.acts()] == ["delivery.replaced"]


def test_a_changed_message_is_refused_behind_a_later_one_and_kept_on_a_key_that_wants_the_latest(store):
    [old] = dead(store, 1, keys=["k"])
    store.add([laid(order_key="k", when_dead=WhenDead.SKIP)])
    finish(store)
    with pytest.raises(Refused, match="A later one"):
        store.replace(old, replacing(old), by="ann", why="x")
    assert store.replace(old, replacing(old), by="ann", why="x", force=True).duplicate is False
    finish(store)
    # On a key of its own that wants the latest only, the old one ends as replaced, not as superseded
    [held] = dead(store, 1, keys=["l"], when_dead=WhenDead.LATEST)
    store.replace(held, replacing(held, order_key="l", when_dead=WhenDead.LATEST), by="ann", why="x")
    assert store.delivery(held).status is Status.CANCELLED
