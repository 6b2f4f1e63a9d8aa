"""Which deliveries a message gets."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import count

import pytest

from hub.core.delivery import InDoubtPolicy, WhenDead
from hub.core.errors import Code, GiveUp, Refused
from hub.core.expression import compile_expression
from hub.core.message import Disposition, Ref
from hub.core.routing import MAX_HOPS, Destination, Drop, OrderPolicy, Route, Split, TargetPolicy, match, parts

NOW = datetime(2026, 6, 1, 9, 30, tzinfo=UTC)
WMS = Destination(Ref("wms", "outbound.create", 1))
TMS = Destination(Ref("tms", "shipment.create", 1))
ORDER = {"orderType": "NORMAL", "total": Decimal("9.5"), "items": [{"sku": "A", "wh": "W1"}, {"sku": "B", "wh": "W2"}, {"sku": "C", "wh": "W1"}]}


def when(text):
    return compile_expression(text)


def route(*to, name="outbound", **more):
    return Route(name, "about", "owner", "oms/outbound.requested", to or (WMS,), **more)


def matched(*routes, payload=ORDER, hops=0, targets=None, order_key="K"):
    ids = count(1)
    return match(routes, payload, targets=targets or {}, order_key=order_key, hops=hops, now=NOW, new_id=lambda: f"d{next(ids)}")


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
def test_a_condition_that_cannot_be_decided_refuses_the_message(where):
    undecided = when("total > 5")
    routes = {"when": route(when=undecided), "drop": route(drop=Drop(undecided, "x")), "destination": route(Destination(WMS.ref, when=undecided))}
    with pytest.raises(Refused) as caught:
        matched(routes[where], payload={"total": None})
    assert caught.value.code is Code.CONTRACT_VIOLATION
    assert "outbound" in caught.value.text
    assert caught.value.faults


def test_a_loop_of_routes_ends_at_the_hop_limit():
    assert matched(route(), hops=MAX_HOPS).disposition is Disposition.ROUTED
    cut = matched(route(), hops=MAX_HOPS + 1)
    assert cut.disposition is Disposition.FILTERED
    assert cut.planned == ()


def test_order_and_doubt_go_as_the_route_and_the_target_say():
    unordered = Destination(TMS.ref, order=None)
    skipping = Destination(WMS.ref, order=OrderPolicy(WhenDead.BLOCK))
    tms, wms = matched(route(unordered, skipping), targets={"tms": TargetPolicy(in_doubt=InDoubtPolicy.PARK)}).planned
    assert (tms.order_key, tms.in_doubt, tms.when_dead) == (None, InDoubtPolicy.PARK, WhenDead.SKIP)
    assert (wms.order_key, wms.in_doubt, wms.when_dead) == ("K", InDoubtPolicy.RESEND, WhenDead.BLOCK)


def test_a_split_makes_a_delivery_for_each_group():
    found = matched(route(WMS, TMS, split=Split("items", when("wh"))))
    assert [(delivery.lane, delivery.part) for delivery in found.planned] == [("wms", 0), ("wms", 1), ("tms", 0), ("tms", 1)]


def test_parts_are_the_whole_message_with_the_list_cut_down_in_order_of_appearance():
    first, second = parts(ORDER, Split("items", when("wh")), NOW)
    assert [element["sku"] for element in first["items"]] == ["A", "C"]
    assert [element["sku"] for element in second["items"]] == ["B"]
    assert first["total"] == ORDER["total"]
    assert len(ORDER["items"]) == 3


def test_without_by_each_element_is_a_part_even_if_two_are_equal():
    assert [part["items"] for part in parts({"items": [1, 1]}, Split("items"), NOW)] == [[1], [1]]


def test_the_list_may_lie_deeper():
    assert parts({"a": {"b": [1, 2], "c": 3}}, Split("a.b"), NOW) == [{"a": {"b": [1], "c": 3}}, {"a": {"b": [2], "c": 3}}]


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


@pytest.mark.parametrize("payload", [{}, {"items": None}, {"items": {}}, {"items": "x"}, []])
def test_a_split_over_no_array_cannot_be_decided(payload):
    with pytest.raises(GiveUp):
        parts(payload, Split("items"), NOW)
    with pytest.raises(Refused):
        matched(route(split=Split("items")), payload=payload)


def test_a_split_over_an_empty_array_is_written_down_as_such():
    found = matched(route(split=Split("items")), payload={"items": []})
    assert found.disposition is Disposition.UNROUTED
    assert found.considered == ({"route": "outbound", "result": "missed", "why": "the list that it splits is empty"},)


def test_a_route_whose_destinations_all_miss_is_not_split():
    assert matched(route(Destination(WMS.ref, when=when("false")), split=Split("items")), payload={"items": [1]}).disposition is Disposition.UNROUTED


def test_a_condition_that_ran_out_of_time_asks_the_sender_to_try_again():
    from hub.core.errors import Code, Reason, Why
    from hub.core.routing import _undecided

    assert _undecided("r", Why(Reason.TRANSFORM_TIMEOUT, "it takes too long")).code is Code.UNAVAILABLE
    assert _undecided("r", Why(Reason.TRANSFORM_ERROR, "no number")).code is Code.CONTRACT_VIOLATION
