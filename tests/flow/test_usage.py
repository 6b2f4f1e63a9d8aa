"""Counts of who uses what: bounded against names that are made up, and never in the way of anything else."""

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

from hub.catalog import load
from hub.core.message import Ref
from hub.flow.context.background_queue import BackgroundQueue
from hub.flow.context.counts import Counts
from hub.flow.context.pins import Pins
from hub.flow.context.throughput import Minutes
from hub.flow.context.usage import MAX_FIELDS, OTHER, Usage
from hub.flow.intake import versions
from hub.flow.interfaces.retire import can_retire
from hub.store import KeyRow, open_store
from tests.support.making import laid
from tests.support.versioned import versioned
from tests.support.waiting import wait_until

here = threading.get_ident()
REF, AT = Ref("shop", "order.placed", 1), datetime(2026, 6, 1, tzinfo=UTC)


def counted(store, caller):
    return {one.field: one.number for one in store.usage(fields=True) if one.caller == caller}


def test_made_up_names_fill_their_senders_room_alone(store):
    usage = Usage()
    for number in range(3):
        usage.saw(REF, "odd", {f"made-up-{number}-{index}": 1 for index in range(9_000)}, AT)
    usage.saw(REF, "honest", {"orderNo": "1", "items": [{"sku": "A"}]}, AT)
    usage.flush(store)
    odd = counted(store, "odd")
    assert len(odd) == MAX_FIELDS + 2
    assert odd[OTHER] == 3
    assert counted(store, "honest") == {"": 1, "/orderNo": 1, "/items": 1, "/items/*/sku": 1}


def test_a_name_that_no_database_would_index_stops_nobodys_counts(store):
    usage = Usage()
    deep: object = 1
    for level in range(15):
        deep = {f"{level}" + "x" * 240: deep}
    usage.saw(REF, "odd", deep, AT)
    usage.saw(REF, "honest", {"orderNo": "1"}, AT)
    usage.flush(store)
    assert counted(store, "honest") == {"": 1, "/orderNo": 1}
    assert counted(store, "odd")[""] == 1


def noted(payload, shadows=()):
    """The thread in which a message was counted, and the hub it was noted in."""
    threads = []

    class Watched(Usage):
        def saw(self, *given):
            threads.append(threading.get_ident())
            super().saw(*given)

    emit = SimpleNamespace(shadows=list(shadows))
    active = SimpleNamespace(emit=lambda type_: emit, contract=lambda ref: None)
    hub = SimpleNamespace(
        usage=Watched(),
        minutes=Minutes(),
        noting=BackgroundQueue(),
        counts=Counts(),
        pins=Pins(),
        catalogs=SimpleNamespace(active=lambda: active),
    )
    raw = json.dumps(payload).encode()
    versions.record_acceptance(hub, replace(laid(raw=raw), payload=payload))
    assert hub.noting.drain(5)
    return threads


def test_what_costs_the_event_loop_too_much_is_counted_by_another_thread():
    small, large = {"orderNo": "1"}, {f"field{number}": 1 for number in range(500)}
    assert noted(small) == [threading.get_ident()]
    [other] = noted(large)
    assert other != threading.get_ident()
    # A shadow costs what its writer made it cost
    [other] = noted(small, shadows=[2])
    assert other != threading.get_ident()


def test_notes_that_find_no_room_are_made_at_once_and_none_is_lost():
    noting, made, gate = BackgroundQueue(most=2), [], threading.Event()
    noting.later(gate.wait, 1)
    wait_until(lambda: not noting._waiting, what="the first note to begin")
    for number in range(5):
        noting.later(lambda number=number: made.append((number, threading.get_ident() == here)), 1)
    assert made == [(2, True), (3, True), (4, True)]
    assert not noting.drain(0.01)
    gate.set()
    assert noting.drain(5)
    assert sorted(made) == [(0, False), (1, False), (2, True), (3, True), (4, True)]


def test_large_messages_wait_for_no_more_than_so_many_bytes():
    noting, made, gate = BackgroundQueue(most_bytes=100), [], threading.Event()
    noting.later(gate.wait, 60)
    noting.later(lambda: made.append("large"), 60)
    assert made == ["large"]
    gate.set()
    assert noting.drain(5)


def test_a_note_that_fails_stops_no_other():
    noting, made = BackgroundQueue(), []
    noting.later(lambda: 1 / 0, 1)
    noting.later(lambda: made.append(1), 1)
    assert noting.drain(5)
    assert made == [1]


def test_a_caller_that_is_pinned_to_a_version_holds_it(tmp_path):
    store = open_store(f"sqlite:///{tmp_path}/hub.sqlite3", writer=True)
    store.migrate()
    catalog = load(versioned(tmp_path / "workspace", "http://127.0.0.1:9001"))
    assert can_retire(store, catalog, REF).may
    store.add_key(KeyRow("k_1", "old", ("shop",), "default", "h", "s", AT, pins={"shop/order.placed": 1}))
    found = can_retire(store, catalog, REF)
    store.close()
    assert not found.may
    assert "k_1" in found.reasons[0]
