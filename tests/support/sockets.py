"""A target made of a bare socket: each connection is a generator of answers, so that it may be as rude as the test
wants.

A test gives one function `(request number over all connections) -> what to do`: bytes to send, or one of the words
below.
"""

import contextlib
import http.client
import json
import socket
import struct
import threading
import time

CLOSE = "close"  # end the connection in order
RESET = "reset"  # end it with a reset
HANG = "hang"  # never answer


class Rude:
    """Keeps connections alive until told otherwise; remembers each request as (connection number, bytes)."""

    def __init__(self, script):
        self._script = script
        self.seen = []
        self.opened = 0
        self._lock = threading.Lock()
        self._wires = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/x"
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        self._listener.close()
        for wire in self._wires:
            with contextlib.suppress(OSError):
                wire.shutdown(socket.SHUT_RDWR)

    def _accept(self):
        while True:
            try:
                wire, _ = self._listener.accept()
            except OSError:
                return
            self._wires.append(wire)
            self.opened += 1
            threading.Thread(target=self._serve, args=(wire, self.opened), daemon=True).start()

    def _serve(self, wire, number):
        with wire, contextlib.suppress(OSError):
            while (request := _read(wire)) is not None:
                with self._lock:
                    self.seen.append((number, request))
                    turn = len(self.seen)
                for step in _steps(self._script(turn)):
                    if step == CLOSE:
                        return
                    if step == RESET:
                        wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        return
                    if step == HANG:
                        wire.recv(1)
                        return
                    wire.sendall(step)


def drip(head=b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n", every_s=0.02):
    """A head, then one byte at a time."""
    yield head
    while True:
        yield b"x"
        time.sleep(every_s)


def answer(body=b"{}", status=b"200 OK", *headers):
    """A whole answer with its length."""
    lines = [b"HTTP/1.1 " + status, b"content-length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def _steps(given):
    return [given] if isinstance(given, bytes | str) else given


def _read(wire):
    """One request, by its Content-Length; None at the end of the connection."""
    got = b""
    while b"\r\n\r\n" not in got:
        part = wire.recv(65_536)
        if not part:
            return None
        got += part
    head, _, body = got.partition(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
    )
    while len(body) < length:
        part = wire.recv(65_536)
        if not part:
            return None
        body += part
    return head + b"\r\n\r\n" + body


class Forwarder:
    """Hands on bytes as they come, both ways: who connects to `url` reaches the hub from 127.0.0.1, and nothing in the
    request tells.
    """

    def __init__(self, port):
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._port))
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._hand_on, args=(source, sink), daemon=True).start()

    @staticmethod
    def _hand_on(source, sink):
        with contextlib.suppress(OSError), sink:
            while part := source.recv(65_536):
                sink.sendall(part)


class _Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))


def by_socket(path, method, target, document=None):
    """One request through a Unix socket; its status and what it answers, as text."""
    connection = _Connection(path)
    try:
        body = None if document is None else json.dumps(document)
        connection.request(method, target, body, {"content-type": "application/json"} if body else {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()
