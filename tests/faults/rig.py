"""Many machines on one: two web processes, three workers, two schedulers, on a PostgreSQL and a RabbitMQ that may be
hurt. The load and the sink run outside the faults.
"""

import http.server
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

import requests
import sqlalchemy as sa

from hub.catalog.scaffold.new_workspace import init
from tests.support.brokers import RabbitMQ
from tests.support.hubs import MASTER, ROOT, Caller, free_port
from tests.support.postgres import Postgres
from tests.support.waiting import wait_until
from tests.support.wire import Wire

ROLES = ("web-1", "web-2", "worker-1", "worker-2", "worker-3", "scheduler-1", "scheduler-2")
RETRY = "{attempts: 200, first: 200ms, factor: 1.5, max: 3s, jitter: full, give_up_after: 1d}"


class Journal(http.server.ThreadingHTTPServer):
    """A target that knows its keys: each is applied once, and every application is written down with when it began and
    ended.
    """

    daemon_threads = True
    request_queue_size = 512

    def __init__(self):
        self.effects, self.requests = [], 0
        self._applied = {}
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Applies)
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def apply(self, key):
        start = time.monotonic_ns()
        with self._lock:
            self.requests += 1
            if self._applied.setdefault(key, start) != start:
                return
        end = time.monotonic_ns()
        self.effects.append({"key": key, "start": start, "end": end})


class _Applies(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.apply(self.headers["idempotency-key"])
        self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

    def log_message(self, *_):
        pass


class Rig:
    """The hub in its roles, each a process of its own, and what it stands on."""

    def __init__(self, folder, seed):
        self.folder = folder
        self.choice = random.Random(seed)
        self.postgres = Postgres(fsync="on", synchronous_commit="on").start()
        self.postgres.create("hub")
        self.rabbit = RabbitMQ().start()
        self.sink = Journal()
        self.store_wire, self.bell_wire = Wire(self.postgres.port, seed), Wire(self.rabbit.port, seed)
        workspace = folder / "workspace"
        init(workspace)
        _tune(workspace, self.sink.url)
        self.store_url = self.postgres.url("hub", self.store_wire.port)
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "HUB_WORKSPACE": str(workspace),
            "HUB_STORE": self.store_url,
            "HUB_BROKER": self.rabbit.url.replace(str(self.rabbit.port), str(self.bell_wire.port)),
            "HUB_ALLOW_CIDRS": "127.0.0.0/8",
            "HUB_MASTER_KEY": MASTER,
            "HUB_LEASE": "8",
            "HUB_SWEEP": "0.5",
            "HUB_LOG_LEVEL": "error",
            "HUB_GRACE": "10",
        }
        self.ports = {"web-1": free_port(), "web-2": free_port()}
        self.processes = {}
        self.log = (folder / "hub.log").open("ab")
        subprocess.run([sys.executable, "-m", "hub", "apply"], env=self.environment, check=True, capture_output=True)
        made = subprocess.run(
            [sys.executable, "-m", "hub", "key", "create", "load", "--system", "shop", "--json"],
            env=self.environment,
            check=True,
            capture_output=True,
        )
        told = json.loads(made.stdout)
        self.key = (told["key"], told["secret"])

    def start(self):
        for role in ROLES:
            self.start_role(role)
        for role in self.ports:
            self.wait_ready(role)
        return self

    def wait_ready(self, role):
        wait_until(lambda: is_ready(self.ports[role]), seconds=60, what=f"{role}, ready")

    def start_role(self, role):
        environment = {**self.environment, "HUB_PORT": str(self.ports.get(role, 0))}
        words = [sys.executable, "-m", "hub", role.partition("-")[0]]
        self.processes[role] = subprocess.Popen(words, env=environment, stdout=self.log, stderr=self.log)

    def kill(self, role):
        process = self.processes[role]
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        self.start_role(role)

    def revive(self):
        """Whoever has ended by itself meanwhile is started again, as any supervisor would."""
        for role, process in list(self.processes.items()):
            if process.poll() is not None:
                self.start_role(role)

    def rows(self):
        engine = sa.create_engine(self.postgres.url("hub"))
        with engine.connect() as connection:
            deliveries = [
                dict(row)
                for row in connection.execute(
                    sa.text("SELECT id, lane, order_key, seq, status FROM delivery")
                ).mappings()
            ]
            known = list(connection.execute(sa.text("SELECT key FROM idempotency")).scalars())
            planned = connection.execute(sa.text("SELECT coalesce(sum(planned), 0) FROM message")).scalar_one()
        engine.dispose()
        return deliveries, known, planned

    def waiting(self):
        engine = sa.create_engine(self.postgres.url("hub"))
        with engine.connect() as connection:
            count = connection.execute(
                sa.text("SELECT count(*) FROM delivery WHERE status NOT IN ('delivered', 'cancelled', 'superseded')")
            ).scalar_one()
        engine.dispose()
        return count

    def stop(self):
        for process in self.processes.values():
            process.send_signal(signal.SIGCONT)
            process.terminate()
        stuck = []
        for role, process in self.processes.items():
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                stuck.append(role)
                process.kill()
                process.wait(30)
        for one in (self.store_wire, self.bell_wire):
            one.close()
        self.rabbit.stop()
        self.postgres.stop()
        self.sink.shutdown()
        self.sink.server_close()
        self.log.close()
        assert not stuck, f"{', '.join(stuck)} did not end within 30 s of SIGTERM"


