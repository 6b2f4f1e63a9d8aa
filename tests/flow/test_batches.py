"""Deliveries that travel together, between a real hub and a real target: one call for many, and one bad row costs its neighbours nothing."""

import json

import pytest

from tests.support.hubs import HubProcess, small_workspace


def order(number):
    return json.dumps({"orderNo": f"SO-{number}", "items": [{"sku": "SKU-1", "quantity": 1}]}).encode()


@pytest.fixture
def hub(tmp_path, sink, store_url):
    workspace = small_workspace(tmp_path / "workspace", sink.url)
    routes = workspace / "routes.yaml"
    text = routes.read_text("utf-8")
    routes.write_text(text.replace("[warehouse/order.create@1]", "[{warehouse/order.create@1: {batch: {size: 10, within: 2s}}}]"), "utf-8")
    made = HubProcess(workspace, store_url).start()
    yield made
    made.stop()


def post(hub, numbers):
    body = b"[" + b",".join(order(number) for number in numbers) + b"]"
    items = hub.caller("shop").post("/api/v1/shop/order.placed/batch", body, f"b{numbers[0]}").json()["data"]["items"]
    return [item["messageId"] for item in items]


def test_a_full_bundle_is_one_call_and_the_rest_follows_within_its_time(hub, sink):
    # Given a batch of 25 orders, each with a key of its own
    ids = post(hub, range(25))
    lines = [line for message_id in ids for line in hub.delivered(message_id)]
    # Then all arrived, in at most four calls, none with more than ten
    assert {line["status"] for line in lines} == {"delivered"}
    calls = [json.loads(body) for _, _, body, _ in sink.requests]
    assert all(isinstance(call, list) and len(call) <= 10 for call in calls)
    assert sorted(one["orderNo"] for call in calls for one in call) == sorted(f"SO-{number}" for number in range(25))
    assert len(calls) <= 4
    assert len(set(sink.keys)) == len(calls)
    assert hub.ops("/conservation")["unaccounted"] == 0


def test_a_refused_bundle_is_sent_one_by_one_and_only_the_bad_one_is_dead(hub, sink):
    # Given a target that refuses whatever holds SO-3
    sink.script = lambda number, key: (422, {}, b"{}") if b"SO-3" in sink.requests[number - 1][2] else (200, {}, b"{}")
    ids = post(hub, range(10))
    lines = {number: hub.delivered(message_id)[0] for number, message_id in enumerate(ids)}
    # Then the nine others arrived, and the bad one is dead with the target's words
    assert {number for number, line in lines.items() if line["status"] == "delivered"} == set(range(10)) - {3}
    assert lines[3]["status"] == "dead"
    assert lines[3]["why"]["reason"] == "refused"
    # And what happened stands on each attempt: first together, then alone
    assert [one["outcome"] for one in lines[4]["attempts"]] == ["retry", "delivered"]
    alone = [json.loads(body) for _, _, body, _ in sink.requests[1:]]
    assert {type(one) for one in alone} == {dict} or {len(one) for one in alone if isinstance(one, list)} <= {1}
