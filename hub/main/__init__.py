"""The only wiring: settings and secrets in, a running hub out. Nobody else reads the environment, resolves a reference or starts a server.

Imports everything but the command line. Third party that lives here: granian.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from hub.core.json import Limits
from hub.flow.callers import Callers
from hub.flow.counts import Counts
from hub.flow.hub import Hub
from hub.flow.pace import Pace
from hub.flow.revisions import Revisions
from hub.http.app import make_app
from hub.http.front import Front
from hub.kit.http import Sender
from hub.logs import event
from hub.main.clock import new_id as new_id
from hub.main.clock import now as now
from hub.main.neighbours import Neighbours, check_secrets
from hub.settings import BadSetting, Settings
from hub.store import GroupCommit, Store, open_store
from hub.transport.bell import EmbeddedBell
from hub.vault import Vault, VaultError, new_master_key, read_master_key, resolve
from hub.vault.tokens import Authorities
from hub.worker.loop import Loop
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
    bell: EmbeddedBell

    def sender(self) -> Sender:
        return Sender(self.hub.settings.allow_cidrs)


@contextmanager
def running(settings: Settings, store: Store) -> Iterator[Running]:
    """Wires a hub over a store that is migrated and has an active revision. Closing drains the group commit.

    Raises NoRevision, BadWorkspace, BadSetting, VaultError.
    """
    catalogs = Revisions(store)
    check_secrets(catalogs.active(), settings)
    bell = EmbeddedBell()
    commit = GroupCommit(store, bell.ring)
    neighbours = Neighbours(settings, catalogs.active)
    hub = Hub(
        settings=settings,
        store=store,
        commit=commit,
        bell=bell,
        catalogs=catalogs,
        callers=Callers(store, open_vault(settings)),
        authorities=Authorities(lambda: Sender(settings.allow_cidrs)),
        counts=Counts(),
        pace=Pace(store, now),
        limits=Limits(settings.max_body, settings.max_depth, settings.max_values),
        targets=neighbours.target,
        values=neighbours.values,
        sources=neighbours.source,
        clock=now,
        random=random.random,
        new_id=new_id,
        worker=f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}",
    )
    try:
        yield Running(hub, bell)
    finally:
        commit.drain(settings.grace)


def serve(settings: Settings, *, web: bool, work: bool, ready: Callable[[Running], None]) -> None:
    """Runs a web process, a worker, or both in one (`hub up`), until SIGTERM or SIGINT. `ready` is called once it takes work.

    Stopping: no new request and no new claim; what is under way is finished within the grace, the group commit is drained.
    """
    with open_serving(settings, writer=True) as store, running(settings, store) as made:
        loop = Loop(made.hub, made.bell, made.sender) if work else None
        ticker = Ticker(made.hub, works=work)
        ticker.start()
        if loop is not None:
            loop.start()
        try:
            if web:
                front = Front(made.hub, make_app(made.hub, ticked_at=lambda: ticker.ticked_at))
                asyncio.run(_serve(front, settings, lambda: ready(made)))
            else:
                stopped = threading.Event()
                for number in (signal.SIGTERM, signal.SIGINT):
                    signal.signal(number, lambda *_: stopped.set())
                ready(made)
                stopped.wait()
        finally:
            ended = loop is None or loop.stop(settings.grace)
            ticker.stop(settings.grace)
            if not ended:
                event("stop.unfinished", "what was under way comes back when its lease ends", level="warning")
            elif work:
                ticker.sign_off()


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