def _tune(workspace, sink_url):
    routes = workspace / "routes.yaml"
    text = routes.read_text("utf-8")
    start = text.index("  retry:")
    routes.write_text(text[:start] + f"  retry: {RETRY}" + text[text.index("\n", start) :], "utf-8")
    shop = workspace / "adapters" / "shop" / "system.yaml"
    shop.write_text(shop.read_text("utf-8").replace("    dedupe_by: [orderNo]\n", ""), "utf-8")
    warehouse = workspace / "adapters" / "warehouse" / "system.yaml"
    warehouse.write_text(warehouse.read_text("utf-8").replace("http://127.0.0.1:9001", sink_url), "utf-8")


def is_ready(port):
    try:
        return requests.get(f"http://127.0.0.1:{port}/health/ready", timeout=2).ok
    except requests.RequestException:
        return False


class Load(threading.Thread):
    """So many posts a second over both web processes. Each is sent until it is answered 2xx, under its own name;
    `accepted` has the names that were.
    """

    def __init__(self, rig, per_second, keys=200, senders=16, ports=None):
        super().__init__(daemon=True)
        self._ports = ports or list(rig.ports.values())
        self._rig, self._per_second, self._keys = rig, per_second, keys
        self.posted, self.accepted, self.statuses = 0, [], {}
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._senders = [threading.Thread(target=self._send, daemon=True) for _ in range(senders)]
        self._queue = []
        self._there = threading.Semaphore(0)

    def run(self):
        for sender in self._senders:
            sender.start()
        began = time.monotonic()
        while not self._ending.is_set():
            due = int((time.monotonic() - began) * self._per_second)
            while self.posted < due:
                self._queue.append(self.posted)
                self.posted += 1
                self._there.release()
            time.sleep(0.01)

    def end(self, seconds=120):
        """No new posts; waits until each that was begun is accepted."""
        self._ending.set()
        self.join(10)
        wait_until(
            lambda: len(self.accepted) == self.posted,
            seconds=seconds,
            what=f"all posts accepted ({len(self.accepted)} of {self.posted})",
        )

    def _send(self):
        callers = [Caller(f"http://127.0.0.1:{port}", *self._rig.key) for port in self._ports]
        turn = 0
        while True:
            self._there.acquire()
            number = self._queue.pop(0)
            body = json.dumps(
                {"orderNo": f"SO-{number % self._keys}", "items": [{"sku": f"S-{number}", "quantity": 1}]}
            ).encode()
            while True:
                turn += 1
                try:
                    status = (
                        callers[turn % len(callers)].post("/api/v1/shop/order.placed", body, f"n-{number}").status_code
                    )
                except requests.RequestException:
                    status = 0
                with self._lock:
                    self.statuses[status] = self.statuses.get(status, 0) + 1
                if status == 202:
                    self.accepted.append(f"n-{number}")
                    break
                time.sleep(0.1)


class Nemesis(threading.Thread):
    """One fault after another, drawn by the seed; each is healed before the next. `done` counts them."""

    def __init__(self, rig):
        super().__init__(daemon=True)
        self._rig = rig
        self._stopping = threading.Event()
        self.done = {}

    def run(self):
        choice = self._rig.choice
        while not self._stopping.wait(choice.uniform(0.3, 2.0)):
            fault = choice.choice(FAULTS)
            fault(self._rig, choice)
            self.done[fault.__name__] = self.done.get(fault.__name__, 0) + 1
            self._rig.revive()

    def end(self):
        self._stopping.set()
        self.join(120)
        for wire in (self._rig.store_wire, self._rig.bell_wire):
            wire.heal()
        for process in self._rig.processes.values():
            process.send_signal(signal.SIGCONT)
        self._rig.revive()


def kill_a_process(rig, choice):
    rig.kill(choice.choice(ROLES))


def kill_a_worker(rig, choice):
    rig.kill(choice.choice([role for role in ROLES if role.startswith("worker")]))


def stop_a_process_beyond_its_lease(rig, choice):
    process = rig.processes[choice.choice(ROLES)]
    process.send_signal(signal.SIGSTOP)
    time.sleep(choice.uniform(1, 10))
    process.send_signal(signal.SIGCONT)


def restart_the_broker(rig, choice):
    rig.rabbit.kill()
    time.sleep(choice.uniform(0, 2))
    rig.rabbit.start()


def purge_the_broker(rig, choice):
    rig.rabbit.purge()


def stop_the_database_at_once(rig, choice):
    rig.postgres.stop_now()
    time.sleep(choice.uniform(0, 2))
    rig.postgres.start()


def cut_wires(rig, choice):
    choice.choice([rig.store_wire, rig.bell_wire]).cut(choice.choice([0.3, 1.0]))


def slow_wires(rig, choice):
    wire = choice.choice([rig.store_wire, rig.bell_wire])
    wire.delay_s = choice.uniform(0.01, 0.2)
    time.sleep(choice.uniform(1, 4))
    wire.heal()


def silence_the_broker(rig, choice):
    rig.bell_wire.is_silent = True
    time.sleep(choice.uniform(1, 6))
    rig.bell_wire.heal()
    rig.bell_wire.cut()


def silence_the_database(rig, choice):
    rig.store_wire.is_silent = True
    time.sleep(choice.uniform(0.5, 3))
    rig.store_wire.heal()
    rig.store_wire.cut()


FAULTS = (
    kill_a_process,
    kill_a_worker,
    stop_a_process_beyond_its_lease,
    restart_the_broker,
    purge_the_broker,
    stop_the_database_at_once,
    cut_wires,
    slow_wires,
    silence_the_broker,
    silence_the_database,
)
