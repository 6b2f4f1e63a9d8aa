import pytest

from tests.support.sandboxes import running, sample, wait_for

CREATE, SEED = "/api/tms/shipment/create", sample("tms", "shipment.create", "seed")


@pytest.fixture
def tms(tmp_path, receiver):
    with running("tms", tmp_path, receiver.url) as made:
        yield made


def test_a_parcel_is_fetched_moved_and_delivered(tms, receiver):
    for key in ("k1", "k2"):  # a known waybill is not moved twice
        assert tms.call(CREATE, SEED, key)[1]["data"]["waybillNo"] == SEED["waybillNo"]
    wait_for(lambda: len(receiver.of("tms/shipment.status")) == 3 and tms.get("/_control")["unsent"] == 0)
    moved = receiver.of("tms/shipment.status")
    assert [message["status"] for message in moved] == ["PICKED_UP", "IN_TRANSIT", "DELIVERED"]
    assert {"deliveredTime", "signer", "signImage"} <= moved[2].keys()


def test_an_address_can_refuse_its_parcel(tms, receiver):
    tms.call(CREATE, {**SEED, "consigneeAddress": "拒收路1号"}, "k1")
    wait_for(lambda: len(receiver.of("tms/shipment.status")) == 3)
    assert receiver.of("tms/shipment.status")[2]["status"] == "REJECTED"


def test_a_return_is_fetched_once(tms, receiver):
    for key in ("k1", "k2"):
        assert tms.call("/api/tms/return/pickup", sample("tms", "return.pickup", "order"), key)[0] == 200
    wait_for(lambda: tms.get("/_control")["posted"] == 1 and tms.get("/_control")["moments"] == 0)
    [arrived] = receiver.of("tms/return.arrived")
    assert arrived["returnNo"] == "RT202511220001"
