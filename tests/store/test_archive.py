"""Archives: what is pruned is in its file first, whole; and comes back as it was, without being sent again. On both
databases.
"""

import gzip
import json
import time
from dataclasses import replace
from datetime import UTC, timedelta

import pytest

from hub.core.config.hook import HOOK
from hub.core.errors import Cause, Reason
from hub.core.model.delivery import Dead, Delivered, Origin, Retry, Status
from hub.flow.maintenance import retention
from hub.flow.views import trace
from hub.store import Archive, BadArchive, Lookup, open_store
from hub.store.retention import archive
from hub.store.retention.archive import read
from tests.support.aged import add_old, age, count, days_ago, old
from tests.support.making import claim, laid, new_id, settled

WHY = Cause(Reason.REFUSED, "no")
ALL = ("message", "body", "delivery", "attempt", "business_key", "lookup", "origin")
RAW = b'\xff\x00{"name": "\xe5\xbc\xa0"}'


def rich(store, store_url):
    """A message with everything that one can have: a foreign original, a look-up, two attempts, a key that its reply
    named.
    """
    one = old(10, raw=RAW, order_key="K-1")
    one = replace(
        one,
        message=replace(one.message, source=HOOK),
        origin=Origin("hook:tms/track", "POST", "a=1", "text/xml", b"<a/>"),
    )
    store.add([one])
    store.record_lookups(
        [Lookup(one.message.id, "orders", None, "address", b"{}"), Lookup(one.message.id, "orders", None, "zone", None)]
    )
    [held] = claim(store)
    store.settle([settled(held, Retry(WHY, 0.0))])
    [held] = claim(store)
    store.settle([settled(held, Delivered(keys=(("outboundNo", "WMS-1"),)))])
    age(store_url, [held.id], days_ago(10))
    return one


def told(store, id_):
    """All that can be known of a message."""
    return trace.trace(store, id_), store.body(id_), store.lookups(id_), store.origin(store.message(id_).trace_id)


def test_what_was_archived_and_pruned_comes_back_as_it_was(store, store_url, tmp_path):
    # Given a message with all that belongs to it
    one = rich(store, store_url)
    before = told(store, one.message.id)
    folder = Archive(tmp_path / "archive")
    # When it is pruned with an archive, then it is gone and in a file
    done = retention.prune(store, days_ago(7), archive=folder)
    assert (done.gone.messages, [file.messages for file in done.files]) == (1, [1])
    assert {name: count(store_url, name) for name in ALL} == dict.fromkeys(ALL, 0)
    assert store.story("WMS-1") == []
    # And back it is as it was, found by every number of its
    back = retention.restore(store, done.files[0].path, until=store.now() + timedelta(days=1))
    assert (back.messages, back.deliveries) == (1, 1)
    assert told(store, one.message.id) == before
    assert [row.id for row in store.story("WMS-1")] == [one.message.id]
    books = store.conservation()
    assert (books.ever, books.messages, books.unaccounted, sum(books.pruned.values())) == (1, 1, 0, 0)


def test_restoring_twice_changes_nothing_and_sends_nothing(store, store_url, tmp_path):
    one = rich(store, store_url)
    [file] = retention.prune(store, days_ago(7), archive=Archive(tmp_path)).files
    until = store.now() + timedelta(days=1)
    retention.restore(store, file.path, until=until)
    first = told(store, one.message.id)
    assert retention.restore(store, file.path, until=until).messages == 0
    assert told(store, one.message.id) == first
    assert store.due_lanes() == []
    assert claim(store) == []
    assert store.conservation().unaccounted == 0


def test_what_came_back_is_not_pruned_until_its_time_and_not_archived_twice(store, store_url, tmp_path):
    rich(store, store_url)
    folder = Archive(tmp_path)
    [file] = retention.prune(store, days_ago(7), archive=folder).files
    retention.restore(store, file.path, until=store.now() + timedelta(days=1))
    assert retention.prune(store, days_ago(7), archive=folder).gone.messages == 0
    retention.restore(store, file.path, until=store.now())
    time.sleep(0.01)
    done = retention.prune(store, days_ago(7), archive=folder)
    assert (done.gone.messages, done.files) == (1, [])
    assert store.conservation().ever == 1


def test_each_day_has_its_file_with_a_header_counts_and_a_manifest(store, store_url, tmp_path):
    for number in (12, 11, 10):
        add_old(store, store_url, number, many=3)
    add_old(store, store_url, 11, outcome=Dead(WHY))
    done = retention.archive_only(store, days_ago(7), Archive(tmp_path))
    assert [(file.day, file.messages, file.attempts) for file in done.files] == [
        (days_ago(number).date(), 3, 3) for number in (12, 11, 10)
    ]
    assert (done.gone.messages, done.stay) == (0, 1)
    lines = [json.loads(line) for line in gzip.decompress(done.files[0].path.read_bytes()).splitlines()]
    assert lines[0] == {"crossdock": "archive", "format": 1, "day": days_ago(12).date().isoformat(), "number": 1}
    assert lines[-1] == {"end": {"messages": 3, "deliveries": 3, "attempts": 3}}
    assert len(lines) == 5
    # What is archived is not written again; what ended since is, into a further file
    assert retention.archive_only(store, days_ago(7), Archive(tmp_path)).files == []
    [dead] = store.waiting(Status.DEAD)
    store.cancel([dead.id], by="test", why="given up")
    age(store_url, [dead.id], days_ago(11))
    [further] = retention.archive_only(store, days_ago(7), Archive(tmp_path)).files
    assert (further.day, further.number, further.messages) == (days_ago(11).date(), 2, 1)


