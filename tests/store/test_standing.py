"""How things stand: what is pending on each way, which keys and lanes wait behind a dead delivery, what is open, who
lives. On all databases.
"""

from datetime import UTC, datetime, timedelta

from hub.core.config.queue import Arrival
from hub.core.errors import Cause, Code, Reason, Refused
from hub.core.message import Ref
from hub.core.model.delivery import Dead, Retry, WhenDead
from hub.store import Refusal
from hub.store.queries import backlog
from tests.support.making import TARGET, claim, laid, new_id, settled

NO = Cause(Reason.REFUSED, "no")
OTHER = Ref("carrier", "parcel.create", 1)


def test_what_is_pending_is_counted_by_way_with_the_oldest_due(store):
    store.add([laid(targets=(TARGET, OTHER)) for _ in range(3)])
    [held] = claim(store, size=1)
    store.settle([settled(held, Retry(NO, 3_600.0))])
    [carrier, empty, warehouse] = store.lanes(["carrier", "nobody", "warehouse"])
    assert (carrier.number, warehouse.number, empty.number) == (3, 3, 0)
    assert [(way.route, way.target, way.number, way.is_exact) for way in carrier.ways] == [
        ("orders", str(OTHER), 3, True)
    ]
    assert carrier.oldest_due_at <= datetime.now(UTC) + timedelta(seconds=5)
    assert (empty.oldest_due_at, empty.ways) == (None, ())


def test_a_lane_with_too_many_is_scaled_from_the_first(store, monkeypatch):
    monkeypatch.setattr(backlog, "SAMPLE", 4)
    monkeypatch.setattr(backlog, "MOST", 8)
    store.add([laid() for _ in range(12)])
    [lane] = store.lanes(["warehouse"])
    assert (lane.number, lane.is_exact) == (8, False)
    assert [(way.is_exact, way.number > 4) for way in lane.ways] == [(False, True)]


def test_keys_that_wait_behind_a_dead_one_are_parked_and_others_are_not(store):
    store.add([laid(order_key=key) for key in ("A", "A", "A", "B", "C", "C")])
    store.add([laid(order_key="D", when_dead=WhenDead.SKIP) for _ in range(2)])
    heads = claim(store, size=10)
    store.settle([settled(one, Dead(NO)) for one in heads if one.order_key in ("A", "B", "D")])
    found, is_whole = store.parked()
    assert [(one.lane, one.order_key, one.waiting) for one in found] == [("warehouse", "A", 2)]
    assert is_whole
    assert store.blocked() == []
    # Once the dead one is replayed, nobody waits behind it
    store.reopen([found[0].delivery_id], by="ann")
    assert store.parked() == ([], True)


def test_a_lane_that_stands_still_is_told(store):
    store.add([laid(order_key="A", when_dead=WhenDead.BLOCK)])
    store.settle([settled(one, Dead(NO)) for one in claim(store)])
    [blocked] = store.blocked()
    assert (blocked.lane, blocked.number) == ("warehouse", 1)


def test_breakers_arrivals_and_workers(store):
    assert (store.open_breakers(), store.waiting_arrivals(), store.signs()) == ([], [], [])
    store.trip_breaker("warehouse", timedelta(minutes=1))
    store.trip_breaker("carrier", timedelta(minutes=1))
    store.close_breaker("carrier")
    [opened] = store.open_breakers()
    assert (opened.lane, opened.state, opened.trips) == ("warehouse", "open", 1)
    for number in range(2):
        arrival = Arrival(b"x%d" % number, "topic", {}, f"m{number}")
        store.refuse(
            [
                Refusal(
                    new_id(),
                    "queue:stock/orders",
                    arrival,
                    Refused(Code.MALFORMED_JSON, "no"),
                    "r" * 64,
                    datetime.now(UTC),
                )
            ]
        )
    [arrivals] = store.waiting_arrivals()
    assert (arrivals.source, arrivals.number) == ("queue:stock/orders", 2)
    assert arrivals.oldest_at <= arrivals.newest_at
    store.sign("w1")
    assert [worker for worker, _ in store.signs()] == ["w1"]
