"""Which deliveries a message gets."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

import pytest

from hub.core.config.routing import (
    MAX_HOPS,
    Batch,
    Canary,
    Capacity,
    Destination,
    Drop,
    HoldUntil,
    OrderPolicy,
    Route,
    Split,
    TargetPolicy,
    bucket,
    match,
    parts,
)
from hub.core.errors import GiveUp, Reason
from hub.core.expressions.expression import compile_expression
from hub.core.message import Disposition, Ref
from hub.core.model.capacity_windows import quota
from hub.core.model.delivery import Bundle, InDoubtPolicy, Priority, WhenDead

NOW = datetime(2026, 6, 1, 9, 30, tzinfo=UTC)
WMS = Destination(Ref("wms", "outbound.create", 1))
TMS = Destination(Ref("tms", "shipment.create", 1))
ORDER = {
    "orderType": "NORMAL",
    "total": Decimal("9.5"),
    "items": [{"sku": "A", "wh": "W1"}, {"sku": "B", "wh": "W2"}, {"sku": "C", "wh": "W1"}],
}


def when(text):
    return compile_expression(text)


def route(*to, name="outbound", **more):
    return Route(name, "about", "owner", "oms/outbound.requested", to or (WMS,), **more)


def matched(*routes, payload=ORDER, hops=0, targets=None, order_key="K"):
    ids = count(1)
    return match(
        routes, payload, targets=targets or {}, order_key=order_key, hops=hops, now=NOW, new_id=lambda: f"d{next(ids)}"
    )


def test_each_destination_of_each_matching_route_gets_a_delivery():
    found = matched(route(WMS, TMS), route(TMS, name="second"))
    assert found.disposition is Disposition.ROUTED
    assert [(delivery.id, delivery.route, delivery.lane) for delivery in found.planned] == [
        ("d1", "outbound", "wms"),
        ("d2", "outbound", "tms"),
        ("d3", "second", "tms"),
    ]


def test_a_condition_that_does_not_hold_is_written_down_as_the_nearest_miss():
    found = matched(route(when=when("orderType = 'PRESALE'")))
    assert found.disposition is Disposition.UNROUTED
    assert found.planned == ()
    assert found.considered == ({"route": "outbound", "result": "missed", "condition": "orderType = 'PRESALE'"},)


def test_no_route_at_all_is_unrouted():
    assert matched().disposition is Disposition.UNROUTED


def test_a_destination_has_a_condition_of_its_own():
    found = matched(route(WMS, Destination(TMS.ref, when=when("$exists(waybillNo)"))))
    assert [delivery.lane for delivery in found.planned] == ["wms"]
    assert found.considered[1]["target"] == "tms/shipment.create@1"


def test_what_is_dropped_is_filtered_with_its_reason():
    found = matched(route(drop=Drop(when("total < 10"), "too small")))
    assert found.disposition is Disposition.FILTERED
    assert found.considered[0]["why"] == "too small"


def test_a_drop_ends_its_own_route_only():
    found = matched(route(drop=Drop(when("true"), "never")), route(TMS, name="second"))
    assert found.disposition is Disposition.ROUTED
    assert [delivery.route for delivery in found.planned] == ["second"]


@pytest.mark.parametrize("where", ["when", "drop", "destination"])
def test_a_condition_that_cannot_be_decided_is_the_fault_of_its_route_alone(where):
    undecided = when("total > 5")
    routes = {
        "when": route(when=undecided),
        "drop": route(drop=Drop(undecided, "x")),
        "destination": route(Destination(WMS.ref, when=undecided)),
    }
    found = matched(routes[where], route(TMS, name="second"), payload={"total": None})
    first, second = found.planned
    assert (found.disposition, first.route, first.part, first.undecided.reason) == (
        Disposition.ROUTED,
        "outbound",
        None,
        Reason.TRANSFORM_ERROR,
    )
    assert "outbound" in first.undecided.text
    assert (second.route, second.undecided) == ("second", None)
    assert [line["result"] for line in found.considered] == ["undecided", "matched"]


@pytest.mark.parametrize(
    ("more", "payload"),
    [
        ({"split": Split("items", when("wh + 1"))}, {"items": [{"wh": "x"}]}),
        ({"split": Split("items")}, {"items": {"sku": "A"}}),
        ({"hold": HoldUntil(when("effectiveTime"))}, {"effectiveTime": "tomorrow"}),
        ({"capacity": Capacity(quota("5/day"), when("sku - 1"))}, {"sku": "A"}),
        (
            {"split": Split("items"), "capacity": Capacity(quota("5/day"), when("items[0].wh * 2"))},
            {"items": [{"wh": 1}, {"wh": "x"}]},
        ),
    ],
)
def test_a_value_that_cannot_be_computed_keeps_one_place_per_target(more, payload):
    found = matched(route(WMS, TMS, **more), route(TMS, name="second"), payload=payload)
    assert [
        (one.route, one.lane, one.part, one.slot, one.hold_until, one.undecided is None) for one in found.planned
    ] == [
        ("outbound", "wms", None, None, None, False),
        ("outbound", "tms", None, None, None, False),
        ("second", "tms", None, None, None, True),
    ]
    assert {one.order_key for one in found.planned} == {"K"}  # its place in the order of the key is kept


def test_a_canary_that_cannot_be_decided_keeps_a_place_on_both_sides():
    found = matched(canary(when=when("total > 9")), payload={"total": None})
    assert [(one.ref.version, one.undecided is None) for one in found.planned] == [(2, False), (1, False)]


def test_a_loop_of_routes_ends_at_the_hop_limit():
    assert matched(route(), hops=MAX_HOPS).disposition is Disposition.ROUTED
    cut = matched(route(), hops=MAX_HOPS + 1)
    # Nobody wrote that it shall go nowhere: a person looks at it
    assert cut.disposition is Disposition.UNROUTED
    assert cut.planned == ()
    assert matched(route(), hops=MAX_HOPS + 2).considered == cut.considered  # of one cause, however long the chain was


def test_what_a_trial_without_another_side_leaves_out_goes_nowhere_on_purpose():
    trial = Destination(WMS.ref, canary=Canary(when=when("orderType = 'PRESALE'")), is_trial=True)
    assert matched(route(trial)).disposition is Disposition.FILTERED


def test_order_and_doubt_go_as_the_route_and_the_target_say():
    unordered = Destination(TMS.ref, order=None)
    skipping = Destination(WMS.ref, order=OrderPolicy(WhenDead.BLOCK))
    tms, wms = matched(route(unordered, skipping), targets={"tms": TargetPolicy(in_doubt=InDoubtPolicy.PARK)}).planned
    assert (tms.order_key, tms.in_doubt, tms.when_dead) == (None, InDoubtPolicy.PARK, WhenDead.SKIP)
    assert (wms.order_key, wms.in_doubt, wms.when_dead) == ("K", InDoubtPolicy.RESEND, WhenDead.BLOCK)


def test_a_split_makes_a_delivery_for_each_group():
    found = matched(route(WMS, TMS, split=Split("items", when("wh"))))
    assert [(delivery.lane, delivery.part) for delivery in found.planned] == [
        ("wms", 0),
        ("wms", 1),
        ("tms", 0),
        ("tms", 1),
    ]


def test_parts_are_the_whole_message_with_the_list_cut_down_in_order_of_appearance():
    first, second = parts(ORDER, Split("items", when("wh")), NOW)
    assert [element["sku"] for element in first["items"]] == ["A", "C"]
    assert [element["sku"] for element in second["items"]] == ["B"]
    assert first["total"] == ORDER["total"]
    assert len(ORDER["items"]) == 3


def test_without_by_each_element_is_a_part_even_if_two_are_equal():
    assert [part["items"] for part in parts({"items": [1, 1]}, Split("items"), NOW)] == [[1], [1]]


def test_the_list_may_lie_deeper():
    assert parts({"a": {"b": [1, 2], "c": 3}}, Split("a.b"), NOW) == [
        {"a": {"b": [1], "c": 3}},
        {"a": {"b": [2], "c": 3}},
    ]


@pytest.mark.parametrize(
    ("values", "groups"),
    [
        ([1, Decimal("1.0"), 1], [[1, Decimal("1.0"), 1]]),
        ([1, "1"], [[1], ["1"]]),
        ([True, 1], [[True], [1]]),
        ([None, None], [[None, None]]),
        (["", None], [[""], [None]]),
        ([[1], [1]], [[[1], [1]]]),
    ],
)
def test_groups_are_by_equal_values(values, groups):
    elements = [{"k": value} for value in values]
    found = parts({"l": elements}, Split("l", when("k")), NOW)
    assert [[element["k"] for element in part["l"]] for part in found] == groups


def test_elements_without_a_group_go_together():
    assert len(parts({"l": [{}, {"k": None}, {"k": "a"}]}, Split("l", when("k")), NOW)) == 2


@pytest.mark.parametrize("payload", [{"items": {}}, {"items": "x"}, {"items": 0}, {"items": False}])
def test_a_split_over_what_is_no_array_cannot_be_decided(payload):
    with pytest.raises(GiveUp):
        parts(payload, Split("items"), NOW)
    assert matched(route(split=Split("items")), payload=payload).planned[0].undecided is not None


@pytest.mark.parametrize("payload", [{"items": []}, {}, {"items": None}, []])
def test_a_split_over_an_array_that_is_empty_or_absent_makes_nothing_and_says_so(payload):
    found = matched(route(split=Split("items")), route(TMS, name="second"), payload=payload)
    assert [one.route for one in found.planned] == ["second"]
    assert found.considered[0] == {
        "route": "outbound",
        "result": "missed",
        "why": "the list that it splits is empty or absent: items",
    }
    # The route takes it, and there is nothing to send: nobody need look at it
    assert matched(route(split=Split("items")), payload=payload).disposition is Disposition.FILTERED


def test_a_route_whose_destinations_all_miss_is_not_split():
    assert (
        matched(
            route(Destination(WMS.ref, when=when("false")), split=Split("items")), payload={"items": [1]}
        ).disposition
        is Disposition.UNROUTED
    )


def test_a_destination_says_how_urgent_it_is_and_until_when_it_is_of_use():
    [found] = matched(route(Destination(WMS.ref, priority=Priority.URGENT, expires=timedelta(days=2)))).planned
    assert (found.priority, found.expires_at) == (Priority.URGENT, NOW + timedelta(days=2))


def test_a_held_delivery_waits_until_the_time_that_its_message_names():
    hold = HoldUntil(when("effectiveTime"), "Asia/Shanghai")
    [found] = matched(route(hold=hold), payload={**ORDER, "effectiveTime": "2026-06-02T08:00:00"}).planned
    assert found.hold_until == datetime(2026, 6, 2, 0, 0, tzinfo=UTC)
    # A time that is over, and a time that is not there, hold nothing
    for payload in ({**ORDER, "effectiveTime": "2026-06-01T17:29:59"}, {**ORDER, "effectiveTime": None}, ORDER):
        assert matched(route(hold=hold), payload=payload).planned[0].hold_until is None


@pytest.mark.parametrize("value", ["tomorrow", 1764554400, "2026-02-30T00:00:00Z", ""])
def test_a_time_that_is_none_is_not_sent_at_once(value):
    [found] = matched(route(hold=HoldUntil(when("effectiveTime"))), payload={**ORDER, "effectiveTime": value}).planned
    assert "that is no time" in found.undecided.text


def test_a_capacity_is_counted_per_value_of_each_part():
    split = Split("items", by=when("wh"))
    found = matched(route(split=split, capacity=Capacity(quota("5/day"), when("items[0].wh"))))
    assert [(one.part, one.slot.route, one.slot.key) for one in found.planned] == [
        (0, "outbound", "str:W1"),
        (1, "outbound", "str:W2"),
    ]


def test_a_bundle_is_named_after_its_route_and_target():
    [found] = matched(route(Destination(WMS.ref, batch=Batch(100, timedelta(seconds=10))))).planned
    assert found.bundle == Bundle("outbound wms/outbound.create@1", 100, timedelta(seconds=10))


def canary(**given):
    trial = Canary(**given)
    new = Destination(Ref("wms", "outbound.create", 2), canary=trial, is_trial=True)
    return route(new, Destination(WMS.ref, canary=trial))


def test_a_canary_by_condition_sends_to_one_side_or_the_other():
    trial = canary(when=when("total > 9"))
    assert [one.ref.version for one in matched(trial).planned] == [2]
    found = matched(trial, payload={"total": Decimal(1)})
    assert [one.ref.version for one in found.planned] == [1]
    assert found.considered[0]["canary"] == "total > 9 does not hold"


def test_a_canary_by_share_keeps_each_value_on_one_side_and_the_share():
    trial = canary(percent=Decimal(10), by=when("orderNo"))
    sides = {}
    for number in range(4_000):
        payload = {"orderNo": f"SO-{number}"}
        [one] = matched(trial, payload=payload).planned
        [again] = matched(trial, payload={**payload, "other": 1}).planned
        assert one.ref == again.ref
        sides[number] = one.ref.version
    assert 0.085 < sum(version == 2 for version in sides.values()) / len(sides) < 0.115
    # Raising the share moves nobody back: who took part goes on taking part
    more = canary(percent=Decimal(30), by=when("orderNo"))
    assert all(
        matched(more, payload={"orderNo": f"SO-{number}"}).planned[0].ref.version == 2
        for number, side in sides.items()
        if side == 2
    )


@pytest.mark.parametrize(("percent", "version"), [(Decimal(0), 1), (Decimal(100), 2)])
def test_nobody_and_everybody(percent, version):
    trial = canary(percent=percent, by=when("orderNo"))
    assert {matched(trial, payload={"orderNo": str(number)}).planned[0].ref.version for number in range(200)} == {
        version
    }


def test_a_bucket_is_the_same_for_ever():
    assert [str(bucket(name)) for name in ("", "str:SO-1", "int:7")] == ["16.52", "1.56", "59.09"]
