"""A small HTTP/1.1 server for sandbox systems: one thread per connection, kept alive, no framework.

It is for loopback and for the hub as its caller: bodies come with Content-Length, and what is not plain is refused with
400 or 411.
"""

from __future__ import annotations

import contextlib
import http
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from hub.core.message import Request

MAX_HEAD = 64 * 1024
MAX_BODY = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Response:
    """What one request is told. None instead of it means: close the connection without an answer."""

    status: int
    body: bytes


class _Broken(Exception):
    """What came is no request that this server reads; the status to say so with."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


class Listener:
    """Listens on 127.0.0.1 from its making on; `start` begins to answer. `port` is the chosen one where 0 was asked
    for.
    """

    def __init__(self, port: int, answer: Callable[[Request], Response | None]) -> None:
        self._answer = answer
        self._socket = socket.create_server(("127.0.0.1", port), backlog=512)
        self.port: int = self._socket.getsockname()[1]
        self._open: dict[socket.socket, threading.Thread] = {}
        self._lock = threading.Lock()
        self._stopping = False
        self._thread = threading.Thread(target=self._accept, name=f"listener-{self.port}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Takes no more connections, ends those that are open, and waits for their threads (5 s)."""
        with self._lock:
            self._stopping = True
            connections = dict(self._open)
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the accept below; closing alone does not
        self._socket.close()
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        if self._thread.is_alive():
            self._thread.join(5)
        for thread in connections.values():
            thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(
                target=self._serve, args=(connection,), name=f"connection-{self.port}", daemon=True
            )
            with self._lock:
                if self._stopping:
                    connection.close()
                    return
                self._open[connection] = thread
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rb") as reader:
                while self._one(connection, reader):
                    pass
        except OSError:
            pass  # the caller is gone; it will ask again if it still wants to know
        finally:
            with self._lock:
                self._open.pop(connection, None)

    def _one(self, connection: socket.socket, reader: BinaryIO) -> bool:
        """Reads and answers one request. False: the connection has ended."""
        try:
            request = _read(connection, reader)
        except _Broken as error:
            connection.sendall(_response(error.status, b"", keep=False))
            return False
        if request is None:
            return False
        answered = self._answer(request)
        if answered is None:
            return False
        keep = (request.header("connection") or "").lower() != "close"
        connection.sendall(_response(answered.status, answered.body, keep=keep))
        return keep


def _read(connection: socket.socket, reader: BinaryIO) -> Request | None:
    start = reader.readline(MAX_HEAD)
    if not start:
        return None
    parts = start.decode("latin-1").split()
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise _Broken(400)
    headers = _headers(reader, MAX_HEAD - len(start))
    path, _, query = parts[1].partition("?")
    known = dict(headers)
    if "transfer-encoding" in known:
        raise _Broken(411)
    length = known.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise _Broken(400)
    if int(length) > MAX_BODY:
        raise _Broken(413)
    if known.get("expect", "").lower() == "100-continue":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = reader.read(int(length))
    if len(body) < int(length):
        return None  # cut off in the midst: nothing was asked
    return Request(parts[0], path, query, headers, body, "127.0.0.1")


def _headers(reader: BinaryIO, room: int) -> tuple[tuple[str, str], ...]:
    headers: list[tuple[str, str]] = []
    while True:
        line = reader.readline(room + 1)
        room -= len(line)
        if room < 0:
            raise _Broken(431)
        if line in (b"\r\n", b"\n"):
            return tuple(headers)
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon:
            raise _Broken(400)
        headers.append((name.strip().lower(), value.strip()))


def _response(status: int, body: bytes, *, keep: bool) -> bytes:
    try:
        phrase = http.HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    head = f"HTTP/1.1 {status} {phrase}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
    return (head + ("" if keep else "Connection: close\r\n") + "\r\n").encode("latin-1") + body
