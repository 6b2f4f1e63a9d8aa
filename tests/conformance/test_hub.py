"""What every pairing of store and bell must do alike: accept, deliver, order, retry, replay, rescue, pause, break; and
do without its broker.
"""

import contextlib
import json
import time
from collections import defaultdict

import requests

from tests.support.waiting import wait_until

LATE = {"hub_sweep": 30}  # nobody looks for work by himself within the test: what is delivered was rung


def order(number, line=0):
    return json.dumps({"orderNo": f"SO-{number}", "items": [{"sku": f"SKU-{line}", "quantity": 1}]}).encode()


def post(caller, number, message_id=None, line=0):
    answer = caller.post("/api/v1/shop/order.placed", order(number, line), message_id or f"m-{number}")
    assert answer.status_code == 202, answer.text
    return answer.json()["data"]["messageId"]


def one_of(hub, message_id):
    [line] = hub.ops(f"/messages/{message_id}")["deliveries"]
    return line


def books(hub):
    return hub.ops("/conservation")


def all_delivered(hub, count, seconds=30):
    wait_until(lambda: books(hub)["deliveries"].get("delivered") == count, seconds=seconds, what=f"{count} delivered")
    assert books(hub)["unaccounted"] == 0


def test_what_is_accepted_is_delivered_at_once(hubs):
    # One process rings itself; several ring each other by the broker. Without one, a worker looks each sweep.
    late = LATE if hubs.roles == ["up"] or hubs.broker is not None else {}
    hub = hubs.start(**late)
    caller = hub.caller("shop")
    # the ears take a moment to open; what comes before they do waits for a look
    time.sleep(1.5 if hubs.broker is not None else 0)
    began = time.monotonic()
    hub.delivered(post(caller, 1))
    assert time.monotonic() - began < 5
    ids = [post(caller, number) for number in range(2, 52)]
    all_delivered(hub, 51)
    assert sorted(hubs.sink.keys) == sorted({one_of(hub, message_id)["id"] for message_id in ids} | set(hubs.sink.keys))
    assert len(set(hubs.sink.keys)) == 51


def test_a_repeat_is_known_and_a_refusal_leaves_nothing(hubs):
    hub = hubs.start()
    caller = hub.caller("shop")
    first = post(caller, 1)
    again = caller.post("/api/v1/shop/order.placed", order(1), "m-1").json()["data"]
    assert again == {"messageId": first, "duplicate": True}
    assert caller.post("/api/v1/shop/order.placed", b'{"orderNo":"x"}', "m-2").status_code == 422
    all_delivered(hub, 1)
    assert books(hub)["messages"] == 1


def test_a_key_keeps_its_order_over_failures(hubs):
    fails, failed = {3, 4, 9, 15}, {}  # once for each: a delivery that met three of these would be dead
    seen = defaultdict(list)

    def script(number, key):
        if number not in fails or key in failed.values():
            return 200, {}, b"{}"
        failed[number] = key
        return 503, {}, b"{}"

    hubs.sink.script = script
    text = hubs.workspace / "adapters" / "shop" / "system.yaml"
    text.write_text(text.read_text("utf-8").replace("    dedupe_by: [orderNo]\n", ""), "utf-8")
    hub = hubs.start()
    caller = hub.caller("shop")
    for line in range(8):
        for number in range(4):
            post(caller, number, f"m-{number}-{line}", line)
    all_delivered(hub, 32)
    effects = []
    for index, (_key, _path, body, _headers) in enumerate(hubs.sink.requests, start=1):
        if index not in failed:
            effects.append(json.loads(body))
    for effect in effects:
        seen[effect["orderNo"]].append(effect["items"][0]["sku"])
    assert dict(seen) == {f"SO-{number}": [f"SKU-{line}" for line in range(8)] for number in range(4)}


def test_a_target_that_fails_is_tried_by_the_policy_then_dead_and_a_replay_delivers(hubs):
    hubs.sink.script = lambda number, key: (500, {}, b"{}") if number <= 3 else (200, {}, b"{}")
    hub = hubs.start()
    message_id = post(hub.caller("shop"), 1)
    [line] = hub.delivered(message_id)
    assert (line["status"], len(line["attempts"]), line["why"]["reason"]) == ("dead", 3, "exhausted")
    assert hub.run("dead", "replay", line["id"])[0] == 0
    wait_until(lambda: one_of(hub, message_id)["status"] == "delivered", what="the replayed delivery")
    assert len(set(hubs.sink.keys)) == 1


def test_a_worker_that_was_killed_is_rescued(hubs):
    hubs.sink.script = lambda number, key: (time.sleep(4), (200, {}, b"{}"))[1] if number == 1 else (200, {}, b"{}")
    hub = hubs.start(hub_lease=2)
    caller = hub.caller("shop")
    ids = [post(caller, number) for number in range(5)]
    wait_until(lambda: hubs.sink.requests, what="a request")
    role = hubs.roles[-1]
    hub.kill(role)
    hub.start(role)
    all_delivered(hub, 5)
    attempts = [one for message_id in ids for one in one_of(hub, message_id)["attempts"]]
    assert any(one["outcome"] == "outcome_not_seen" for one in attempts)
    assert len(set(hubs.sink.keys)) == 5


