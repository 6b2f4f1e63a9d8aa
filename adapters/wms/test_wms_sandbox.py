import pytest

from tests.support.sandboxes import running, sample, wait_for

CREATE, SEED = "/api/wms/outbound/create", sample("wms", "outbound.create", "seed")


@pytest.fixture
def wms(tmp_path, receiver):
    with running("wms", tmp_path, receiver.url) as made:
        yield made


def test_it_answers_as_the_seed_says_picks_and_confirms(wms, receiver):
    status, answer = wms.call(CREATE, SEED, "k1")
    assert (status, answer["code"], answer["message"], answer["data"]["status"]) == (200, 200, "success", "PENDING")
    [confirmed] = wait_for(lambda: receiver.of("wms/outbound.confirmed"))
    assert confirmed["outboundNo"] == answer["data"]["outboundNo"]
    assert confirmed["actualItems"] == SEED["items"]
    assert confirmed["consigneeAddress"] == "北京市朝阳区XX街道XX号"
    assert confirmed["cargoInfo"]["quantity"] == 2
    callback = {**sample("wms", "shipment.callback", "seed"), "waybillNo": confirmed["waybillNo"]}
    assert wms.call("/api/wms/shipment/callback", callback, "k2")[0] == 200
    assert wms.get("/_state")["outbounds"][SEED["orderNo"]]["status"] == "DELIVERED"


def test_a_second_instruction_for_an_order_is_answered_with_the_first_number(wms):
    first = wms.call(CREATE, SEED, "k1")[1]["data"]["outboundNo"]
    status, answer = wms.call(CREATE, SEED, "k2")
    assert (status, answer["code"], answer["data"]["outboundNo"]) == (409, 40901, first)
    assert wms.get("/_control")["effects"] == 1


def test_a_parcel_that_it_never_shipped_is_refused(wms):
    assert wms.call("/api/wms/shipment/callback", sample("wms", "shipment.callback", "seed"), "k")[0] == 404


def test_a_return_is_received_and_inspected_once(wms, receiver):
    for key in ("k1", "k2"):
        assert wms.call("/api/wms/return/receive", sample("wms", "return.receive", "order"), key)[0] == 200
    wait_for(lambda: wms.get("/_control")["posted"] == 1 and wms.get("/_control")["moments"] == 0)
    assert [message["result"] for message in receiver.of("wms/return.inspected")] == ["ACCEPTED"]
