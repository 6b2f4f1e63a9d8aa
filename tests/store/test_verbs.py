"""What the store promises (promises I1, I4–I6, P3, P6, P7, P11, P13, P21), on all databases."""

import threading
from dataclasses import replace

import pytest
import sqlalchemy as sa

from hub.core.errors import Cause, Code, Reason, Refused, StoreBusy
from hub.core.message import Ref
from hub.core.model.delivery import (
    EVERYBODY,
    TRANSITIONS,
    Dead,
    DedupeKey,
    Delivered,
    Hold,
    InDoubt,
    InDoubtPolicy,
    Retry,
    Status,
    WhenDead,
)
from hub.core.schemas.content import fingerprint
from hub.store import open_store
from tests.support.making import SOURCE, claim, laid, new_id, seen, settled

WHY = Cause(Reason.REFUSED, "no")


def statuses(store, *added):
    return [line.status for line in store.deliveries(*(one.message.id for one in added))]


def test_what_was_added_is_there_whole(store):
    # Given a message with two targets, when it is added
    one = laid(targets=(Ref("warehouse", "order.create", 1), Ref("books", "order.note", 1)))
    [receipt] = store.add([one])
    # Then message, body, keys and both deliveries are there
    assert receipt.message_id == one.message.id
    assert not receipt.duplicate
    assert set(receipt.lanes) == {"warehouse", "books"}
    assert store.body(one.message.id) == one.message.raw
    assert [row.id for row in store.search(key="SO-1")] == [one.message.id]
    assert statuses(store, one) == [Status.PENDING, Status.PENDING]
    assert store.conservation().unaccounted == 0


def test_the_same_name_twice_in_one_batch_is_one_message_and_a_duplicate(store):
    first, again = laid(dedupe_keys=[seen("m1")]), laid(dedupe_keys=[seen("m1")])
    answers = store.add([first, again])
    assert [(answer.message_id, answer.duplicate) for answer in answers] == [
        (first.message.id, False),
        (first.message.id, True),
    ]
    assert store.conservation().messages == 1


def test_the_same_name_with_another_body_is_refused_and_its_neighbours_are_not(store):
    store.add([laid(dedupe_keys=[seen("m1", "one")])])
    mismatch, fresh = laid(dedupe_keys=[seen("m1", "two")]), laid(dedupe_keys=[seen("m2")])
    refused, taken = store.add([mismatch, fresh])
    assert isinstance(refused, Refused)
    assert refused.code is Code.IDEMPOTENCY_MISMATCH
    assert taken.message_id == fresh.message.id


def test_two_callers_with_one_key_are_two_messages(store):
    answers = store.add([laid(dedupe_keys=[seen("m1", caller="a")]), laid(dedupe_keys=[seen("m1", caller="b")])])
    assert [answer.duplicate for answer in answers] == [False, False]


def test_a_natural_key_finds_the_first_message_under_another_request_key(store):
    natural = seen("4:SO-1", "", caller="", type_="shop/order.placed")
    first, other = laid(dedupe_keys=[seen("m1"), natural]), laid(dedupe_keys=[seen("m2"), natural])
    store.add([first])
    [answer] = store.add([other])
    assert (answer.message_id, answer.duplicate) == (first.message.id, True)
    # And the second request key leads to the first message from now on
    [again] = store.add([laid(dedupe_keys=[seen("m2")])])
    assert (again.message_id, again.duplicate) == (first.message.id, True)


def natural(said, caller="k_test"):
    return DedupeKey(
        caller,
        "shop/order.placed",
        f"{DedupeKey.NATURAL}4:SO-1",
        said,
        by_content=True,
        fields=("orderNo",),
        pointer="/orderNo",
    )


def test_a_natural_key_with_other_content_is_refused(store):
    said = fingerprint((SOURCE, {"orderNo": "SO-1"}))
    first = laid(dedupe_keys=[natural(said)])
    store.add([first])
    same, other = store.add(
        [
            laid(dedupe_keys=[natural(said)]),
            laid(dedupe_keys=[natural(fingerprint((SOURCE, {"orderNo": "SO-1", "more": 1})))]),
        ]
    )
    assert (same.message_id, same.duplicate) == (first.message.id, True)
    assert isinstance(other, Refused)
    assert (other.code, other.faults[0].pointer) == (Code.IDEMPOTENCY_MISMATCH, "/orderNo")
    assert first.message.id in other.text


