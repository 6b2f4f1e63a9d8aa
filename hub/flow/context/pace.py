"""Paces each lane: circuit breaker, concurrency limit, rate limit, slow start and retry budget. The worker asks it
before each claim.

A lane that is not allowed to send claims nothing: waiting costs no attempt, so a backlog survives an outage (promise
P10).
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

PROBE = timedelta(seconds=60)  # timeout of a breaker probe: after this another worker may probe
PATIENCE_S = 2.0  # maximum wait of a lane for its rate limit; after that the sweep wakes it
ASKING_S = 0.25  # the same for a synchronous caller
CLAIM_BYTES = 32 << 20  # maximum size of all bodies of one claim
MOST_CLAIMED, LEAST_CLAIMED = 1 << 20, 64  # limits of the claim size, which adapts to what a round gets done


@dataclass(slots=True)
class _Lane:
    """The state of one lane in this process."""

    window: Window | None = None
    policy: TargetPolicy | None = None
    asking: int = 0  # synchronous callers that wait for this target now
    bucket: Bucket = field(default_factory=Bucket)
    retries: RetryBudget = field(default_factory=RetryBudget)
    share: float = 1.0  # this process's share of the target's rate, per second, when last computed
    part: float = 1.0  # this process's share of the target's concurrency, 0 to 1, when last computed
    body_bytes: float = 1.0  # average body size in the last claims
    worked: int = MOST_CLAIMED  # deliveries that the last rounds got done


@dataclass(frozen=True, slots=True)
class _Seen:
    """A breaker as it was read or set at `at`, by this process's monotonic clock."""

    state: BreakerState
    at: float = field(default_factory=time.monotonic)

    def age(self) -> timedelta:
        return self.state.age + timedelta(seconds=time.monotonic() - self.at)

    def is_over(self) -> bool:
        return timedelta(seconds=time.monotonic() - self.at) >= self.state.left


