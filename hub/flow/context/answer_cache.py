"""Caches answers of targets: of look-ups, and for the fallback of synchronous routes. In memory, per process; a lost
entry costs one call.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from datetime import datetime, timedelta

MAX_ANSWERS = 10_000
MAX_BYTES = 64 * 1024 * 1024


class AnswerCache:
    """A cache of the last good answer to each question; the oldest entry is evicted first. Thread-safe."""

    def __init__(self) -> None:
        self._answers: OrderedDict[tuple[str, bytes], tuple[datetime, bytes]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def put(self, what: str, question: bytes, answer: bytes, at: datetime) -> None:
        with self._lock:
            self._drop((what, question))
            self._answers[what, question] = (at, answer)
            self._bytes += len(question) + len(answer)
            while len(self._answers) > MAX_ANSWERS or self._bytes > MAX_BYTES:
                self._drop(next(iter(self._answers)))

    def get(self, what: str, question: bytes, *, within: timedelta, now: datetime) -> tuple[bytes, timedelta] | None:
        """The answer and its age, if it is not older than `within`."""
        with self._lock:
            cached = self._answers.get((what, question))
        if cached is None or now - cached[0] > within:
            return None
        return cached[1], now - cached[0]

    def _drop(self, key: tuple[str, bytes]) -> None:
        cached = self._answers.pop(key, None)
        if cached is not None:
            self._bytes -= len(key[1]) + len(cached[1])
