"""Places for work that is dear and that strangers can ask for: so many at once, a few that wait, and whoever is known does not stand behind them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class Places:
    """`strangers` and `known` at once in this process; `waiting` strangers may wait, for `patience_s` seconds each.

    One address has all the places but one: whoever fills them from there leaves one to everybody else.
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
        """A place, for as long as the context lasts. False: there was none in time, and the work is not to be done."""
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
                self._of_address += Counter()  # without those that have none
            self._changed.notify_all()
