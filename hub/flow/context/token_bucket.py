"""A token bucket: the rate limit of a target for one process. It fills evenly and allows only small bursts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

SAVED_S = 0.05  # burst size in seconds of the rate: an idle target must not get a full second's calls at once
# The refill rate as a part of the limit: burst and refill together must stay within the limit in any second.
FLOW = 0.9
# Seconds of the rate that are claimed at once and then sent one by one: with a long backlog a claim costs far more than
# a call.
AHEAD_S = 0.25
SLOWEST = 20.0  # per second; below this rate deliveries are claimed one at a time, because a batch is settled together


@dataclass(slots=True)
class Bucket:
    """Holds the tokens. Empty at first: a new process does not know what was sent before it took its share."""

    tokens: float = 0.0
    filled_at: float = field(default_factory=time.monotonic)
    # used by the lane, and by synchronous callers of the same target
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, per_second: float, most: int, *, patience_s: float, sleep: Callable[[float], None]) -> int:
        """Takes up to `most` tokens, after waiting at most `patience_s`; 0 if that is too short for one token."""
        # Waits for half a burst instead of one token: a claim costs more than the few milliseconds of longer waiting.
        if not self._wait(per_second, max(1.0, per_second * SAVED_S / 2), patience_s, sleep) and not self._wait(
            per_second, 1.0, patience_s, sleep
        ):
            return 0
        with self._lock:
            self._fill(per_second)
            taken = min(most, int(self.tokens + 1e-6))
            self.tokens -= taken
            return taken

    def ahead(self, per_second: float, most: int, *, patience_s: float, sleep: Callable[[float], None]) -> int:
        """How many of `most` to claim now; each calls `go` before it is sent. Waits until the first may be sent. 0: as
        with `take`.
        """
        if not self._wait(per_second, 1.0, patience_s, sleep):
            return 0
        flow = per_second * FLOW
        return min(most, int(flow * AHEAD_S)) if flow >= SLOWEST else min(most, 1)

    def go(self, per_second: float, number: int) -> float:
        """Takes `number` tokens and gives 0.0; or, if there are none, gives the seconds after which to ask again."""
        with self._lock:
            self._fill(per_second)
            if self.tokens < 1.0 - 1e-6:
                return (1.0 - self.tokens) / (per_second * FLOW)
            self.tokens -= number
            return 0.0

    def give_back(self, unused: int) -> None:
        with self._lock:
            self.tokens += unused

    def _wait(self, per_second: float, wanted: float, patience_s: float, sleep: Callable[[float], None]) -> bool:
        """Waits until `wanted` tokens are there, unless one is there already. False, at once, if that takes longer than
        `patience_s`.
        """
        with self._lock:
            self._fill(per_second)
            short = wanted - self.tokens if self.tokens < 1.0 - 1e-6 else 0.0
        wait = short / (per_second * FLOW)
        if wait > patience_s:
            return False
        if wait > 0:
            sleep(wait)
        return True

    def _fill(self, per_second: float) -> None:
        now = time.monotonic()
        self.tokens = min(self.tokens + (now - self.filled_at) * per_second * FLOW, max(1.0, per_second * SAVED_S))
        self.filled_at = now
