"""Refused arrivals: one row per content, ended once, on both databases."""

from datetime import UTC, datetime, timedelta

from hub.core.config.queue import Arrival
from hub.core.errors import Code, Fault, Refused
from hub.store import Refusal
from hub.store.repairs.arrivals import ACCEPTED, DROPPED
from tests.support.making import new_id

AT = datetime(2026, 5, 1, tzinfo=UTC)
WHY = Refused(Code.CONTRACT_VIOLATION, "no", [Fault("/a", "nothing", "a number", "send it")])


def refusal(body=b"\x00\xff", message_id="m\x00", at=AT, why=WHY, source="queue:stock/orders"):
    return Refusal(
        new_id(),
        source,
        Arrival(body, "t\ud800", {"x": [1, "\x00"]}, message_id, "application/json"),
        why,
        "r" * 64,
        at,
    )


def test_it_is_kept_with_its_bytes_and_all_that_is_wrong(store):
    one = refusal()
    store.refuse([one])
    [row] = store.refused()
    assert (row.id, row.source, row.state, row.times, row.size, row.code, row.text) == (
        one.id,
        one.source,
        "waiting",
        1,
        2,
        42200,
        "no",
    )
    assert row.faults == ({"pointer": "/a", "got": "nothing", "want": "a number", "fix": "send it"},)
    assert row.arrival is None
    [whole] = store.refused_ones(one.id)
    assert whole.arrival.body == b"\x00\xff"
    assert whole.arrival.headers == {"x": [1, "\x00"]}


def test_the_same_again_is_the_same_row_also_within_one_batch(store):
    first = refusal()
    store.refuse([first, refusal(at=AT + timedelta(minutes=1)), refusal(b"other")])
    store.refuse([refusal(at=AT + timedelta(hours=1), why=Refused(Code.INTERNAL, "still no"))])
    rows = {row.size: row for row in store.refused()}
    assert (rows[2].id, rows[2].times, rows[2].received_at, rows[2].last_at, rows[2].text) == (
        first.id,
        3,
        AT,
        AT + timedelta(hours=1),
        "still no",
    )
    assert rows[5].times == 1
    assert store.count_refused() == {"queue:stock/orders": 2}


def test_two_queues_or_two_ids_with_one_body_are_apart(store):
    store.refuse([refusal(), refusal(source="queue:stock/lines"), refusal(message_id="n")])
    assert len(store.refused()) == 3


def test_it_is_ended_once_and_waits_again_if_it_comes_again(store):
    one, other = refusal(), refusal(b"other")
    store.refuse([one, other])
    assert store.end_refused([one.id, "no such"], state=DROPPED, by="ann") == {one.id: True, "no such": False}
    assert store.end_refused([one.id], state=ACCEPTED, by="bob") == {one.id: False}
    assert [row.id for row in store.refused()] == [other.id]
    [row] = store.refused(state=DROPPED)
    assert row.changed_by == "ann"
    store.refuse([refusal()])
    assert {row.id: row.changed_by for row in store.refused()} == {one.id: None, other.id: None}


def test_a_retry_that_fails_says_why_now_and_counts_nothing(store):
    one = refusal()
    store.refuse([one])
    store.refuse_again(one.id, refusal(why=Refused(Code.INCONSISTENT, "against itself")), by="ann")
    [row] = store.refused()
    assert (row.code, row.text, row.times, row.changed_by) == (42201, "against itself", 1, "ann")


def test_pages_neither_skip_nor_repeat(store):
    store.refuse([refusal(b"%d" % number) for number in range(5)])
    whole = [row.id for row in store.refused()]
    paged, before = [], None
    while page := store.refused(limit=2, before=before):
        paged += [row.id for row in page]
        before = page[-1].id
    assert paged == whole
    assert len(whole) == 5


def test_what_was_ended_goes_with_time_and_what_waits_stays(store):
    one, other = refusal(), refusal(b"other")
    store.refuse([one, other])
    store.end_refused([one.id], state=DROPPED, by="ann")
    assert store.forget_ended(store.now() - timedelta(days=1)) == 0
    assert [store.forget_ended(store.now() + timedelta(days=1)) for _ in range(2)] == [1, 0]
    assert store.refused(state=DROPPED) == []
    assert [row.id for row in store.refused()] == [other.id]
