"""A hub that serves: one process's parts, started in order and stopped in order. Third party that lives here:
granian.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from hub import console
from hub.flow.hub import Hub
from hub.http.app import make_app
from hub.http.monitoring.side_servers import Listener, OwnSocket
from hub.http.partner.front import Front
from hub.logs import about, event
from hub.main.opening import RunningHub, open_serving, running
from hub.main.port import reserved, taken
from hub.settings import BadSetting, Settings
from hub.worker.keeper import Keeper
from hub.worker.loop import Loop
from hub.worker.notification_listener import NotificationListener
from hub.worker.queues import Queues
from hub.worker.scheduler import Scheduler
from hub.worker.ticker import Ticker

MAX_CONNECTIONS = 1_024


def serve(
    settings: Settings,
    *,
    web: bool = False,
    work: bool = False,
    schedule: bool = False,
    ready: Callable[[RunningHub], None],
) -> None:
    """Runs a web process, a worker, a scheduler, or all in one (`hub up`), until SIGTERM or SIGINT. `ready` is called
    once it takes work.

    Stopping: no new request and no new claim; what is under way is finished within the grace, the group commit is
    drained.
    """
    with (
        reserved(settings.host, settings.port) if web else nullcontext(),
        open_serving(settings, writer=True) as store,
        running(settings, store, _role(web=web, work=work)) as made,
    ):
        about(role=made.hub.role, process=made.hub.worker)
        loop = Loop(made.hub, made.notifier, made.sender) if work else None
        ears = (
            NotificationListener(settings.broker, made.notifier.notify, lambda: _heard(made.hub))
            if work and settings.broker
            else None
        )
        ticker = Ticker(made.hub, rings=made.notifier.notify if work else None)
        queues = Queues(made.hub, made.source) if work else None
        scheduler = Scheduler(made.hub) if schedule else None
        keeper = Keeper(made.hub) if schedule or work else None
        with _watched(made.hub, lambda: ticker.ticked_at):
            ticker.start()
            for part in (loop, queues, ears, scheduler, keeper):
                if part is not None:
                    part.start()
            _freeze()
            try:
                if web:
                    app = make_app(made.hub, ticked_at=lambda: ticker.ticked_at, pages=console.attach)
                    with _own_socket(made.hub, app):
                        asyncio.run(_serve(Front(made.hub, app), settings, lambda: ready(made)))
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
                    # it ended while the others did; a block that is still under way is whole, or undone
                    keeper.stop(1.0)
                if not ended:
                    event("stop.unfinished", "what was under way comes back when its lease ends", level="warning")
                elif work:
                    ticker.sign_off()


def _freeze() -> None:
    """What was made by now stays until the end: the collector need not walk through it again and again, with all
    threads waiting (some 80 ms each time).
    """
    gc.collect()
    gc.freeze()


def _heard(hub: Hub) -> set[str]:
    """The lanes whose queues this worker listens to."""
    systems = set(hub.catalogs.active().systems)
    return systems & hub.settings.lanes if hub.settings.lanes else systems


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
        raise taken(
            hub.settings.host, hub.settings.metrics_port, error.strerror or str(error), "HUB_METRICS_PORT"
        ) from error
    listener.start()
    try:
        yield
    finally:
        listener.stop()


@contextmanager
def _own_socket(hub: Hub, app: Any) -> Iterator[None]:
    """The socket for operators on this machine, where no token is set. The one beside the store is a convenience: posts
    are taken without it.
    """
    path = hub.settings.own_socket
    if path is None:
        yield
        return
    try:
        own = OwnSocket(hub, app, path)
    except OSError as error:
        if hub.settings.ops_socket:
            raise BadSetting(f"The hub cannot listen on HUB_OPS_SOCKET={path}: {error}") from error
        event(
            "ops.closed",
            f"no operators' socket at {path}: {error}. Set HUB_OPS_SOCKET to another path, or HUB_OPS_TOKEN.",
            level="warning",
        )
        yield
        return
    own.start()
    try:
        yield
    finally:
        own.stop()


def _wait(ready: Callable[[], None]) -> None:
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    ready()
    stopped.wait()


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
            raise taken(settings.host, settings.port, "the server ended before it answered")
        try:
            _, writer = await asyncio.open_connection(settings.host, settings.port)
        except OSError:
            await asyncio.sleep(0.025)
        else:
            writer.close()
            return
    raise taken(settings.host, settings.port, "nothing answers there")
