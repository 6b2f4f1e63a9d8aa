"""Answers of the store that serve again for a while: many people look at one page, and the store is asked once for all of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from hub.core.errors import StoreBusy
from hub.logs import event

SHARE = 20  # asking may take one part in so many of a process's time, however often it is wanted and however much there is
SLOW_S = 0.05  # what takes longer than this is asked for again by a thread, while the answer before it serves
OLD_S = 30.0  # but not one that is older, and than three times its span

T = TypeVar("T")


class Kept(Generic[T]):
    """One answer, kept for so many times as long as it took, and at least for `least_s`. Whoever wants it second waits for the first one's.

    One that takes long nobody waits for but the first, and who comes after a pause: the others get the answer before it meanwhile.
    """

    def __init__(self, ask: Callable[[], T], *, least_s: float = 0.0) -> None:
        self._ask = ask
        self._least = least_s
        self._lock = threading.Lock()
        self._answer: T | None = None
        self._asked_at = 0.0
        self._cost = 0.0
        self._asking = False

    def get(self) -> T:
        """The answer, asked for now if the one that is there is too old. Raises what asking raises."""
        with self._lock:
            if self._answer is not None and self._serves():
                if self._is_old():
                    self._renew_soon()
                return self._answer
            began = time.monotonic()
            self._answer = self._ask()
            self._asked_at = time.monotonic()
            self._cost = self._asked_at - began
            return self._answer

    def soon(self) -> T | None:
        """The answer that is there, however old; None where there is none yet. A thread asks for a newer one: nobody waits for what takes long."""
        with self._lock:
            if self._answer is None or self._is_old():
                self._renew_soon()
            return self._answer

    @property
    def age(self) -> float:
        """Seconds since the answer came."""
        return time.monotonic() - self._asked_at

    @property
    def _span(self) -> float:
        return max(self._cost * SHARE, self._least)

    def _is_old(self) -> bool:
        return self.age > self._span

    def _serves(self) -> bool:
        return not self._is_old() or (self._cost > SLOW_S and self.age <= max(3 * self._span, OLD_S))

    def _renew_soon(self) -> None:
        if not self._asking:
            self._asking = True
            threading.Thread(target=self._renew, name="kept", daemon=True).start()

    def _renew(self) -> None:
        began = time.monotonic()
        try:
            answer = self._ask()
        except StoreBusy as error:
            event("answer.unrenewed", str(error), level="warning")
            return
        finally:
            with self._lock:
                self._asking = False
        with self._lock:
            self._answer, self._asked_at = answer, time.monotonic()
            self._cost = self._asked_at - began


class Shelf:
    """Answers by name, for whoever is handed a hub. Safe in all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[str, Kept[Any]] = {}

    def at(self, name: str, ask: Callable[[], T], *, least_s: float = 0.0) -> Kept[T]:
        """The one of this name; made of `ask` when it is first wanted."""
        with self._lock:
            return self._answers.setdefault(name, Kept(ask, least_s=least_s))
