import pytest

from hub.core.message import Ref
from tests.support.sandboxes import contract, running, sample

ONE = sample("inventory", "stock.reserve", "one-line")
PATH = "/api/inventory/stock/"


@pytest.fixture
def inventory(tmp_path, receiver):
    with running("inventory", tmp_path, receiver.url) as made:
        yield made


def totals(inventory):
    sums = inventory.get("/_control")["summary"]
    assert sums["balanced"]
    return sums["reserved"], sums["deducted"], sums["increased"]


def call(inventory, name, body, key):
    status, answer = inventory.call(PATH + name, body, key)
    if name in ("query", "reserve"):
        message = {"query": "stock.answered", "reserve": "stock.reserved"}[name]
        assert contract(Ref("inventory", message, 1)).check(answer) == []
    return status, answer


def test_reserved_then_deducted(inventory):
    assert call(inventory, "query", ONE, "q")[1]["data"]["sufficient"]
    assert call(inventory, "reserve", ONE, "r")[1]["data"]["reserved"]
    assert totals(inventory) == (2, 0, 0)
    # A second reservation or deduction of the order under another key changes nothing
    call(inventory, "reserve", ONE, "r2")
    for key in ("d", "d2"):
        assert call(inventory, "deduct", ONE, key)[1]["data"]["state"] == "DEDUCTED"
    assert totals(inventory) == (0, 2, 0)


def test_reserved_then_released(inventory):
    call(inventory, "reserve", ONE, "r")
    for key in ("f", "f2"):
        assert call(inventory, "release", ONE, key)[1]["data"]["state"] == "RELEASED"
    assert totals(inventory) == (0, 0, 0)
    assert inventory.call(PATH + "deduct", ONE, "d")[1]["code"] == 40902


def test_a_reservation_that_comes_after_its_release_keeps_nothing(inventory):
    call(inventory, "release", ONE, "f")
    assert not call(inventory, "reserve", ONE, "r")[1]["data"]["reserved"]
    assert totals(inventory) == (0, 0, 0)


def test_too_little_is_said_with_what_there_is(inventory):
    inventory.act("/_stock", {"sku": "SKU001", "warehouseCode": "WH001", "availableQty": 1})
    assert not call(inventory, "query", ONE, "q")[1]["data"]["sufficient"]
    _, answer = call(inventory, "reserve", sample("inventory", "stock.reserve", "two-lines"), "r")
    assert (answer["code"], answer["message"], answer["details"]) == (
        40001,
        "库存不足",
        {"skuId": "SKU001", "required": 2, "available": 1},
    )
    assert totals(inventory) == (0, 0, 0)


def test_lines_of_one_sku_are_counted_together(inventory):
    inventory.act("/_stock", {"sku": "SKU001", "warehouseCode": "WH001", "availableQty": 3})
    assert not call(inventory, "query", {**ONE, "items": ONE["items"] * 2}, "q")[1]["data"]["sufficient"]


def test_a_return_counts_once(inventory):
    back = sample("inventory", "stock.increase", "return")
    for key in ("i", "i2"):
        assert inventory.call(PATH + "increase", back, key)[0] == 200
    assert totals(inventory) == (0, 0, 2)


def test_what_no_warehouse_has_is_answered_with_nothing(inventory):
    _, answer = call(inventory, "query", {**ONE, "items": [{"sku": "NONE", "quantity": 1}]}, "q")
    assert (answer["data"]["sufficient"], answer["data"]["items"][0]["totalQty"]) == (False, 0)
