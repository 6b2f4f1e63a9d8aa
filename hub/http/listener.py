"""A small port for machines that watch: `/metrics`, `/health/live`, `/health/ready`, on a thread of its own, in every kind of process.

A worker has no other port. It answers GET and HEAD of these three paths and nothing else, by the rule of the web process: health for
everybody, metrics for this machine or with the operators' token. It does not stop a process, nor hold one up.
"""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Callable
from typing import Any

from hub.core.errors import Code, Refused
from hub.core.message import Request
from hub.flow.hub import Hub
from hub.http import auth, health, ingress, metrics
from hub.http.faults import ALWAYS, Answer, success

SECONDS = 5.0  # for one request, from its first byte to its last
MOST = 16  # at once; who comes then is cut off, and asks again at the next round


class Listener:
    """Listens from `start` to `stop`. Raises OSError where the port is taken."""

    def __init__(self, hub: Hub, host: str, port: int, ticked_at: Callable[[], float]) -> None:
        self._server = _Server((host, port), _handler(hub, ticked_at))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.2,), name="metrics", daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join(SECONDS)
        self._server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], handler: type[http.server.BaseHTTPRequestHandler]) -> None:
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        self._places = threading.BoundedSemaphore(MOST)
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who went away in the midst of an answer concerns nobody."""


def _handler(hub: Hub, ticked_at: Callable[[], float]) -> type[http.server.BaseHTTPRequestHandler]:
    exposition = metrics.Exposition(hub)

    def answer(request: Request) -> Answer:
        try:
            return _found(hub, request, ticked_at, exposition)
        except Exception as error:  # noqa: BLE001  the front's own way: known refusals as they are, of the rest nothing but a trace id
            return ingress.refusal(hub, error, request)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = SECONDS

        def answer(self) -> None:
            self.close_connection = True  # a scrape every few seconds needs no connection kept, and a stranger shall hold none
            path, _, query = self.path.partition("?")
            headers = tuple((name.lower(), value) for name, value in self.headers.items())
            told = answer(Request(self.command, path, query, headers, b"", str(self.client_address[0])))
            self.send_response_only(told.status)
            for name, value in (*told.headers, ("content-length", str(len(told.body))), ("connection", "close")):
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(told.body)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = answer  # noqa: N815  as the library names them

        def log_message(self, *_: object) -> None:
            """Nothing: who watches is no event."""

    return Handler


def _found(hub: Hub, request: Request, ticked_at: Callable[[], float], exposition: metrics.Exposition) -> Answer:
    ingress.check_line(request)
    if request.method not in ("GET", "HEAD"):
        raise Refused(Code.METHOD_NOT_ALLOWED, "This method is not taken here; see Allow.", headers=[("allow", "GET, HEAD")])
    match request.path:
        case "/health/live":
            return success(health.live(), ingress.trace_of(hub, request))
        case "/health/ready":
            return success(health.ready(hub, ticked_at), ingress.trace_of(hub, request))
        case "/metrics":
            auth.admit(request, hub.settings.ops_token)
            return Answer(200, (("content-type", metrics.CONTENT_TYPE), *ALWAYS), exposition.text())
        case _:
            raise Refused(Code.NOT_FOUND, "There is nothing here.")
