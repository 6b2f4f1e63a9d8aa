import pytest

from tests.support.sandboxes import running, sample, wait_for

ENOUGH = {"warehouseCode": "WH001", "sufficient": True, "items": []}
KEPT = {"warehouseCode": "WH001", "reserved": True, "items": []}
PAID = {"paymentNo": "PAY1", "amount": 198, "currency": "CNY", "paidTime": "2025-11-22T10:00:00"}
SHIPPED = {
    "outboundNo": "W1",
    "waybillNo": "SF1",
    "carrier": "顺丰速运",
    "actualItems": [],
    "shippedTime": "2025-11-22T10:00:00",
}
AT = "2025-11-23T15:00:00"


@pytest.fixture
def oms(tmp_path, receiver):
    with running("oms", tmp_path, receiver.url) as made:
        yield made


def place(oms):
    return oms.call("/api/oms/orders", sample("oms", "order.create", "one-line"), "create")[1]["data"]["orderNo"]


def tell(oms, path, number, body):
    status, answer = oms.call(
        f"/api/oms/{path}/callback", {"orderNo": number, **body}, f"{path}-{len(str(body))}-{body.get('status')}"
    )
    assert status == 200
    return answer["data"]["status"]


def ready(oms):
    number = place(oms)
    assert tell(oms, "stock", number, ENOUGH) == "STOCK_OK"
    assert tell(oms, "reservation", number, KEPT) == "RESERVED"
    assert tell(oms, "payment", number, PAID) == "PUSHED_TO_WMS"
    return number


def delivered(oms):
    number = ready(oms)
    assert tell(oms, "outbound", number, SHIPPED) == "SHIPPED"
    assert tell(oms, "shipment", number, {"waybillNo": "SF1", "status": "PICKED_UP", "statusTime": AT}) == "SHIPPED"
    assert tell(oms, "shipment", number, {"waybillNo": "SF1", "status": "DELIVERED", "statusTime": AT}) == "DELIVERED"
    return number


def told(oms, receiver, message):
    wait_for(lambda: oms.get("/_control")["unsent"] == 0)
    return receiver.of(f"oms/{message}")


def test_an_order_goes_all_its_way(oms, receiver):
    number = delivered(oms)
    assert [
        len(told(oms, receiver, name))
        for name in ("stock.wanted", "order.created", "outbound.requested", "order.shipped", "order.delivered")
    ] == [1] * 5
    [signed] = told(oms, receiver, "order.delivered")
    assert (signed["orderNo"], str(signed["costAmount"]), signed["deliveredTime"]) == (number, "118.80", AT)
    history = [status for status, _ in oms.get("/_state")["orders"][number]["history"]]
    assert history == ["CREATED", "STOCK_OK", "RESERVED", "PAID", "PUSHED_TO_WMS", "SHIPPED", "DELIVERED"]


def test_paid_before_reserved_is_as_good(oms, receiver):
    number = place(oms)
    tell(oms, "stock", number, ENOUGH)
    assert tell(oms, "payment", number, PAID) == "PAID"
    assert tell(oms, "reservation", number, KEPT) == "PUSHED_TO_WMS"
    assert len(told(oms, receiver, "outbound.requested")) == 1


def test_one_order_per_number_of_the_channel_whatever_the_key(oms, receiver):
    first = place(oms)
    assert (
        oms.call("/api/oms/orders", sample("oms", "order.create", "one-line"), "other")[1]["data"]["orderNo"] == first
    )
    assert len(told(oms, receiver, "stock.wanted")) == 1


def test_too_little_stock_rejects_the_order(oms, receiver):
    number = place(oms)
    assert tell(oms, "stock", number, {**ENOUGH, "sufficient": False}) == "REJECTED"
    assert [message["reason"] for message in told(oms, receiver, "order.cancelled")] == ["OUT_OF_STOCK"]
    assert told(oms, receiver, "refund.requested") == []


def test_a_payment_for_a_rejected_order_goes_back(oms, receiver):
    number = place(oms)
    tell(oms, "stock", number, ENOUGH)
    assert tell(oms, "reservation", number, {**KEPT, "reserved": False}) == "REJECTED"
    tell(oms, "payment", number, PAID)
    [refund] = told(oms, receiver, "refund.requested")
    assert (refund["paymentNo"], str(refund["amount"])) == ("PAY1", "198.00")


def test_it_can_be_cancelled_until_a_warehouse_has_it(oms, receiver):
    number = place(oms)
    tell(oms, "stock", number, ENOUGH)
    assert oms.act("/_cancel", {"orderNo": number})[1]["data"]["status"] == "CANCELLED"
    assert len(told(oms, receiver, "order.cancelled")) == 1
    assert oms.act("/_cancel", {"orderNo": number})[0] == 409


def test_a_parcel_that_is_refused_frees_the_stock_and_pays_back(oms, receiver):
    number = ready(oms)
    tell(oms, "outbound", number, SHIPPED)
    assert tell(oms, "shipment", number, {"waybillNo": "SF1", "status": "REJECTED", "statusTime": AT}) == "REFUSED"
    assert len(told(oms, receiver, "order.cancelled")) == len(told(oms, receiver, "refund.requested")) == 1


def test_a_return_is_paid_back_once(oms, receiver):
    number = delivered(oms)
    return_no = oms.act("/_return", {"orderNo": number})[1]["data"]["returnNo"]
    assert oms.act("/_return", {"orderNo": number})[0] == 409
    inspected = {**sample("oms", "return.callback", "accepted"), "returnNo": return_no}
    inspected.pop("orderNo")
    for _ in range(2):
        assert tell(oms, "return", number, inspected) == "RETURNED"
    assert [
        message["returnNo"]
        for message in told(oms, receiver, "return.created") + told(oms, receiver, "refund.requested")
    ] == [return_no] * 2


def test_an_order_that_it_does_not_know_is_refused(oms):
    assert oms.call("/api/oms/payment/callback", {"orderNo": "X", **PAID}, "k")[0] == 404
