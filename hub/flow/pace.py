"""Pace: how many deliveries of a lane may go now. Breaker, rate and slow start in one place; the worker asks before each claim.

A lane that may not go claims nothing: waiting is no attempt, and a backlog does not die of an outage (PROMISES P10).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hub.core.adapter import Answer
from hub.core.breaker import BreakerState, Circuit, Window, is_failure
from hub.core.errors import StoreBusy
from hub.core.routing import TargetPolicy
from hub.logs import event
from hub.store import Store

PROBE = timedelta(seconds=60)  # a probe that was not answered for after this is lost, and another worker takes the ticket
PATIENCE_S = 0.25  # a lane sleeps at most so long for its rate; then it lets the sweep wake it


@dataclass(slots=True)
class _Lane:
    """What this process knows of one lane."""

    window: Window | None = None
    policy: TargetPolicy | None = None
    ramp: int = 0  # after closing: how many may go at once, doubled with each good round; 0 once it is over
    asking: int = 0  # callers that wait for an answer of this target right now
    tokens: float = 0.0
    filled_at: float = field(default_factory=time.monotonic)


class Pace:
    """One per process. `look` is called by the tick: what other processes did is seen a sweep later, what this one did at once."""

    def __init__(self, store: Store, clock: Callable[[], datetime], sleep: Callable[[float], None] = time.sleep) -> None:
        self._store = store
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._lanes: dict[str, _Lane] = {}
        self._breakers: dict[str, BreakerState] = {}
        self._workers = 1
        self._changes = 0
        self._writing = 0  # changes that are being written

    def look(self) -> None:
        """Reads the breakers and how many workers share each rate. Raises StoreBusy."""
        with self._lock:
            before, is_steady = self._changes, not self._writing
        breakers = {one.lane: one for one in self._store.breakers()}
        workers = max(1, self._store.workers())
        with self._lock:
            self._workers = workers
            # What was read may be older than what this process has done meanwhile: a probe under way would be taken for an open breaker,
            # and its answer for one that says nothing new. The next look sees all of it.
            if is_steady and self._changes == before and not self._writing:
                self._breakers = breakers

    def breakers(self) -> list[BreakerState]:
        with self._lock:
            return sorted(self._breakers.values(), key=lambda one: one.lane)

    def allows(self, lane: str, policy: TargetPolicy, wanted: int) -> int:
        """How many of `wanted` may be claimed now; 0: none, look again at the next ring. Raises StoreBusy."""
        known = self._known(lane, policy)
        open_ = self._gate(lane)
        if open_ == 0:
            return 0
        most = min(wanted, open_) if open_ is not None else wanted
        if known.ramp:
            most = min(most, known.ramp)
        return self._take(known, policy, most)

    def give_back(self, lane: str, unused: int, *, claimed: int) -> None:
        """Places that were allowed and that nothing was there for; the probe's too."""
        self._lanes[lane].tokens += unused
        state = self._breakers.get(lane)
        if not claimed and state is not None and state.state is Circuit.HALF_OPEN:
            self._change(BreakerState(lane, Circuit.OPEN, self._clock(), state.trips), lambda: self._store.return_probe(lane))

    def enter(self, lane: str, policy: TargetPolicy) -> bool:
        """One caller more waits for this target; False where it is left alone, or has as much under way as it may. `leave` ends it."""
        known = self._known(lane, policy)
        with self._lock:
            if known.asking >= policy.concurrency:
                return False
            known.asking += 1
        if self.allows(lane, policy, 1):
            return True
        self.leave(lane)
        return False

    def leave(self, lane: str) -> None:
        with self._lock:
            self._lanes[lane].asking -= 1

    def saw(self, lane: str, answer: Answer) -> None:
        """Notes one answer of the target. May open its breaker, or close it after a probe."""
        failed = is_failure(answer)
        known = self._lanes.get(lane)
        if failed is None or known is None or known.window is None or known.policy is None or known.policy.breaker is None:
            return
        state = self._breakers.get(lane, BreakerState(lane))
        if state.state is Circuit.CLOSED:
            if known.window.saw(failed=failed):
                self._trip(lane, known, state)
            elif not failed and known.ramp:
                known.ramp = 0 if known.ramp >= known.policy.concurrency else known.ramp * 2
        elif state.state is Circuit.HALF_OPEN:
            if failed:
                self._trip(lane, known, state)
            else:
                self._close(lane, known)
        # Open: an answer to what was under way when it opened. It says nothing new.

    def is_open(self, lane: str) -> bool:
        """Whether nothing more may go out, not even of what is claimed."""
        state = self._breakers.get(lane)
        return state is not None and state.state is Circuit.OPEN

    def _known(self, lane: str, policy: TargetPolicy) -> _Lane:
        with self._lock:
            known = self._lanes.setdefault(lane, _Lane())
        if known.policy != policy:
            known.policy = policy
            known.window = Window(policy.breaker) if policy.breaker is not None else None
        return known

    def _gate(self, lane: str) -> int | None:
        """0: nothing goes. 1: the one probe. None: as many as wanted."""
        known, state = self._lanes[lane], self._breakers.get(lane)
        if state is None or state.state is Circuit.CLOSED or known.policy is None or known.policy.breaker is None:
            return None
        if state.until is not None and state.until > self._clock():
            return 0
        if not self._store.probe_breaker(lane, PROBE):
            return 0
        self._set(BreakerState(lane, Circuit.HALF_OPEN, self._clock() + PROBE, state.trips))
        event("breaker.probed", "one delivery is tried", lane=lane)
        return 1

    def _take(self, known: _Lane, policy: TargetPolicy, most: int) -> int:
        if policy.rate is None:
            return most
        share = policy.rate.per_second / self._workers
        now = time.monotonic()
        # At most one second's worth is saved up: an idle target is not hit by an hour's allowance at once. Slow rates save one call.
        known.tokens = min(known.tokens + (now - known.filled_at) * share, max(share, 1.0))
        known.filled_at = now
        if known.tokens < 1.0:
            wait = (1.0 - known.tokens) / share
            if wait > PATIENCE_S:
                return 0
            self._sleep(wait)
            known.tokens, known.filled_at = 1.0, time.monotonic()
        most = min(most, int(known.tokens))
        known.tokens -= most
        return most

    def _trip(self, lane: str, known: _Lane, state: BreakerState) -> None:
        assert known.policy is not None
        assert known.policy.breaker is not None
        assert known.window is not None
        trips = state.trips + 1
        span = known.policy.breaker.span(trips)
        known.window.clear()
        self._change(BreakerState(lane, Circuit.OPEN, self._clock() + span, trips), lambda: self._store.trip_breaker(lane, span))
        event("breaker.opened", f"nothing goes for {span.total_seconds():g} s; then one is tried", level="warning", lane=lane, trips=trips)

    def _close(self, lane: str, known: _Lane) -> None:
        known.ramp = 1  # slow start: a target that has just come back is not met by all that waited
        self._change(BreakerState(lane), lambda: self._store.close_breaker(lane))
        event("breaker.closed", "the target answers again", lane=lane)

    def _set(self, state: BreakerState) -> None:
        with self._lock:
            self._changes += 1
            self._breakers = {**self._breakers, state.lane: state}

    def _change(self, state: BreakerState, write: Callable[[], bool]) -> None:
        """From the first word to the end of the write, whatever is read of the store may be older than this."""
        with self._lock:
            self._writing += 1
        self._set(state)
        try:
            write()
        except StoreBusy as error:  # this process keeps to it all the same; the others find out for themselves
            event("breaker.unwritten", str(error), level="warning")
        finally:
            with self._lock:
                self._writing -= 1
                self._changes += 1
