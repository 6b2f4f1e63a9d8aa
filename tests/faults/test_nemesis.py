"""Many machines under random faults: nothing lost, nothing invented, no effect twice, order held, nothing stuck, the
books right.

HUB_NEMESIS_S says how long (600 by `make nemesis`), HUB_NEMESIS_SEED repeats a run's faults. Every process is real and
really killed.
"""

import os
import time

import pytest

from tests.conftest import missing
from tests.faults.rig import Load, Nemesis, Rig
from tests.support import brokers, checkers, postgres
from tests.support.waiting import wait_until

SECONDS = float(os.environ.get("HUB_NEMESIS_S", "30"))
SEED = int(os.environ.get("HUB_NEMESIS_SEED", str(time.time_ns() % 1_000_000)))
PER_SECOND = float(os.environ.get("HUB_NEMESIS_RATE", "100"))
DRAIN_S = 300


@pytest.fixture
def rig(tmp_path):
    if brokers.SERVER is None:
        missing("RabbitMQ", "no rabbitmq-server in /usr/lib/rabbitmq")
    if postgres.BIN is None:
        missing("PostgreSQL", "no server in /usr/lib/postgresql")
    made = Rig(tmp_path, SEED)
    try:
        yield made.start()
    finally:
        made.stop()


@pytest.mark.timeout(SECONDS + 900)
def test_random_faults_cost_time_alone(rig):
    print(f"seed {SEED}, {SECONDS:g} s at {PER_SECOND:g} a second")
    # Given a load that flows over two web processes
    load, nemesis = Load(rig, PER_SECOND), Nemesis(rig)
    load.start()
    time.sleep(2)
    # When one fault follows the other
    nemesis.start()
    time.sleep(SECONDS)  # how long the faults go on is the test's own size
    nemesis.end()
    load.end()
    # Then, once all is healed, everything that was accepted is delivered
    began = time.monotonic()
    wait_until(lambda: rig.waiting() == 0, seconds=DRAIN_S, what="the end of all deliveries")
    drained = time.monotonic() - began
    deliveries, known, planned = rig.rows()
    effects = rig.sink.effects
    print(
        f"{load.posted} posts, answers {load.statuses}, {len(effects)} effects by {rig.sink.requests} requests, faults {nemesis.done}, drained in {drained:.1f} s"
    )
    keys = {one["id"] for one in deliveries}
    findings = {
        "lost": checkers.lost(load.accepted, known),
        "phantom": sorted({effect["key"] for effect in effects} - keys),
        "twice": checkers.doubled(effects),
        "disordered": checkers.disordered(effects, deliveries),
        "stuck": checkers.undelivered(deliveries),
        "unapplied": checkers.unapplied(effects, deliveries),
        "unaccounted": [f"{planned} planned, {len(deliveries)} rows"] if planned != len(deliveries) else [],
        "invented": [f"{len(deliveries)} deliveries of {load.posted} posts"] if len(deliveries) != load.posted else [],
    }
    assert {name: found[:5] for name, found in findings.items() if found} == {}
