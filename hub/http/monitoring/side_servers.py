"""Small servers on threads of their own, beside the web port: a port for machines that watch, and a socket for
operators on this machine.

`Listener`, in every kind of process, for a worker has no other port: GET and HEAD of `/metrics`, `/health/live`,
`/health/ready`, by the rule of the web process: health for everybody, metrics for operators. `OwnSocket`, in a web
process without HUB_OPS_TOKEN: the whole app, and whoever opens it is an operator. Neither stops a process, nor holds
one up.
"""

from __future__ import annotations

import contextlib
import errno
import http.server
import os
import socket
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, cast

from hub.core.errors import Code, Fault, Refused
from hub.core.message import Request
from hub.flow.hub import Hub
from hub.http.common import bodies, request_checks
from hub.http.common.bridge import call_wsgi
from hub.http.common.fault_answers import ALWAYS, Answer, success
from hub.http.monitoring import health, metrics
from hub.http.ops import operator_auth
from hub.http.partner import ingress

SECONDS = 5.0  # for one request, from its first byte to its last
MOST = 16  # at once; who comes then is cut off, and asks again at the next round
MAX_BODY = 1 << 20  # bytes of an operator's call
HEADERS_OF_ONE_HOP = ("content-length", "connection")  # ours to say, whatever the answer says


class _Serving:
    """A server with its thread: from `start` to `stop`."""

    def __init__(self, server: http.server.HTTPServer, name: str) -> None:
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, args=(0.2,), name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():  # one that was never started would wait for itself
            self._server.shutdown()
            self._thread.join(SECONDS)
        self._server.server_close()


class Listener(_Serving):
    """The port for machines. Raises OSError where it is taken."""

    def __init__(self, hub: Hub, host: str, port: int, ticked_at: Callable[[], float]) -> None:
        answers = paths(hub, ticked_at)

        def answer(request: Request) -> Answer:
            request_checks.check_line(request)
            if request.method not in ("GET", "HEAD"):
                raise Refused(
                    Code.METHOD_NOT_ALLOWED,
                    "This method is not taken here; see Allow.",
                    headers=[("allow", "GET, HEAD")],
                )
            if request.path not in answers:
                raise Refused(Code.NOT_FOUND, "There is nothing here.")
            return answers[request.path](request)

        super().__init__(_Server((host, port), _handler(hub, answer, most=0)), "metrics")

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])


class OwnSocket(_Serving):
    """The Unix socket for operators. Its file is of mode 0600 before anybody can connect. Raises OSError where another
    hub has it, or no file can be made.
    """

    def __init__(self, hub: Hub, app: Any, path: Path) -> None:
        self._path = path
        _clear(path)

        def answer(request: Request) -> Answer:
            request_checks.check_line(request)
            return call_wsgi(app, request)

        super().__init__(_UnixServer(path, _handler(hub, answer, most=MAX_BODY, is_own=True)), "operators")
        self._file = path.stat()

    def stop(self) -> None:
        super().stop()
        with contextlib.suppress(OSError):
            if os.path.samestat(self._path.stat(), self._file):  # not the one of a hub that came after us
                self._path.unlink()


def _clear(path: Path) -> None:
    """Takes away the file that a killed hub left. Raises OSError where somebody answers on it, or it is no socket."""
    try:
        is_socket = stat.S_ISSOCK(path.lstat().st_mode)
    except FileNotFoundError:
        return
    if not is_socket:
        raise FileExistsError(errno.EEXIST, "there is a file that is no socket", str(path))
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        else:
            raise OSError(errno.EADDRINUSE, "another hub answers there", str(path))


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


class _UnixServer(_Server):
    address_family = socket.AF_UNIX

    def __init__(self, path: Path, handler: type[http.server.BaseHTTPRequestHandler]) -> None:
        self._path = path
        super().__init__(("", 0), handler)

    def server_bind(self) -> None:
        self.socket.bind(str(self._path))
        # Between bind and listen nobody can connect: so there is no moment in which the file stands open to others.
        self._path.chmod(0o600)
        self.server_name, self.server_port = "localhost", 0


def _handler(
    hub: Hub, answer: Callable[[Request], Answer], *, most: int, is_own: bool = False
) -> type[http.server.BaseHTTPRequestHandler]:
    """`most`: bytes of a body that is read."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = SECONDS

        def answer(self) -> None:
            # a scrape every few seconds needs no connection kept, and a stranger shall hold none
            self.close_connection = True
            path, _, query = self.path.partition("?")
            headers = tuple((name.lower(), value) for name, value in self.headers.items())
            request = Request(
                self.command,
                path,
                query,
                headers,
                b"",
                str(self.client_address[0]) if self.client_address else "",
                is_own,
            )
            try:
                told = answer(self._with_body(request))
            except Exception as error:  # noqa: BLE001  the front's own way: known refusals as they are, of the rest nothing but a trace id
                told = ingress.refusal(hub, error, request)
            self.send_response_only(told.status)
            kept = [(name, value) for name, value in told.headers if name not in HEADERS_OF_ONE_HOP]
            for name, value in (*kept, ("content-length", str(len(told.body))), ("connection", "close")):
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(told.body)

        def _with_body(self, request: Request) -> Request:
            if not most:
                return request  # nothing here takes one
            declared = bodies.declared_length(request, most)
            if declared is None:
                fault = Fault(
                    "", "Transfer-Encoding: chunked", "Content-Length", "send the body in one piece, with its length"
                )
                raise Refused(Code.BAD_REQUEST, "The body comes without its length.", [fault])
            body = bodies.read_stream(cast("BinaryIO", self.rfile), declared, most)
            return Request(
                request.method, request.path, request.query, request.headers, body, request.peer, request.is_own
            )

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = answer  # noqa: N815  as the library names them

        def log_message(self, *_: object) -> None:
            """Nothing: who watches is no event."""

    return Handler


def paths(hub: Hub, ticked_at: Callable[[], float]) -> dict[str, Callable[[Request], Answer]]:
    """All that the port for machines answers."""
    exposition = metrics.Exposition(hub)

    def measured(request: Request) -> Answer:
        operator_auth.admit(request, hub.settings.ops_token)
        return Answer(200, (("content-type", metrics.CONTENT_TYPE), *ALWAYS), exposition.text())

    return {
        "/health/live": lambda request: success(health.live(), ingress.trace_of(hub, request)),
        "/health/ready": lambda request: success(health.ready(hub, ticked_at), ingress.trace_of(hub, request)),
        "/metrics": measured,
    }
