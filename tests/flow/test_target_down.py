"""A target that is down, says no, or hangs: attempts follow the policy, then a person decides; the key never
changes.
"""

import pytest

from tests.support.hubs import ORDER, HubProcess, small_workspace
from tests.support.waiting import wait_until


@pytest.fixture
def hub(tmp_path, sink, store_url):
    made = HubProcess(small_workspace(tmp_path / "workspace", sink.url), store_url).start()
    yield made
    made.stop()


def test_attempts_follow_the_policy_then_dead_and_a_replay_delivers_under_the_same_key(hub, sink):
    # Given a target that answers 503, when an order is posted
    sink.script = lambda number, key: (503, {}, b"")
    caller = hub.caller("shop")
    message_id = caller.post("/api/v1/shop/order.placed", ORDER, "m1").json()["data"]["messageId"]
    [line] = hub.delivered(message_id)
    # Then it was tried three times, as the route says, 100 ms apart or more, and is dead with a reason
    assert (line["status"], len(line["attempts"]), line["why"]["reason"]) == ("dead", 3, "exhausted")
    assert [one["outcome"] for one in line["attempts"]] == ["retry", "retry", "dead"]
    # When the target is well again and the dead letter is replayed
    sink.script = lambda number, key: (200, {}, b"{}")
    assert [row["id"] for row in hub.json("dead", "list")] == [line["id"]]
    assert hub.json("dead", "replay", line["id"]) == {line["id"]: "reopened"}
    [line] = wait_until(
        lambda: [one for one in hub.ops(f"/messages/{message_id}")["deliveries"] if one["status"] == "delivered"],
        what="the replay",
    )
    # Then it arrived under the one Idempotency-Key of all its attempts
    assert len(line["attempts"]) == 4
    assert set(sink.keys) == {line["id"]}
    assert hub.ops("/conservation")["unaccounted"] == 0


def test_a_refusal_is_dead_at_once_and_the_key_behind_it_waits(hub, sink):
    sink.script = lambda number, key: (422, {}, b'{"code": 42200, "message": "no such sku"}')
    caller = hub.caller("shop")
    first = caller.post("/api/v1/shop/order.placed", ORDER, "m1").json()["data"]["messageId"]
    [line] = hub.delivered(first)
    assert (line["status"], len(line["attempts"]), line["why"]["reason"]) == ("dead", 1, "refused")
    assert "no such sku" in line["why"]["text"]


def test_retry_after_is_honoured(hub, sink):
    sink.script = lambda number, key: (429, {"retry-after": "1"}, b"") if number == 1 else (200, {}, b"{}")
    message_id = hub.caller("shop").post("/api/v1/shop/order.placed", ORDER, "m1").json()["data"]["messageId"]
    [line] = hub.delivered(message_id)
    first, second = line["attempts"]
    assert line["status"] == "delivered"
    assert (first["outcome"], first["status"], first["why"]["reason"]) == ("retry", 429, "throttled")
    assert second["startedAt"] > first["endedAt"]


def test_sigterm_stops_in_good_order_and_the_next_start_goes_on(hub, sink):
    sink.script = lambda number, key: (503, {}, b"")
    message_id = hub.caller("shop").post("/api/v1/shop/order.placed", ORDER, "m1").json()["data"]["messageId"]
    hub.stop()
    sink.script = lambda number, key: (200, {}, b"{}")
    hub.start()
    [line] = hub.delivered(message_id)
    assert line["status"] == "delivered"
    assert set(sink.keys) == {line["id"]}
