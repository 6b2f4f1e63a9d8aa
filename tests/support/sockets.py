"""A target made of a bare socket: each connection is a generator of answers, so that it may be as rude as the test wants.

A test gives one function `(request number over all connections) -> what to do`: bytes to send, or one of the words below.
"""

import contextlib
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
    length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    while len(body) < length:
        part = wire.recv(65_536)
        if not part:
            return None
        body += part
    return head + b"\r\n\r\n" + body
