"""A real browser, driven over its own debugging pipe: no driver and no package beside it."""

import contextlib
import fcntl
import json
import os
import queue
import shutil
import signal
import subprocess
import threading
import time

NAMES = ("chromium", "chromium-browser", "google-chrome")


def binary():
    """The browser that this machine has; None if it has none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Page:
    """One tab. `seen` are the events that it sent, in their order."""

    def __init__(self, folder):
        # The browser reads its file descriptor 3 and writes 4; ours are moved out of their way first.
        theirs_in, self._to = map(_moved, os.pipe())
        self._from, theirs_out = map(_moved, os.pipe())
        flags = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--remote-debugging-pipe")
        words = [binary(), *flags, f"--user-data-dir={folder}", "about:blank"]
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}', *words],
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self.seen = []
        self._answers = queue.Queue()
        self._number = 0
        self._session = None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        target = self.say("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.say("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for name in ("Page", "Network", "Log", "Runtime"):
            self.say(f"{name}.enable")

    def say(self, method, **parameters):
        """One command; its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters} | ({"sessionId": self._session} if self._session else {})
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._answers.get(timeout=60)
            if answer["id"] == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def open(self, url, **headers):
        """Opens a page, with these headers on it and on all that it asks for."""
        self.say("Network.setExtraHTTPHeaders", headers={name.replace("_", "-"): value for name, value in headers.items()})
        self.say("Page.navigate", url=url)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def run(self, expression):
        """What an expression gives on the page."""
        result = self.say("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait(self, expression, seconds=20):
        """Until the expression holds on the page; gives what it gave."""
        end = time.monotonic() + seconds
        while not (found := self.run(expression)):
            assert time.monotonic() < end, f"it never held: {expression}; the page says: {self.run('document.body.innerText')}"
            time.sleep(0.05)
        return found

    def events(self, method):
        return [event["params"] for event in self.seen if event["method"] == method]

    def close(self):
        with contextlib.suppress(Exception):
            self._session = None
            self.say("Browser.close")
        os.close(self._to)  # the end of its pipe ends it too
        try:
            self._process.wait(3)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)  # a group of its own: the browser and its children
            self._process.wait(10)
        self._reader.join(10)
        os.close(self._from)

    def _read(self):
        rest = b""
        while part := os.read(self._from, 1 << 16):
            *whole, rest = (rest + part).split(b"\0")
            for message in map(json.loads, whole):
                if "id" in message:
                    self._answers.put(message)
                else:
                    self.seen.append(message)


def _moved(end):
    try:
        return fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 50)
    finally:
        os.close(end)
