"""Answers of the store that serve again for a while: many people look at one page, and the store is asked once for all of them."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from hub.core.errors import StoreBusy
from hub.logs import event

SHARE = 40  # asking may take one part in so many of a process's time, however often it is wanted and however much there is
SLOW_S = 0.05  # what takes longer than this is asked for again by a thread, while the answer before it serves
OLD_S = 30.0  # but not one that is older, and than three times its span
KEPT = 500  # answers of a shelf: what was not asked for the longest makes room
MADE = 4  # of one kind that are made, or stay for who asks again: each may be large

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
        self._renewed = threading.Event()

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

    def soon(self, seconds: float = 0.0) -> T | None:
        """The answer that is there, however old; None where there is none yet, and none came within `seconds`. A thread asks for a newer one: nobody
        waits for what takes long.
        """
        with self._lock:
            if self._answer is None or self._is_old():
                self._renew_soon()
            if self._answer is not None:
                return self._answer
            renewed = self._renewed
        renewed.wait(seconds)
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
            self._renewed = threading.Event()
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
            self._renewed.set()


class _Unwanted(Exception):  # it ends a thread, and is no fault
    """Newer ones of its kind have taken its place."""


class Making(Generic[T]):
    """One answer that takes so long that people watch it: a thread makes it, once for all who ask. `make` is given a step, to be called as it gets on."""

    def __init__(self, make: Callable[[Callable[[], None]], T]) -> None:
        self._make = make
        self._ended = threading.Event()
        self._answer: T | None = None
        self._error: Exception | None = None
        self._wanted = True
        self._ended_at = 0.0
        self.steps = 0
        threading.Thread(target=self._run, name="making", daemon=True).start()

    def wait(self, seconds: float) -> T | None:
        """The answer, if it is there within so many seconds. Raises what making it raised."""
        self._ended.wait(seconds)
        if self._error is not None:
            raise self._error
        return self._answer

    @property
    def is_ended(self) -> bool:
        return self._ended.is_set()

    def is_older(self, seconds: float) -> bool:
        """Whether it ended, and longer ago."""
        return self.is_ended and time.monotonic() - self._ended_at > seconds

    def drop(self) -> None:
        """Ends the making at its next step."""
        self._wanted = False

    def _step(self) -> None:
        self.steps += 1
        if not self._wanted:
            raise _Unwanted

    def _run(self) -> None:
        try:
            self._answer = self._make(self._step)
        except Exception as error:  # noqa: BLE001  whoever asked is told it
            self._error = error
        finally:
            self._ended_at = time.monotonic()
            self._ended.set()


class Shelf:
    """Answers by name, for whoever is handed a hub. Safe in all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: OrderedDict[str, Kept[Any]] = OrderedDict()
        self._makings: dict[str, OrderedDict[object, Making[Any]]] = {}

    def at(self, name: str, ask: Callable[[], T], *, least_s: float = 0.0) -> Kept[T]:
        """The one of this name; made of `ask` when it is first wanted."""
        with self._lock:
            found = self._answers.setdefault(name, Kept(ask, least_s=least_s))
            self._answers.move_to_end(name)
            if len(self._answers) > KEPT:
                self._answers.popitem(last=False)
            return found

    def made(self, kind: str, key: object, make: Callable[[Callable[[], None]], T], *, fresh_s: float) -> Making[T]:
        """The making for this key, which is begun if there is none, or its answer is older than `fresh_s`. The oldest of many of a kind are dropped."""
        with self._lock:
            makings = self._makings.setdefault(kind, OrderedDict())
            if key not in makings or makings[key].is_older(fresh_s):
                makings[key] = Making(make)
            makings.move_to_end(key)
            while len(makings) > MADE:
                makings.popitem(last=False)[1].drop()
            return makings[key]
