"""Pace: how many deliveries of a lane may go now. Breaker, caps and slow start in one place; the worker asks before each claim.

A lane that may not go claims nothing: waiting is no attempt, and a backlog does not die of an outage (promise P10).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hub.core.adapter import Answer
from hub.core.config.routing import TargetPolicy
from hub.core.errors import StoreBusy
from hub.core.model.breaker import BreakerState, Circuit, Window, is_failure
from hub.core.model.retry_budget import RetryBudget, floor
from hub.flow.context.concurrency_shares import Parts
from hub.flow.context.token_bucket import Bucket
from hub.logs import event
from hub.store import Store

PROBE = timedelta(seconds=60)  # a probe that was not answered for after this is lost, and another worker takes the ticket
PATIENCE_S = 2.0  # a lane sleeps at most so long for its rate; then it lets the sweep wake it
ASKING_S = 0.25  # the same for a caller who waits
CLAIM_BYTES = 32 << 20  # of bodies, in one claim
MOST_CLAIMED, LEAST_CLAIMED = 1 << 20, 64  # deliveries, in one claim: as many as may go; where many callers wait and much is left each time


@dataclass(slots=True)
class _Lane:
    """What this process knows of one lane."""

    window: Window | None = None
    policy: TargetPolicy | None = None
    asking: int = 0  # callers that wait for an answer of this target right now
    bucket: Bucket = field(default_factory=Bucket)
    retries: RetryBudget = field(default_factory=RetryBudget)
    share: float = 1.0  # of the target's rate, per second, when it was last asked for
    part: float = 1.0  # of the target's places, when they were last asked for
    body_bytes: float = 1.0  # of one of its messages, as the last claims were
    worked: int = MOST_CLAIMED  # deliveries that a round gets done, as the last rounds did


@dataclass(frozen=True, slots=True)
class _Seen:
    """A breaker as it was read, or set, at `at` of this process's own clock that never jumps."""

    state: BreakerState
    at: float = field(default_factory=time.monotonic)

    def age(self) -> timedelta:
        return self.state.age + timedelta(seconds=time.monotonic() - self.at)

    def is_over(self) -> bool:
        return timedelta(seconds=time.monotonic() - self.at) >= self.state.left


