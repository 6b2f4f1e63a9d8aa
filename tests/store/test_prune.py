"""Pruning (promises P11, I6, fault F72, `prune.written`), on both databases: what has ended goes whole, everything else
stays, and the books stay right.
"""

import os
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from hub.core.config.hook import HOOK
from hub.core.errors import Cause, Reason
from hub.core.message import Disposition
from hub.core.model.delivery import Dead, Hold, InDoubt, InDoubtPolicy, Origin, Retry, Status
from hub.flow.maintenance import retention
from hub.store import Lookup, open_store
from tests.support.aged import add_old, age, count, days_ago, old
from tests.support.making import claim, laid, seen, settled
from tests.support.waiting import wait_until

WHY = Cause(Reason.REFUSED, "no")
ALL = ("message", "body", "delivery", "attempt", "business_key", "lookup", "place", "origin")


def prune_all(store, before):
    page = store.prunable(before)
    return store.prune([id_ for id_, _ in page.messages], before=before)


def test_a_message_goes_with_all_that_belongs_to_it(store, store_url):
    # Given a message of ten days ago that came by a hook, was looked up for, and was delivered twice over
    hooked = old(10)
    hooked = replace(
        hooked,
        message=replace(hooked.message, source=HOOK),
        origin=Origin("hook:tms/track", "POST", "", "text/xml", b"<a/>"),
    )
    store.add([hooked])
    store.record_lookups([Lookup(hooked.message.id, "orders", None, "address", b"{}")])
    [held] = claim(store)
    store.settle([settled(held, Retry(WHY, 0.0))])
    [held] = claim(store)
    store.settle([settled(held)])
    age(store_url, [held.id], days_ago(10))
    # When it is pruned, then no table remembers it
    gone = prune_all(store, days_ago(7))
    assert (gone.messages, gone.deliveries) == (1, 1)
    assert {name: count(store_url, name) for name in ALL} == dict.fromkeys(ALL, 0)
    # But the books do
    books = store.conservation()
    assert (books.messages, books.ever, books.unaccounted) == (0, 1, 0)
    assert {word: number for word, number in books.pruned.items() if number} == {
        "routed": 1,
        "planned": 1,
        "delivered": 1,
    }


def test_what_is_young_stays_and_age_counts_from_the_end(store, store_url):
    add_old(store, store_url, 3)
    [late] = add_old(store, store_url, 20)
    age(store_url, [late.deliveries[0].id], days_ago(1))  # accepted long ago, delivered yesterday
    assert store.prunable(days_ago(7)).messages == ()
    assert store.prunable(days_ago(7)).kept == 1


@pytest.mark.parametrize(
    "outcome",
    [Dead(WHY), Hold(WHY), InDoubt(WHY, InDoubtPolicy.PARK), Retry(WHY, 0.0)],
    ids=["dead", "held", "unknown", "pending"],
)
def test_what_waits_for_a_person_is_never_pruned(store, store_url, outcome):
    [one] = add_old(store, store_url, 100, outcome=outcome)
    before = store.delivery(one.deliveries[0].id)
    assert prune_all(store, days_ago(7)).messages == 0
    # Nor where somebody names it
    assert store.prune([one.message.id], before=days_ago(7)).messages == 0
    assert store.delivery(one.deliveries[0].id) == before


def test_what_a_worker_has_is_never_pruned(store, store_url):
    one = old(100)
    store.add([one])
    [held] = claim(store)
    age(store_url, [held.id], days_ago(100))
    assert store.prune([one.message.id], before=days_ago(7)).messages == 0
    assert store.settle([settled(held)]) == [held.id]


def test_one_open_delivery_keeps_its_whole_message(store, store_url):
    from tests.support.making import TARGET

    one = old(10, targets=(TARGET, replace(TARGET, system="books")))
    store.add([one])
    [held] = claim(store)
    store.settle([settled(held)])
    age(store_url, [held.id], days_ago(10))
    assert prune_all(store, days_ago(7)).messages == 0
    assert len(store.deliveries(one.message.id)) == 2


