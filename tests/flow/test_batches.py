"""Deliveries that travel together, between a real hub and a real target: one call for many, and one bad row costs its
neighbours nothing.
"""

import json
import time

import pytest

from tests.support.hubs import HubProcess, operator, small_workspace
from tests.support.waiting import wait_until


def order(number):
    return json.dumps({"orderNo": f"SO-{number}", "items": [{"sku": "SKU-1", "quantity": 1}]}).encode()


@pytest.fixture
def hub(tmp_path, sink, store_url):
    workspace = small_workspace(tmp_path / "workspace", sink.url)
    routes = workspace / "routes.yaml"
    text = routes.read_text("utf-8")
    routes.write_text(
        text.replace("[warehouse/order.create@1]", "[{warehouse/order.create@1: {batch: {size: 10, within: 2s}}}]"),
        "utf-8",
    )
    made = HubProcess(workspace, store_url).start()
    yield made
    made.stop()


def act(hub, path, **given):
    answer = operator.post(f"{hub.url}/ops/v1/deliveries{path}", json={"by": "ann", **given}, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


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
    calls = [json.loads(body) for _, _, body, _ in sink.requests]
    assert sorted(len(call) for call in calls) == [*[1] * 10, 10]
    assert all(isinstance(call, list) for call in calls)
    # And each of them that went alone went under its own key
    assert set(sink.keys[1:]) == {line["id"] for line in lines.values()}


def arrays_only(sink):
    """An endpoint that takes arrays and nothing else, and refuses a whole one for what of it is bad."""

    def answer(number, key):
        body = json.loads(sink.requests[number - 1][2])
        if not isinstance(body, list):
            return 400, {}, b'{"message": "an array is wanted"}'
        return (
            (422, {}, b"{}")
            if any(one["orderNo"] == "SO-3" and one["items"][0]["quantity"] == 1 for one in body)
            else (200, {}, b"{}")
        )

    sink.script = answer


def test_an_endpoint_that_takes_only_arrays_gets_all_but_the_bad_one_also_by_replay_and_edit(hub, sink):
    arrays_only(sink)
    # Given a batch with one bad row: its neighbours arrived
    ids = post(hub, range(10))
    lines = {number: hub.delivered(message_id)[0] for number, message_id in enumerate(ids)}
    assert {number for number, line in lines.items() if line["status"] != "delivered"} == {3}
    # When the bad one is replayed, and refused again
    dead = lines[3]["id"]
    act(hub, "/replay", ids=[dead])
    replayed = wait_until(
        lambda: [line for line in hub.delivered(ids[3]) if len(line["attempts"]) == 3], what="the third attempt"
    )
    assert replayed[0]["why"]["reason"] == "refused"
    # Then its page shows the array that it went as
    [shown] = hub.ops(f"/messages/{ids[3]}/stages")["deliveries"]
    assert "--data-binary '[{" in shown["sent"]["curl"]
    # And when a person mends its body, that goes as an array too
    edited = act(hub, f"/{dead}/edit", body='{"orderNo":"SO-3","items":[{"sku":"SKU-1","quantity":2}]}', why="mended")
    assert [line["status"] for line in hub.delivered(edited["messageId"])] == ["delivered"]
    assert all(isinstance(json.loads(body), list) for _, _, body, _ in sink.requests)


def test_what_is_left_over_of_full_batches_waits_for_others_within_its_time(hub, sink):
    times = []
    sink.script = lambda number, key: (times.append(time.monotonic()), (200, {}, b"{}"))[1]
    # Given 13 where ten fill a batch
    ids = post(hub, range(13))
    for message_id in ids:
        hub.delivered(message_id)
    # Then the full one went at once, and the rest after its time, together
    assert [len(json.loads(body)) for _, _, body, _ in sink.requests] == [10, 3]
    assert times[1] - times[0] > 1.5
