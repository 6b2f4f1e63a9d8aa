"""The whole reference supply chain as real processes: the hub in its roles, seven sandboxes, on one store. Anything can
be killed and started again.
"""

import json
import os
import signal
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import requests

from hub.catalog.files.revision import read_files
from hub.vault import new_key
from tests.support import warm
from tests.support.hubs import ROOT, HubProcess, free_port
from tests.support.waiting import wait_until


class Landscape:
    """`roles`: `["up"]` on an embedded store, `["web", "worker"]` on a server's."""

    def __init__(self, store_url, folder, roles, *, speed=1.0):
        self.folder, self.roles, self.speed = Path(folder), roles, speed
        self.systems = sorted({name.split("/")[1] for name in read_files(ROOT) if name.endswith("/system.yaml")})
        self.urls = {name: f"http://127.0.0.1:{free_port()}" for name in self.systems}
        secrets = {}
        for name in self.systems:
            key, secret = new_key()
            secrets |= {
                f"{name}_KEY".upper(): key,
                f"{name}_SECRET".upper(): secret,
                f"HUB_{name}_URL".upper(): self.urls[name],
            }
        self.hub = HubProcess(ROOT, store_url, hub_lease=12, hub_sweep=0.5, hub_log_level="error", **secrets)
        self.keys = {}
        self.sandboxes = {}

    def start(self):
        self.hub.json("apply")
        for name in self.systems:
            made = self.hub.json("key", "create", name, "--system", name)
            self.keys[name] = {"HUB_SANDBOX_KEY": made["key"], "HUB_SANDBOX_SECRET": made["secret"]}
            self.start_sandbox(name)
        for role in self.roles:
            self.hub.start(role)
        return self

    def start_sandbox(self, name):
        environment = {**self.hub.environment, **self.keys[name]}
        words = [
            "sandbox",
            name,
            "--port",
            str(urlsplit(self.urls[name]).port),
            "--hub",
            self.hub.url,
            "--data",
            str(self.folder / "sandbox"),
            "--speed",
            str(self.speed),
        ]
        process = warm.Warm(words, env=environment, stdout=subprocess.DEVNULL)
        self.sandboxes[name] = process
        wait_until(lambda: self._answers(name), seconds=40, what=f"the sandbox {name}")

    def _answers(self, name):
        try:
            return requests.get(f"{self.urls[name]}/_health", timeout=2).ok
        except requests.RequestException:
            return False

    def kill_sandbox(self, name):
        process = self.sandboxes.pop(name)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(30)

    def state(self, name):
        return requests.get(f"{self.urls[name]}/_state", timeout=30).json()

    def act(self, name, path, **body):
        answer = requests.post(f"{self.urls[name]}{path}", json=body, timeout=30)
        assert answer.ok, answer.text
        return answer.json()["data"]

    def lines(self, name, kind):
        """The lines of a sandbox's journal, requests or effects."""
        path = self.folder / "sandbox" / f"{name}.{kind}.jsonl"
        return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.endswith("}")]

    def stop(self):
        try:
            self.hub.stop()
        finally:
            for process in self.sandboxes.values():
                process.terminate()
            for process in self.sandboxes.values():
                process.wait(30)
