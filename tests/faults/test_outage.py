"""A target that is down for four hours with 100 000 deliveries waiting: nobody is given up, it is left alone, and not
overrun when it is back.

The hours are simulated (see `simulated`); the processes, the stores, the requests and the seconds of the recovery are
real. HUB_OUTAGE_WAITING and HUB_OUTAGE_HOURS set other sizes, HUB_OUTAGE_RATE another cap.
"""

import json
import os
import shutil
import time
from bisect import bisect_left
from datetime import timedelta

import pytest

from hub.store.columns import from_micros
from tests.conftest import missing
from tests.faults.simulated import Clock
from tests.support import brokers, postgres
from tests.support.hubs import HubProcess, small_workspace
from tests.support.postgres import Postgres
from tests.support.targets import Targets
from tests.support.waiting import wait_until

WAITING = int(os.environ.get("HUB_OUTAGE_WAITING", "100000"))
OUTAGE = timedelta(hours=float(os.environ.get("HUB_OUTAGE_HOURS", "4")))
RATE = int(os.environ.get("HUB_OUTAGE_RATE", "600"))
CONCURRENCY, OPEN_S, ATTEMPTS = 16, 30, 5
BATCH = 250
TREATED = f"{{concurrency: {CONCURRENCY}, rate: {RATE}/s, breaker: {{ratio: 50%, of: 20, open: {OPEN_S}s}}}}"


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request, tmp_path):
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/hub.sqlite3"
        return
    if postgres.BIN is None:
        missing("PostgreSQL", "no programs in /usr/lib/postgresql")
    made = Postgres().start()
    made.create("hub")
    yield made.url("hub")
    made.stop()


@pytest.fixture
def target():
    made = Targets(1, seconds=0.02)
    yield made
    made.stop()


@pytest.fixture
def hub(store_url, tmp_path, target, request):
    workspace = small_workspace(
        tmp_path / "workspace",
        target.urls[0],
        retry=f"{{attempts: {ATTEMPTS}, first: 10s, max: 10m, jitter: full, give_up_after: 1d}}",
    )
    routes = workspace / "routes.yaml"
    routes.write_text(
        routes.read_text("utf-8").replace("routes:\n", f"targets:\n  warehouse: {TREATED}\nroutes:\n"), "utf-8"
    )
    made = HubProcess(
        workspace, store_url, hub_test_clock=tmp_path / "clock", hub_max_batch=BATCH, hub_log_level="error"
    )
    made.roles = [("up", 1)]
    if not store_url.startswith("sqlite"):
        made.environment["HUB_BROKER"] = request.getfixturevalue("rabbit").url
        made.roles = [("web", 1), ("scheduler", 1), ("worker", 1), ("worker", 2), ("worker", 3)]
    yield made
    made.stop()


@pytest.fixture
def rabbit():
    if brokers.SERVER is None:
        missing("RabbitMQ", "no rabbitmq-server in /usr/lib/rabbitmq")
    made = brokers.RabbitMQ().start()
    yield made
    made.stop()


@pytest.fixture
def clock(hub, tmp_path, store_url):
    assert hub.run("apply")[0] == 0
    made = Clock(tmp_path / "clock", store_url)
    hub.entry = "tests.faults.simulated"
    for role, number in hub.roles:
        hub.start(role, number)
    yield made
    made.close()


def accept(hub, count):
    caller = hub.caller("shop")
    for start in range(0, count, BATCH):
        orders = [
            {"orderNo": f"SO-{number}", "items": [{"sku": "SKU-1", "quantity": 1}]}
            for number in range(start, min(start + BATCH, count))
        ]
        told = caller.post("/api/v1/shop/order.placed/batch", json.dumps(orders).encode(), f"b-{start}").json()["data"]
        assert told["accepted"] == len(orders)


def breaker(clock):
    [(state, until, trips)] = clock.rows("SELECT state, until, trips FROM breaker WHERE lane = 'warehouse'") or [
        ("closed", None, 0)
    ]
    return state, from_micros(until) if isinstance(until, int) else until, trips


def counts(clock):
    return dict(clock.rows("SELECT status, count(*) FROM delivery GROUP BY status"))


def is_over(clock):
    """Nothing waits or is under way. By the indexes over what does: counting all of it every few milliseconds would be
    a load of its own.
    """
    return not any(
        clock.rows(f"SELECT 1 FROM delivery WHERE status = '{status}' LIMIT 1") for status in ("pending", "leased")
    )


