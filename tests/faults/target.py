"""A target that knows its keys, outside the faults: each key is applied once; every request and every effect is written
down.
"""

import http.server
import json
import threading
import time


class Target(http.server.ThreadingHTTPServer):
    """`requests`: key, span of the attempt, message, path, and the status that was answered (None: nobody was there to
    hear it).
    `effects`: key, message, path, and when it began and ended. `hold` lets no request go on until `release`; what is in
    `refuses` (a sku) is answered 422; of `drops` requests over a connection that was used before, the connection is
    closed, as if it had been idle for too long.
    """

    daemon_threads = True
    request_queue_size = 512

    def __init__(self):
        self.requests, self.effects, self.refuses, self.drops = [], [], set(), 0
        self._open = threading.Event()
        self._open.set()
        self._applied = {}  # key: set once its effect is over
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def hold(self):
        self._open.clear()

    def release(self):
        self._open.set()

    def take(self, request, sku):
        """The status of the answer. The request is written down before anything is done, the effect when it is over."""
        with self._lock:
            self.requests.append(request)
            is_new = request["key"] not in self._applied and sku not in self.refuses
            over = self._applied.setdefault(request["key"], threading.Event()) if sku not in self.refuses else None
        start = time.monotonic_ns()
        self._open.wait(60)
        time.sleep(0.005)  # an effect takes a moment: two of one order that overlap can be seen
        if is_new:
            where = {name: request[name] for name in ("key", "message", "path")}
            self.effects.append({**where, "start": start, "end": time.monotonic_ns()})
            over.set()
        elif over is not None:
            over.wait(60)  # a repeat is answered once the first is done: nobody may believe it done before
        return 422 if sku in self.refuses else 200

    def has(self, key):
        return key in self._applied

    def takes_a_drop(self):
        with self._lock:
            self.drops -= self.drops > 0
            return self.drops > 0

    def close(self):
        self.release()
        self.shutdown()
        self.server_close()

    def handle_error(self, *_):
        """A caller that was killed is no news."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    is_used = False

    def do_POST(self):
        length = int(self.headers["content-length"])
        body = self.rfile.read(length)
        if len(body) < length:  # its sender died in the midst: this is no request
            self.close_connection = True
            return
        span = self.headers.get("traceparent", "--").split("-")[2]
        request = {
            "key": self.headers["idempotency-key"],
            "span": span,
            "message": self.headers["x-crossdock-message"],
            "path": self.path,
            "status": None,
        }
        is_used, self.is_used = self.is_used, True
        if is_used and self.server.takes_a_drop():
            self.server.requests.append(request)
            self.close_connection = True
            return
        told = json.loads(body)
        status = self.server.take(request, told["items"][0]["sku"] if "items" in told else None)
        request["status"] = status  # before it is written: whoever hears it may look at once
        self._answer(status)

    def do_GET(self):
        """Whether it has what is asked about, by its key."""
        self._answer(200 if self.server.has(self.path.partition("key=")[2]) else 404)

    def _answer(self, status):
        self.wfile.write(b"HTTP/1.1 %d X\r\ncontent-length: 2\r\n\r\n{}" % status)

    def log_message(self, *_):
        pass
