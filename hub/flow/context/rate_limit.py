"""Rate limit per caller: how many messages per second a caller may post to this process (token bucket)."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from hub.core.errors import Code, Refused

SAVED_S = 10.0  # burst size in seconds of the rate: a caller that was idle may post several messages at once


@dataclass(slots=True)
class _Account:
    left: float
    filled_at: float


class Allowance:
    """`per_second` messages for each caller; 0: no limit. A batch passes whole if a token is left; the balance may
    become negative.
    """

    def __init__(self, per_second: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._most = max(1.0, per_second * SAVED_S)
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._accounts: dict[str, _Account] = {}  # authenticated callers only, so not more entries than keys

    def ask(self, caller: str) -> None:
        """Checks the limit before the expensive work of a post. Raises Refused (429) with Retry-After if no token is
        left.
        """
        if not self._per_second:
            return
        with self._lock:
            left = self._filled(caller).left
        if left < 1.0:
            seconds = str(math.ceil((1.0 - left) / self._per_second))
            text = f"You have posted more than {self._per_second:g} messages a second. Go on after {seconds} s, under the same Idempotency-Key."
            raise Refused(Code.TOO_MANY_REQUESTS, text, headers=[("retry-after", seconds)])

    def spend(self, caller: str, number: int) -> None:
        """Takes tokens for so many messages, accepted or not: a refusal costs work too."""
        if self._per_second:
            with self._lock:
                self._filled(caller).left -= number

    def _filled(self, caller: str) -> _Account:
        now = self._monotonic()
        account = self._accounts.setdefault(caller, _Account(self._most, now))
        account.left = min(self._most, account.left + (now - account.filled_at) * self._per_second)
        account.filled_at = now
        return account
