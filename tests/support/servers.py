"""A hub inside this process, behind each server that it may run under: granian and uvicorn (the front), and a plain
WSGI server (Flask alone).
"""

import asyncio
import contextlib
import socket
import threading
from dataclasses import dataclass

import uvicorn
import werkzeug.serving
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from hub import settings as settings_table
from hub.flow.accounts.keys import make_key
from hub.flow.configuration.plan import apply
from hub.flow.hub import Hub
from hub.http.app import make_app
from hub.http.partner.front import Front
from hub.main import open_vault, running
from hub.store import open_store
from tests.support.hubs import MASTER, OPS_TOKEN, Caller, free_port
from tests.support.waiting import wait_until


@contextlib.contextmanager
def small_hub(workspace, store_url, **environment):
    """A hub without a worker: it accepts, and delivers nothing."""
    given = {
        "HUB_MASTER_KEY": MASTER,
        "HUB_OPS_TOKEN": OPS_TOKEN,
        "HUB_BODY_SECONDS": "2",
        "HUB_WORKSPACE": str(workspace),
        "HUB_STORE": store_url,
        **environment,
    }
    settings = settings_table.read(given)
    store = open_store(store_url, writer=True)
    try:
        store.migrate()
        apply(store, workspace)
        with running(settings, store) as made:
            yield made.hub
    finally:
        store.close()


@dataclass(frozen=True)
class Served:
    """A hub that answers on a port."""

    hub: Hub
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def caller(self, *systems: str) -> Caller:
        _, key, secret = make_key(
            self.hub.store, open_vault(self.hub.settings), name="test", systems=systems, form="default"
        )
        return Caller(self.url, key, secret)


@contextlib.contextmanager
def granian(front):
    """The front behind granian, in a thread with a loop of its own. Gives the port."""
    port = free_port()
    server = Server(
        front, port=port, interface=Interfaces.ASGI, http=HTTPModes.http1, websockets=False, log_enabled=False
    )
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=lambda: loop.run_until_complete(server.serve()), daemon=True)
    thread.start()
    _answers(port)
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(server.stop)
        thread.join(15)
        loop.close()


@contextlib.contextmanager
def uvicorn_(front):
    """The same front behind uvicorn."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(front, port=port, http="h11", ws="none", log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    _answers(port)
    try:
        yield port
    finally:
        server.should_exit = True
        thread.join(15)


class _Quiet(werkzeug.serving.WSGIRequestHandler):
    def log(self, *_):
        pass


@contextlib.contextmanager
def wsgi(app):
    """The Flask app alone, behind werkzeug's own server: no front has looked at anything."""
    server = werkzeug.serving.make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join(15)
        server.server_close()


@contextlib.contextmanager
def served(hub, server, **named):
    """`hub` behind `server`: "granian", "uvicorn" or "wsgi"."""
    app = make_app(hub, **named)
    behind = wsgi(app) if server == "wsgi" else (granian if server == "granian" else uvicorn_)(Front(hub, app))
    with behind as port:
        yield Served(hub, port)


def _answers(port):
    def is_open():
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True

    wait_until(is_open, what=f"an answer on port {port}")