class Pace:
    """One per process. The tick calls `look`: changes of other processes are seen one sweep later, those of this
    process at once.
    """

    def __init__(
        self, store: Store, clock: Callable[[], datetime], sleep: Callable[[float], None] = time.sleep, worker: str = ""
    ) -> None:
        self._store = store
        self._clock = clock
        self._sleep = sleep
        self._parts = Parts(store, worker)
        self._lock = threading.Lock()
        self._lanes: dict[str, _Lane] = {}
        self._breakers: dict[str, _Seen] = {}
        self._pauses: frozenset[tuple[str, str]] = frozenset()
        self._changes = 0
        self._writing = 0  # number of changes that are being written

    def look(self) -> None:
        """Reads breakers, pauses, and the shares of other processes. Raises StoreBusy."""
        self._pauses = frozenset((row.kind, row.name) for row in self._store.pauses())
        with self._lock:
            before, is_steady = self._changes, not self._writing
        breakers = {row.lane: _Seen(row) for row in self._store.breakers()}
        with self._lock:
            # What was read may be older than this process's own changes: a probe under way would look like an open
            # breaker, and its answer would be ignored. Then the reading is dropped, and the next look sees the changes.
            if is_steady and self._changes == before and not self._writing:
                self._breakers = breakers
        self._parts.look()

    def is_paused(self, kind: str, name: str) -> bool:
        """Whether a person has paused this route or target, as of the last look."""
        return (kind, name) in self._pauses

    @property
    def holds(self) -> bool:
        """Whether any route is paused, as of the last look."""
        return any(kind == "route" for kind, _ in self._pauses)

    def close(self) -> None:
        """Releases the concurrency shares. Raises StoreBusy: then they lapse by themselves."""
        self._parts.close()

    def breakers(self) -> list[BreakerState]:
        with self._lock:
            return sorted((breaker.state for breaker in self._breakers.values()), key=lambda breaker: breaker.lane)

    def width(self, lane: str, policy: TargetPolicy) -> int:
        """How many parallel calls this process may have: its share of the target's `concurrency`, less after an outage;
        0: none now. Raises StoreBusy.
        """
        slots = self._parts.mine(lane, policy)
        self._known(lane, policy).part = max(1, slots) / policy.concurrency
        return max(1, int(slots * self._slow_start(lane, policy))) if slots else 0

    def working(self, lane: str) -> AbstractContextManager[None]:
        """A context around the use of `width`: the slots stay reserved until it ends."""
        return self._parts.used(lane)

    def allows(
        self, lane: str, policy: TargetPolicy, wanted: int, *, patience_s: float = PATIENCE_S, ahead: bool = False
    ) -> int:
        """How many of `wanted` may be claimed now; 0: none, ask again at the next notification. Raises StoreBusy.

        All of them may be sent at once. With `ahead` there are more of them, and each call asks `go` before it is sent.
        """
        if self.is_paused("target", lane):
            return 0  # the claim would give none either, so the store is not asked
        state = self._known(lane, policy)
        open_ = self._gate(lane)
        if open_ == 0:
            return 0
        most = min(wanted, open_) if open_ is not None else wanted
        slow = self._slow_start(lane, policy)
        if slow < 1.0:
            most = min(most, self.width(lane, policy))
        if policy.rate is None:
            return most
        state.share = policy.rate.per_second * slow * max(1, self._parts.mine(lane, policy)) / policy.concurrency
        ask = state.bucket.ahead if ahead else state.bucket.take
        allowed = ask(state.share, most, patience_s=patience_s, sleep=self._sleep)
        if not allowed:
            self.give_back(lane, 0, claimed=0)  # returns the breaker's probe, if this claim had it
        return allowed

    def go(self, lane: str, number: int) -> float:
        """0.0: a call with `number` deliveries, claimed `ahead`, may be sent now. Otherwise the seconds to wait for the
        rate limit; then ask again.
        """
        state = self._lanes[lane]
        if state.policy is None or state.policy.rate is None:
            return 0.0
        return state.bucket.go(state.share, number)

    def fits(self, lane: str, size: int) -> int:
        """Limits the claim size: all bodies are in memory at the same time, and what a round cannot finish is claimed
        in vain.
        """
        state = self._lanes[lane]
        return max(1, min(size, state.worked, int(CLAIM_BYTES / state.body_bytes)))

    def weighed(self, lane: str, number: int, size: int) -> None:
        """Records the total body size of one claim. A large average decays over several claims."""
        state = self._lanes[lane]
        state.body_bytes = max(1.0, size / number, state.body_bytes / 2)

    def left(self, lane: str, claimed: int, left: int) -> None:
        """Records how many of a claim were not finished in time. If any, the next claims are smaller; otherwise the
        limit doubles.
        """
        state = self._lanes[lane]
        state.worked = max(LEAST_CLAIMED, claimed - left) if left else min(MOST_CLAIMED, state.worked * 2)

    def give_back(self, lane: str, unused: int, *, claimed: int) -> None:
        """Gives back what was allowed but not claimed: rate tokens, and the breaker's probe if nothing was claimed."""
        self._lanes[lane].bucket.give_back(unused)
        breaker = self._breakers.get(lane)
        if not claimed:
            self.rest(lane)
        if not claimed and breaker is not None and breaker.state.state is Circuit.HALF_OPEN:
            self._change(
                BreakerState(lane, Circuit.OPEN, self._clock(), breaker.state.trips),
                lambda: self._store.return_probe(lane),
            )

    def rest(self, lane: str) -> None:
        """Notes that the lane has no more work: if its slots are few, other processes may have them. Raises
        StoreBusy.
        """
        self._parts.rest(lane)

    def enter(self, lane: str, policy: TargetPolicy) -> bool:
        """Admits one synchronous caller; False if the breaker is open or the concurrency is used up. `leave` ends
        it.
        """
        state = self._known(lane, policy)
        # At least one call is always allowed: a caller must not wait until another process releases its share.
        places = max(1, self._parts.mine(lane, policy))
        with self._lock:
            if state.asking >= places:
                return False
            state.asking += 1
        if self.allows(lane, policy, 1, patience_s=ASKING_S):
            return True
        self.leave(lane)
        return False

    def leave(self, lane: str) -> None:
        with self._lock:
            self._lanes[lane].asking -= 1

    def saw(self, lane: str, answer: Answer) -> None:
        """Records one answer of the target. May open its breaker, or close it after a probe."""
        failed = is_failure(answer)
        lane_state = self._lanes.get(lane)
        if (
            failed is None
            or lane_state is None
            or lane_state.window is None
            or lane_state.policy is None
            or lane_state.policy.breaker is None
        ):
            return
        state = self._state(lane)
        if state.state is Circuit.CLOSED:
            if lane_state.window.saw(failed=failed):
                self._trip(lane, lane_state, state)
        elif state.state is Circuit.HALF_OPEN:
            if failed:
                self._trip(lane, lane_state, state)
            else:
                self._close(lane)
        # Open: the call was under way when the breaker opened, so the answer says nothing new.

    def tried(self, lane: str, number: int) -> None:
        """Records so many first attempts for the retry budget."""
        with self._lock:
            self._lanes.setdefault(lane, _Lane()).retries.tried(time.monotonic(), number)

    def put_off(self, lane: str, after_s: float, latest_s: float) -> float:
        """How many seconds longer than `after_s` a retry must wait for the retry budget; 0: no longer.

        It is sent after `latest_s` at the latest. Each process has a budget for its own attempts, so that all together
        keep the same proportion.
        """
        with self._lock:
            state = self._lanes.setdefault(lane, _Lane())
            rate = state.policy.rate if state.policy is not None else None
            now = time.monotonic()
            least = floor(rate.per_second if rate is not None else None, state.part)
            due = now + after_s
            return state.retries.book(now, due, latest=now + latest_s, floor_per_second=least) - due

    def is_open(self, lane: str) -> bool:
        """Whether the breaker is open: then nothing more is sent, not even of what is claimed."""
        return self._state(lane).state is Circuit.OPEN

    def _state(self, lane: str) -> BreakerState:
        breaker = self._breakers.get(lane)
        return breaker.state if breaker is not None else BreakerState(lane)

    def _slow_start(self, lane: str, policy: TargetPolicy) -> float:
        """The part of the limits that applies during slow start, 0 to 1. All processes compute it from the time at
        which the breaker closed.
        """
        breaker = self._breakers.get(lane)
        if breaker is None or policy.breaker is None or breaker.state.state is not Circuit.CLOSED:
            return 1.0
        return policy.breaker.slow_start(breaker.age())

    def _known(self, lane: str, policy: TargetPolicy) -> _Lane:
        with self._lock:
            state = self._lanes.setdefault(lane, _Lane())
        if state.policy != policy:
            state.policy = policy
            state.window = Window(policy.breaker) if policy.breaker is not None else None
        return state

    def _gate(self, lane: str) -> int | None:
        """How many deliveries the breaker admits. 0: none. 1: the probe. None: no limit."""
        lane_state, breaker = self._lanes[lane], self._breakers.get(lane)
        if (
            breaker is None
            or breaker.state.state is Circuit.CLOSED
            or lane_state.policy is None
            or lane_state.policy.breaker is None
        ):
            return None
        if not breaker.is_over():
            return 0
        if not self._store.probe_breaker(lane, PROBE):
            return 0
        self._set(BreakerState(lane, Circuit.HALF_OPEN, self._clock() + PROBE, breaker.state.trips, PROBE))
        event("breaker.probed", "one delivery is tried", lane=lane)
        return 1

    def _trip(self, lane: str, lane_state: _Lane, state: BreakerState) -> None:
        assert lane_state.policy is not None
        assert lane_state.policy.breaker is not None
        assert lane_state.window is not None
        trips = state.trips + 1
        span = lane_state.policy.breaker.span(trips)
        lane_state.window.clear()
        self._change(
            BreakerState(lane, Circuit.OPEN, self._clock() + span, trips, span),
            lambda: self._store.trip_breaker(lane, span),
        )
        event(
            "breaker.opened",
            f"nothing goes for {span.total_seconds():g} s; then one is tried",
            level="warning",
            lane=lane,
            trips=trips,
        )

    def _close(self, lane: str) -> None:
        # The age is 0 now, here and in the store, so that slow start begins: a target that has just recovered must not
        # get the whole backlog.
        self._change(BreakerState(lane), lambda: self._store.close_breaker(lane))
        event("breaker.closed", "the target answers again", lane=lane)

    def _set(self, state: BreakerState) -> None:
        with self._lock:
            self._changes += 1
            self._breakers = {**self._breakers, state.lane: _Seen(state)}

    def _change(self, state: BreakerState, write: Callable[[], bool]) -> None:
        """Sets the state here at once, then writes it. Until the write ends, readings of the store may be older than
        this change.
        """
        with self._lock:
            self._writing += 1
        self._set(state)
        try:
            write()
        except StoreBusy as error:  # this process keeps the state; the other processes find out by themselves
            event("breaker.unwritten", str(error), level="warning")
        finally:
            with self._lock:
                self._writing -= 1
                self._changes += 1
