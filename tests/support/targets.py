"""Targets in a process of their own: as many ports as wanted, each fast, slow, failing, hanging or away. What they saw
is asked for afterwards.

Times are `time.monotonic_ns`, which all processes of one machine share. Runs as
`python -m tests.support.targets COUNT`; steered over its standard input.
"""

import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.support.hubs import ROOT


class Targets:
    """The process. `urls` are the targets' in order."""

    def __init__(self, count, **mode):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.targets", str(count)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.urls = [f"http://127.0.0.1:{port}" for port in json.loads(self._process.stdout.readline())]
        for number in range(count):
            self.set(number, **mode)

    def set(self, number, *, seconds=0.0, status=200, fails=0.0, is_away=False):
        """How it answers from now on: after `seconds`, with `status`, or 503 to such a part of all; or nobody
        listens.
        """
        self._ask({"target": number, "seconds": seconds, "status": status, "fails": fails, "is_away": is_away})

    def requests(self):
        """All that came: {target, key, order, start, end, status, beside}. `beside`: how many were under way at its
        start, itself among them.
        """
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "requests"
            self._ask({"write": str(file)})
            return [json.loads(line) for line in file.read_text().splitlines()]

    def count(self):
        return self._ask({})

    def forget(self):
        self._ask({"forget": True})

    def stop(self):
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def _ask(self, words):
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


class _Target:
    def __init__(self, number, seen):
        self.number, self.seen = number, seen
        self.seconds, self.status, self.fails, self.under_way = 0.0, 200, 0.0, 0
        self.random = random.Random(number)
        self.server = self.port = None

    async def listen(self):
        if self.server is None:
            loop = asyncio.get_running_loop()
            self.server = await loop.create_server(lambda: _Line(self), "127.0.0.1", self.port or 0, backlog=512)
            self.port = self.server.sockets[0].getsockname()[1]

    def leave(self):
        if self.server is not None:
            self.server.close()
            self.server = None


class _Line(asyncio.Protocol):
    def __init__(self, target):
        self.target, self.buffer = target, b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.buffer += data
        while True:
            head, found, rest = self.buffer.partition(b"\r\n\r\n")
            if not found:
                return
            fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
            length = int(fields.get(b"content-length", 0))
            if len(rest) < length:
                return
            self.buffer = rest[length:]
            self.begin(fields.get(b"idempotency-key", b"").decode(), rest[:length])

    def begin(self, key, body):
        target = self.target
        target.under_way += 1
        line = {
            "target": target.number,
            "key": key,
            "order": json.loads(body)["orderNo"],
            "start": time.monotonic_ns(),
            "end": 0,
            "status": 503 if target.random.random() < target.fails else target.status,
            "beside": target.under_way,
        }
        target.seen.append(line)
        if target.seconds:
            asyncio.get_running_loop().call_later(target.seconds, self.end, line)
        else:
            self.end(line)

    def end(self, line):
        self.target.under_way -= 1
        line["end"] = time.monotonic_ns()
        self.transport.write(
            b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}" % line["status"]
        )


async def _serve(count):
    seen = []
    targets = [_Target(number, seen) for number in range(count)]
    for target in targets:
        await target.listen()
    print(json.dumps([target.port for target in targets]), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        words = json.loads(line)
        if "target" in words:
            target = targets[words["target"]]
            target.seconds, target.status, target.fails = words["seconds"], words["status"], words["fails"]
            target.leave() if words["is_away"] else await target.listen()
        if "write" in words:
            await asyncio.to_thread(Path(words["write"]).write_text, "\n".join(map(json.dumps, list(seen))))
        if words.get("forget"):
            seen.clear()
        print(json.dumps(len(seen)), flush=True)


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
