"""A target over a real socket that answers as a test says, and remembers what it was asked."""

import http.server
import json
import threading
import time


class Target(http.server.ThreadingHTTPServer):
    """`answer(n, body)` gives status, headers, body and seconds to wait for the n-th call under one key. `seen` are
    (method, path, body, headers).
    """

    daemon_threads = True

    def __init__(self):
        self.answer, self.seen, self.counts, self.lock = (
            (lambda _n, _body: (200, {}, b"{}", 0)),
            [],
            {},
            threading.Lock(),
        )
        super().__init__(("127.0.0.1", 0), _Target)
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Target(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        key = self.headers.get("idempotency-key", "")
        with self.server.lock:
            number = self.server.counts[key] = self.server.counts.get(key, 0) + 1
            self.server.seen.append(
                (self.command, self.path, body, {name.lower(): value for name, value in self.headers.items()})
            )
        status, headers, answer, seconds = self.server.answer(number, json.loads(body or b"{}"))
        time.sleep(seconds)
        try:
            self.send_response(status)
            for name, value in {
                "content-type": "application/json",
                **headers,
                "content-length": str(len(answer)),
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)
        except OSError:
            self.close_connection = True

    do_GET = do_PUT = do_DELETE = do_POST  # noqa: N815  named by the library

    def log_message(self, *_):
        pass
