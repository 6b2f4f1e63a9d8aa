"""The broker is a doorbell: off for the whole run, or purged over and over, it costs time alone."""

import json
import time

import pytest

from tests.conftest import missing
from tests.support import brokers
from tests.support.hubs import HubProcess, free_port, small_workspace
from tests.support.waiting import wait_until

ORDERS = 400
# On SQLite one process rings itself.
pytestmark = pytest.mark.parametrize("store_url", ["postgresql", "mariadb"], indirect=True)


def started(tmp_path, sink, store_url, broker, **environment):
    hub = HubProcess(small_workspace(tmp_path / "workspace", sink.url), store_url, hub_broker=broker, **environment)
    assert hub.run("apply")[0] == 0
    for role in ("web", "worker", "scheduler"):
        hub.start(role)
    return hub


def post(caller, number):
    body = json.dumps({"orderNo": f"SO-{number}", "items": [{"sku": "S", "quantity": 1}]}).encode()
    began = time.monotonic()
    assert caller.post("/api/v1/shop/order.placed", body, f"m{number}").status_code == 202
    return time.monotonic() - began


def delivered(hub):
    return hub.ops("/conservation")["deliveries"].get("delivered", 0)


def test_a_broker_that_is_off_for_the_whole_run(tmp_path, sink, store_url):
    hub = started(tmp_path, sink, store_url, f"amqp://guest:guest@127.0.0.1:{free_port()}//", hub_log_level="error")
    try:
        caller = hub.caller("shop")
        times = sorted(post(caller, number) for number in range(ORDERS))
        wait_until(lambda: delivered(hub) == ORDERS, seconds=60, what="all delivered")
        assert times[len(times) // 2] < 0.2, "posts wait for a broker that is not there"
        assert len(sink.keys) == len(set(sink.keys)) == ORDERS
    finally:
        hub.stop()


def test_a_broker_that_is_purged_twenty_times(tmp_path, sink, store_url):
    if brokers.SERVER is None:
        missing("RabbitMQ", "no rabbitmq-server in /usr/lib/rabbitmq")
    rabbit = brokers.RabbitMQ().start()
    hub = started(tmp_path, sink, store_url, rabbit.url, hub_sweep=1)
    try:
        caller = hub.caller("shop")
        for turn in range(20):
            for number in range(ORDERS // 20):
                post(caller, turn * (ORDERS // 20) + number)
            rabbit.purge()
        wait_until(lambda: delivered(hub) == ORDERS, seconds=60, what="all delivered")
        assert len(sink.keys) == len(set(sink.keys)) == ORDERS
        assert hub.ops("/conservation")["unaccounted"] == 0
    finally:
        hub.stop()
        rabbit.stop()
