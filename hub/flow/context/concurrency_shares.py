"""Concurrency shares: the part of each target's concurrency and rate limit that this process may use, beside other
processes on the lane.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from hub.core.config.routing import TargetPolicy
from hub.core.model.sharing import at_once, fair, is_scarce
from hub.store import Store

RENEW_S = 10.0  # renewal interval: a third of the time after which a share lapses
LAPSED_S = 25.0  # without a renewal for this time, another process may soon take the share
IDLE_S = 10.0  # a share that was idle for this time is released if others want it
AGAIN_S = 0.2  # minimum interval between two requests if no slot was free


@dataclass(slots=True)
class _Part:
    slots: int
    policy: TargetPolicy
    asked_at: float
    others: int = 0  # number of other processes that hold or want a share
    is_old: bool = False  # the other shares have changed: this one is computed again before the next round
    under_way: int = 0  # rounds and synchronous calls that use it


class Parts:
    """The shares of this process. A share is taken with the lane's first work, renewed while there is work, and changes
    only between rounds.

    Calls under way keep their slots.
    """

    def __init__(self, store: Store, worker: str) -> None:
        self._store = store
        self._worker = worker
        self._lock = threading.Lock()
        self._writing = threading.Lock()  # one thread must not take a share while another releases it
        self._parts: dict[str, _Part] = {}
        self._renewed_at = time.monotonic()

    def mine(self, lane: str, policy: TargetPolicy) -> int:
        """The number of the target's slots that this process has; 0: other processes still hold them. Raises
        StoreBusy.
        """
        if self._store.is_alone:
            return policy.concurrency
        slots_held = self._known(lane, policy)
        if slots_held is not None:
            return slots_held
        with self._writing:
            slots = self._store.take_share(lane, self._worker, policy.concurrency, holders=_holders(policy))
            with self._lock:
                part = self._parts.setdefault(lane, _Part(slots, policy, 0.0))
                part.slots, part.policy, part.asked_at, part.is_old = slots, policy, time.monotonic(), False
        return slots

    @contextmanager
    def used(self, lane: str) -> Iterator[None]:
        """Keeps the share for the duration of the context, however long it is idle."""
        self._count(lane, 1)
        try:
            yield
        finally:
            self._count(lane, -1)

    def rest(self, lane: str) -> None:
        """Notes that the lane has no more work. If its slots are few and wanted by others, the share is released at
        once. Raises StoreBusy.
        """
        with self._lock:
            part = self._parts.get(lane)
            if (
                part is None
                or part.under_way
                or not part.others
                or not is_scarce(part.policy.concurrency, _holders(part.policy))
            ):
                return
        self._give_up([lane])

    def look(self) -> None:
        """Renews the shares, reads those of other processes, and releases idle shares that others want. Raises
        StoreBusy.
        """
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
                    # this process stalled for too long, and some shares have lapsed
                    part.is_old = part.is_old or renewed < held
        slots_of_others: dict[str, dict[str, int]] = {}
        for share in self._store.shares():
            if share.worker != self._worker:
                slots_of_others.setdefault(share.lane, {})[share.worker] = share.slots
        with self._lock:
            for lane, part in self._parts.items():
                beside = slots_of_others.get(lane, {})
                part.is_old = (
                    part.is_old
                    or fair(part.policy.concurrency, beside, self._worker, holders=_holders(part.policy)) != part.slots
                )
                part.others = len(beside)
            idle = [
                lane
                for lane, part in self._parts.items()
                if part.others and not part.under_way and now - part.asked_at > IDLE_S
            ]
        self._give_up(idle)

    def close(self) -> None:
        """Releases all shares. Raises StoreBusy."""
        with self._lock:
            held = list(self._parts)
        self._give_up(held)

    def _known(self, lane: str, policy: TargetPolicy) -> int | None:
        """The slots held, if the store need not be asked."""
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
