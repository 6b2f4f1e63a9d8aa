"""A rate, kept by one process: its part of what a target takes in a second. It fills evenly and saves up little."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

SAVED_S = 0.05  # so much of it is saved up: an idle target is not hit by a whole second's worth in one moment
# Of the cap: what is saved up comes on top of what flows in, and both together must stay within it, in whichever second they are counted.
FLOW = 0.9
# So much of it is claimed at once and then goes out one by one: with a long backlog a claim costs far more than a call, and its neighbours' time.
AHEAD_S = 0.25
SLOWEST = 20.0  # per second: of less only one is claimed at a time, since what has gone is settled with its neighbours


@dataclass(slots=True)
class Bucket:
    """Holds what may go. Empty at first: a process that has just taken its part does not know what went before."""

    tokens: float = 0.0
    filled_at: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)  # a lane, and callers who wait for an answer of the same target

    def take(self, per_second: float, most: int, *, patience_s: float, sleep: Callable[[float], None]) -> int:
        """Up to `most` that go at once, after at most `patience_s` of waiting; 0 where that is not long enough for one."""
        # Half of what can be saved, not one by one: a claim costs more than the few milliseconds that the first waits longer.
        if not self._wait(per_second, max(1.0, per_second * SAVED_S / 2), patience_s, sleep) and not self._wait(per_second, 1.0, patience_s, sleep):
            return 0
        with self._lock:
            self._fill(per_second)
            taken = min(most, int(self.tokens + 1e-6))
            self.tokens -= taken
            return taken

    def ahead(self, per_second: float, most: int, *, patience_s: float, sleep: Callable[[float], None]) -> int:
        """Up to `most` that are made ready, each of which asks `go` before it goes; waits until the first may. 0: as with `take`."""
        if not self._wait(per_second, 1.0, patience_s, sleep):
            return 0
        flow = per_second * FLOW
        return min(most, int(flow * AHEAD_S)) if flow >= SLOWEST else min(most, 1)

    def go(self, per_second: float, number: int) -> float:
        """0.0: so many go now, and count. Else the seconds after which to ask again."""
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
        """Waits until one may go, and then until so many may; False, at once, where it would take longer than `patience_s`."""
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