def test_the_same_post_is_a_repeat_whatever_its_natural_key_is_by_now(store):
    # Given a post, and a configuration that reads another content from the same bytes since
    first = laid(dedupe_keys=[seen("m1"), natural("one")])
    store.add([first, laid(dedupe_keys=[seen("m2"), replace(natural("two"), key=f"{DedupeKey.NATURAL}4:SO-2")])])
    [again] = store.add([laid(dedupe_keys=[seen("m1"), replace(natural("three"), key=f"{DedupeKey.NATURAL}4:SO-2")])])
    assert (again.message_id, again.duplicate) == (first.message.id, True)


def test_a_name_of_all_callers_tells_none_of_another_ones_message(store):
    first, second = (
        laid(dedupe_keys=[seen("m1", caller=caller), natural("one", caller), natural("one", EVERYBODY)])
        for caller in ("a", "b")
    )
    store.add([first])
    [answer] = store.add([second])
    assert (answer.message_id, answer.duplicate) == (second.message.id, True)
    third = laid(dedupe_keys=[seen("m9", caller="b"), natural("one", "b"), natural("one", EVERYBODY)])
    assert store.add([third])[0].message_id == second.message.id
    [refused] = store.add([laid(dedupe_keys=[natural("two", "c"), natural("two", EVERYBODY)])])
    assert refused.code is Code.IDEMPOTENCY_MISMATCH
    assert first.message.id not in f"{refused.text} {refused.faults}"
    assert store.conservation().messages == 1


def test_a_natural_key_of_the_hub_before_holds_for_its_caller(store):
    # Given a message that is known under no caller's name and without a fingerprint
    first = laid(raw=b'{"orderNo":"SO-1"}', dedupe_keys=[DedupeKey("", "shop/order.placed", "4:SO-1")])
    store.add([first])
    same, other = fingerprint((SOURCE, {"orderNo": "SO-1"})), fingerprint((SOURCE, {"orderNo": "SO-1", "more": 1}))
    again, refused, anothers = store.add(
        [
            laid(dedupe_keys=[natural(same)]),
            laid(dedupe_keys=[natural(other)]),
            laid(dedupe_keys=[natural(other, "k_other")]),
        ]
    )
    assert isinstance(anothers, Refused) or not anothers.duplicate
    assert (again.message_id, again.duplicate) == (first.message.id, True)
    assert isinstance(refused, Refused)
    assert first.message.id in refused.text


def test_a_refused_repeat_gives_up_its_other_names(store):
    store.add([laid(dedupe_keys=[seen("m1", "one")])])
    store.add([laid(dedupe_keys=[seen("m1", "two"), seen("m9", "two", type_="shop/order.placed")])])
    [fresh] = store.add([laid(dedupe_keys=[seen("m9", "three", type_="shop/order.placed")])])
    assert not fresh.duplicate


def test_a_worker_that_lost_its_lease_changes_nothing(store):
    # Given a delivery whose lease ran out, and which another worker has claimed since
    store.add([laid()])
    [stale] = claim(store, lease_s=0.0)
    store.expire()
    [fresh] = claim(store, worker="w2")
    # When the first worker comes back, then its result is refused and the delivery is still the second one's
    assert store.settle([settled(stale)]) == []
    assert store.settle([settled(fresh)]) == [fresh.id]
    # And the attempt that nobody wrote has a row
    assert [one.outcome for one in store.attempts(fresh.id)] == ["outcome_not_seen", "delivered"]


def test_settling_twice_changes_nothing(store):
    store.add([laid()])
    [held] = claim(store)
    assert store.settle([settled(held)]) == [held.id]
    assert store.settle([settled(held, Dead(WHY))]) == []
    assert store.delivery(held.id).status is Status.DELIVERED


@pytest.mark.parametrize(
    ("policy", "status"), [(InDoubtPolicy.RESEND, Status.PENDING), (InDoubtPolicy.PARK, Status.UNKNOWN)]
)
def test_an_ended_lease_goes_by_its_in_doubt_policy(store, policy, status):
    one = laid(in_doubt=policy)
    store.add([one])
    claim(store, lease_s=0.0)
    store.expire()
    assert statuses(store, one) == [status]


