"""From a post to a list of Redis and back by a queue of the same hub: told, taken in, one trace; over a server that was
killed in the midst.
"""

import json

import pytest

from tests.flow.test_bus import BUS, CONTRACT, MAPPING, ROUTE
from tests.support import brokers
from tests.support.hubs import HubProcess, small_workspace
from tests.support.waiting import wait_until

HEARD = """\
emits:
  event.heard:
    about: What came back.
    versions: {1: {state: current}}
    keys: {orderNo: orderNo}
queues:
  heard:
    queue: events
    read: {emit: bus/event.heard@1}
"""


@pytest.fixture(scope="module")
def redis():
    made = brokers.Redis().start()
    yield made
    made.stop()


def workspace(folder):
    small_workspace(
        folder,
        "http://127.0.0.1:9001",
        retry="{attempts: 50, first: 200ms, factor: 1, max: 200ms, jitter: none, give_up_after: 1h}",
    )
    bus = folder / "adapters" / "bus"
    (bus / "contracts").mkdir(parents=True)
    (bus / "system.yaml").write_text(
        BUS.replace("{exchange: events}", "{queue: events}").replace("accepts:\n", HEARD + "accepts:\n"), "utf-8"
    )
    for name in ("event", "event.heard"):
        (bus / "contracts" / f"{name}.v1.json").write_text(CONTRACT, "utf-8")
    (folder / "mappings" / "shop.order.placed.v1--bus.event.v1.yaml").write_text(MAPPING, "utf-8")
    routes = folder / "routes.yaml"
    text = routes.read_text("utf-8")
    routes.write_text(
        text[: text.index("routes:\n")]
        + "routes:\n"
        + ROUTE.replace("bus/event: {topic: 'order.{action}'}", "bus/event"),
        "utf-8",
    )
    return folder


def test_what_is_pushed_comes_back_once_each_over_a_killed_server(tmp_path, redis):
    folder = workspace(tmp_path / "workspace")
    hub = HubProcess(folder, f"sqlite:///{tmp_path}/hub.sqlite3", hub_bus_url=redis.url).start()
    try:
        caller = hub.caller("shop")

        def post(number):
            body = json.dumps({"orderNo": f"SO-{number}", "items": [{"sku": "S", "quantity": 1}]}).encode()
            return caller.post("/api/v1/shop/order.placed", body, f"m{number}").json()

        first = post(0)
        for number in range(1, 30):
            post(number)
        redis.kill()
        for number in range(30, 60):
            post(number)
        redis.start()
        wait_until(
            lambda: hub.ops("/conservation")["messages"] >= 120, seconds=60, what="sixty, and sixty that came back"
        )
        wait_until(
            lambda: hub.ops("/conservation")["deliveries"].get("delivered") == 60, seconds=30, what="sixty delivered"
        )
        heard = hub.ops("/messages?type=bus/event.heard&limit=500")["items"]
        # A push whose answer was lost goes again under the same message id, and is known when it comes out.
        assert sorted(row["keys"]["orderNo"] for row in heard) == sorted(f"SO-{number}" for number in range(60))
        [back] = [row for row in heard if row["keys"]["orderNo"] == "SO-0"]
        assert back["traceId"] == first["traceId"]
        assert hub.ops("/refused")["items"] == []
    finally:
        hub.stop()


@pytest.mark.parametrize("variable", ["http://127.0.0.1:1", "", "amqp:/x"])
def test_an_address_that_is_no_brokers_stops_the_start_and_says_so(tmp_path, variable):
    folder = workspace(tmp_path / "workspace")
    hub = HubProcess(folder, f"sqlite:///{tmp_path}/hub.sqlite3", hub_bus_url=variable or "redis:/nothing")
    code, _, err = hub.run("up")
    assert code == 1
    assert "E704" in err
    assert "broker" in err or "Redis" in err, err
