"""The only wiring: settings and secrets in, a running hub out. Nobody else reads the environment, resolves a reference or starts a server.

Imports everything but the command line. Third parties that live here: granian, opentelemetry (an extra).
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from hub.core.queue import Queue
from hub.flow.callers import Callers
from hub.flow.committing import MeasuredAdd
from hub.flow.counts import Counts
from hub.flow.hub import Hub
from hub.flow.keep import check_keeping
from hub.flow.revisions import Revisions
from hub.flow.ringing import CountedBell
from hub.http.app import make_app
from hub.http.front import Front
from hub.http.listener import Listener
from hub.kit.brokers import make_queue_source
from hub.kit.http import Sender
from hub.kit.source import QueueSource
from hub.logs import about, event
from hub.main.clock import new_id as new_id
from hub.main.clock import now as now
from hub.main.neighbours import check_secrets
from hub.main.telemetry import open_spans
from hub.main.wiring import wire
from hub.settings import BadSetting, Settings
from hub.store import GroupCommit, Store, open_store
from hub.transport.bell import Bell, Both, EmbeddedBell
from hub.transport.celery import CeleryBell
from hub.vault import Vault, VaultError, new_master_key, read_master_key, resolve
from hub.worker.celery import Ears
from hub.worker.keeper import Keeper
from hub.worker.loop import Loop
from hub.worker.queues import Queues
from hub.worker.scheduler import Scheduler
from hub.worker.ticker import Ticker

MAX_CONNECTIONS = 1_024
KEY_FILE = "master.key"


def open_vault(settings: Settings) -> Vault:
    """The vault under the master key of the settings; without one, under a key file beside the embedded store, made on first use.

    Raises VaultError. On PostgreSQL and MariaDB there is no file that all processes share, so the key must be set.
    """
    if settings.master_key:
        text = settings.master_key
        return Vault(read_master_key(resolve(text, settings.environment) if text.startswith(("env:", "file:")) else text))
    if not settings.store.startswith("sqlite"):
        raise VaultError("HUB_MASTER_KEY is not set; all processes of one store need the same. Make one: hub key master")
    path = Path(settings.store.split("///", 1)[-1]).absolute().parent / KEY_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return Vault(read_master_key(resolve(f"file:{path}", {})))
    key = new_master_key()
    with os.fdopen(handle, "w") as file:
        file.write(key)
        file.flush()
        os.fsync(handle)  # what is sealed under it must not outlive it
    return Vault(read_master_key(key))


@dataclass(frozen=True, slots=True)
class Running:
    """A hub with its bell, before anything serves."""

    hub: Hub
    bell: EmbeddedBell  # what this process itself hears

    def sender(self) -> Sender:
        return Sender(self.hub.settings.allow_cidrs)

    def source(self, queue: Queue) -> QueueSource:
        return make_queue_source(self.hub.values(queue.system).get(queue.broker, ""), queue)


@contextmanager
def running(settings: Settings, store: Store, role: str = "") -> Iterator[Running]:
    """Wires a hub over a store that is migrated and has an active revision. Closing drains the group commit.

    Raises NoRevision, BadWorkspace, BadSetting, VaultError.
    """
    catalogs = Revisions(store)
    check_secrets(catalogs.active(), settings)
    check_keeping(settings, catalogs.active())
    near = EmbeddedBell()
    far = CeleryBell(settings.broker) if settings.broker else None
    bell: Bell = near if far is None else Both(near, far)
    counts = Counts()
    counted = CountedBell(bell, counts)
    worker = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
    spans = open_spans(settings, role, worker)
    commit = GroupCommit(cast("Store", MeasuredAdd(store, counts, spans)), counted.ring)  # it adds, and asks for nothing else
    callers = Callers(store, open_vault(settings))
    hub = wire(settings, store, catalogs=catalogs, callers=callers, commit=commit, bell=counted, counts=counts, worker=worker, role=role, spans=spans)
    try:
        yield Running(hub, near)
    finally:
        commit.drain(settings.grace)
        if spans is not None:
            spans.close()
        if far is not None:
            far.close()


def serve(settings: Settings, *, web: bool = False, work: bool = False, schedule: bool = False, ready: Callable[[Running], None]) -> None:
    """Runs a web process, a worker, a scheduler, or all in one (`hub up`), until SIGTERM or SIGINT. `ready` is called once it takes work.

    Stopping: no new request and no new claim; what is under way is finished within the grace, the group commit is drained.
    """
    with open_serving(settings, writer=True) as store, running(settings, store, _role(web=web, work=work)) as made:
        about(role=made.hub.role, process=made.hub.worker)
        loop = Loop(made.hub, made.bell, made.sender) if work else None
        ears = Ears(settings.broker, made.bell.ring, lambda: set(made.hub.catalogs.active().systems)) if work and settings.broker else None
        ticker = Ticker(made.hub, rings=made.bell.ring if work else None)
        queues = Queues(made.hub, made.source) if work else None
        scheduler = Scheduler(made.hub) if schedule else None
        keeper = Keeper(made.hub) if schedule or work else None
        with _watched(made.hub, lambda: ticker.ticked_at):
            ticker.start()
            for part in (loop, queues, ears, scheduler, keeper):
                if part is not None:
                    part.start()
            try:
                if web:
                    front = Front(made.hub, make_app(made.hub, ticked_at=lambda: ticker.ticked_at))
                    asyncio.run(_serve(front, settings, lambda: ready(made)))
                else:
                    _wait(lambda: ready(made))
            finally:
                if ears is not None:
                    ears.stop()
                if scheduler is not None:
                    scheduler.stop(settings.grace)
                if keeper is not None:
                    keeper.stop(0)
                began = time.monotonic()
                # First no new messages, then no new claims: both within one grace.
                drained = queues is None or queues.stop(settings.grace)
                ended = (loop is None or loop.stop(max(0.0, settings.grace - time.monotonic() + began))) and drained
                ticker.stop(settings.grace)
                if keeper is not None:
                    keeper.stop(1.0)  # it ended while the others did; a block that is still under way is whole, or undone
                if not ended:
                    event("stop.unfinished", "what was under way comes back when its lease ends", level="warning")
                elif work:
                    ticker.sign_off()


def _role(*, web: bool, work: bool) -> str:
    return "up" if web and work else "web" if web else "worker" if work else "scheduler"


@contextmanager
def _watched(hub: Hub, ticked_at: Callable[[], float]) -> Iterator[None]:
    """The port for metrics and health, if the settings want one. It ends last: who watches sees a process stop."""
    if not hub.settings.metrics_port:
        yield
        return
    try:
        listener = Listener(hub, hub.settings.host, hub.settings.metrics_port, ticked_at)
    except OSError as error:
        raise BadSetting(f"HUB_METRICS_PORT={hub.settings.metrics_port} cannot be listened on: {error}") from error
    listener.start()
    try:
        yield
    finally:
        listener.stop()


def _wait(ready: Callable[[], None]) -> None:
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    ready()
    stopped.wait()


@contextmanager
def open_serving(settings: Settings, *, writer: bool) -> Iterator[Store]:
    """A store with this hub's schema."""
    store = open_store(settings.store, writer=writer)
    try:
        store.migrate()
        yield store
    finally:
        store.close()


async def _serve(front: Front, settings: Settings, ready: Callable[[], None]) -> None:
    server = Server(
        front,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=30_000, keep_alive=True),
        websockets=False,
        backlog=1_024,
        backpressure=MAX_CONNECTIONS,
        log_enabled=False,
    )
    loop = asyncio.get_running_loop()
    serving = loop.create_task(server.serve())
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    await _listening(settings, serving)
    ready()
    await serving


async def _listening(settings: Settings, serving: asyncio.Task[None]) -> None:
    """Waits until the port answers; what the server raises before that is raised here."""
    for _ in range(200):
        if serving.done():
            await serving
            raise BadSetting(f"The server on {settings.host}:{settings.port} ended before it answered; is the port taken?")
        try:
            _, writer = await asyncio.open_connection(settings.host, settings.port)
        except OSError:
            await asyncio.sleep(0.025)
        else:
            writer.close()
            return
    raise BadSetting(f"Nothing answers on {settings.host}:{settings.port}.")
