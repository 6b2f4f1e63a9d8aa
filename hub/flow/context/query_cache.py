"""Caches queries of the console and API: many people look at one page, and the store is queried once for all of
them.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from hub.core.errors import StoreBusy
from hub.logs import event

SHARE = 40  # the TTL is this many times the query's duration, so a query uses at most 1/40 of the time
SLOW_S = 0.05  # a query slower than this is refreshed by a thread, while the old result is served
OLD_S = 30.0  # a result older than this, and than three times its TTL, is not served
KEPT = 500  # maximum number of cached queries; the least recently used one is evicted
MADE = 4  # maximum number of background results per kind: each may be large

T = TypeVar("T")


class CachedQuery(Generic[T]):
    """Caches one query. The TTL is 40 times the query's duration, at least `least_s`. Concurrent callers share one
    query.

    For a slow query only the first caller waits, and the first one after a long pause; the others get the old result
    during the refresh.
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
        """The result, queried now if the cached one is too old. Raises what the query raises."""
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
        """The cached result, however old; None if there is none and none arrives within `seconds`. A thread refreshes
        an old result, so that no caller waits for a slow query.
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
        """The age of the result in seconds."""
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


class _Unwanted(Exception):  # ends the thread, and is no error
    """The result was evicted by newer ones of its kind."""


class BackgroundResult(Generic[T]):
    """A result that a background thread computes once for all callers, with progress. `make` gets a function to call
    after each step.
    """

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
        """The result, if it is ready within so many seconds. Raises what the computation raised."""
        self._ended.wait(seconds)
        if self._error is not None:
            raise self._error
        return self._answer

    @property
    def is_ended(self) -> bool:
        return self._ended.is_set()

    def is_older(self, seconds: float) -> bool:
        """Whether it ended longer ago than this."""
        return self.is_ended and time.monotonic() - self._ended_at > seconds

    def drop(self) -> None:
        """Ends the computation at its next step."""
        self._wanted = False

    def _step(self) -> None:
        self.steps += 1
        if not self._wanted:
            raise _Unwanted

    def _run(self) -> None:
        try:
            self._answer = self._make(self._step)
        except Exception as error:  # noqa: BLE001  `wait` raises it for each caller
            self._error = error
        finally:
            self._ended_at = time.monotonic()
            self._ended.set()


class QueryCache:
    """The cached queries and background results of a hub, by name. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: OrderedDict[str, CachedQuery[Any]] = OrderedDict()
        self._makings: dict[str, OrderedDict[object, BackgroundResult[Any]]] = {}

    def at(self, name: str, ask: Callable[[], T], *, least_s: float = 0.0) -> CachedQuery[T]:
        """The cached query of this name; created with `ask` at the first call."""
        with self._lock:
            query = self._answers.setdefault(name, CachedQuery(ask, least_s=least_s))
            self._answers.move_to_end(name)
            if len(self._answers) > KEPT:
                self._answers.popitem(last=False)
            return query

    def made(
        self, kind: str, key: object, make: Callable[[Callable[[], None]], T], *, fresh_s: float
    ) -> BackgroundResult[T]:
        """The background result for this key. It is started if there is none, or if it is older than `fresh_s`; the
        oldest of a kind are evicted.
        """
        with self._lock:
            makings = self._makings.setdefault(kind, OrderedDict())
            if key not in makings or makings[key].is_older(fresh_s):
                makings[key] = BackgroundResult(make)
            makings.move_to_end(key)
            while len(makings) > MADE:
                makings.popitem(last=False)[1].drop()
            return makings[key]
