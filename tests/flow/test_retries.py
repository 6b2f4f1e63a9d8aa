"""Retries are a small part of what a target is sent, over all processes, while it fails half of the time; and all of it
arrives in the end.
"""

import json
import time

import pytest

from hub.core.model.retry_budget import CELL_S, FLOOR_PER_SECOND
from tests.support.hubs import HubProcess, small_workspace
from tests.support.targets import Targets
from tests.support.waiting import wait_until

SECONDS, BATCH, EACH_S = 12, 20, 0.2  # a hundred orders a second


@pytest.fixture
def target():
    made = Targets(1, fails=0.5)
    yield made
    made.stop()


@pytest.fixture
def hub(tmp_path, target, store_url):
    folder = small_workspace(
        tmp_path / "workspace",
        target.urls[0],
        retry="{attempts: 50, first: 200ms, factor: 1, max: 200ms, jitter: full}",
    )
    made = HubProcess(folder, store_url)
    assert made.run("apply")[0] == 0
    for role, number in [("up", 1)] if store_url.startswith("sqlite") else [("web", 1), ("worker", 1), ("worker", 2)]:
        made.start(role, number)
    yield made
    made.stop()


@pytest.mark.timeout(300)
def test_of_a_steady_load_a_fifth_is_retries_however_much_fails(hub, target):
    # Given a steady load, and a target that answers half of it with 503
    caller, posted, began = hub.caller("shop"), 0, time.monotonic()
    while time.monotonic() < began + SECONDS:
        orders = [
            {"orderNo": f"SO-{number}", "items": [{"sku": "SKU-1", "quantity": 1}]}
            for number in range(posted, posted + BATCH)
        ]
        assert (
            caller.post("/api/v1/shop/order.placed/batch", json.dumps(orders).encode(), f"b-{posted}").status_code
            == 202
        )
        posted += BATCH
        time.sleep(max(0.0, began + posted / BATCH * EACH_S - time.monotonic()))  # the load's own pace
    wait_until(lambda: target.count() >= posted, seconds=60, what="a first attempt for each")
    # Then what the target saw until the last first attempt is four fifths first attempts, beside the few retries that
    # always may
    seen, firsts, retries = set(), [], []
    for line in sorted(target.requests(), key=lambda line: line["start"]):
        (retries if line["key"] in seen else firsts).append(line["start"])
        seen.add(line["key"])
    span = (firsts[-1] - firsts[0]) / 1e9
    during = sum(at <= firsts[-1] for at in retries)
    print(
        f"\n{len(firsts)} first attempts and {during} retries in {span:.1f} s: {during / (during + len(firsts)):.0%}; without limit it would be half"
    )
    assert during <= len(firsts) / 4 + FLOOR_PER_SECOND * (span + CELL_S)
    # And whoever looks at one that waits sees why
    # where it is counted by a worker, it is on that worker's own port
    assert "up" not in hub.processes or counted(hub, "hub_put_off_total") > 0
    put_off = wait_until(lambda: told(hub), what="one that is put off")
    assert "at most a fifth of what warehouse is sent may be retries" in put_off
    # When the target is well again, then all of it arrives, once each by its key
    target.set(0)
    wait_until(lambda: hub.ops("/waiting?target=warehouse")["count"] == 0, seconds=120, what="all of it")
    good = [line["key"] for line in target.requests() if line["status"] == 200]
    assert len(good) == len(set(good)) == posted
    assert hub.ops("/conservation")["unaccounted"] == 0


def told(hub):
    """Why one that waits waits, as its message's page says it under its last attempt."""
    for line in hub.ops("/waiting?target=warehouse")["items"]:
        if line["why"] is not None and "Put off by" in line["why"]["text"]:
            [way] = hub.ops(f"/messages/{line['messageId']}/stages")["deliveries"]
            return way["attempts"][-1]["next"]["why"]["text"] if way["attempts"][-1]["next"] else None
    return None


def counted(hub, name):
    return sum(float(line.rpartition(" ")[2]) for line in hub.metrics().splitlines() if line.startswith(name))