def attempts(clock):
    """How many were made, once each is written: a breaker opens before the answer that opened it is settled."""
    wait_until(
        lambda: not clock.rows("SELECT 1 FROM delivery WHERE status = 'leased' LIMIT 1"),
        seconds=120,
        what="a lane in which nothing is under way",
    )
    assert set(counts(clock)) == {"pending"}
    return clock.rows("SELECT count(*) FROM attempt")[0][0]


def probed(clock, before):
    state, _, trips = breaker(clock)
    return (state, trips) if state != "half_open" and (trips != before or state == "closed") else None


def peak(starts, seconds=1.0):
    """The most that began within one second, whichever it is."""
    return max(number + 1 - bisect_left(starts, at - int(seconds * 1e9) + 1) for number, at in enumerate(starts))


@pytest.mark.timeout(3_600)
def test_a_target_that_was_down_for_hours_gets_all_of_it_and_not_all_at_once(hub, clock, target):
    # Given a target that is away, and deliveries that wait for it
    target.set(0, is_away=True)
    begun = time.monotonic()
    accept(hub, WAITING)
    print(f"\n{WAITING} accepted in {time.monotonic() - begun:.0f} s")
    wait_until(lambda: breaker(clock)[0] == "open", seconds=120, what="an open breaker")
    first = attempts(clock)
    # When four hours pass, from each end of the breaker's time to the next
    began, probes = clock.now(), 0
    while clock.now() - began < OUTAGE:
        _, until, trips = breaker(clock)
        clock.put_forward(max(until - clock.now(), timedelta()) + timedelta(seconds=0.1))
        wait_until(lambda before=trips: probed(clock, before), seconds=120, what="the end of a probe")
        probes += 1
    # Then one was tried at a time, seldom, and nobody has been given up
    tried = attempts(clock)
    print(
        f"{clock.now() - began} down with {WAITING} waiting: {first} attempts until it was left alone, then {tried - first} in {probes} probes"
    )
    assert tried - first == probes
    assert probes <= 8 + OUTAGE / timedelta(minutes=9)
    assert first <= 40 * CONCURRENCY
    # When it is back, then everything arrives
    target.set(0, seconds=0.02)
    clock.put_forward(max(breaker(clock)[1] - clock.now(), timedelta()) + timedelta(seconds=0.1))
    wait_until(
        lambda: is_over(clock) and counts(clock) == {"delivered": WAITING},
        seconds=300 + WAITING / 50,
        what="all delivered",
    )
    seen = target.requests()
    starts = sorted(line["start"] for line in seen)
    second = [0] * (int((starts[-1] - starts[0]) / 1e9) + 1)
    for at in starts:
        second[int((at - starts[0]) / 1e9)] += 1
    draw(second)
    # Then no second and no moment had more than the cap, the rate rose step by step, and each was applied once
    highest, beside = peak(starts), max(line["beside"] for line in seen)
    print(
        f"{len(seen)} requests in {len(second)} s; at most {highest} in a second (cap {RATE}), {beside} at once (cap {CONCURRENCY})"
    )
    assert len({line["key"] for line in seen}) == len(seen) == WAITING
    assert highest <= RATE
    assert beside <= CONCURRENCY
    third = OPEN_S // 3
    ramp = [sum(second[start : start + third]) for start in range(0, OPEN_S, third)]
    print(f"in the first, second and third {third} s after it was back: {ramp}")
    assert len(second) <= OPEN_S or ramp[0] < ramp[1] < ramp[2]
    assert ramp[0] <= RATE * third / 3
    assert clock.rows("SELECT max(spent) FROM delivery")[0][0] < ATTEMPTS
    assert hub.ops("/conservation")["unaccounted"] == 0


def draw(second):
    """A line for each second of the ramp, then one for ten."""
    width = shutil.get_terminal_size((100, 20)).columns - 20
    for start, step in [
        *((at, 1) for at in range(min(OPEN_S + 5, len(second)))),
        *((at, 10) for at in range(OPEN_S + 5, len(second), 10)),
    ]:
        mean = sum(second[start : start + step]) / len(second[start : start + step])
        print(f"{start:>5} s {mean:>6.0f} {'#' * round(mean / RATE * width)}")
