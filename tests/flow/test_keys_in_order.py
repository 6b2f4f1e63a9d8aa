"""One key of a lane that has much to do, and one whose head fails for ever: what waits for it, what goes past it, and
who can see it.
"""

import json
import re
import shutil
import time
from itertools import pairwise

import pytest

from hub.core.model.delivery import WhenDead
from tests.support.hubs import HubProcess, Sink, small_workspace
from tests.support.waiting import wait_until

LANES = [one.value for one in WhenDead]  # a target for each, named after what its route does


def order(number, quantity):
    return {"orderNo": number, "items": [{"sku": "SKU-1", "quantity": quantity}]}


class Applied(Sink):
    """Writes down what it took in: (order, number, start, end). `fails` says which it does not take, `seconds` how long
    one lasts.
    """

    def __init__(self):
        self.applied, self.tried, self.fails, self.seconds = [], [], lambda one: False, 0.0
        super().__init__()

    def took(self, key, path, body, headers):
        start, read = time.monotonic(), json.loads(body)
        one = (read["orderNo"], read["items"][0]["quantity"])
        self.tried.append(one)
        time.sleep(self.seconds)  # a target that is slow, not a test that waits
        if self.fails(one):
            return 503, {}, b"{}"
        self.applied.append((*one, start, time.monotonic()))
        return 200, {}, b"{}"

    def numbers(self, key):
        return [number for found, number, *_ in self.applied if found == key]


@pytest.fixture
def sinks():
    made = {name: Applied() for name in LANES}
    yield made
    for one in made.values():
        one.shutdown()
        one.server_close()


@pytest.fixture
def hub(tmp_path, sinks, store_url):
    folder = small_workspace(
        tmp_path / "workspace",
        "http://unused.invalid",
        retry="{attempts: 3, first: 300ms, factor: 1, max: 300ms, jitter: none}",
    )
    shop = folder / "adapters/shop/system.yaml"
    shop.write_text(shop.read_text("utf-8").replace("    dedupe_by: [orderNo]\n", ""), "utf-8")
    [mapping] = (folder / "mappings").iterdir()
    [head, _] = (folder / "routes.yaml").read_text("utf-8").split("routes:\n")
    routes = f"{head}routes:\n"
    for name in LANES:
        system = folder / "adapters" / name
        shutil.copytree(folder / "adapters/warehouse", system)
        text = (system / "system.yaml").read_text("utf-8").replace("http://unused.invalid", sinks[name].url)
        (system / "system.yaml").write_text(text.replace("name: warehouse", f"name: {name}"), "utf-8")
        (folder / "mappings" / mapping.name.replace("warehouse", name)).write_text(
            mapping.read_text("utf-8").replace("warehouse/", f"{name}/"), "utf-8"
        )
        routes += f"  to-{name}:\n    owner: fulfilment\n    from: shop/order.placed\n    order: {{when_dead: {name}}}\n    to: [{name}/order.create@1]\n"
    mapping.unlink()
    shutil.rmtree(folder / "adapters/warehouse")
    (folder / "routes.yaml").write_text(routes, "utf-8")
    made = HubProcess(folder, store_url).start()
    made.shop = made.caller("shop")
    yield made
    made.stop()


def post(hub, orders, name):
    told = hub.shop.post("/api/v1/shop/order.placed/batch", json.dumps(orders).encode(), name).json()["data"]
    assert told["accepted"] == len(orders)
    return [item["messageId"] for item in told["items"]]


def lines(hub, message_id):
    """By lane."""
    return {line["target"].partition("/")[0]: line for line in hub.ops(f"/messages/{message_id}")["deliveries"]}


def statuses(hub, message_id):
    return {lane: line["status"] for lane, line in lines(hub, message_id).items()}


def need(hub, kind, lane):
    return next(
        (one for one in hub.ops("/now")["needs"] if (one["kind"], one["subject"].get("system")) == (kind, lane)), None
    )


