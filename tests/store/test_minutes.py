"""What flowed, by minute: added up over processes, summed by way and by step, and gone after its time. On all
databases.
"""

from datetime import UTC, datetime, timedelta

from hub.core.model.latency import BOUNDS_MS, BUCKETS, quantile
from hub.store import ThroughputRow
from hub.store.queries.throughput import KEPT

NOW = datetime.now(UTC).replace(second=0, microsecond=0)
MINUTE = timedelta(minutes=1)


def flowed(minutes_ago, route="orders", way="wms/create@1", **numbers):
    return ThroughputRow(NOW - minutes_ago * MINUTE, route, way, numbers, tuple(range(BUCKETS)), (1,) * BUCKETS)


def test_what_processes_counted_is_added_up(store):
    for _ in range(3):
        store.add_minutes(
            [flowed(1, delivered=5, dead=1), flowed(0, delivered=1), flowed(0, "", "oms/order@1", accepted=7)]
        )
    [taken, sent] = store.flowed(NOW - 5 * MINUTE)
    assert (taken.route, taken.way, taken.numbers["accepted"]) == ("", "oms/order@1", 21)
    assert (sent.numbers["delivered"], sent.numbers["dead"], sent.numbers["held"]) == (18, 3, 0)
    assert sent.journey == tuple(6 * number for number in range(BUCKETS))
    assert sent.attempts == 6 * BUCKETS
    assert store.flowed(NOW + MINUTE) == []


def test_a_curve_adds_up_its_steps_and_leaves_out_what_is_empty(store):
    store.add_minutes(
        [
            flowed(9, delivered=1),
            flowed(8, delivered=2),
            flowed(2, delivered=4),
            flowed(2, "other", delivered=50),
            flowed(0, delivered=8),
        ]
    )
    since = NOW - 9 * MINUTE
    told = store.flow_series(since, step=5 * MINUTE, route="orders")
    assert [(row.at, row.numbers["delivered"]) for row in told] == [(since, 3), (since + 5 * MINUTE, 12)]
    assert [row.numbers["delivered"] for row in store.flow_series(since, step=5 * MINUTE)] == [3, 62]
    assert [row.numbers["delivered"] for row in store.flow_series(since, way="wms/create@1", until=NOW)] == [1, 2, 54]
    assert store.flow_series(since, route="") == []


def test_when_a_way_delivered_last_and_again(store):
    store.add_minutes([flowed(9, delivered=1), flowed(7, dead=3), flowed(2, delivered=1)])
    assert store.delivered_around("orders", "wms/create@1", NOW - 6 * MINUTE) == (NOW - 9 * MINUTE, NOW - 2 * MINUTE)
    assert store.delivered_around("orders", "no/such@1", NOW) == (None, None)


def test_what_is_old_goes(store):
    store.add_minutes([flowed(60 * 49, delivered=1), flowed(0, delivered=1)])
    assert store.prune_minutes(NOW - KEPT) == 1
    assert len(store.flow_series(NOW - timedelta(days=4))) == 1


def test_a_row_that_cannot_be_stored_takes_no_other_with_it(store):
    store.add_minutes([flowed(1, route="a\0b", delivered=1), flowed(1, delivered=1)])
    assert [row.route for row in store.flowed(NOW - 5 * MINUTE)][-1] == "orders"


def test_a_quantile_lies_between_the_bounds_of_its_bucket():
    assert quantile((0,) * BUCKETS, 0.5) is None
    numbers = [0] * BUCKETS
    numbers[3] = 100  # between 20 and 50 ms
    assert quantile(numbers, 0.5) == 35
    assert 49 < quantile(numbers, 0.99) < 50
    numbers[-1] = 100
    assert quantile(numbers, 0.99) == BOUNDS_MS[-1]


def test_a_curve_of_one_target_system_has_all_of_its_ways_and_nothing_of_others(store):
    ways = (
        ("orders", "wms/create@1"),
        ("returns", "wms/receive@1"),
        ("orders", "wms2/create@1"),
        ("", "wms/shipped@1"),
    )
    store.add_minutes([flowed(0, route, way, delivered=1, accepted=10) for route, way in ways])
    [row] = store.flow_series(NOW - MINUTE, lane="wms")
    assert (row.numbers["delivered"], row.numbers["accepted"]) == (2, 20)
    assert store.flow_series(NOW - MINUTE, lane="wm") == []


def test_the_minutes_of_all_ways_in_three_numbers(store):
    store.add_minutes(
        [
            flowed(2, delivered=3, dead=1, retried=2, unknown=4),
            flowed(0, "", "oms/order@1", accepted=7, apart=5),
            flowed(90, delivered=1),
        ]
    )
    [taken, sent] = sorted(store.beats(NOW - 60 * MINUTE), key=lambda beat: beat.route)
    assert (taken.at, taken.route, taken.way, taken.accepted, taken.delivered, taken.failed) == (
        NOW,
        "",
        "oms/order@1",
        7,
        0,
        0,
    )
    assert (sent.at, sent.accepted, sent.delivered, sent.failed) == (NOW - 2 * MINUTE, 0, 3, 7)
