"""Evaluators: a few processes that evaluate what may cost much, so that it costs nobody else time or memory.

Started at the first job and at the next one after an end; each works off one job at a time. Callers wait side by side,
each behind its own jobs. Whether an expression is too costly is told by processor time, which a busy machine does not
change; waiting has a limit of its own, and says Busy.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path

from hub.core import json
from hub.core.errors import Busy, Cause, GiveUp, Reason
from hub.core.expressions.evaluation_door import Job
from hub.kit.evaluation.evaluator_process import ANSWER, FAULT, HEAD, KINDS, MEMORY, PAGE, WORN

WAIT_S = 20.0  # for a turn, and then for the answer: beyond it nothing is said of the job but that there was no time
MOST_WAITING = 64  # jobs of one caller; more are Busy at once
MEMORY_BYTES = 64 << 20  # that a job may take, and so many times what it is given
MEMORY_TIMES = 24
BASE_BYTES = 48 << 20  # of a process that has done nothing yet
LOOK_MS = 4
NICE = 19  # who posts and who delivers goes first
_BUSY = Cause(Reason.TRANSFORM_TIMEOUT, "There was no time to compute it.", fix="It is tried again by itself.")


class Evaluators:
    """`core.expressions.evaluation_door.Evaluator` by at most `most` processes. Safe in all threads."""

    def __init__(self, most: int = 0) -> None:
        self._most = most or max(1, min(4, (os.cpu_count() or 2) // 2))
        self._idle: list[_Process] = []
        self._running = 0
        self._turn = threading.Condition()
        self._waiting: dict[str, deque[object]] = {}  # by caller, whose turn is next first
        self._is_closed = False

    def work(self, caller: str, job: Job) -> bytes:
        """Raises GiveUp where the job is over its budget, or cannot be computed; Busy where its turn did not come."""
        self._enter(caller)
        process: _Process | None = None
        try:
            with self._turn:
                process = self._idle.pop() if self._idle else None
            process = process or _Process()
            answer = process.ask(job)
        except BaseException:
            if process is not None:
                process.end()
            self._leave(None)
            raise
        if answer.is_worn:
            process.end()
        self._leave(None if answer.is_worn else process)
        if answer.fault is not None:
            raise GiveUp(answer.fault)
        return answer.body

    def close(self) -> None:
        with self._turn:
            self._is_closed = True
            for process in self._idle:
                process.end()
            self._idle.clear()
            self._turn.notify_all()

    def _enter(self, caller: str) -> None:
        ticket = object()
        end = time.monotonic() + WAIT_S
        with self._turn:
            mine = self._waiting.setdefault(caller, deque())
            if len(mine) >= MOST_WAITING:
                raise Busy(_BUSY)
            mine.append(ticket)
            try:
                while self._is_closed or not (self._running < self._most and self._is_next(ticket)):
                    if self._is_closed or not self._turn.wait(max(0.0, end - time.monotonic())):
                        raise Busy(_BUSY)
                self._running += 1
            finally:
                mine.remove(ticket)
                # Behind all others, whether or not it has more: that is what makes turns of it.
                del self._waiting[caller]
                if mine:
                    self._waiting[caller] = mine
                self._turn.notify_all()

    def _is_next(self, ticket: object) -> bool:
        return next(iter(self._waiting.values()))[0] is ticket

    def _leave(self, process: _Process | None) -> None:
        with self._turn:
            self._running -= 1
            if process is not None:
                if self._is_closed:
                    process.end()
                else:
                    self._idle.append(process)
            self._turn.notify_all()


def resident(pid: int) -> int:
    """Bytes of memory that a process holds; 0 where the system does not say."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * PAGE
    except (OSError, IndexError):
        return 0


class _Answer:
    __slots__ = ("body", "fault", "is_worn")

    def __init__(self, body: bytes, fault: Cause | None, *, is_worn: bool) -> None:
        self.body, self.fault, self.is_worn = body, fault, is_worn


