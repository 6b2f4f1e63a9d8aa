"""What no route took waits in sight, is routed once, behind what is on its key, or let go; the books are right at every
step.
"""

import threading
import time
from dataclasses import replace

import pytest

from hub.core.errors import Refused
from hub.core.message import Disposition
from hub.core.model.delivery import NewDelivery, WhenDead
from hub.core.model.unrouted import Wish
from hub.store import open_store
from tests.support.making import TARGET, claim, laid, new_id, settled

MISSED = {"considered": [{"route": "orders", "result": "missed", "condition": "channel = 'tmall'"}]}


def unrouted(**given):
    time.sleep(0.002)  # ids of one millisecond have no order
    one = laid(targets=(), **given)
    return replace(one, message=replace(one.message, why=MISSED))


def again(one, *, key=None, when_dead=WhenDead.PARK, number=1):
    """The message as routing it again would leave it."""
    planned = tuple(
        NewDelivery(new_id(), "orders", TARGET, key, None, when_dead, made_with="n" * 64) for _ in range(number)
    )
    return replace(
        one,
        message=replace(one.message, disposition=Disposition.ROUTED, planned=number),
        deliveries=planned,
        dedupe_keys=(),
    )


def route(store, *batch, **given):
    return store.reroute(list(batch), stays={}, by="ann", revision="n" * 64, **given)


def test_a_message_waits_from_its_acceptance_on_and_its_cause_is_named(store):
    # Given two that missed alike, one from which no route leads, and one that was routed
    one, two, three = unrouted(), unrouted(), laid(targets=())
    store.add([one, two, three, laid()])
    assert [line.id for line in store.unrouted_causes()] == [None]
    # When somebody looks, then they wait by cause; nothing else does
    assert store.name_unrouted() == 3
    assert store.name_unrouted() == 0
    first, second = store.unrouted_causes()
    assert (first.number, first.cause.text) == (2, "No route took it. orders: channel = 'tmall'")
    assert (second.number, second.cause.text) == (1, "No route leads from shop/order.placed.")
    assert {row.message.id for row in store.unrouted(cause=first.id)} == {one.message.id, two.message.id}
    newest = sorted([one.message.id, two.message.id, three.message.id], reverse=True)
    assert [row.message.id for row in store.unrouted(limit=2)] == newest[:2]
    assert [row.message.id for row in store.unrouted(limit=2, before=newest[1])] == newest[2:]


def test_routing_it_again_lays_its_deliveries_and_ends_the_wait_in_one_transaction(store):
    one = unrouted(order_key="SO-1", dedupe_keys=())
    store.add([one])
    made = again(one, key="SO-1", number=1)
    # When it is routed
    assert route(store, made) == {one.message.id: "routed"}
    # Then it goes like any other, made by the revision that routed it, and the books are right
    books = store.conservation()
    assert (books.unaccounted, books.routed, books.unrouted, books.planned) == (0, 1, 0, 1)
    [mine] = claim(store)
    assert (mine.seq, mine.made_with, mine.message.planned, mine.message.disposition) == (
        1,
        "n" * 64,
        1,
        Disposition.ROUTED,
    )
    assert store.unrouted() == []
    [act] = store.acts(what="message.routed")
    assert (act.by, act.object) == ("ann", one.message.id)
    # And twice changes nothing
    assert route(store, again(one, key="SO-1")) == {one.message.id: "It does not wait: it is routed."}
    assert store.conservation().planned == 1


