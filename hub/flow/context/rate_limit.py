"""Allowance: how many messages a second each caller may post to this process, so that none keeps the others out."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from hub.core.errors import Code, Refused

SAVED_S = 10.0  # so much of it is saved up: a caller that was quiet may post a few at once


@dataclass(slots=True)
class _Account:
    left: float
    filled_at: float


class Allowance:
    """`per_second` messages for each caller; 0: as many as it likes. A batch goes whole while anything is left, and is made up for afterwards."""

    def __init__(self, per_second: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._most = max(1.0, per_second * SAVED_S)
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._accounts: dict[str, _Account] = {}  # of those who proved who they are: as many as there are keys

    def ask(self, caller: str) -> None:
        """Raises Refused, with when to come again, where nothing is left: before the work that a large post would cost."""
        if not self._per_second:
            return
        with self._lock:
            left = self._filled(caller).left
        if left < 1.0:
            seconds = str(math.ceil((1.0 - left) / self._per_second))
            text = f"You have posted more than {self._per_second:g} messages a second. Go on after {seconds} s, under the same Idempotency-Key."
            raise Refused(Code.TOO_MANY_REQUESTS, text, headers=[("retry-after", seconds)])

    def spend(self, caller: str, number: int) -> None:
        """Takes so many off what is left, whether or not they were accepted: refusing costs too."""
        if self._per_second:
            with self._lock:
                self._filled(caller).left -= number

    def _filled(self, caller: str) -> _Account:
        now = self._monotonic()
        account = self._accounts.setdefault(caller, _Account(self._most, now))
        account.left = min(self._most, account.left + (now - account.filled_at) * self._per_second)
        account.filled_at = now
        return account
