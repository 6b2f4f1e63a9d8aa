"""A million due deliveries: how long a claim takes by plan and by clock, what a worker needs to start, and what it does to a lane that is in a hurry.

python bench/million.py [--due 1000000] [--store sqlite:///FILE | postgresql+psycopg://...] (a database of its own is made on PostgreSQL)
"""

import argparse
import os
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

import sqlalchemy as sa

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from hub.core.message import Ref  # noqa: E402
from hub.store import open_store  # noqa: E402
from tests.support.hubs import HubProcess, small_workspace  # noqa: E402
from tests.support.making import TARGET, laid  # noqa: E402

URGENT = Ref("express", "order.create", 1)
BATCH = 1_000
ROUNDS = 300


def fill(store, count, target, keys):
    began = time.perf_counter()
    for start in range(0, count, BATCH):
        store.add([laid(order_key=f"{target.system}-{number % keys}", targets=(target,)) for number in range(start, min(start + BATCH, count))])
        if start % 100_000 == 0:
            print(f"  {start:>9,} of {count:,} laid, {time.perf_counter() - began:.0f} s", flush=True)
    return time.perf_counter() - began


def claims(store, lane, rounds, size=100):
    """Milliseconds per claim, each given back, so that the next one meets the same backlog."""
    times = []
    for number in range(rounds):
        began = time.perf_counter()
        held = store.claim(lane, size=size, lease_s=60, worker=f"bench-{number}")
        times.append((time.perf_counter() - began) * 1_000)
        store.return_leases(held)
    return sorted(times)


def told(name, times):
    p99 = times[min(len(times) - 1, int(len(times) * 0.99))]
    print(f"| {name} | {statistics.median(times):.1f} | {p99:.1f} | {times[-1]:.1f} |", flush=True)
    return p99


def memory(store_url):
    """The resident size in MB of a worker that is ready, and the seconds until then."""
    with tempfile.TemporaryDirectory() as folder:
        hub = HubProcess(small_workspace(Path(folder) / "workspace", "http://127.0.0.1:9009"), store_url, hub_claim_size=1)
        assert hub.run("apply")[0] == 0
        began = time.perf_counter()
        hub.start("worker")
        seconds = time.perf_counter() - began
        status = Path(f"/proc/{hub.processes['worker'].pid}/status").read_text()
        hub.kill("worker")
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1_024, seconds


def measure(url, due):
    print(f"\n{sa.make_url(url).get_backend_name()}, {due:,} due deliveries, 100 000 business keys")
    empty = memory(url)
    store = open_store(url, writer=True)
    store.migrate()
    fill(store, 2_000, URGENT, 2_000)
    print("| claim of 100 | median ms | p99 ms | longest ms |\n|---|---|---|---|")
    alone = told("a lane in a hurry, alone", claims(store, URGENT.system, ROUNDS))
    seconds = fill(store, due, TARGET, 100_000)
    print(f"laid in {seconds:.0f} s, {due / seconds:,.0f} a second")
    print("| claim of 100 | median ms | p99 ms | longest ms |\n|---|---|---|---|")
    full = told(f"the lane with {due:,} due", claims(store, TARGET.system, ROUNDS))
    beside = told("the lane in a hurry, beside it", claims(store, URGENT.system, ROUNDS))
    store.close()
    loaded = memory(url)
    print(f"p99 of the claim: {full:.1f} ms. The lane in a hurry: {beside / alone:.2f} times its p99 alone.")
    print(f"A worker starts in {empty[1]:.1f} s with {empty[0]:.0f} MB on an empty store, in {loaded[1]:.1f} s with {loaded[0]:.0f} MB on this one.")


def main():
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--due", type=int, default=1_000_000)
    words.add_argument("--store", action="append", help="an empty store; default: SQLite in a folder of its own, and PostgreSQL on its usual port")
    given = words.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        postgres = os.environ.get("HUB_TEST_POSTGRES", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres")
        name = f"crossdock_million_{os.getpid()}"
        stores = given.store or [f"sqlite:///{folder}/hub.sqlite3", "postgresql"]
        for url in stores:
            if url != "postgresql":
                measure(url, given.due)
                continue
            server = sa.create_engine(postgres, isolation_level="AUTOCOMMIT")
            with server.connect() as connection:
                connection.execute(sa.text(f"CREATE DATABASE {name}"))
            try:
                measure(sa.make_url(postgres).set(database=name).render_as_string(hide_password=False), given.due)
            finally:
                with server.connect() as connection:
                    connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    print(f"\nThis process held {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024:.0f} MB at most.")


if __name__ == "__main__":
    main()
