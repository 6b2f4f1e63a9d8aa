"""A million due deliveries: how long a claim takes by plan and by clock, what a worker needs to start, and what it does
to a lane that is in a hurry.

python bench/million.py [--due 1000000] [--only sqlite | postgresql] (in a database of its own)

Ends with 1 where a claim is not found by its partial index, takes 50 ms (p99) or more, a start holds a quarter more
memory than on an empty store, or the lane in a hurry has more than 1.5 times the p99 that it has alone.
"""

import argparse
import contextlib
import dataclasses
import itertools
import json
import os
import re
import resource
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import sqlalchemy as sa

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from bench.run import count, database, spawn  # noqa: E402
from hub.core.message import Ref  # noqa: E402
from hub.store import open_store  # noqa: E402
from tests.support.brokers import RabbitMQ  # noqa: E402
from tests.support.hubs import HubProcess, Sink, free_port, small_workspace  # noqa: E402
from tests.support.making import TARGET, laid  # noqa: E402
from tests.support.waiting import wait_until  # noqa: E402

URGENT = Ref("express", "order.create", 1)
BATCH = 1_000
ROUNDS = 300
POSTS_PER_S, POSTS = 20, 1_000
CAP = "{rate: 200/s, concurrency: 16}"  # of the target that a million wait for: it can bear no more
RAW = b'{"orderNo":"B","items":[{"sku":"SKU-1","quantity":2}]}'


def two_lanes(folder, bulk_url, urgent_url):
    """The scaffold's workspace, and beside shop and warehouse a kiosk and an express service."""
    workspace = small_workspace(folder / "workspace", bulk_url)
    for old, new in (("shop", "kiosk"), ("warehouse", "express")):
        made = workspace / "adapters" / new
        shutil.copytree(workspace / "adapters" / old, made)
        text = (made / "system.yaml").read_text("utf-8").replace(f"name: {old}", f"name: {new}")
        (made / "system.yaml").write_text(text.replace(bulk_url, urgent_url), "utf-8")
    mapping = (workspace / "mappings" / "shop.order.placed.v1--warehouse.order.create.v1.yaml").read_text("utf-8")
    mapping = mapping.replace("shop/", "kiosk/").replace("warehouse/", "express/")
    (workspace / "mappings" / "kiosk.order.placed.v1--express.order.create.v1.yaml").write_text(mapping, "utf-8")
    routes = workspace / "routes.yaml"
    text = routes.read_text("utf-8").replace("routes:\n", f"targets:\n  warehouse: {CAP}\nroutes:\n", 1)
    urgent = "  urgent:\n    about: What the kiosk sells goes at once.\n    owner: fulfilment\n    from: kiosk/order.placed\n    to: [express/order.create@1]\n"
    routes.write_text(text.rstrip() + "\n" + urgent, "utf-8")
    return workspace


def fill(store, number, target, keys):
    """Lays so many deliveries, as if they had been accepted. Gives their ids, and the seconds that it took."""
    began, ids, revision = time.perf_counter(), [], store.active()
    numbers = iter(range(number))
    while some := list(itertools.islice(numbers, BATCH)):
        rows = [laid(order_key=f"{target.system}-{number % keys}", targets=(target,), raw=RAW) for number in some]
        store.add(
            [dataclasses.replace(one, message=dataclasses.replace(one.message, revision=revision)) for one in rows]
        )
        ids += [planned.id for one in rows for planned in one.deliveries] if number <= BATCH * 10 else []
        if some[0] % 100_000 == 0:
            print(f"  {some[0]:>9,} of {number:,} laid, {time.perf_counter() - began:.0f} s", flush=True)
    return ids, time.perf_counter() - began


def settle_down(url, kind):
    """What the server does by itself in the minutes after so many rows: a backlog grows over hours, and a load in bulk
    is not what is measured.
    """
    if kind == "postgresql":
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sa.text("VACUUM ANALYZE"))
            connection.execute(sa.text("CHECKPOINT"))
        engine.dispose()
        print("vacuumed, and its checkpoint written", flush=True)


def claims(store, lane, rounds=ROUNDS, size=100):
    """Milliseconds per claim, each given back, so that the next one meets the same backlog."""
    times = []
    for number in range(rounds):
        began = time.perf_counter()
        held = store.claim(lane, size=size, lease_s=60, worker=f"bench-{number}")
        times.append((time.perf_counter() - began) * 1_000)
        store.return_leases(held)
    return times


def told_head(what):
    print(f"| {what} | median ms | p99 ms | longest ms |\n|---|---|---|---|", flush=True)


def told(name, times):
    ordered = sorted(times)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    print(f"| {name} | {statistics.median(ordered):.1f} | {p99:.1f} | {ordered[-1]:.1f} |", flush=True)
    return p99


def memory(hub, role):
    """The most that a process held in MB until it was ready, and the seconds until then."""
    began = time.perf_counter()
    hub.start(role)
    seconds = time.perf_counter() - began
    status = Path(f"/proc/{hub.processes[role].pid}/status").read_text()
    hub.kill(role)
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1_024, seconds


def in_a_hurry(hub, roles, sink, name):
    """Milliseconds from a post to its effect at the target, of posts at a steady pace."""
    for role in roles:
        hub.start(role)
    caller = hub.caller("kiosk")
    posted = {}
    began = time.monotonic() + 2
    for number in range(POSTS):
        time.sleep(max(0.0, began + number / POSTS_PER_S - time.monotonic()))
        order = f"{name}-{number}"
        posted[order] = time.monotonic()
        body = json.dumps({"orderNo": order, "items": [{"sku": "S", "quantity": 1}]}).encode()
        assert caller.post("/api/v1/kiosk/order.placed", body, order).status_code == 202
    wait_until(lambda: posted.keys() <= sink.seen.keys(), seconds=120, what="all effects of the lane in a hurry")
    hub.stop()
    return [(sink.seen[order] - at) * 1_000 for order, at in posted.items()]


