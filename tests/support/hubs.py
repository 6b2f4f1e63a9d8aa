"""A hub as a real process, callers that sign, and a scriptable target: what tests of the whole stand on."""

import base64
import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import requests

from hub.catalog.scaffold.new_workspace import init
from hub.kit.signature import sign_default
from tests.support import warm
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]
MASTER = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
OPS_TOKEN = "the-token-of-operators"
ORDER = b'{"orderNo":"SO-1","items":[{"sku":"SKU-1","quantity":2}]}'


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Operator:
    """`requests`, showing the operators' token that every hub of the tests has: no address stands for it."""

    def request(self, method, url, headers=None, **given):
        return requests.request(
            method, url, headers={"authorization": f"Bearer {OPS_TOKEN}", **(headers or {})}, **{"timeout": 30, **given}
        )

    def get(self, url, **given):
        return self.request("GET", url, **given)

    def post(self, url, **given):
        return self.request("POST", url, **given)


operator = Operator()


class Sink(http.server.ThreadingHTTPServer):
    """A target that de-duplicates by Idempotency-Key and keeps what it saw. `script` gives (status, headers, body) per
    request.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, script=None):
        self.requests: list[tuple[str, str, bytes, dict[str, str]]] = []  # key, path, body, headers
        self.script = script or (lambda number, key: (200, {}, b"{}"))
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def took(self, key, path, body, headers):
        with self._lock:
            self.requests.append((key, path, body, headers))
            return self.script(len(self.requests), key)

    @property
    def keys(self):
        return [key for key, *_ in self.requests]


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        status, headers, answer = self.server.took(
            self.headers.get("idempotency-key", ""),
            self.path,
            body,
            {name.lower(): value for name, value in self.headers.items()},
        )
        head = f"HTTP/1.1 {status} X\r\ncontent-length: {len(answer)}\r\n" + "".join(
            f"{name}: {value}\r\n" for name, value in headers.items()
        )
        self.wfile.write(head.encode() + b"\r\n" + answer)

    def log_message(self, *_):
        pass


class Caller:
    """A partner with a key: signs as hub-signature's default form."""

    def __init__(self, base, key, secret):
        self.base, self.key, self.secret = base, key, secret
        self.session = requests.Session()
        self.session.trust_env = False

    def headers(self, body, message_id, now=None):
        return {
            **dict(sign_default(self.key, [self.secret], message_id, body, now or datetime.now(UTC))),
            "content-type": "application/json",
        }

    def post(self, path, body, message_id, **headers):
        given = {**self.headers(body, message_id), **{name.replace("_", "-"): value for name, value in headers.items()}}
        return self.session.post(
            self.base + path,
            data=body,
            headers={name: value for name, value in given.items() if value is not None},
            timeout=30,
        )

    def get(self, path, message_id="get"):
        return self.session.get(self.base + path, headers=self.headers(b"", message_id), timeout=30)


class HubProcess:
    """`hub up` on a workspace, as a process of its own on a free port. `kill` is SIGKILL; `start` again is a restart on
    the same store.
    """

    def __init__(self, workspace, store_url, **environment):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "HUB_WORKSPACE": str(workspace),
            "HUB_STORE": store_url,
            "HUB_PORT": str(self.port),
            "HUB_ALLOW_CIDRS": "127.0.0.0/8",
            "HUB_MASTER_KEY": MASTER,
            "HUB_OPS_TOKEN": OPS_TOKEN,
            "HUB_SWEEP": "0.2",
            "HUB_LOG_LEVEL": "warning",
            **{name.upper(): str(value) for name, value in environment.items()},
        }
        self.processes: dict[str, subprocess.Popen] = {}
        self.stderr = None  # a file, where a test reads the log
        self.entry = "hub"  # the module that is run
        # whether processes are started by an interpreter of their own: what they need to start counts
        self.is_cold = False

    def start(self, role="up", number=1):
        """`number`: which of several in one role; the others' names have it."""
        if self.entry == "hub" and not self.is_cold:
            process = warm.Warm([role], env=self.environment, stdout=subprocess.PIPE, stderr=self.stderr)
        else:
            process = subprocess.Popen(
                [sys.executable, "-m", self.entry, role],
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=self.stderr,
                text=True,
            )
        self.processes[role if number == 1 else f"{role}-{number}"] = process
        while True:
            line = process.stdout.readline()
            assert line, f"hub {role} ended with {process.wait()} before it was ready"
            if "is ready" in line:
                return self

    def run(self, *words, text="", is_cold=False):
        """One command, given `text`; its exit code, what it wrote, what it complained of. `is_cold`: what modules read
        when they are loaded counts.
        """
        if is_cold:
            done = subprocess.run(
                [sys.executable, "-m", "hub", *words],
                check=False,
                env=self.environment,
                capture_output=True,
                text=True,
                timeout=120,
            )
            return done.returncode, done.stdout, done.stderr
        return warm.run(words, env=self.environment, text=text)

    def apply(self):
        """Makes the workspace as it stands active, and waits until the running hub goes by it: what is posted then
        meets it. The revision.
        """
        revision = self.json("apply")["revision"]
        wait_until(
            lambda: self.ops("/revision")["revision"] == revision, what="a hub that goes by the new configuration"
        )
        return revision

    def json(self, *words):
        code, out, err = self.run(*words, "--json")
        assert out, f"hub {' '.join(words)} gave {code}: {err}"
        return json.loads(out)

    def caller(self, *systems):
        words = [word for system in systems for word in ("--system", system)]
        made = self.json("key", "create", "test", *words)
        return Caller(self.url, made["key"], made["secret"])

    def kill(self, role="up"):
        process = self.processes.pop(role)
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        process.stdout.close()

    def stop(self):
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            assert process.wait(40) == 0
            process.stdout.close()
        self.processes.clear()

    def ops(self, path):
        return operator.get(f"{self.url}/ops/v1{path}", timeout=30).json()["data"]

    def metrics(self):
        return operator.get(f"{self.url}/metrics", timeout=30).text

    def delivered(self, message_id, seconds=15.0):
        """Waits until no delivery of the message is on its way; gives them."""

        def ended():
            lines = self.ops(f"/messages/{message_id}")["deliveries"]
            return lines if all(line["status"] not in ("pending", "leased") for line in lines) else None

        return wait_until(ended, seconds=seconds, what="the end of its deliveries")


def small_workspace(
    folder, sink_url, retry="{attempts: 3, first: 100ms, factor: 1, max: 100ms, jitter: none, give_up_after: 1h}"
):
    """The scaffold's workspace with its warehouse at `sink_url` and a quick retry."""
    init(folder)
    routes = folder / "routes.yaml"
    text = routes.read_text("utf-8")
    start = text.index("  retry:")
    routes.write_text(text[:start] + f"  retry: {retry}" + text[text.index("\n", start) :], "utf-8")
    contract = folder / "adapters" / "shop" / "contracts" / "order.placed.v1.json"
    rule = '"x-consistent": {"name each sku once": "$count($distinct(items.sku)) = $count(items)"},'
    contract.write_text(
        contract.read_text("utf-8").replace('"type": "object",', f'{rule} "type": "object",', 1), "utf-8"
    )
    system = folder / "adapters" / "warehouse" / "system.yaml"
    system.write_text(system.read_text("utf-8").replace("http://127.0.0.1:9001", sink_url), "utf-8")
    return folder