def test_a_message_that_lost_a_row_stays_so_that_it_goes_on_being_seen(store, store_url):
    [one] = add_old(store, store_url, 10)
    engine = sa.create_engine(store_url)
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM delivery"))
    engine.dispose()
    assert prune_all(store, days_ago(7)).messages == 0
    assert store.conservation().unaccounted == 1
    assert store.message(one.message.id) is not None


def test_behind_a_dead_one_on_its_key_a_delivered_one_stays(store, store_url):
    # Given a dead delivery and a later one on its key that was sent past it
    from hub.core.model.delivery import WhenDead

    [dead] = add_old(store, store_url, 12, outcome=Dead(WHY), order_key="K", when_dead=WhenDead.SKIP)
    [later] = add_old(store, store_url, 11, order_key="K", when_dead=WhenDead.SKIP)
    assert prune_all(store, days_ago(7)).messages == 0
    # Then a replay of the dead one is still refused: it would go back behind the later one
    assert "later one" in store.reopen([dead.deliveries[0].id], by="test")[dead.deliveries[0].id]
    # And once a person has ended it, both go
    store.cancel([dead.deliveries[0].id], by="test", why="given up")
    age(store_url, [dead.deliveries[0].id], days_ago(11))
    assert prune_all(store, days_ago(7)).messages == 2
    assert store.message(later.message.id) is None


def test_a_key_on_which_something_always_waits_is_pruned_all_the_same(store, store_url):
    add_old(store, store_url, 12, order_key="SKU-1")
    store.add([laid(order_key="SKU-1")])
    assert prune_all(store, days_ago(7)).messages == 1


def test_of_messages_without_deliveries_those_go_by_age_that_shall_go_nowhere(store, store_url):
    filtered, waiting = old(10, targets=()), old(10, targets=())
    store.add(
        [
            replace(filtered, message=replace(filtered.message, disposition=Disposition.FILTERED)),
            waiting,
            laid(targets=()),
        ]
    )
    assert prune_all(store, days_ago(7)).messages == 1
    books = store.conservation()
    assert (books.messages, books.ever, books.unaccounted, books.pruned["filtered"]) == (2, 3, 0, 1)
    # What no route took waits for a person, however old it is, until somebody lets it go
    store.let_go([waiting.message.id], whys={waiting.message.id: {}}, by="ann", why="old")
    assert prune_all(store, days_ago(7)).messages == 1
    assert (store.conservation().unaccounted, store.conservation().pruned["filtered"]) == (0, 2)


def test_what_a_foreign_system_sent_stays_while_a_message_needs_it(store, store_url):
    origin = Origin("hook:tms/track", "POST", "", "text/xml", b"<a/>")
    pair = [old(10), old(10)]
    pair = [replace(one, message=replace(one.message, source=HOOK, trace_id="b" * 32), origin=origin) for one in pair]
    store.add(pair)
    first, second = claim(store)
    store.settle([settled(first), settled(second, Dead(WHY))])
    age(store_url, [first.id, second.id], days_ago(10))
    assert prune_all(store, days_ago(7)).messages == 1
    assert store.origin("b" * 32) is not None
    store.cancel([second.id], by="test", why="given up")
    age(store_url, [second.id], days_ago(10))
    assert prune_all(store, days_ago(7)).messages == 1
    assert store.origin("b" * 32) is None


def test_pages_of_what_may_go_reach_the_end_past_what_must_stay(store, store_url):
    add_old(store, store_url, 30, many=3, outcome=Dead(WHY))
    wanted = {one.message.id for one in add_old(store, store_url, 20, many=4)}
    found, place, kept = [], None, 0
    while True:
        page = store.prunable(days_ago(7), after=place, limit=2)
        found, kept, place = found + [id_ for id_, _ in page.messages], kept + page.kept, page.next
        if place is None:
            break
    assert (set(found), len(found), kept) == (wanted, 4, 3)


