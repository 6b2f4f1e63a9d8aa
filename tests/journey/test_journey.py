"""Orders through seven systems, while the hub's processes and the warehouse are killed at random ten times: nothing
lost, nothing twice.

Every process is real and is killed by SIGKILL. `make journey` sends 2 000 (HUB_JOURNEY_ORDERS); HUB_JOURNEY_SEED
repeats a run's faults.
"""

import os
import random
import time

import pytest
import sqlalchemy as sa

from hub.store import open_store
from tests.support import checkers
from tests.support.landscape import Landscape
from tests.support.waiting import wait_until

ORDERS = int(os.environ.get("HUB_JOURNEY_ORDERS", "500"))
SEED = int(os.environ.get("HUB_JOURNEY_SEED", str(time.time_ns() % 1_000_000)))
KILLS = 10
PER_SECOND = 100
DRAIN_S = 420


@pytest.fixture
def landscape(store_url, tmp_path):
    roles = ["up"] if store_url.startswith("sqlite") else ["web", "worker"]
    made = Landscape(store_url, tmp_path, roles, speed=5).start()
    yield made
    made.stop()


def kill_ten_times(landscape, choice):
    """Ten kills of the hub's roles and the warehouse, each started again, with pauses of 0.5 to 2.5 s."""
    for _ in range(KILLS):
        victim = choice.choice([*landscape.roles, "wms"])
        time.sleep(choice.uniform(0.5, 2.5))  # the pause is the fault's own, not a wait for a state
        if victim == "wms":
            landscape.kill_sandbox("wms")
            landscape.start_sandbox("wms")
        else:
            landscape.hub.kill(victim)
            landscape.hub.start(victim)


def rows(store_url):
    """Deliveries, and the names by which posts are known, read from the store itself."""
    engine = sa.create_engine(store_url)
    with engine.connect() as connection:
        deliveries = [
            dict(row)
            for row in connection.execute(sa.text("SELECT id, lane, order_key, seq, status FROM delivery")).mappings()
        ]
        known = list(connection.execute(sa.text("SELECT idempotency.key FROM idempotency")).scalars())
    engine.dispose()
    return deliveries, known


@pytest.mark.timeout(900)
def test_orders_survive_ten_kills(landscape, store_url):
    print(f"seed {SEED}, {ORDERS} orders")
    choice = random.Random(SEED)
    # Given orders that flow, and ten kills while they do
    landscape.act("channel", "/_place", count=ORDERS, rate=PER_SECOND)
    kill_ten_times(landscape, choice)

    # When all is well again, then every order is signed for
    def arrived():
        states = [order["status"] for order in landscape.state("channel")["orders"].values()]
        return len(states) == ORDERS and all(state == "DELIVERED" for state in states)

    wait_until(arrived, seconds=DRAIN_S, what=f"the arrival of {ORDERS} orders")
    store = open_store(store_url)
    wait_until(
        lambda: (
            not any(
                number
                for status, number in store.conservation().by_status.items()
                if status.value in ("pending", "leased")
            )
        ),
        seconds=60,
        what="the drain",
    )
    deliveries, known = rows(store_url)
    effects = [line for name in landscape.systems for line in landscape.lines(name, "effects")]
    posted = [
        line["post"]
        for name in landscape.systems
        for line in landscape.lines(name, "journal")
        if line["kind"] == "posted"
    ]

    # Then nothing that was answered 2xx is lost, and every delivery arrived
    assert len(posted) >= ORDERS * 10
    assert checkers.lost(posted, known) == []
    assert checkers.undelivered(deliveries) == []
    assert checkers.unapplied(effects, deliveries) == []
    # Effects are exactly once, and in order per key
    assert checkers.doubled(effects) == []
    assert checkers.disordered(effects, deliveries) == []
    # The books are right: the hub's, the warehouse's, and the ERP's
    assert store.conservation().unaccounted == 0
    totals = landscape.state("inventory")["totals"]
    assert (totals["balanced"], totals["reserved"]) == (True, 0)
    assert landscape.state("erp")["totals"]["double"] == 0
    assert landscape.state("erp")["totals"]["orders"] == ORDERS
    store.close()