def test_of_many_that_route_one_message_at_once_one_does(store, store_url):
    one = unrouted()
    store.add([one])
    answers, others = [], [open_store(store_url) for _ in range(4)]
    start = threading.Barrier(4)

    def go(other):
        start.wait()
        answers.append(route(other, again(one))[one.message.id])

    threads = [threading.Thread(target=go, args=(other,)) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for other in others:
        other.close()
    assert sorted(answers) == ["It does not wait: it is routed."] * 3 + ["routed"]
    books = store.conservation()
    assert (books.unaccounted, books.planned) == (0, 1)


def test_nothing_is_half_done_where_the_transaction_ends_before_its_commit(store, monkeypatch):
    # Given a message, and a fault at the last step before the commit
    one = unrouted()
    store.add([one])

    def die(*_, **__):
        raise RuntimeError("gone")

    with monkeypatch.context() as patched:
        patched.setattr("hub.store.messages.rerouting.acts.record", die)
        with pytest.raises(RuntimeError):
            route(store, again(one))
    # Then nothing happened, and the next one does it
    books = store.conservation()
    assert (books.unaccounted, books.unrouted, books.planned, sum(books.by_status.values())) == (0, 1, 0, 0)
    assert route(store, again(one)) == {one.message.id: "routed"}


def test_it_goes_behind_all_that_is_on_its_key_and_never_unasked_behind_a_later_one(store):
    # Given an older message on the key that waits for its delivery, one that nobody took, and a later one that is
    # delivered
    before = laid(order_key="K")
    one, free = unrouted(order_key="K"), unrouted(order_key="L")
    store.add([before, one, free])
    time.sleep(0.002)
    after = laid(order_key="K")
    assert route(store, again(free, key="L")) == {free.message.id: "routed"}
    store.add([after])
    # Then it stays, and says why; the preview says the same
    answer = route(store, again(one, key="K"))[one.message.id]
    assert answer.startswith("A later one on the key K, delivery ")
    assert store.later_of([again(one, key="K")]) == {one.message.id: answer}
    assert [row.note for row in store.unrouted()] == [answer]
    # When it is meant, then it goes last
    assert route(store, again(one, key="K"), force=True) == {one.message.id: "routed"}
    seqs = {row.message_id: row.seq for row in store.deliveries(before.message.id, one.message.id, after.message.id)}
    assert seqs[before.message.id] < seqs[after.message.id] < seqs[one.message.id]


def test_an_older_one_that_is_forced_ends_no_newer_one_of_a_key_that_wants_the_latest(store):
    one = unrouted(order_key="K")
    store.add([one])
    time.sleep(0.002)
    after = laid(order_key="K", when_dead=WhenDead.LATEST)
    store.add([after])
    route(store, again(one, key="K", when_dead=WhenDead.LATEST), force=True)
    assert {row.status.value for row in store.deliveries(after.message.id, one.message.id)} == {"pending"}


def test_letting_it_go_filters_it_with_the_reason(store):
    one, two = unrouted(), unrouted()
    store.add([one, two])
    whys = {one.message.id: {**MISSED, "dropped": {"by": "ann", "why": "a test"}}}
    # When it is let go, twice
    assert store.let_go([one.message.id], whys=whys, by="ann", why="a test") == {one.message.id: "filtered"}
    assert store.let_go([one.message.id], whys=whys, by="ann", why="a test") == {
        one.message.id: "It does not wait: it is filtered."
    }
    # Then it waits no more, the books are right, and it is on record
    row = store.message(one.message.id)
    assert (row.disposition, row.why["dropped"]["why"]) == (Disposition.FILTERED, "a test")
    assert (store.conservation().unaccounted, store.conservation().filtered) == (0, 1)
    assert [(act.by, act.details["why"]) for act in store.acts(what="message.dropped")] == [("ann", "a test")]
    assert [row.message.id for row in store.unrouted()] == [two.message.id]
    assert store.let_go([new_id()], whys={}, by="ann", why="none").popitem()[1] == "There is no such message."


def test_what_a_person_wants_of_a_cause_is_kept_until_nothing_of_it_is_left(store):
    # Given three of a cause
    many = [unrouted() for _ in range(3)]
    store.add(many)
    store.name_unrouted()
    [line] = store.unrouted_causes()
    # When a person wants them routed, twice, and one more comes
    for _ in range(2):
        assert store.wish_unrouted(line.id, id_="w1", wish=Wish.ROUTE, by="ann", why="", revision="n" * 64) == 3
    assert len(store.acts(what="unrouted.route")) == 1
    store.add([unrouted()])
    store.name_unrouted()
    assert store.wished_unrouted() == [line.id]
    # Then the next ones are told oldest first; what was tried and stays is none of them
    wished, ids = store.next_unrouted(line.id, 2)
    assert (wished.left, ids) == (3, [one.message.id for one in many[:2]])
    stays = {ids[0]: "Still: no."}
    store.reroute([again(many[1])], stays=stays, by="ann", revision="n" * 64, wish=wished.id)
    assert store.next_unrouted(line.id, 2)[1] == [many[2].message.id]
    store.reroute([again(many[2])], stays={}, by="ann", revision="n" * 64, wish=wished.id)
    assert store.next_unrouted(line.id, 2)[1] == []
    assert store.end_wish(line.id, "another") is False
    assert store.end_wish(line.id, wished.id) is True
    assert store.wished_unrouted() == []
    assert store.unrouted_causes()[0].number == 2
    with pytest.raises(Refused):
        store.wish_unrouted("0" * 16, id_="w2", wish=Wish.DROP, by="ann", why="")


def test_what_an_older_version_accepted_gets_its_row(store, store_url):
    import sqlalchemy as sa

    one = unrouted()
    store.add([one])
    engine = sa.create_engine(store_url)
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM unrouted"))
    engine.dispose()
    assert store.unrouted() == []
    assert (store.list_unrouted(), store.list_unrouted()) == (1, 0)
    assert [row.message.id for row in store.unrouted()] == [one.message.id]


def test_the_deliveries_settle_like_any_other(store):
    one = unrouted()
    store.add([one])
    route(store, again(one))
    assert len(store.settle([settled(mine) for mine in claim(store)])) == 1
    assert store.deliveries(one.message.id)[0].status.value == "delivered"