class Timed(Sink):
    """A target that writes down when it saw which order."""

    def __init__(self):
        self.seen = {}
        super().__init__()

    def took(self, key, path, body, headers):
        self.seen.setdefault(json.loads(body)["orderNo"], time.monotonic())
        return 200, {}, b"{}"


def walks(store, lane, kind):
    """The plan of what a claim does, as the database's own EXPLAIN tells it: whatever is scanned from end to end."""
    found, plans = [], []

    def look(connection, _cursor, statement, parameters, _context, many):
        if many or not statement.lstrip().startswith(("SELECT", "WITH", "UPDATE")) or "delivery" not in statement:
            return
        raw = connection.connection.dbapi_connection
        with contextlib.closing(raw.cursor()) as other:
            if kind == "sqlite":
                lines = [row[3] for row in other.execute("EXPLAIN QUERY PLAN " + statement, parameters).fetchall()]
                found.extend(line for line in lines if re.match(r"SCAN (d|e|b|delivery)\b(?! USING INDEX)", line))
            else:
                lines = [row[0] for row in other.execute("EXPLAIN " + statement, parameters, prepare=False).fetchall()]
                found.extend(line.strip() for line in lines if "Seq Scan on delivery" in line)
        plans.append(lines)

    sa.event.listen(sa.Engine, "before_cursor_execute", look)
    try:
        store.return_leases(store.claim(lane, size=100, lease_s=60, worker="bench"))
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", look)
    assert any("ix_delivery_due" in line for lines in plans for line in lines), "no claim went along ix_delivery_due"
    return found


def measure(url, due, folder, broker):
    """The figures of one store; what is beyond its bound, as words."""
    kind = sa.make_url(url).get_backend_name()
    print(f"\n{kind}, {due:,} due deliveries, 100 000 business keys", flush=True)
    roles = ["up"] if kind == "sqlite" else ["web", "worker"]
    port, sink = free_port(), Timed()
    bulk = spawn("bench/sink.py", str(port))
    workspace = two_lanes(folder, f"http://127.0.0.1:{port}", sink.url)
    hub = HubProcess(workspace, url, **({} if kind == "sqlite" else {"hub_broker": broker.url}))
    hub.is_cold = True
    try:
        code, out, err = hub.run("apply")
        assert code == 0, out + err
        empty = memory(hub, roles[-1])
        told_head("from a post to its effect")
        told("(the first thousand: warming)", in_a_hurry(hub, roles, sink, "warm"))
        alone = told("a lane in a hurry, alone", in_a_hurry(hub, roles, sink, "alone"))
        with contextlib.closing(open_store(url, writer=True)) as store:
            few, seconds = fill(store, 2_000, URGENT, 2_000)
            told_head("claim of 100")
            first = told("a lane in a hurry, alone", claims(store, URGENT.system))
            _, seconds = fill(store, due, TARGET, 100_000)
            print(f"laid in {seconds:.0f} s, {due / seconds:,.0f} a second")
            settle_down(url, kind)
            told_head("claim of 100")
            full = told(f"the lane with {due:,} due", claims(store, TARGET.system))
            second = told("the lane in a hurry, beside it", claims(store, URGENT.system))
            scanned = walks(store, TARGET.system, kind)
            store.cancel(few, by="bench", why="measured")
        loaded = memory(hub, roles[-1])
        told_head("from a post to its effect")
        before = count(port)
        hurried = told("a lane in a hurry, beside it", in_a_hurry(hub, roles, sink, "beside"))
        print(f"Meanwhile the other target took {count(port) - before:,}; it can bear {CAP}.")
    finally:
        hub.stop()
        bulk.terminate()
        bulk.wait()
        bulk.stdout.close()
        sink.shutdown()
        sink.server_close()
    print(
        f"p99 of the claim: {full:.1f} ms. The lane in a hurry: {second / first:.2f} times its claims alone, {hurried / alone:.2f} times end to end."
    )
    print(
        f"A {roles[-1]} starts in {empty[1]:.1f} s with {empty[0]:.0f} MB on an empty store, in {loaded[1]:.1f} s with {loaded[0]:.0f} MB on this one."
    )
    bounds = {
        f"the plan of a claim scans: {scanned[:3]}": not scanned,
        f"a claim takes {full:.0f} ms": full < 50,
        f"a start holds {loaded[0]:.0f} MB in place of {empty[0]:.0f}": loaded[0] < 1.25 * empty[0],
        f"the lane in a hurry is {hurried / alone:.2f} times as slow": hurried <= 1.5 * alone,
    }
    return [f"{kind}: {words}" for words, holds in bounds.items() if not holds]


def main():
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--due", type=int, default=1_000_000)
    words.add_argument("--only", choices=("sqlite", "postgresql"), help="one store in place of both")
    given = words.parse_args()
    postgres = os.environ.get("HUB_TEST_POSTGRES", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres")
    wrong, broker = [], None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if given.only != "postgresql":
            wrong += measure(f"sqlite:///{folder}/hub.sqlite3", given.due, folder / "sqlite", broker)
        if given.only != "sqlite":
            broker = RabbitMQ().start()
            try:
                with database(postgres, " WITH (FORCE)") as url:
                    wrong += (
                        measure(url, given.due, folder / "postgresql", broker) if url else ["PostgreSQL is missing"]
                    )
            finally:
                broker.stop()
    print(f"\nThis process held {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024:.0f} MB at most.")
    print("\n".join(wrong) or "All within their bounds.")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
