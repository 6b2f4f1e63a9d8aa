"""Measures accept and deliver: single posts over kept-alive connections, load generator, hub and target as processes of
their own.

A figure counts only if every accepted message arrived. Writes bench/RESULTS.md. Not a test: a slow machine fails no
build.
"""

import argparse
import contextlib
import ipaddress
import os
import platform
import resource
import secrets
import subprocess
import sys
import tempfile
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from hub import __version__  # noqa: E402
from hub.kit.http.call import Call  # noqa: E402
from hub.kit.http.sender import Sender  # noqa: E402
from hub.kit.signature import sign_default  # noqa: E402
from tests.support.hubs import HubProcess, free_port, small_workspace  # noqa: E402

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]
CONNECTIONS = 256  # each waits for its own commit: too few of them measure the disk's flush, not the hub


def body(number):
    lines = ",".join(f'{{"sku":"SKU{index:03d}-{"x" * 40}","quantity":{index + 1}}}' for index in range(5))
    return f'{{"orderNo":"B{number:08d}-{secrets.token_hex(4)}","items":[{lines}]}}'.encode()


def spawn(*words, **environment):
    process = subprocess.Popen(
        [sys.executable, *words],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )
    assert "ready" in process.stdout.readline()
    return process


def count(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/count", timeout=10) as answer:
        return int(answer.read())


def load(url, calls, sink_port):
    """Posts all, then waits until the sink has them. Gives accepted/s, end to end/s, latencies in ms, and how many were
    lost.
    """
    sender = Sender(LOOPBACK)
    before, began = count(sink_port), time.perf_counter()
    done = list(sender.stream(calls, CONNECTIONS))
    accepted = sum(answer.status == 202 for _, answer in done)
    posted = time.perf_counter() - began
    end = time.monotonic() + 120
    while count(sink_port) - before < accepted and time.monotonic() < end:
        time.sleep(0.02)
    arrived = time.perf_counter() - began
    latencies = sorted(answer.ms for _, answer in done)
    sender.close()
    return {
        "accepted/s": accepted / posted,
        "end to end/s": accepted / arrived,
        "p50 ms": latencies[len(latencies) // 2],
        "p99 ms": latencies[int(len(latencies) * 0.99)],
        "lost": accepted - (count(sink_port) - before),
        "refused": len(done) - accepted,
    }


def measure_hub(store_url, folder, number):
    sink_port = free_port()
    sink = spawn("bench/sink.py", str(sink_port))
    hub = HubProcess(small_workspace(folder, f"http://127.0.0.1:{sink_port}"), store_url)
    hub.is_cold = True
    hub.start()
    try:
        caller = hub.caller("shop")

        def call(index):
            raw = body(index)
            headers = sign_default(caller.key, [caller.secret], f"b-{secrets.token_hex(8)}", raw, datetime.now(UTC))
            return Call(
                "POST",
                hub.url + "/api/v1/shop/order.placed",
                (*headers, ("content-type", "application/json")),
                raw,
                30.0,
            )

        load(hub.url, [call(index) for index in range(300)], sink_port)  # warm
        return load(hub.url, [call(index) for index in range(number)], sink_port)
    finally:
        hub.stop()
        sink.terminate()
        sink.wait()
        sink.stdout.close()


def measure_peer(folder, number):
    sink_port, port = free_port(), free_port()
    sink = spawn("bench/sink.py", str(sink_port))
    peer = spawn("bench/peer.py", str(port), str(folder / "peer.sqlite3"), f"http://127.0.0.1:{sink_port}/x")
    try:
        calls = [
            Call("POST", f"http://127.0.0.1:{port}/post", (("content-type", "application/json"),), body(index), 30.0)
            for index in range(number)
        ]
        return load("", calls, sink_port)
    finally:
        for process in (peer, sink):
            process.terminate()
            process.wait()
            process.stdout.close()


@contextlib.contextmanager
def database(url, force):
    """An empty database on the server at `url`; dropped afterwards. None where there is no server."""
    server = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    name = f"crossdock_bench_{secrets.token_hex(4)}"
    try:
        with server.connect() as connection:
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
    except sa.exc.OperationalError as error:
        print(f"{url.split(':')[0]} is missing: {error.orig}")
        yield None
        return
    yield sa.make_url(url).set(database=name).render_as_string(hide_password=False)
    with server.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name}{force}"))
    server.dispose()


def flush_ms():
    """What the machine itself allows: a hub that loses nothing waits for it at every commit."""
    took = []
    with tempfile.NamedTemporaryFile() as file:
        for _ in range(50):
            began = time.perf_counter()
            os.write(file.fileno(), b"x" * 4096)
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - began) * 1000)
    return sorted(took)[25]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--postgres", default="postgresql+psycopg://postgres@127.0.0.1:5432/postgres")
    parser.add_argument("--mariadb", default="mariadb+pymysql://crossdock_test:crossdock_test@127.0.0.1:3306/")
    given = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        peer = measure_peer(folder, max(500, given.messages // 5))
        rows.append(("peer: Flask, jsonschema, SQLite FULL, a commit per post, requests", peer))
        print(rows[-1], flush=True)
        rows.append(("hub, SQLite", measure_hub(f"sqlite:///{folder}/hub.sqlite3", folder / "sqlite", given.messages)))
        print(rows[-1], flush=True)
        for what, server, force in (("PostgreSQL", given.postgres, " WITH (FORCE)"), ("MariaDB", given.mariadb, "")):
            with database(server, force) as url:
                if url is not None:
                    rows.append((f"hub, {what}", measure_hub(url, folder / what, given.messages)))
                    print(rows[-1], flush=True)
    report(rows, peer, given.messages)


def report(rows, peer, number):
    lines = [
        "# Measured",
        "",
        f"`make bench` ({number} single posts of 0.4 kB over {CONNECTIONS} kept-alive connections; load generator, hub and target on one machine), "
        f"{datetime.now(UTC):%Y-%m-%d}, Crossdock {__version__}, Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"{platform.system()} {platform.release().split('-')[0]}. A figure counts only with `lost` 0. Carry the ratios, not the figures.",
        "",
        "| what | accepted/s | × peer | end to end/s | × peer | p50 ms | p99 ms | lost |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for what, row in rows:
        ratios = [f"{row[key] / peer[key]:.1f}" for key in ("accepted/s", "end to end/s")]
        lines.append(
            f"| {what} | {row['accepted/s']:.0f} | {ratios[0]} | {row['end to end/s']:.0f} | {ratios[1]} | {row['p50 ms']} | {row['p99 ms']} | {row['lost']} |"
        )
    lines += [
        "",
        f"One flush of this disk takes {flush_ms():.1f} ms (median of 50 appends with fdatasync). Peak memory of the largest child process: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024} MB.",
        "",
    ]
    (ROOT / "bench" / "RESULTS.md").write_text("\n".join(lines), "utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