def test_a_delivery_that_cost_three_workers_is_poison(store):
    one = laid()
    store.add([one])
    for _ in range(3):
        assert claim(store, lease_s=0.0)
        store.expire()
    [line] = store.deliveries(one.message.id)
    assert (line.status, line.why.reason) == (Status.DEAD, Reason.POISON)


def test_deliveries_of_one_key_go_one_after_another(store):
    store.add([laid(order_key="SO-1"), laid(order_key="SO-1"), laid(order_key="SO-2")])
    first = claim(store)
    assert sorted(one.order_key for one in first) == ["SO-1", "SO-2"]
    assert claim(store) == []
    store.settle([settled(one) for one in first])
    [second] = claim(store)
    assert (second.order_key, second.seq) == ("SO-1", 2)


@pytest.mark.parametrize(
    ("when_dead", "may_go"),
    [(WhenDead.PARK, False), (WhenDead.SKIP, True), (WhenDead.BLOCK, False), (WhenDead.LATEST, True)],
)
def test_a_dead_head_holds_its_key_as_the_route_says(store, when_dead, may_go):
    head, follower = laid(order_key="SO-1", when_dead=when_dead), laid(order_key="SO-1", when_dead=when_dead)
    store.add([head])
    store.settle([settled(claim(store)[0], Dead(WHY))])
    store.add([follower])
    assert bool(claim(store)) is may_go
    if when_dead is WhenDead.LATEST:
        assert statuses(store, head) == [Status.SUPERSEDED]


def test_a_dead_block_holds_the_whole_lane(store):
    store.add([laid(order_key="SO-1", when_dead=WhenDead.BLOCK)])
    store.settle([settled(claim(store)[0], Dead(WHY))])
    store.add([laid(order_key="SO-2"), laid()])
    assert claim(store) == []


def test_eight_workers_never_hold_one_key_twice(store):
    # Given 200 deliveries on five keys, and eight threads that claim and settle
    store.add([laid(order_key=f"K{number % 5}") for number in range(200)])
    order: dict[str, list[int]] = {}
    lock, problems = threading.Lock(), []

    def work():
        while True:
            claims = claim(store, size=10)
            with lock:
                for one in claims:
                    order.setdefault(one.order_key, []).append(one.seq)
            if not claims and store.conservation().by_status[Status.PENDING] == 0:
                return
            try:
                store.settle([settled(one) for one in claims])
            except Exception as error:
                problems.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    # Then each key was claimed in its order, each number once
    assert not problems
    assert order == {f"K{key}": list(range(1, 41)) for key in range(5)}


def test_a_retry_is_due_later_and_keeps_its_key(store):
    store.add([laid(order_key="SO-1"), laid(order_key="SO-1")])
    [held] = claim(store)
    store.settle([settled(held, Retry(WHY, 60.0))])
    assert claim(store) == []
    line = store.delivery(held.id)
    assert line.status is Status.PENDING
    assert 55 < (line.due_at - store.now()).total_seconds() <= 60


def test_a_replayed_delivery_keeps_its_id_and_gets_a_fresh_budget(store):
    one = laid(order_key="SO-1")
    store.add([one])
    [held] = claim(store)
    store.settle([settled(held, Dead(WHY))])
    assert store.reopen([held.id], by="anna") == {held.id: "reopened"}
    # A second click changes nothing
    assert "only a dead" in store.reopen([held.id], by="anna")[held.id]
    [again] = claim(store)
    assert (again.id, again.seq, again.spent, again.attempt) == (held.id, held.seq, 1, 2)


def test_an_old_one_is_not_replayed_behind_a_newer_one_but_by_force(store):
    store.add([laid(order_key="SO-1", when_dead=WhenDead.SKIP), laid(order_key="SO-1", when_dead=WhenDead.SKIP)])
    [old] = claim(store)
    store.settle([settled(old, Dead(WHY))])
    [newer] = claim(store)
    store.settle([settled(newer)])
    assert "A later one" in store.reopen([old.id], by="anna")[old.id]
    assert store.reopen([old.id], by="anna", force=True) == {old.id: "reopened"}


def test_a_reply_is_a_message_in_the_transaction_that_settles_its_delivery(store):
    store.add([laid()])
    [held] = claim(store)
    reply = laid(keys=(("orderNo", "SO-1"),))
    store.settle([settled(held, Delivered(keys=(("outboundNo", "WMS1"),)), reply)])
    assert store.message(reply.message.id) is not None
    # The key that the reply named leads to the message that was delivered
    assert [row.id for row in store.search(key="WMS1")] == [held.message.id]
    assert store.conservation().unaccounted == 0


