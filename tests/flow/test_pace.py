"""Breaker and rate, between a real hub and a real target: what is down is left alone, what comes back is not overrun,
and nothing is lost or dies of waiting.
"""

import json
import time
from datetime import UTC, datetime

import pytest

from hub.core.config.routing import TargetPolicy
from hub.flow.context.pace import LEAST_CLAIMED, Pace
from tests.support.hubs import HubProcess, Sink, small_workspace
from tests.support.waiting import wait_until


def order(number):
    return json.dumps({"orderNo": f"SO-{number}", "items": [{"sku": "SKU-1", "quantity": 1}]}).encode()


@pytest.fixture
def sink():
    made = Sink()
    made.at = []
    made.script = lambda number, key: made.at.append(time.monotonic()) or made.answer
    made.answer = (200, {}, b"{}")
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def start(tmp_path, sink, store_url):
    hubs = []

    def make(policy):
        workspace = small_workspace(
            tmp_path / "workspace", sink.url, retry="{attempts: 100, first: 100ms, factor: 1, max: 100ms, jitter: none}"
        )
        routes = workspace / "routes.yaml"
        routes.write_text(
            routes.read_text("utf-8").replace("routes:\n", f"targets:\n  warehouse: {policy}\nroutes:\n"), "utf-8"
        )
        hubs.append(HubProcess(workspace, store_url).start())
        return hubs[-1]

    yield make
    for hub in hubs:
        hub.stop()


def post(hub, count):
    body = b"[" + b",".join(order(number) for number in range(count)) + b"]"
    return [
        item["messageId"]
        for item in hub.caller("shop").post("/api/v1/shop/order.placed/batch", body, "b1").json()["data"]["items"]
    ]


def test_a_target_that_is_down_is_tried_seldom_and_gets_all_when_it_is_back(start, sink):
    # Given a target that answers 503, and a breaker that opens after ten
    sink.answer = (503, {}, b"{}")
    hub = start("{concurrency: 4, breaker: {ratio: 50%, of: 10, open: 1s}}")
    ids = post(hub, 60)
    wait_until(lambda: len(sink.at) >= 10, what="ten failures")
    time.sleep(4)
    # Then it saw the ten, those under way with them, and a probe or three: not forty a second
    assert len(sink.at) < 30
    assert "hub_breaker_state" in hub.metrics()
    # When it is back, then everything arrives; no delivery had spent its attempts on waiting
    sink.answer = (200, {}, b"{}")
    lines = [line for message_id in ids for line in hub.delivered(message_id, 30)]
    assert {line["status"] for line in lines} == {"delivered"}
    assert max(len(line["attempts"]) for line in lines) <= 5
    assert hub.ops("/conservation")["unaccounted"] == 0


def test_what_is_refused_for_its_own_fault_opens_nothing(start, sink):
    sink.answer = (422, {}, b"{}")
    hub = start("{breaker: {ratio: 50%, of: 2, open: 1h}}")
    for message_id in post(hub, 20):
        assert hub.delivered(message_id)[0]["status"] == "dead"
    assert len(sink.at) == 20


def test_a_rate_is_kept_over_the_whole_run(start, sink):
    # Given twenty a second, when sixty come at once
    hub = start("{rate: 20/s}")
    began = time.monotonic()
    for message_id in post(hub, 60):
        assert hub.delivered(message_id, 30)[0]["status"] == "delivered"
    # Then no second has more than twice its share (one second is saved up), and sixty take two seconds at least
    assert time.monotonic() - began > 1.5
    assert max(sum(start <= at < start + 1.0 for at in sink.at) for start in sink.at) <= 41
    assert sink.at[-1] - sink.at[0] > 1.5


def test_a_round_that_leaves_much_claims_less_the_next_time_and_soon_all_again(store):
    # Given a lane of which a round decides only a few of what it claims
    pace = Pace(store, lambda: datetime.now(UTC))
    policy = TargetPolicy()
    assert pace.fits("wms", pace.allows("wms", policy, 500)) == 500
    pace.left("wms", 500, 420)
    assert pace.fits("wms", 500) == 80
    # When it leaves nearly all, then some places stay, so that every caller has its turn
    pace.left("wms", 80, 79)
    assert pace.fits("wms", 500) == LEAST_CLAIMED
    # When nothing is left any more, then it claims twice as much each time
    for wanted in (128, 256, 500):
        pace.left("wms", LEAST_CLAIMED, 0)
        assert pace.fits("wms", 500) == wanted