class _Process:
    """One evaluator. It sees its standard input and output alone, and ends with its input."""

    def __init__(self) -> None:
        environment = {
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "PATH": os.environ.get("PATH", ""),
            "PYTHONHASHSEED": "0",
        }
        words = [sys.executable, "-m", "hub.kit.evaluation.evaluator_process"]
        # A group of its own: who stops the hub from a terminal does not end what a delivery waits for. No session: it
        # would be scheduled by itself.
        self._process = subprocess.Popen(  # noqa: S603  our own words
            words,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            process_group=0,
            bufsize=0,
        )
        with suppress(OSError):  # at once, not when it has begun: loading what it needs is half of what it costs
            os.setpriority(os.PRIO_PROCESS, self._process.pid, NICE)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._in, False)
        os.set_blocking(self._out, False)

    def ask(self, job: Job) -> _Answer:
        """Raises GiveUp where it ended over the job, Busy where it did not answer in time; it is of no more use
        then.
        """
        end = time.monotonic() + WAIT_S
        memory = MEMORY_BYTES + MEMORY_TIMES * (len(job.body) + len(job.fixed))
        self._most = max(BASE_BYTES, resident(self._process.pid)) + memory
        head = HEAD.pack(KINDS.index(job.kind), len(job.fixed), len(job.body), job.cpu_ms, min(memory, 0xFFFFFFFF))
        try:
            self._write(head + job.fixed + job.body, end)
            what, size = ANSWER.unpack(self._read(ANSWER.size, end))
            body = self._read(size, end)
        except MemoryError:
            raise GiveUp(self._too_much(job, memory)) from None
        except EOFError:
            raise GiveUp(self._why(job, memory)) from None
        fault = Cause.from_json(json.decode(body)) if what == FAULT else None  # type: ignore[arg-type]  # it is an object
        return _Answer(body, fault, is_worn=what == WORN)

    def end(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()

    def _why(self, job: Job, memory: int) -> Cause:
        code = self._process.wait()
        if code in (-signal.SIGPROF, -signal.SIGXCPU):
            text = f"{job.name} takes more than {job.cpu_ms} ms of processor time."
            return Cause(
                Reason.TRANSFORM_TIMEOUT,
                text,
                fix="Write it so that it goes through each list once; hub check says where. Then replay.",
            )
        if code in (MEMORY, -signal.SIGABRT, -signal.SIGKILL, -signal.SIGSEGV):
            return self._too_much(job, memory)
        return Cause(
            Reason.TRANSFORM_ERROR,
            f"{job.name} broke the evaluator ({code}).",
            fix="Write it another way, then replay.",
        )

    def _too_much(self, job: Job, memory: int) -> Cause:
        text = f"{job.name} takes more than {memory >> 20} MB of memory."
        return Cause(
            Reason.TRANSFORM_ERROR,
            text,
            fix="Write it so that it repeats no text or list within itself; hub check says where. Then replay.",
        )

    def _write(self, data: bytes, end: float) -> None:
        view = memoryview(data)
        while view:
            self._await(self._in, select.POLLOUT, end)
            try:
                view = view[os.write(self._in, view[: 1 << 20]) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise EOFError from None

    def _read(self, size: int, end: float) -> bytes:
        parts: list[bytes] = []
        while size:
            self._await(self._out, select.POLLIN, end)
            try:
                part = os.read(self._out, min(size, 1 << 20))
            except BlockingIOError:
                continue
            if not part:
                raise EOFError
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _await(self, number: int, what: int, end: float) -> None:
        waiting = select.poll()
        waiting.register(number, what)
        # What it has mapped says little: its allocator maps a gigabyte at its start. So what it holds is looked at
        # while it works.
        while not waiting.poll(LOOK_MS):
            if resident(self._process.pid) > self._most:
                raise MemoryError
            if time.monotonic() > end:
                raise Busy(_BUSY)
