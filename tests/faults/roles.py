"""The hub's roles as processes that can be wounded, killed, stopped and woken. Forked from one that has loaded
everything, so that a start is cheap.
"""

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time

from tests.faults.points import FIRED, WOUNDS
from tests.support.hubs import ROOT
from tests.support.waiting import wait_until

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.faults.wounded"])


class Roles:
    """Starts `hub ROLE` in one environment. `hub`: the folder of another hub than this repository's; then each role is
    a fresh interpreter.
    """

    def __init__(self, environment, folder, hub=None):
        self.environment = environment
        self.fired_file = folder / "fired"
        self.output = folder / "output"
        self._hub = hub
        self._folder = folder
        self._processes = {}
        self._count = 0

    def start(self, role, wounds=""):
        """`role`: up, web, worker-1 and so on; returns once it says that it is ready. Not so for one that is to be
        killed before: see `begin`.
        """
        output = self.begin([role.partition("-")[0]], role, wounds)
        wait_until(lambda: b"is ready" in _read(output) or not self.is_alive(role), seconds=60, what=f"{role}, ready")
        return self

    def begin(self, words, name, wounds="", **environment):
        """`hub WORDS` as the process `name`; gives the file of its output."""
        self._count += 1
        output = self._folder / f"{self._count}-{name}.log"
        environment = {**self.environment, **environment, WOUNDS: wounds, FIRED: str(self.fired_file)}
        if self._hub is None:
            from tests.faults.wounded import run

            self._processes[name] = _FORKS.Process(target=run, args=(words, environment, str(output)))
            self._processes[name].start()
        else:
            with output.open("ab") as file:
                given = {**environment, "PYTHONPATH": f"{self._hub}{os.pathsep}{ROOT}"}
                self._processes[name] = subprocess.Popen(
                    [sys.executable, "-m", "tests.faults.wounded", *words],
                    env=given,
                    cwd=self._hub,
                    stdout=file,
                    stderr=file,
                )
        return output

    def is_alive(self, name):
        process = self._processes[name]
        return process.is_alive() if hasattr(process, "is_alive") else process.poll() is None

    def ended(self, name, seconds=60):
        """Waits for the end of a process; its exit code, negative for a signal."""
        wait_until(lambda: not self.is_alive(name), seconds=seconds, what=f"the end of {name}")
        process = self._processes.pop(name)
        return process.exitcode if hasattr(process, "exitcode") else process.returncode

    def signal(self, name, number):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._processes[name].pid, number)

    def kill(self, name):
        self.signal(name, signal.SIGKILL)
        self.ended(name)

    def names(self):
        return list(self._processes)

    def fired(self):
        """The firings so far: [(point, action)]."""
        return [tuple(line.split()[:2]) for line in _read(self.fired_file).decode().splitlines()]

    def sleep_stopped(self, name, seconds):
        """The process has stopped itself: lets it lie for so long, then wakes it."""
        time.sleep(seconds)  # how long the pause is, is the fault's own size
        self.signal(name, signal.SIGCONT)

    def end(self):
        for name in self.names():
            self.kill(name)


def _read(path):
    return path.read_bytes() if path.exists() else b""
