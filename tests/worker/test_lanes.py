"""Workers that are dedicated to some targets: they hear of these alone, over the broker and without it."""

import json

import pytest

from hub.settings import BadSetting, read
from hub.transport.notifier import LocalNotifier
from tests.support.hubs import ORDER, HubProcess, small_workspace
from tests.support.waiting import wait_until


def test_a_bell_for_some_lanes_is_deaf_to_the_others():
    bell = LocalNotifier(frozenset({"wms"}))
    bell.notify(["tms", "wms"])
    assert bell.wait(0.0) == {"wms"}
    bell.notify(["tms"])
    assert bell.wait(0.0) == set()


def test_the_names_are_checked():
    assert read({"HUB_LANES": "wms, tms"}).lanes == {"wms", "tms"}
    with pytest.raises(BadSetting, match="WMS"):
        read({"HUB_LANES": "WMS"})


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_a_dedicated_worker_leaves_other_targets_alone(tmp_path, sink, store_url):
    # Given a worker that is dedicated to another system than the one that the order goes to
    hub = HubProcess(small_workspace(tmp_path / "workspace", sink.url), store_url, hub_lanes="shop")
    assert hub.run("apply")[0] == 0
    hub.start("web")
    hub.start("worker")
    try:
        message_id = hub.caller("shop").post("/api/v1/shop/order.placed", ORDER, "m1").json()["data"]["messageId"]
        wait_until(lambda: "hub_workers 1.0" in hub.metrics(), what="a worker that has looked")
        assert [line["status"] for line in hub.ops(f"/messages/{message_id}")["deliveries"]] == ["pending"]
        # When one comes that has that target among its own, then the order goes out
        hub.environment["HUB_LANES"] = "shop,warehouse"
        hub.start("worker", 2)
        [line] = hub.delivered(message_id, 30)
        assert line["status"] == "delivered"
        assert json.loads(sink.requests[0][2])["orderNo"] == "SO-1"
    finally:
        hub.stop()
