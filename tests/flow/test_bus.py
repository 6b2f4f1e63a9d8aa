"""From a post to a queue: a real hub, a real RabbitMQ; what is published once is there once, also over a broker that is
killed in the midst.
"""

import json

import kombu
import pytest

from hub.catalog import check
from tests.support.hubs import HubProcess, small_workspace
from tests.support.waiting import wait_until

BUS = """\
name: bus
title: The house's topics
owner: integration
accepts:
  event:
    about: What happened, for whoever listens.
    versions: {1: {state: current}}
    publish: {exchange: events}
settings:
  url: {help: The broker, default: "amqp://127.0.0.1:5672//"}
"""
CONTRACT = """\
{"type": "object", "additionalProperties": false, "required": ["orderNo", "action"],
 "properties": {"orderNo": {"type": "string", "maxLength": 64}, "action": {"enum": ["create", "cancel"]}}}
"""
ROUTE = "  told:\n    about: Whoever listens hears of orders.\n    owner: integration\n    from: shop/order.placed\n    to:\n      - bus/event: {topic: 'order.{action}'}\n"
MAPPING = "from: shop/order.placed@1\nto: bus/event@1\nfields: {orderNo: orderNo, action: {const: create}}\n"


def workspace(folder):
    small_workspace(
        folder,
        "http://127.0.0.1:9001",
        retry="{attempts: 50, first: 200ms, factor: 1, max: 200ms, jitter: none, give_up_after: 1h}",
    )
    bus = folder / "adapters" / "bus"
    (bus / "contracts").mkdir(parents=True)
    (bus / "system.yaml").write_text(BUS, "utf-8")
    (bus / "contracts" / "event.v1.json").write_text(CONTRACT, "utf-8")
    (folder / "mappings" / "shop.order.placed.v1--bus.event.v1.yaml").write_text(MAPPING, "utf-8")
    routes = folder / "routes.yaml"
    text = routes.read_text("utf-8")
    routes.write_text(text[: text.index("routes:\n")] + "routes:\n" + ROUTE, "utf-8")
    return folder


def test_orders_are_told_to_whoever_listens_also_over_a_broker_that_is_killed(tmp_path, store_url, rabbit):
    folder = workspace(tmp_path / "workspace")
    assert [finding.text for finding in check(folder) if finding.level == "error"] == []
    with kombu.Connection(rabbit.url) as connection:
        exchange = kombu.Exchange("events", type="topic", durable=True)
        queue = kombu.Queue("heard", exchange, routing_key="order.*", durable=True)(connection.channel())
        queue.declare()
        queue.purge()
    hub = HubProcess(folder, store_url, hub_bus_url=rabbit.url).start()
    try:
        caller = hub.caller("shop")

        def post(number):
            body = json.dumps({"orderNo": f"SO-{number}", "items": [{"sku": "S", "quantity": 1}]}).encode()
            return caller.post("/api/v1/shop/order.placed", body, f"m{number}").json()["data"]["messageId"]

        ids = [post(number) for number in range(40)]
        rabbit.kill()
        ids += [post(number) for number in range(40, 80)]
        rabbit.start()
        wait_until(
            lambda: hub.ops("/conservation")["deliveries"].get("delivered") == 80, seconds=60, what="eighty delivered"
        )
        [line] = hub.ops(f"/messages/{ids[0]}")["deliveries"]
        assert line["attempts"][0]["url"].endswith("/events")
        assert "guest:guest" not in json.dumps(line)
    finally:
        hub.stop()
    with kombu.Connection(rabbit.url) as connection:
        queue = kombu.Queue("heard", kombu.Exchange("events", type="topic", durable=True), durable=True)(
            connection.channel()
        )
        heard = [json.loads(message.body)["orderNo"] for message in iter(lambda: queue.get(no_ack=True), None)]
    # Given to the broker at least once each; a repeat is a message whose confirm was lost with the broker, under the
    # same message id.
    assert set(heard) == {f"SO-{number}" for number in range(80)}


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("routes.yaml", "bus/event: {topic: 'order.{action}'}", "bus/event", "is published, and has no topic"),
        ("routes.yaml", "'order.{action}'", "'order.{actoin}'", "{actoin}: the contract has no actoin"),
        ("routes.yaml", "'order.{action}'", "'order..x'", "is not a topic"),
        (
            "adapters/bus/system.yaml",
            "publish: {exchange: events}",
            "publish: {exchange: events}\n    call: POST /x",
            "publish and call stand together",
        ),
        ("adapters/bus/system.yaml", "publish: {exchange: events}", "call: POST /x", "is called, not published"),
        ("adapters/bus/system.yaml", "    publish: {exchange: events}\n", "", "an accepted message has no call"),
    ],
)
def test_a_slip_is_found_before_it_goes_live(tmp_path, file, old, new, told):
    folder = workspace(tmp_path / "workspace")
    path = folder / file
    path.write_text(path.read_text("utf-8").replace(old, new, 1), "utf-8")
    assert any(told in finding.text for finding in check(folder)), [finding.text for finding in check(folder)]