class Pace:
    """One per process. `look` is called by the tick: what other processes did is seen a sweep later, what this one did at once."""

    def __init__(self, store: Store, clock: Callable[[], datetime], sleep: Callable[[float], None] = time.sleep, worker: str = "") -> None:
        self._store = store
        self._clock = clock
        self._sleep = sleep
        self._parts = Parts(store, worker)
        self._lock = threading.Lock()
        self._lanes: dict[str, _Lane] = {}
        self._breakers: dict[str, _Seen] = {}
        self._pauses: frozenset[tuple[str, str]] = frozenset()
        self._changes = 0
        self._writing = 0  # changes that are being written

    def look(self) -> None:
        """Reads the breakers, what is paused, and who else works on which lane. Raises StoreBusy."""
        self._pauses = frozenset((one.kind, one.name) for one in self._store.pauses())
        with self._lock:
            before, is_steady = self._changes, not self._writing
        breakers = {one.lane: _Seen(one) for one in self._store.breakers()}
        with self._lock:
            # What was read may be older than what this process has done meanwhile: a probe under way would be taken for an open breaker,
            # and its answer for one that says nothing new. The next look sees all of it.
            if is_steady and self._changes == before and not self._writing:
                self._breakers = breakers
        self._parts.look()

    def is_paused(self, kind: str, name: str) -> bool:
        """Whether a person has stopped this route or target, as of the last look."""
        return (kind, name) in self._pauses

    @property
    def holds(self) -> bool:
        """Whether any route is paused, as of the last look."""
        return any(kind == "route" for kind, _ in self._pauses)

    def close(self) -> None:
        """Gives its parts to the others. Raises StoreBusy: they lapse by themselves."""
        self._parts.close()

    def breakers(self) -> list[BreakerState]:
        with self._lock:
            return sorted((one.state for one in self._breakers.values()), key=lambda one: one.lane)

    def width(self, lane: str, policy: TargetPolicy) -> int:
        """How many calls this process may have under way at once: its part of the target's `concurrency`, less after an outage; 0: none now.

        Raises StoreBusy.
        """
        slots = self._parts.mine(lane, policy)
        self._known(lane, policy).part = max(1, slots) / policy.concurrency
        return max(1, int(slots * self._slow_start(lane, policy))) if slots else 0

    def working(self, lane: str) -> AbstractContextManager[None]:
        """Around what uses `width`: its places stay this process's until it ends."""
        return self._parts.used(lane)

    def allows(self, lane: str, policy: TargetPolicy, wanted: int, *, patience_s: float = PATIENCE_S, ahead: bool = False) -> int:
        """How many of `wanted` may be claimed now; 0: none, look again at the next ring. Raises StoreBusy.

        They may all be sent at once; or, with `ahead`, there are more of them, and each call asks `go` before it is sent.
        """
        if self.is_paused("target", lane):
            return 0  # the claim would give none either; so it is not asked
        known = self._known(lane, policy)
        open_ = self._gate(lane)
        if open_ == 0:
            return 0
        most = min(wanted, open_) if open_ is not None else wanted
        slow = self._slow_start(lane, policy)
        if slow < 1.0:
            most = min(most, self.width(lane, policy))
        if policy.rate is None:
            return most
        known.share = policy.rate.per_second * slow * max(1, self._parts.mine(lane, policy)) / policy.concurrency
        ask = known.bucket.ahead if ahead else known.bucket.take
        allowed = ask(known.share, most, patience_s=patience_s, sleep=self._sleep)
        if not allowed:
            self.give_back(lane, 0, claimed=0)  # the ticket for a probe, if this was to be one
        return allowed

    def go(self, lane: str, number: int) -> float:
        """0.0: a call of so many deliveries, claimed `ahead`, goes now. Else the seconds for which the target's rate has it wait; then ask again."""
        known = self._lanes[lane]
        if known.policy is None or known.policy.rate is None:
            return 0.0
        return known.bucket.go(known.share, number)

    def fits(self, lane: str, size: int) -> int:
        """How many of `size` deliveries to claim at once: all their bodies are held at the same time, and what a round leaves is claimed in vain."""
        known = self._lanes[lane]
        return max(1, min(size, known.worked, int(CLAIM_BYTES / known.body_bytes)))

    def weighed(self, lane: str, number: int, size: int) -> None:
        """So many bytes the bodies of one claim had. What was heavy once is believed for some claims."""
        known = self._lanes[lane]
        known.body_bytes = max(1.0, size / number, known.body_bytes / 2)

    def left(self, lane: str, claimed: int, left: int) -> None:
        """So many of one claim had no time to be decided or made. The next claims are smaller, half for all callers in turn as before."""
        known = self._lanes[lane]
        known.worked = max(LEAST_CLAIMED, claimed - left) if left else min(MOST_CLAIMED, known.worked * 2)

    def give_back(self, lane: str, unused: int, *, claimed: int) -> None:
        """Places that were allowed and that nothing was there for; the probe's too."""
        self._lanes[lane].bucket.give_back(unused)
        seen = self._breakers.get(lane)
        if not claimed:
            self.rest(lane)
        if not claimed and seen is not None and seen.state.state is Circuit.HALF_OPEN:
            self._change(BreakerState(lane, Circuit.OPEN, self._clock(), seen.state.trips), lambda: self._store.return_probe(lane))

    def rest(self, lane: str) -> None:
        """There is no more work in the lane for now: where its target's places are few, others may have them. Raises StoreBusy."""
        self._parts.rest(lane)

    def enter(self, lane: str, policy: TargetPolicy) -> bool:
        """One caller more waits for this target; False where it is left alone, or has as much under way as it may. `leave` ends it."""
        known = self._known(lane, policy)
        # A caller is not made to wait for what another process gives up a moment later: one question at a time may always go.
        places = max(1, self._parts.mine(lane, policy))
        with self._lock:
            if known.asking >= places:
                return False
            known.asking += 1
        if self.allows(lane, policy, 1, patience_s=ASKING_S):
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
        state = self._state(lane)
        if state.state is Circuit.CLOSED:
            if known.window.saw(failed=failed):
                self._trip(lane, known, state)
        elif state.state is Circuit.HALF_OPEN:
            if failed:
                self._trip(lane, known, state)
            else:
                self._close(lane)
        # Open: an answer to what was under way when it opened. It says nothing new.

    def tried(self, lane: str, number: int) -> None:
        """Notes that so many deliveries were sent to the target for the first time."""
        with self._lock:
            self._lanes.setdefault(lane, _Lane()).retries.tried(time.monotonic(), number)

    def put_off(self, lane: str, after_s: float, latest_s: float) -> float:
        """How much longer than `after_s` a retry has to wait, in seconds, so that retries stay a small part of what the target is sent; 0: not at all.

        It goes after `latest_s` at the latest. Each process books by what it has tried itself, so that all together keep to the same part.
        """
        with self._lock:
            known = self._lanes.setdefault(lane, _Lane())
            rate = known.policy.rate if known.policy is not None else None
            now = time.monotonic()
            least = floor(rate.per_second if rate is not None else None, known.part)
            due = now + after_s
            return known.retries.book(now, due, latest=now + latest_s, floor_per_second=least) - due

    def is_open(self, lane: str) -> bool:
        """Whether nothing more may go out, not even of what is claimed."""
        return self._state(lane).state is Circuit.OPEN

    def _state(self, lane: str) -> BreakerState:
        seen = self._breakers.get(lane)
        return seen.state if seen is not None else BreakerState(lane)

    def _slow_start(self, lane: str, policy: TargetPolicy) -> float:
        """Which part of its caps the target gets now. Every process reads it off the moment in which the breaker closed, which they share."""
        seen = self._breakers.get(lane)
        if seen is None or policy.breaker is None or seen.state.state is not Circuit.CLOSED:
            return 1.0
        return policy.breaker.slow_start(seen.age())

    def _known(self, lane: str, policy: TargetPolicy) -> _Lane:
        with self._lock:
            known = self._lanes.setdefault(lane, _Lane())
        if known.policy != policy:
            known.policy = policy
            known.window = Window(policy.breaker) if policy.breaker is not None else None
        return known

    def _gate(self, lane: str) -> int | None:
        """0: nothing goes. 1: the one probe. None: as many as wanted."""
        known, seen = self._lanes[lane], self._breakers.get(lane)
        if seen is None or seen.state.state is Circuit.CLOSED or known.policy is None or known.policy.breaker is None:
            return None
        if not seen.is_over():
            return 0
        if not self._store.probe_breaker(lane, PROBE):
            return 0
        self._set(BreakerState(lane, Circuit.HALF_OPEN, self._clock() + PROBE, seen.state.trips, PROBE))
        event("breaker.probed", "one delivery is tried", lane=lane)
        return 1

    def _trip(self, lane: str, known: _Lane, state: BreakerState) -> None:
        assert known.policy is not None
        assert known.policy.breaker is not None
        assert known.window is not None
        trips = state.trips + 1
        span = known.policy.breaker.span(trips)
        known.window.clear()
        self._change(BreakerState(lane, Circuit.OPEN, self._clock() + span, trips, span), lambda: self._store.trip_breaker(lane, span))
        event("breaker.opened", f"nothing goes for {span.total_seconds():g} s; then one is tried", level="warning", lane=lane, trips=trips)

    def _close(self, lane: str) -> None:
        # Its age is 0 now, here and in the store: a target that has just come back is not met by all that waited.
        self._change(BreakerState(lane), lambda: self._store.close_breaker(lane))
        event("breaker.closed", "the target answers again", lane=lane)

    def _set(self, state: BreakerState) -> None:
        with self._lock:
            self._changes += 1
            self._breakers = {**self._breakers, state.lane: _Seen(state)}

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
