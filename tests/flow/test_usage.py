"""Counts of who uses what: bounded against names that are made up, and never in the way of anything else."""

from datetime import UTC, datetime

from hub.catalog import load
from hub.core.message import Ref
from hub.flow.retire import can_retire
from hub.flow.usage import MAX_FIELDS, OTHER, Usage
from hub.store import KeyRow, open_store
from tests.support.versioned import versioned

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
