"""Parts: how much of each target's caps this process has, beside the other processes that work on the lane."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from hub.core.config.routing import TargetPolicy
from hub.core.model.sharing import at_once, fair, is_scarce
from hub.store import Store

RENEW_S = 10.0  # three of these before what is held lapses
LAPSED_S = 25.0  # without a renewal for so long, it may soon be another's
IDLE_S = 10.0  # a lane that had no work here for so long is given up to those who have
AGAIN_S = 0.2  # whoever found nothing free asks again after this at the earliest


@dataclass(slots=True)
class _Part:
    slots: int
    policy: TargetPolicy
    asked_at: float
    others: int = 0  # processes that hold or want a part of it too
    is_old: bool = False  # the others hold less or want more by now: it is taken anew before the next round
    under_way: int = 0  # rounds and questions that use it


class Parts:
    """Taken when a lane gets its first work here, renewed while it has any. It changes between two rounds: what is under way keeps its places."""

    def __init__(self, store: Store, worker: str) -> None:
        self._store = store
        self._worker = worker
        self._lock = threading.Lock()
        self._writing = threading.Lock()  # what is taken by one thread is not given up by another in the same moment
        self._parts: dict[str, _Part] = {}
        self._renewed_at = time.monotonic()

    def mine(self, lane: str, policy: TargetPolicy) -> int:
        """How many of the target's places are this process's; 0: the others still have them. Raises StoreBusy."""
        if self._store.is_alone:
            return policy.concurrency
        known = self._known(lane, policy)
        if known is not None:
            return known
        with self._writing:
            slots = self._store.take_share(lane, self._worker, policy.concurrency, holders=_holders(policy))
            with self._lock:
                part = self._parts.setdefault(lane, _Part(slots, policy, 0.0))
                part.slots, part.policy, part.asked_at, part.is_old = slots, policy, time.monotonic(), False
        return slots

    @contextmanager
    def used(self, lane: str) -> Iterator[None]:
        """While this lasts it is not given up, however long nothing is asked."""
        self._count(lane, 1)
        try:
            yield
        finally:
            self._count(lane, -1)

    def rest(self, lane: str) -> None:
        """There is no more work in the lane. Where places are few and wanted, they are the others' at once. Raises StoreBusy."""
        with self._lock:
            part = self._parts.get(lane)
            if part is None or part.under_way or not part.others or not is_scarce(part.policy.concurrency, _holders(part.policy)):
                return
        self._give_up([lane])

    def look(self) -> None:
        """Renews what is held, notes who else is there, and gives up what is idle here and wanted elsewhere. Raises StoreBusy."""
        if self._store.is_alone:
            return
        now = time.monotonic()
        with self._lock:
            held = len(self._parts)
        if not held:
            self._renewed_at = now
            return
        if now - self._renewed_at >= RENEW_S:
            renewed = self._store.renew_shares(self._worker)
            self._renewed_at = now
            with self._lock:
                for part in self._parts.values():
                    part.is_old = part.is_old or renewed < held  # we were away for too long: who knows whose they are
        others: dict[str, dict[str, int]] = {}
        for one in self._store.shares():
            if one.worker != self._worker:
                others.setdefault(one.lane, {})[one.worker] = one.slots
        with self._lock:
            for lane, part in self._parts.items():
                beside = others.get(lane, {})
                part.is_old = part.is_old or fair(part.policy.concurrency, beside, self._worker, holders=_holders(part.policy)) != part.slots
                part.others = len(beside)
            idle = [lane for lane, part in self._parts.items() if part.others and not part.under_way and now - part.asked_at > IDLE_S]
        self._give_up(idle)

    def close(self) -> None:
        """Gives all of it to the others. Raises StoreBusy."""
        with self._lock:
            held = list(self._parts)
        self._give_up(held)

    def _known(self, lane: str, policy: TargetPolicy) -> int | None:
        """What is held, where that need not be asked."""
        now = time.monotonic()
        with self._lock:
            part = self._parts.get(lane)
            if part is None or part.policy != policy or now - self._renewed_at >= LAPSED_S:
                return None
            if not part.slots:
                return 0 if now - part.asked_at < AGAIN_S else None
            part.asked_at = now
            return None if part.is_old and not part.under_way else part.slots

    def _count(self, lane: str, by: int) -> None:
        with self._lock:
            part = self._parts.get(lane)
            if part is not None:
                part.under_way += by

    def _give_up(self, lanes: list[str]) -> None:
        with self._writing:
            with self._lock:
                free = [lane for lane in lanes if lane in self._parts and not self._parts[lane].under_way]
                for lane in free:
                    del self._parts[lane]
            self._store.leave_shares(self._worker, free)


def _holders(policy: TargetPolicy) -> int | None:
    return at_once(policy.rate.per_second if policy.rate is not None else None)
