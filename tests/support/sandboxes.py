"""What tests of sandbox systems need: a place that takes their posts as the hub would, and a way to call them as the
hub would.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests

from hub.core.json import decode, encode
from hub.core.message import Ref, Request
from hub.core.schemas.contract import Contract, compile_contract
from hub.kit.sandbox import Sandbox, SandboxConfig, load
from hub.kit.sandbox_server import Listener, Response
from hub.kit.signature import read_credentials, sign_default, verify_default

ROOT = Path(__file__).resolve().parents[2]
ADAPTERS = ROOT / "adapters"
KEY, SECRET = "ak_test", "whsec_dGVzdA=="


def wait_for(state: Callable[[], Any], limit_s: float = 10) -> Any:
    """The first value of `state` that holds. Fails after the limit."""
    end = time.monotonic() + limit_s
    while not (value := state()):
        assert time.monotonic() < end, "it did not come to that in time"
        time.sleep(0.005)
    return value


def contract(ref: Ref) -> Contract:
    path = ADAPTERS / ref.system / "contracts" / f"{ref.name}.v{ref.version}.json"
    return compile_contract(ref, decode(path.read_bytes()))


class Receiver:
    """Stands where the hub would: proves the signature, checks the contract, keeps what it took. `status` is what it
    answers.
    """

    def __init__(self, port: int = 0) -> None:
        self.status = 202
        self.taken: list[tuple[str, str, Any]] = []  # (webhook-id, system/message, payload), once per id
        self.seen: list[str] = []  # each webhook-id that came, repeats too
        self._lock = threading.Lock()
        self._listener = Listener(port, self._answer)
        self.url = f"http://127.0.0.1:{self._listener.port}"
        self._listener.start()

    def _answer(self, request: Request) -> Response:
        credentials = read_credentials(request)
        verify_default(credentials, [SECRET], request.body, now=datetime.now(UTC))
        _, _, version, system, message = request.path.split("/")
        payload = decode(request.body)
        faults = contract(Ref(system, message, int(version.removeprefix("v")))).check(payload)
        assert not faults, faults
        with self._lock:
            self.seen.append(credentials.message_id)
            known = {post for post, _, _ in self.taken}
            if self.status < 300 and credentials.message_id not in known:
                self.taken.append((credentials.message_id, f"{system}/{message}", payload))
            return Response(self.status, b"{}")

    def of(self, message: str) -> list[Any]:
        with self._lock:
            return [payload for _, name, payload in self.taken if name == message]

    def stop(self) -> None:
        self._listener.stop()


def config(system: str, data: Path, hub_url: str) -> SandboxConfig:
    keys = {"key": KEY, "secret": SECRET, "verify_key": KEY, "verify_secret": SECRET}
    return SandboxConfig(name=system, port=0, hub_url=hub_url, data=data, seed=7, speed=20, **keys)


class Neighbour:
    """A sandbox over its socket."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._session = requests.Session()
        self._session.trust_env = False

    def call(self, path: str, payload: Any, key: str) -> tuple[int, Any]:
        """As the hub calls: signed, with an Idempotency-Key."""
        body = encode(payload)
        headers = {**dict(sign_default(KEY, [SECRET], key, body, datetime.now(UTC))), "idempotency-key": key}
        response = self._session.post(self.url + path, data=body, headers=headers, timeout=10)
        return response.status_code, decode(response.content)

    def act(self, path: str, payload: Any) -> tuple[int, Any]:
        response = self._session.post(self.url + path, json=payload, timeout=10)
        return response.status_code, response.json()

    def get(self, path: str) -> Any:
        return self._session.get(self.url + path, timeout=10).json()

    def close(self) -> None:
        self._session.close()


@contextmanager
def running(
    system: str, data: Path, hub_url: str, *, of: type[Sandbox] | None = None, **changes: Any
) -> Iterator[Neighbour]:
    """A sandbox of the reference workspace (or `of`), in threads of this process."""
    kind = of or load(ADAPTERS / system / "sandbox.py")
    sandbox = kind(replace(config(system, data, hub_url), **changes))
    sandbox.start()
    neighbour = Neighbour(sandbox.port)
    try:
        yield neighbour
    finally:
        neighbour.close()
        sandbox.stop()


_PROCESS = """
import json, sys
from pathlib import Path
from hub.kit.sandbox import SandboxConfig, run
told = json.loads(sys.argv[2])
told["data"] = Path(told["data"])
run(Path(sys.argv[1]), SandboxConfig(**told))
"""


@contextmanager
def process(system: str, data: Path, hub_url: str) -> Iterator[tuple[subprocess.Popen[str], Neighbour]]:
    """The same in a process of its own, which may be killed. SIGTERM at the end, if it still lives."""
    told = config(system, data, hub_url)
    told_json = json.dumps(
        {name: str(getattr(told, name)) if name == "data" else getattr(told, name) for name in told.__slots__}
    )
    command = [sys.executable, "-c", _PROCESS, str(ADAPTERS / system / "sandbox.py"), told_json]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        neighbour = Neighbour(json.loads(child.stdout.readline())["port"])
        try:
            yield child, neighbour
        finally:
            neighbour.close()
            if child.poll() is None:
                child.terminate()
                child.wait(20)


def sample(system: str, message: str, case: str) -> Any:
    return decode((ADAPTERS / system / "samples" / f"{message}.v1" / f"{case}.json").read_bytes())
