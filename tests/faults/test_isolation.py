"""One target hangs, one fails always, twenty are fast: the fast ones do not notice. With and without the bad two, by
turns, so that the machine's own moods cancel.

HUB_ISOLATION_S: seconds of each turn. HUB_ISOLATION_RATE: posts a second over the twenty together.
"""

import json
import os
import shutil
import statistics
import threading
import time

import pytest

from tests.conftest import missing
from tests.support import brokers, postgres
from tests.support.brokers import RabbitMQ
from tests.support.checkers import isolated, p99
from tests.support.hubs import ROOT, Caller, HubProcess, small_workspace
from tests.support.postgres import Postgres
from tests.support.targets import Targets
from tests.support.waiting import wait_until

SECONDS = float(os.environ.get("HUB_ISOLATION_S", "25"))
RATE = float(os.environ.get("HUB_ISOLATION_RATE", "80"))
FAST = 20
HANGS, FAILS = FAST, FAST + 1
HANG_S, TIMEOUT_S = 20, 25
SENDERS = 12
TREATED = "{breaker: {ratio: 50%, of: 20, open: 5s}}"


def landscape(folder, urls):
    """The small workspace with a warehouse at each of `urls`; an order goes to the one that its first line names."""
    workspace = small_workspace(
        folder,
        "http://127.0.0.1:9001",
        retry="{attempts: 1000, first: 1s, factor: 2, max: 5s, jitter: full, give_up_after: 1d}",
    )
    mapping = workspace / "mappings" / "shop.order.placed.v1--warehouse.order.create.v1.yaml"
    routes = []
    for number, url in enumerate(urls):
        name = f"warehouse-{number:02d}"
        shutil.copytree(workspace / "adapters" / "warehouse", workspace / "adapters" / name)
        system = workspace / "adapters" / name / "system.yaml"
        system.write_text(
            system.read_text("utf-8").replace("name: warehouse", f"name: {name}").replace("http://127.0.0.1:9001", url),
            "utf-8",
        )
        copy = mapping.with_name(mapping.name.replace("warehouse", name))
        copy.write_text(mapping.read_text("utf-8").replace("warehouse/", f"{name}/"), "utf-8")
        routes.append(
            f"  to-{name}:\n    owner: fulfilment\n    from: shop/order.placed\n    when: items[0].sku = '{name}'\n    to: [{name}/order.create@1]\n"
        )
    mapping.unlink()
    shutil.rmtree(workspace / "adapters" / "warehouse")
    file = workspace / "routes.yaml"
    head = file.read_text("utf-8").split("routes:\n")[0].replace("timeout: 5s", f"timeout: {TIMEOUT_S}s")
    file.write_text(f"{head}targets:\n  warehouse-{FAILS:02d}: {TREATED}\nroutes:\n{''.join(routes)}", "utf-8")
    shop = workspace / "adapters" / "shop" / "system.yaml"
    shop.write_text(shop.read_text("utf-8").replace("    order_by: orderNo\n", ""), "utf-8")
    return workspace


@pytest.fixture
def targets():
    made = Targets(FAST + 2)
    yield made
    made.stop()


@pytest.fixture
def rabbit():
    made = RabbitMQ().start()
    yield made
    made.stop()


@pytest.fixture
def postgres_url():
    made = Postgres(fsync="on", synchronous_commit="on", min_wal_size="512MB").start().wear_in()
    made.create("hub")
    yield made.url("hub")
    made.stop()


@pytest.fixture(params=["one process on SQLite", "web, two workers and a scheduler on PostgreSQL and RabbitMQ"])
def hub(request, tmp_path, targets):
    if request.param.startswith("one"):
        made, roles = (
            HubProcess(landscape(tmp_path / "workspace", targets.urls), f"sqlite:///{tmp_path}/hub.sqlite3"),
            [("up", 1)],
        )
    else:
        if brokers.SERVER is None or postgres.BIN is None:
            missing("RabbitMQ or PostgreSQL", "not both are installed")
        made = HubProcess(landscape(tmp_path / "workspace", targets.urls), request.getfixturevalue("postgres_url"))
        made.environment["HUB_BROKER"] = request.getfixturevalue("rabbit").url
        roles = [("web", 1), ("worker", 1), ("worker", 2), ("scheduler", 1)]
    made.environment |= {"HUB_SWEEP": "1.0", "HUB_LOG_LEVEL": "error"}
    assert made.run("apply")[0] == 0
    for role, number in roles:
        made.start(role, number)
    yield made
    made.stop()


