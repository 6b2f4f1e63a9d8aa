"""The door between here and an evaluator: where an expression or a mapping that may cost much goes, so that it holds
nobody else up.

Without an evaluator everything runs in place (tests, and the evaluator itself). With one, what is cheap runs in place
under a short limit, and what is not is handed over with budgets of processor time and memory. A thread says what it may
wait for: the event loop for nothing (`at_once`), a crowded post for no evaluator (`deferring`), all others wait. The
one state of a process that the ground has: decision 021.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from hub.core.errors import Busy, Cause, HubError, Reason

INLINE_MS = 10  # that one evaluation may take in place, before it is begun anew elsewhere


@dataclass(frozen=True, slots=True)
class Job:
    """What an evaluator is asked: `fixed` is the same for all messages and kept there by its text, `body` is of this
    one. JSON, both.
    """

    kind: str  # expression or mapping
    fixed: bytes
    body: bytes
    cpu_ms: int
    name: str  # what it is, for whoever reads why it ended


class Evaluator(Protocol):
    def work(self, caller: str, job: Job) -> bytes:
        """The answer, as JSON. `caller`: in whose turn. Raises GiveUp where it is over its budget, Busy where there was
        no time for it.
        """
        ...


class NeedsTime(HubError):
    """It is not to be evaluated on the event loop."""


class _Patience(Enum):
    WAIT = "wait"
    NEVER = "never"
    DEFER = "defer"


class _Door:
    make: Callable[[], Evaluator] | None = None
    evaluator: Evaluator | None = None  # made at the first job
    cpu_ms: Callable[[], float] | None = None  # in an evaluator: the processor time of this process


_door = _Door()
_local = threading.local()
_making = threading.Lock()
_DEFERRED = Cause(
    Reason.TRANSFORM_TIMEOUT,
    "It needs more time than a post of a caller that has posted many such.",
    fix="Send it again later, under the same key.",
)


def hand_in(make: Callable[[], Evaluator] | None) -> None:
    """Once per process, by whoever wires it; `make` is called at the first job."""
    _door.make, _door.evaluator = make, None


def measure(cpu_ms: Callable[[], float]) -> None:
    """By the evaluator, of itself: a time limit then counts processor time, and a busy machine costs nobody a
    message.
    """
    _door.cpu_ms = cpu_ms


def is_open() -> bool:
    return _door.make is not None


def cpu_ms() -> float | None:
    return None if _door.cpu_ms is None else _door.cpu_ms()


def away(job: Callable[[], Job]) -> bytes:
    """The evaluator's answer to a job, which is only made where it is asked. Raises GiveUp, Busy, NeedsTime."""
    patience = getattr(_local, "patience", _Patience.WAIT)
    if patience is _Patience.NEVER:
        raise NeedsTime
    if patience is _Patience.DEFER:
        raise Busy(_DEFERRED)
    return _evaluator().work(getattr(_local, "caller", ""), job())


def _evaluator() -> Evaluator:
    with _making:
        if _door.evaluator is None:
            assert _door.make is not None
            _door.evaluator = _door.make()
        return _door.evaluator


@contextmanager
def at_once() -> Iterator[None]:
    """Nothing is handed over: NeedsTime is raised instead."""
    with _patience(_Patience.NEVER):
        yield


@contextmanager
def deferring() -> Iterator[None]:
    """Nothing is handed over: Busy is raised instead. A route is then decided at its claim; a whole message has to come
    again.
    """
    with _patience(_Patience.DEFER):
        yield


@contextmanager
def _patience(patience: _Patience) -> Iterator[None]:
    before = getattr(_local, "patience", _Patience.WAIT)
    _local.patience = patience
    try:
        yield
    finally:
        _local.patience = before


@contextmanager
def on_behalf(caller: str) -> Iterator[None]:
    """Whose turn is used: callers wait for the evaluator side by side, each behind its own."""
    before = getattr(_local, "caller", "")
    _local.caller = caller
    try:
        yield
    finally:
        _local.caller = before