def test_a_file_that_was_changed_is_refused_whole(store, store_url, tmp_path):
    add_old(store, store_url, 10, many=2)
    [file] = retention.prune(store, days_ago(7), archive=Archive(tmp_path)).files
    data = bytearray(file.path.read_bytes())
    data[len(data) // 2] ^= 1
    file.path.write_bytes(data)
    with pytest.raises(BadArchive, match="SHA-256"):
        retention.restore(store, file.path, until=store.now())
    assert store.conservation().messages == 0
    # Without its manifest it is not whole either
    archive.manifest_of(file.path).unlink()
    with pytest.raises(BadArchive, match="not whole"):
        retention.restore(store, file.path, until=store.now())


def test_what_is_not_safely_archived_is_not_pruned(store, store_url, tmp_path):
    added = add_old(store, store_url, 10, many=2)
    (tmp_path / "archive").write_text("no folder", "utf-8")
    with pytest.raises(OSError):
        retention.prune(store, days_ago(7), archive=Archive(tmp_path / "archive"))
    assert store.conservation().messages == 2
    # Nor where the file of an earlier run is no longer what it was
    folder = Archive(tmp_path / "other")
    [file] = retention.archive_only(store, days_ago(7), folder).files
    file.path.write_bytes(file.path.read_bytes()[:-1])
    with pytest.raises(BadArchive):
        retention.prune(store, days_ago(7), archive=folder)
    assert all(store.message(one.message.id) is not None for one in added)


def test_a_run_that_died_after_the_file_goes_on_with_pruning(store, store_url, tmp_path):
    add_old(store, store_url, 10, many=5)
    folder = Archive(tmp_path)
    assert len(retention.archive_only(store, days_ago(7), folder).files) == 1
    done = retention.prune(store, days_ago(7), archive=folder)
    assert (done.gone.messages, done.files) == (5, [])


def test_a_run_that_died_before_the_manifest_writes_the_file_anew(store, store_url, tmp_path):
    add_old(store, store_url, 10, many=5)
    [file] = retention.archive_only(store, days_ago(7), Archive(tmp_path)).files
    first = file.path.read_bytes()
    archive.manifest_of(file.path).unlink()
    (tmp_path / f".{file.path.name}.partial").write_bytes(b"half")
    done = retention.prune(store, days_ago(7), archive=Archive(tmp_path))
    assert done.gone.messages == 5
    # The same messages make the same file
    assert done.files[0].path == file.path
    assert file.path.read_bytes() == first
    assert list(tmp_path.glob("*.partial")) + list(tmp_path.glob(".*.partial")) == []


def test_who_loses_the_lead_in_the_midst_stops(store, store_url, tmp_path):
    add_old(store, store_url, 10, many=3)
    with pytest.raises(retention.RetentionStopped):
        retention.prune(store, days_ago(7), archive=Archive(tmp_path), renew=lambda: None)
    assert store.conservation().messages == 3
    assert Archive(tmp_path).files() == []
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


def test_two_writers_of_one_folder_are_one_too_many(tmp_path):
    folder = Archive(tmp_path)
    first = folder.begin(days_ago(3).date())
    with pytest.raises(BadArchive, match="Another process"):
        folder.begin(days_ago(2).date())
    first.drop()
    folder.begin(days_ago(2).date()).drop()


def test_an_archive_is_read_by_another_store(store, store_url, tmp_path):
    """The books of a store that never accepted them say so, and its order of keys goes on behind what came."""
    one = rich(store, store_url)
    [file] = retention.prune(store, days_ago(7), archive=Archive(tmp_path)).files
    other = open_store(f"sqlite:///{tmp_path}/other.sqlite3", writer=True)
    other.migrate()
    retention.restore(other, file.path, until=other.now() + timedelta(days=1))
    assert [row.id for row in other.story("SO-1")] == [one.message.id]
    books = other.conservation()
    assert (books.messages, books.ever, books.unaccounted) == (1, 0, 0)
    other.add([laid(order_key="K-1")])
    [held] = claim(other)
    assert held.seq == 2
    other.close()


def test_a_record_with_something_open_is_refused(store, store_url, tmp_path):
    one = rich(store, store_url)
    [record] = store.records([one.message.id])
    record["delivery"][0]["status"] = "pending"
    with pytest.raises(ValueError, match="has not ended"):
        store.restore([record], until=store.now())
    with pytest.raises(ValueError, match="not a record"):
        store.restore([{"message": {"id": new_id()}}], until=store.now())


def test_a_personal_body_stays_as_it_is_stored(store, store_url, tmp_path):
    rich(store, store_url)
    [file] = retention.archive_only(store, days_ago(7), Archive(tmp_path)).files
    import base64

    [record] = read(file.path)
    assert base64.b64decode(record["body"][0]["raw"]) == RAW


def test_days_are_those_of_utc(store, store_url, tmp_path):
    add_old(store, store_url, 10)
    [file] = retention.archive_only(store, days_ago(7).astimezone(UTC), Archive(tmp_path)).files
    assert file.path.name == f"{days_ago(10).date().isoformat()}.1.ndjson.gz"
