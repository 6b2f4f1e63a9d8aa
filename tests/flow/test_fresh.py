"""`fresh_by`: what is older than what was delivered for its key is superseded, not sent."""

import json

import pytest

from tests.support.hubs import HubProcess, small_workspace


@pytest.fixture
def hub(tmp_path, sink, store_url):
    folder = small_workspace(tmp_path / "workspace", sink.url)
    system = folder / "adapters" / "shop" / "system.yaml"
    system.write_text(
        system.read_text("utf-8").replace("    dedupe_by: [orderNo]\n", "    fresh_by: changedAt\n"), "utf-8"
    )
    contract = folder / "adapters" / "shop" / "contracts" / "order.placed.v1.json"
    contract.write_text(
        contract.read_text("utf-8").replace('"properties": {', '"properties": {"changedAt": {"type": "string"},', 1),
        "utf-8",
    )
    made = HubProcess(folder, store_url).start()
    yield made
    made.stop()


def order(changed, quantity):
    return json.dumps({"orderNo": "SO-1", "changedAt": changed, "items": [{"sku": "A", "quantity": quantity}]}).encode()


def test_an_older_state_that_comes_late_is_not_sent(hub, sink):
    caller = hub.caller("shop")

    def sent(changed, quantity, message_id):
        answer = caller.post("/api/v1/shop/order.placed", order(changed, quantity), message_id)
        return hub.delivered(answer.json()["data"]["messageId"])[0]

    assert sent("2026-06-01T10:00:00Z", 1, "m1")["status"] == "delivered"
    assert sent("2026-06-01T12:00:00Z", 3, "m2")["status"] == "delivered"
    # The same hour in another zone is older: 19:00 in Shanghai is 11:00 in Greenwich
    late = sent("2026-06-01T19:00:00+08:00", 2, "m3")
    assert (late["status"], late["why"]["reason"], late["attempts"][0]["outcome"]) == (
        "superseded",
        "overtaken",
        "superseded",
    )
    assert sent("2026-06-01T13:00:00Z", 4, "m4")["status"] == "delivered"
    assert [json.loads(body)["items"][0]["quantity"] for _, _, body, _ in sink.requests] == [1, 3, 4]
    assert hub.ops("/conservation")["unaccounted"] == 0


def test_what_does_not_say_how_new_it_is_is_refused(hub):
    answer = hub.caller("shop").post("/api/v1/shop/order.placed", order("yesterday", 1), "m1")
    assert (answer.status_code, answer.json()["details"][0]["pointer"]) == (422, "/changedAt")
