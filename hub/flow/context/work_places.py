"""A concurrency limit for expensive work that unauthenticated clients can request. Known clients have their own slots
and do not queue behind strangers.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class Places:
    """Slots of this process: `strangers` and `known` at once; `waiting` strangers may wait, for `patience_s` seconds
    each.

    One address may use all slots of strangers but one, so that it cannot block everybody else.
    """

    def __init__(self, *, strangers: int, known: int, waiting: int, patience_s: float) -> None:
        self._free = {False: strangers, True: known}
        self._most_of_address = max(1, strangers - 1)
        self._waiting = waiting
        self._patience_s = patience_s
        self._of_address: Counter[str] = Counter()
        self._changed = threading.Condition()

    @contextmanager
    def one(self, address: str, *, is_known: bool) -> Iterator[bool]:
        """Holds a slot for the duration of the context. False: no slot was free in time, and the work must not be
        done.
        """
        is_free = self._enter(address, is_known)
        try:
            yield is_free
        finally:
            if is_free:
                self._leave(address, is_known)

    def _enter(self, address: str, is_known: bool) -> bool:
        def is_free() -> bool:
            return self._free[is_known] > 0 and (is_known or self._of_address[address] < self._most_of_address)

        with self._changed:
            if not is_free():
                if not is_known and self._waiting <= 0:
                    return False
                self._waiting -= not is_known
                try:
                    if not self._changed.wait_for(is_free, self._patience_s):
                        return False
                finally:
                    self._waiting += not is_known
            self._free[is_known] -= 1
            if not is_known:
                self._of_address[address] += 1
            return True

    def _leave(self, address: str, is_known: bool) -> None:
        with self._changed:
            self._free[is_known] += 1
            if not is_known:
                self._of_address[address] -= 1
                self._of_address += Counter()  # removes addresses with a count of 0
            self._changed.notify_all()
