"""Group commit, commits whose answer was lost (promise P12), and single bad rows among good ones (promise P21)."""

import threading
from dataclasses import replace

import pytest
import sqlalchemy as sa

from hub.core.errors import Code, Reason, Refused, StoreBusy
from hub.core.message import Receipt
from hub.core.model.delivery import Delivered, Exchange, Status
from hub.store import GroupCommit
from hub.store import commit as group_commit
from tests.support.making import claim, laid, seen, settled


@pytest.fixture
def lost_commit(store):
    """Arms the next COMMIT: the connection is lost in it, after it was done (`done=True`) or before."""
    engine = store._database.writing
    armed = []

    def lose(connection):
        if armed:
            if armed.pop():
                connection.connection.dbapi_connection.commit()
            raise sa.exc.OperationalError(
                "COMMIT", {}, Exception("the connection was lost"), connection_invalidated=True
            )

    sa.event.listen(engine, "commit", lose)
    yield lambda *, done: armed.append(done)
    sa.event.remove(engine, "commit", lose)


@pytest.mark.parametrize("done", [True, False])
def test_an_add_whose_answer_was_lost_is_decided_by_its_rows(store, lost_commit, done):
    # Given a COMMIT that is lost, after or before it happened
    batch = [laid(dedupe_keys=[seen(f"k{number}")], order_key="SO-1") for number in range(3)]
    lost_commit(done=done)
    # When the batch is added, then each is stored once, and told as new
    assert store.add(batch) == [Receipt(one.message.id, duplicate=False, lanes=("warehouse",)) for one in batch]
    books = store.conservation()
    assert (books.messages, books.unaccounted) == (3, 0)
    assert {row.message_id: row.seq for row in store.deliveries(*(one.message.id for one in batch))} == {
        one.message.id: seq for seq, one in enumerate(batch, 1)
    }


@pytest.mark.parametrize("done", [True, False])
def test_a_claim_whose_answer_was_lost_holds_what_it_says(store, lost_commit, done):
    store.add([laid(), laid()])
    lost_commit(done=done)
    claims = claim(store)
    assert [one.attempt for one in claims] == [1, 1]
    assert len(store.settle([settled(one) for one in claims])) == 2


@pytest.mark.parametrize("done", [True, False])
def test_a_settling_whose_answer_was_lost_is_told_as_it_happened(store, lost_commit, done):
    store.add([laid()])
    [held] = claim(store)
    lost_commit(done=done)
    assert store.settle([settled(held)]) == [held.id]
    assert [one.outcome for one in store.attempts(held.id)] == ["delivered"]


def test_adding_the_very_same_message_again_is_a_duplicate(store):
    one = laid()
    assert store.add([one]) == [Receipt(one.message.id, duplicate=False, lanes=("warehouse",))]
    assert store.add([one, laid()])[0] == Receipt(one.message.id, duplicate=True)
    assert store.conservation().unaccounted == 0


@pytest.mark.parametrize("bad", ["SO-\0", "SO-\ud800"])
def test_a_message_that_cannot_be_stored_is_refused_without_its_neighbours(store, bad):
    batch = [laid(), laid(keys=(("orderNo", bad),)), laid(order_key=bad), laid()]
    first, *refused, last = store.add(batch)
    assert (first.duplicate, last.duplicate) == (False, False)
    assert [answer.code for answer in refused] == [Code.INVALID_UNICODE] * 2
    assert store.conservation().messages == 2


def test_a_row_that_only_the_database_refuses_falls_alone(store):
    # Given a number that no column can hold, in the midst of a batch
    batch = [laid() for _ in range(9)]
    batch[4] = replace(batch[4], message=replace(batch[4].message, hops=2**70))
    # When the batch is added, then that one is refused and the eight others are stored
    answers = store.add(batch)
    assert [isinstance(answer, Refused) for answer in answers] == [place == 4 for place in range(9)]
    assert store.conservation().messages == 8


def test_a_result_that_cannot_be_written_waits_for_a_person_and_its_neighbours_are_settled(store):
    # Given three claims, one with an answer whose length no column can hold
    store.add([laid(), laid(), laid()])
    good, bad, last = claim(store)
    lines = [settled(good), replace(settled(bad), exchange=Exchange(sent=True, request_bytes=2**70)), settled(last)]
    # When they are settled, then all are: the bad one is dead, so that a person sees it
    assert set(store.settle(lines)) == {good.id, bad.id, last.id}
    assert [store.delivery(one.id).status for one in (good, bad, last)] == [
        Status.DELIVERED,
        Status.DEAD,
        Status.DELIVERED,
    ]
    assert store.delivery(bad.id).why.reason is Reason.UNEXPECTED


def test_a_reply_that_cannot_be_stored_does_not_vanish(store):
    store.add([laid()])
    [held] = claim(store)
    store.settle([settled(held, Delivered(), laid(order_key="\0"))])
    assert store.delivery(held.id).status is Status.DEAD
    assert store.conservation().unaccounted == 0


def test_posts_that_wait_go_into_one_commit_and_their_lanes_are_rung_once(store):
    # Given a store whose write lock is taken, so that posts gather
    rung, commits = [], []
    sa.event.listen(store._database.writing, "commit", lambda _: commits.append(1))
    group = GroupCommit(store, rung.append)
    with store._database.writing.connect() as connection, connection.begin():
        futures = [group.submit(laid()) for _ in range(50)]
    # When it is free again, then all are answered, by few commits
    assert len({future.result(20).message_id for future in futures}) == 50
    assert group.drain(10)
    assert rung
    assert set().union(*rung) == {"warehouse"}
    assert len(commits) <= 52 // 2
    assert store.conservation().messages == 50


def test_a_broken_bell_costs_no_answer(store):
    group = GroupCommit(store, lambda _lanes: 1 / 0)
    assert not group.submit(laid()).result(20).duplicate
    assert not group.submit(laid()).result(20).duplicate  # the thread lives on
    assert group.drain(10)


def test_a_sender_that_went_away_before_its_commit_stops_nobody(store):
    # Given a group that is being committed, and behind it a post whose sender went away
    begun, go_on = threading.Event(), threading.Event()

    class Slow:
        def add(self, batch):
            begun.set()
            go_on.wait(20)
            return store.add(batch)

    group = GroupCommit(Slow(), lambda _lanes: None)
    first = group.submit(laid())
    begun.wait(20)
    gone, last = group.submit_many([laid(), laid()])
    assert gone.cancel()
    # Then a commit under way can no more be cancelled, and the others are answered
    assert not first.cancel()
    go_on.set()
    assert not first.result(20).duplicate
    assert not last.result(20).duplicate
    assert group.drain(10)
    assert store.conservation().messages == 2


def test_too_many_waiting_posts_are_refused_at_once(store, monkeypatch):
    monkeypatch.setattr(group_commit, "MAX_WAITING", 2)
    group = GroupCommit(store, lambda _lanes: None)
    with pytest.raises(StoreBusy, match="wait"):
        group.submit_many([laid(), laid(), laid()])
    assert group.drain(10)
    with pytest.raises(StoreBusy, match="stopping"):
        group.submit(laid())


def test_a_store_that_fails_is_told_to_every_sender(store):
    class Failing:
        def add(self, batch):
            raise OSError("the disk is gone")

    group = GroupCommit(Failing(), lambda _lanes: None)
    for future in group.submit_many([laid(), laid()]):
        with pytest.raises(StoreBusy, match="OSError"):
            future.result(20)
    assert group.drain(10)
