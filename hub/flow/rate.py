"""A rate, kept by one process: its part of what a target takes in a second. It fills evenly and saves up little."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

SAVED_S = 0.05  # so much of it is saved up: an idle target is not hit by a whole second's worth in one moment
# Of the cap: what is saved up comes on top of what flows in, and both together must stay within it, in whichever second they are counted.
FLOW = 0.9


@dataclass(slots=True)
class Bucket:
    """Holds what may go. Empty at first: a process that has just taken its part does not know what went before."""

    tokens: float = 0.0
    filled_at: float = field(default_factory=time.monotonic)

    def take(self, per_second: float, most: int, *, patience_s: float, sleep: Callable[[float], None]) -> int:
        """Up to `most`, after at most `patience_s` of waiting; 0 where that is not long enough for one."""
        flow, saved = per_second * FLOW, max(1.0, per_second * SAVED_S)
        self._fill(flow, saved)
        if self.tokens < 1.0:
            # Half of what can be saved at once, not one by one: a claim costs more than the few milliseconds that the first waits longer.
            wait = max(1.0, saved / 2) - self.tokens
            if wait > patience_s * flow:
                wait = 1.0 - self.tokens
            if wait > patience_s * flow:
                return 0
            sleep(wait / flow)
            self._fill(flow, saved)
        taken = min(most, int(self.tokens + 1e-6))
        self.tokens -= taken
        return taken

    def give_back(self, unused: int) -> None:
        self.tokens += unused

    def _fill(self, flow: float, saved: float) -> None:
        now = time.monotonic()
        self.tokens = min(self.tokens + (now - self.filled_at) * flow, saved)
        self.filled_at = now