def test_a_breaker_leaves_a_target_alone_and_costs_no_attempt(hubs):
    is_down = [True]
    hubs.sink.script = lambda number, key: (503, {}, b"{}") if is_down[0] else (200, {}, b"{}")
    routes = hubs.workspace / "routes.yaml"
    text = routes.read_text("utf-8").replace("attempts: 3", "attempts: 40")
    routes.write_text(
        text.replace("routes:\n", "targets:\n  warehouse: {breaker: {ratio: 50%, of: 4, open: 500ms}}\nroutes:\n", 1),
        "utf-8",
    )
    hub = hubs.start()
    caller = hub.caller("shop")
    for number in range(20):
        post(caller, number)
    wait_until(lambda: len(hubs.sink.requests) >= 4, what="the first failures")
    time.sleep(1.5)
    tried = len(hubs.sink.requests)
    assert tried <= 20 + 8, "an open breaker let a storm through"
    is_down[0] = False
    all_delivered(hub, 20)


def test_a_pause_holds_for_all_processes_loses_nothing_and_keeps_the_order(hubs):
    # Given a hub that delivers, and its target and then its route paused by somebody at the command line
    text = hubs.workspace / "adapters" / "shop" / "system.yaml"
    text.write_text(text.read_text("utf-8").replace("    dedupe_by: [orderNo]\n", ""), "utf-8")
    hub = hubs.start()
    caller = hub.caller("shop")
    hub.delivered(post(caller, 0))
    [route] = [one["name"] for one in hub.ops("/routes")["items"]]
    for kind, name in (("target", "warehouse"), ("route", route)):
        assert hub.json(kind, "pause", name, "--why", "stocktaking")["changed"]
        before = len(hubs.sink.keys)
        ids = [post(caller, 1, f"{kind}-{line}", line) for line in range(5)]
        # When work would be found by ring and by sweep, then nothing reaches the target, and what waits is told
        wait_until(lambda: hub.ops("/pauses")["items"][0]["waiting"] == 5, seconds=30, what="five that wait")
        if kind == "route":
            wait_until(lambda: books(hub)["deliveries"].get("held"), seconds=30, what="the first to be set aside")
        assert len(hubs.sink.keys) == before
        # And once it is resumed, all of it goes, in its order, with its first attempt
        assert hub.json(kind, "resume", name) == {
            "kind": kind,
            "name": name,
            "paused": False,
            "changed": True,
            "waiting": 5,
        }
        for message_id in ids:
            [line] = hub.delivered(message_id, seconds=30)
            assert (line["status"], len(line["attempts"])) == ("delivered", 1)
        skus = [json.loads(body)["items"][0]["sku"] for _, _, body, _ in hubs.sink.requests[before:]]
        assert skus == [f"SKU-{line}" for line in range(5)]
    assert books(hub)["unaccounted"] == 0
    assert [one["what"] for one in hub.json("audit", "--what", "route.")] == ["route.resumed", "route.paused"]


def test_a_broker_that_is_off_costs_time_alone(hubs):
    hub = hubs.start()
    caller = hub.caller("shop")
    post(caller, 0)
    all_delivered(hub, 1)
    if hubs.broker is None:
        return
    hubs.broker.kill()
    try:
        began = time.monotonic()
        for number in range(1, 31):
            post(caller, number)
        assert time.monotonic() - began < 10, "posts waited for the broker"
        all_delivered(hub, 31)
    finally:
        hubs.broker.start()
    post(caller, 31)
    all_delivered(hub, 32)


def test_rings_that_are_purged_or_forged_change_nothing(hubs):
    hub = hubs.start()
    caller = hub.caller("shop")
    for turn in range(5):
        for number in range(10):
            post(caller, f"{turn}-{number}")
        if hubs.broker is not None:
            forge(hubs.broker.url)
            hubs.broker.purge()
    all_delivered(hub, 50)
    assert len(hubs.sink.keys) == len(set(hubs.sink.keys)) == 50


def forge(url):
    """A hundred rings that nobody rang: unknown lanes, odd arguments, another form."""
    from hub.transport.celery_notifier import RING, make_app, queue_of

    app = make_app(url, rings=True)
    with contextlib.suppress(Exception):
        for number in range(25):
            for arguments in ([["warehouse"], 1], [["../../etc"], 1], [[{"a": 1}] * 50, 1], [f"x{number}", 9]):
                app.send_task(RING, args=arguments, queue=queue_of("warehouse", url), expires=30)
    app.close()


def test_a_stop_finishes_what_is_under_way(hubs):
    # The sink takes one after the other: all ten together must stay below the route's timeout, also where one claim has
    # them all
    hubs.sink.script = lambda number, key: (time.sleep(0.2), (200, {}, b"{}"))[1]
    hub = hubs.start()
    caller = hub.caller("shop")
    for number in range(10):
        post(caller, number)
    wait_until(lambda: hubs.sink.requests, what="a request")
    hub.stop()
    for role in hubs.roles:
        hub.start(role)
    all_delivered(hub, 10)
    assert len(hubs.sink.keys) == len(set(hubs.sink.keys)) == 10
    assert requests.get(f"{hub.url}/health/ready", timeout=5).status_code == 200