class Posts:
    """Posts at an even rate, each to the next of `numbers`; gives when each was begun, by its order's number, once all
    are accepted.
    """

    def __init__(self, hub):
        made = hub.caller("shop")
        self._callers = [Caller(made.base, made.key, made.secret) for _ in range(SENDERS)]
        self._turn = 0

    def run(self, numbers, per_second, seconds):
        self._turn += 1
        began, due, lock, failed = {}, iter(range(int(per_second * seconds))), threading.Lock(), []
        start = time.monotonic()

        def send(caller):
            while True:
                with lock:
                    number = next(due, None)
                if number is None:
                    return
                time.sleep(max(0.0, start + number / per_second - time.monotonic()))
                order = f"SO-{self._turn}-{number}"
                line = {"sku": f"warehouse-{numbers[number % len(numbers)]:02d}", "quantity": 1}
                began[order] = time.monotonic_ns()
                answer = caller.post(
                    "/api/v1/shop/order.placed", json.dumps({"orderNo": order, "items": [line]}).encode(), order
                )
                if answer.status_code != 202:
                    failed.append(answer.status_code)

        threads = [threading.Thread(target=send, args=(caller,)) for caller in self._callers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failed
        return began


def turn(hub, targets, posts, *, bad, seconds):
    """One turn; latencies in ms from the post to the effect, per fast target. With `bad`, two more get posts: the one
    that hangs and the one that fails.
    """
    targets.forget()
    targets.set(HANGS, seconds=HANG_S)
    targets.set(FAILS, status=503)
    each = RATE / FAST
    numbers = list(range(FAST + 2 * bad))
    began = posts.run(numbers, each * len(numbers), seconds)
    fast = len([order for order in began if int(order.rsplit("-", 1)[1]) % len(numbers) < FAST])
    wait_until(
        lambda: len({line["order"] for line in targets.requests() if line["target"] < FAST}) >= fast,
        seconds=300,
        what="all fast effects",
    )
    latencies = {}
    for line in targets.requests():
        if line["target"] < FAST:
            latencies.setdefault(line["target"], []).append((line["start"] - began[line["order"]]) / 1e6)
    beside = [line for line in targets.requests() if line["target"] >= FAST]
    # Before the next turn nothing of this one is left
    targets.set(HANGS)
    targets.set(FAILS)
    wait_until(
        lambda: (
            not hub.ops("/conservation")["deliveries"].get("pending", 0)
            + hub.ops("/conservation")["deliveries"].get("leased", 0)
        ),
        seconds=300,
        what="a drained hub",
    )
    return latencies, beside


def merge(turns):
    return {number: [one for latencies in turns for one in latencies.get(number, [])] for number in range(FAST)}


def compared(hub, targets, seconds, turns):
    posts = Posts(hub)
    turn(hub, targets, posts, bad=False, seconds=min(5.0, seconds))  # connections, plans and shares of places are made
    runs = {False: [], True: []}
    for _ in range(turns):
        for bad in (True, False):
            latencies, beside = turn(hub, targets, posts, bad=bad, seconds=seconds)
            runs[bad].append(latencies)
            if bad:
                assert {line["target"] for line in beside} == {HANGS, FAILS}
                assert all(line["status"] == 503 for line in beside if line["target"] == FAILS)
    alone, beside = merge(runs[False]), merge(runs[True])
    for name, run in (("without", alone), ("beside the bad two", beside)):
        pooled = [one for latencies in run.values() for one in latencies]
        worst = max(p99(latencies) for latencies in run.values())
        print(
            f"\n{name}: {len(pooled)} effects, p50 {statistics.median(pooled):.1f} ms, p99 {p99(pooled):.1f} ms, worst target's p99 {worst:.1f} ms",
            end="",
        )
    both = [p99([one for latencies in run.values() for one in latencies]) for run in (beside, alone)]
    print(f"\nratio of the p99s: {both[0] / both[1]:.2f}")
    return alone, beside


@pytest.mark.timeout(1_800)
def test_the_fast_ones_do_not_notice_one_that_hangs_and_one_that_fails(hub, targets):
    alone, beside = compared(hub, targets, SECONDS, 2)
    assert isolated(alone, beside, 1.3) == []


@pytest.mark.timeout(600)
def test_a_hub_with_one_limit_for_all_targets_is_found_out(tmp_path, targets):
    # Given a copy of the hub in which all targets together have one place
    shutil.copytree(ROOT / "hub", tmp_path / "copy" / "hub", ignore=shutil.ignore_patterns("__pycache__"))
    loop = tmp_path / "copy" / "hub" / "worker" / "loop.py"
    text = loop.read_text("utf-8")
    planted = text.replace(
        "done = deliver(self._hub, self._lane, sender)",
        "with ALL:\n                    done = deliver(self._hub, self._lane, sender)",
    )
    assert planted != text
    loop.write_text(planted + "\nALL = threading.Lock()\n", "utf-8")
    copy = HubProcess(landscape(tmp_path / "workspace", targets.urls), f"sqlite:///{tmp_path}/hub.sqlite3")
    copy.environment |= {"PYTHONPATH": str(tmp_path / "copy"), "PYTHONSAFEPATH": "1", "HUB_LOG_LEVEL": "error"}
    copy.is_cold = True
    copy.start()
    try:
        alone, beside = compared(copy, targets, 4.0, 1)
    finally:
        copy.stop()
    # Then the checker says so
    assert isolated(alone, beside, 1.3) != []
