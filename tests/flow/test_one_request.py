"""One attempt is one request on the wire, however rudely a target closes its connections (fault F59, promise I9)."""

import json

from tests.support.hubs import HubProcess, small_workspace
from tests.support.sockets import CLOSE, Rude, answer


def test_requests_are_attempts_where_the_target_closes_kept_alive_connections(tmp_path, store_url):
    # Given a target that answers, and then closes the connection upon the next request without a word
    target = Rude(lambda turn: CLOSE if turn % 2 == 0 else answer())
    hub = HubProcess(
        small_workspace(
            tmp_path / "workspace", target.url, retry="{attempts: 9, first: 50ms, factor: 1, max: 50ms, jitter: none}"
        ),
        store_url,
    ).start()
    try:
        # When twenty orders are delivered
        caller = hub.caller("shop")
        bodies = [
            json.dumps({"orderNo": f"SO-{number}", "items": [{"sku": "SKU-1", "quantity": 1}]}).encode()
            for number in range(20)
        ]
        ids = [
            caller.post("/api/v1/shop/order.placed", body, f"m{number}").json()["data"]["messageId"]
            for number, body in enumerate(bodies)
        ]
        lines = [line for message_id in ids for line in hub.delivered(message_id)]
    finally:
        hub.stop()
        target.stop()
    # Then all arrived, and the target saw exactly as many requests as there are attempts
    assert {line["status"] for line in lines} == {"delivered"}
    assert len(target.seen) == sum(len(line["attempts"]) for line in lines) > len(ids)