def test_a_zombies_reply_is_not_stored(store):
    store.add([laid()])
    [stale] = claim(store, lease_s=0.0)
    store.expire()
    reply = laid()
    assert store.settle([settled(stale, None, reply)]) == []
    assert store.message(reply.message.id) is None


def test_the_books_show_a_lost_row(store, store_url):
    store.add([laid(), laid()])
    engine = sa.create_engine(store_url)
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM delivery WHERE id = (SELECT min(id) FROM delivery)"))
    engine.dispose()
    assert store.conservation().unaccounted == 1


def test_what_is_given_back_counts_no_attempt(store):
    store.add([laid()])
    [held] = claim(store)
    assert store.return_leases([held]) == 1
    [again] = claim(store)
    assert (again.attempt, again.spent) == (1, 1)


def test_every_state_that_the_verbs_reach_is_allowed(store):
    """Walks the verbs and compares each change with the one table of transitions."""
    outcomes = [
        Delivered(),
        Retry(WHY, 0.0),
        Dead(WHY),
        InDoubt(WHY, InDoubtPolicy.PARK),
        InDoubt(WHY, InDoubtPolicy.RESEND),
        Hold(WHY),
    ]
    for outcome in outcomes:
        one = laid()
        store.add([one])
        [held] = claim(store, size=1)
        before = store.delivery(held.id).status
        store.settle([settled(held, outcome)])
        after = store.delivery(held.id).status
        assert after in TRANSITIONS[before], f"{before} → {after}"
        store.cancel([held.id], by="test", why="next case")


def test_the_database_refuses_a_state_that_is_none(store, store_url):
    store.add([laid()])
    engine = sa.create_engine(store_url)
    with pytest.raises(sa.exc.DBAPIError, match="ck_delivery_status"), engine.begin() as connection:
        connection.execute(sa.text("UPDATE delivery SET status = 'lost'"))
    engine.dispose()


def test_a_second_writing_process_on_one_file_is_refused(tmp_path):
    url = f"sqlite:///{tmp_path}/one.sqlite3"
    first = open_store(url, writer=True)
    with pytest.raises(StoreBusy, match="already has a writing process"):
        open_store(url, writer=True)
    first.close()
    open_store(url, writer=True).close()


def test_pages_of_a_search_neither_skip_nor_repeat(store):
    added = [laid(keys=(("orderNo", f"P{number}"),)) for number in range(7)]
    store.add(added)
    page, found = store.search(limit=3), []
    while page:
        found += [row.id for row in page]
        page = store.search(limit=3, before=page[-1].id)
    assert sorted(found) == sorted(one.message.id for one in added)
    assert len(found) == len(set(found))


def test_a_story_follows_keys_and_causes(store):
    order = laid(keys=(("orderNo", "SO-9"),))
    shipped = laid(keys=(("orderNo", "SO-9"), ("waybillNo", "SF-9")))
    parcel = laid(keys=(("waybillNo", "SF-9"),))
    other = laid(keys=(("orderNo", "SO-10"),))
    store.add([order, shipped, parcel, other])
    found = {row.id for row in store.story("SF-9")}
    assert found == {order.message.id, shipped.message.id, parcel.message.id}
    assert store.story(new_id()) == []


def test_a_worker_without_a_sign_of_life_loses_its_leases_before_they_end(store, store_url):
    # Given a worker that signed, claimed for an hour, and has given no sign for longer than a worker may
    one = laid()
    store.add([one])
    store.sign("w1")
    assert claim(store, lease_s=3600.0)
    assert store.expire() == []
    engine = sa.create_engine(store_url)
    with engine.begin() as connection:
        long_ago = "'1970-01-01T00:00:00Z'" if store_url.startswith("postgresql") else "0"
        connection.execute(sa.text(f"UPDATE worker_sign SET seen_at = {long_ago}"))
    engine.dispose()
    # When leases are looked at, then it is due again; a worker that signed off is not counted as lost
    assert store.expire() == ["warehouse"]
    assert statuses(store, one) == [Status.PENDING]
    store.sign_off("w1")
    assert claim(store, lease_s=3600.0)
    assert store.expire() == []