def test_two_that_prune_at_once_count_once(store_url, store):
    ids = [one.message.id for one in add_old(store, store_url, 10, many=20)]
    other = store if store_url.startswith("sqlite") else open_store(store_url, writer=True)
    gone = []
    threads = [
        threading.Thread(target=lambda one=one: gone.append(one.prune(ids, before=days_ago(7))))
        for one in (store, other)
    ]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    if other is not store:
        other.close()
    assert sum(one.messages for one in gone) == 20
    assert store.conservation().ever == 20
    assert store.conservation().unaccounted == 0


def test_the_books_are_right_at_every_moment_while_it_is_pruned(store, store_url):
    add_old(store, store_url, 10, many=60)
    wrong, stopping = [], threading.Event()

    def watch():
        while not stopping.is_set():
            books = store.conservation()
            wrong.extend([books] if books.unaccounted or books.ever < 60 else [])

    watcher = threading.Thread(target=watch)
    watcher.start()
    ids = [id_ for id_, _ in store.prunable(days_ago(7)).messages]
    for start in range(0, 60, 5):
        store.prune(ids[start : start + 5], before=days_ago(7))
        store.add([laid()])
    stopping.set()
    watcher.join()
    assert wrong == []
    assert store.conservation().ever == 72


def test_a_crash_in_a_block_leaves_none_of_it(store, store_url):
    """`prune.written`: the connection is cut before the commit; then it runs on."""
    from hub.store.engine.database import Database
    from hub.store.retention import prune

    ids = [one.message.id for one in add_old(store, store_url, 10, many=3)]
    database = Database(store_url, writer=False)
    with database.writing.connect() as connection:
        transaction = connection.begin()
        assert prune._prune(database, connection, ids, days_ago(7)).messages == 3
        transaction.rollback()
    database.close()
    assert store.conservation().messages == 3
    assert store.conservation().unaccounted == 0
    assert prune_all(store, days_ago(7)).messages == 3


_PRUNER = """
import sys
from datetime import UTC, datetime, timedelta
from hub.flow.maintenance import retention
from hub.store import open_store

store = open_store(sys.argv[1])
print("begins", flush=True)
retention.prune(store, datetime.now(UTC) - timedelta(days=7))
"""


def test_a_process_that_is_killed_while_it_prunes_leaves_whole_blocks(store, store_url):
    add_old(store, store_url, 10, many=2_000)
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    with subprocess.Popen(
        [sys.executable, "-c", _PRUNER, store_url], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        process.stdout.readline()
        wait_until(lambda: store.conservation().messages < 2_000, seconds=60, what="the first block")
        process.kill()
    books = store.conservation()
    assert (books.ever, books.unaccounted) == (2_000, 0)
    left = {name: count(store_url, name) for name in ("message", "body", "delivery", "attempt", "business_key")}
    assert set(left.values()) == {books.messages}
    retention.prune(store, days_ago(7))
    assert store.conservation().messages == 0
    assert store.conservation().ever == 2_000


def test_names_whose_time_is_over_are_forgotten_and_the_others_are_not(store):
    over = replace(seen("m1"), keep_for=timedelta(0))
    store.add([laid(dedupe_keys=[over]), laid(dedupe_keys=[seen("m2")])])
    assert store.forget_names() == (1, None)
    [again, known] = store.add([laid(dedupe_keys=[seen("m1")]), laid(dedupe_keys=[seen("m2")])])
    assert (again.duplicate, known.duplicate) == (False, True)


def test_the_states_that_may_go_are_those_that_nothing_leads_out_of():
    from hub.core.model.delivery import ENDED, TRANSITIONS

    assert {status for status in Status if not TRANSITIONS[status]} == ENDED
