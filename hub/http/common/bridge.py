"""The bridge to Flask: a whole request in, a whole answer out. The body was read and measured before; nothing
streams.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

from hub.core.message import Request
from hub.http.common.fault_answers import Answer


def call_wsgi(app: Any, request: Request) -> Answer:
    """Calls a WSGI application (PEP 3333) with a request that is whole."""
    status = 500
    headers: list[tuple[str, str]] = []

    def start_response(line: str, given: list[tuple[str, str]], _error: Any = None) -> None:
        nonlocal status, headers
        status, headers = int(line.split(" ", 1)[0]), given

    parts: Iterable[bytes] = app(_environ(request), start_response)
    try:
        body = b"".join(parts)
    finally:
        close = getattr(parts, "close", None)
        if close is not None:
            close()
    return Answer(status, tuple((name.lower(), value) for name, value in headers), body)


def _environ(request: Request) -> dict[str, Any]:
    host = next((value for name, value in request.headers if name == "host"), "localhost")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(request.path).decode("latin-1"),
        "QUERY_STRING": request.query,
        "SERVER_NAME": host.rpartition(":")[0] or host,
        "SERVER_PORT": host.rpartition(":")[2] if host.rpartition(":")[2].isdigit() else "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": request.peer,
        "CONTENT_LENGTH": str(len(request.body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "crossdock.request": request,  # as it came: signatures are over these bytes
    }
    for name, text in request.headers:
        value = text if text.isascii() else text.encode().decode("latin-1")  # WSGI hands bytes on as Latin-1
        if name == "content-type":
            environ["CONTENT_TYPE"] = value
        elif name not in ("content-length", "transfer-encoding"):
            key = "HTTP_" + name.upper().replace("-", "_")
            environ[key] = f"{environ[key]},{value}" if key in environ else value
    return environ