def test_half_of_the_traffic_on_one_key_goes_one_by_one_and_the_rest_beside_it(hub, sinks):
    # Given a target that takes 100 ms for each, when forty of one order and forty others come together
    target = sinks["park"]
    target.seconds = 0.1
    post(
        hub,
        [order("SO-HOT", place // 2 + 1) if place % 2 else order(f"SO-{place}", 1) for place in range(80)],
        "skewed",
    )
    # Then what lags is in sight while it does: how old the oldest is, how many wait, and that they are all of the one
    # key
    wait_until(lambda: sum(key != "SO-HOT" for key, *_ in target.applied) == 40, seconds=30, what="all but the one key")
    waiting = hub.ops("/waiting?target=park")
    assert {line["orderKey"] for line in waiting["items"] if line["target"].startswith("park/")} == {"SO-HOT"}
    assert waiting["count"] >= 10
    wait_until(
        lambda: float(re.search(r'hub_oldest_due_seconds\{lane="park"\} (\S+)', hub.metrics())[1]) > 1.0,
        what="a lag to be seen",
    )
    # And the one key goes in its order, one after another
    wait_until(lambda: len(target.applied) == 80, seconds=60, what="all of it")
    hot = [one for one in target.applied if one[0] == "SO-HOT"]
    assert target.numbers("SO-HOT") == list(range(1, 41))
    assert all(later[2] >= earlier[3] for earlier, later in pairwise(hot))
    # While the others went side by side, and were over before the half of it was
    others = [one for one in target.applied if one[0] != "SO-HOT"]
    assert max(sum(start <= at < end for _, _, start, end in others) for _, _, at, _ in others) >= 8
    assert max(end for *_, end in others) < hot[20][2]
    assert hub.ops("/conservation")["unaccounted"] == 0


def test_a_head_that_fails_for_ever_holds_what_its_route_says_and_the_count_behind_it_is_told(hub, sinks):
    # Given the first of an order that no target ever takes, when two more of it come while it is tried
    for sink in sinks.values():
        sink.fails = lambda one: one == ("SO-1", 1)
    [head] = post(hub, [order("SO-1", 1)], "head")
    wait_until(lambda: all(sink.tried for sink in sinks.values()), what="a first attempt at each target")
    [second, third] = post(hub, [order("SO-1", 2), order("SO-1", 3)], "behind")
    # Then it is dead where nothing newer makes it pointless
    wait_until(
        lambda: statuses(hub, head) == {"park": "dead", "block": "dead", "skip": "dead", "latest": "superseded"},
        seconds=20,
        what="the end of the head",
    )
    [other] = post(hub, [order("SO-2", 1)], "other")
    # And another order waits in the lane that is blocked alone
    wait_until(
        lambda: (
            statuses(hub, other)
            == {"park": "delivered", "block": "pending", "skip": "delivered", "latest": "delivered"}
        ),
        what="another order",
    )
    wait_until(
        lambda: {statuses(hub, third)[lane] for lane in ("skip", "latest")} == {"delivered"},
        what="the last where it may go",
    )
    assert {lane: sinks[lane].numbers("SO-1") for lane in LANES} == {
        "park": [],
        "block": [],
        "skip": [2, 3],
        "latest": [3],
    }
    assert (statuses(hub, second)["latest"], statuses(hub, second)["park"], statuses(hub, third)["block"]) == (
        "superseded",
        "pending",
        "pending",
    )
    # And who looks sees what waits behind it, and since when
    told = [("park", "SO-1", 2)]
    wait_until(
        lambda: [(one["system"], one["orderKey"], one["waiting"]) for one in hub.ops("/parked")["items"]] == told,
        what="the key that is parked",
    )
    parked = wait_until(lambda: need(hub, "parked", "park"), what="the parked key among what needs a person")
    blocked = wait_until(
        lambda: (found := need(hub, "blocked", "block")) and found["subject"]["deliveries"] == 3 and found,
        what="the lane among it",
    )
    assert (parked["count"], parked["subject"]["deliveries"], parked["subject"]["keys"]) == (1, 2, ["SO-1"])
    assert blocked["count"] == 1
    assert blocked["since"] == lines(hub, head)["block"]["changedAt"]
    metrics = hub.metrics()
    assert re.search(r'hub_parked\{lane="park"\} 2\.0', metrics)
    assert re.search(r'hub_parked\{lane="block"\} 3\.0', metrics)
    # When the targets take it now and the dead are replayed, then all goes, in its order
    for sink in sinks.values():
        sink.fails = lambda one: False
    dead = lines(hub, head)
    ids = [dead["park"]["id"], dead["block"]["id"]]
    assert hub.json("dead", "replay", *ids) == dict.fromkeys(ids, "reopened")
    wait_until(
        lambda: [sinks[lane].numbers("SO-1") for lane in ("park", "block")] == [[1, 2, 3]] * 2,
        seconds=20,
        what="what waited",
    )
    wait_until(lambda: set(statuses(hub, other).values()) == {"delivered"}, what="the other order")
    wait_until(lambda: hub.ops("/parked")["items"] == [], what="no key that is parked")
    assert hub.ops("/conservation")["unaccounted"] == 0
