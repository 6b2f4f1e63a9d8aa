"""A wire with faults between the hub and a server: slow, silent, cut. One thread per direction and connection; steered
from the test.
"""

import contextlib
import random
import socket
import threading
import time


class Wire:
    """Listens on a port of its own, and hands on to another. What is changed holds for connections that are there as
    well.
    """

    def __init__(self, to_port, seed=0):
        self._to = to_port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self._listener.getsockname()[1]
        self.delay_s = 0.0  # before each piece
        self.is_silent = False  # nothing passes, nothing is closed: a half-open connection
        self.is_down = False  # nobody answers
        self._random = random.Random(seed)
        self._pairs = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def heal(self):
        self.delay_s, self.is_silent, self.is_down = 0.0, False, False

    def cut(self, share=1.0):
        """Resets a share of the connections that are there."""
        with self._lock:
            pairs = [pair for pair in self._pairs if self._random.random() < share]
        for pair in pairs:
            self._drop(pair)

    def close(self):
        with contextlib.suppress(OSError):
            self._listener.close()
        self.cut()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if self.is_down:
                    near.close()
                    continue
                try:
                    far = socket.create_connection(("127.0.0.1", self._to), 5)
                except OSError:
                    near.close()
                    continue
                for one in (near, far):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                pair = (near, far)
                with self._lock:
                    self._pairs.add(pair)
                for source, sink in (pair, pair[::-1]):
                    threading.Thread(target=self._pump, args=(pair, source, sink), daemon=True).start()

    def _pump(self, pair, source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                while self.is_silent:
                    time.sleep(0.02)
                if self.delay_s:
                    time.sleep(self._random.uniform(0, self.delay_s))
                sink.sendall(data)
        self._drop(pair)

    def _drop(self, pair):
        with self._lock:
            if pair not in self._pairs:
                return
            self._pairs.discard(pair)
        for one in pair:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
