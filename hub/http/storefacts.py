"""What the store knows, for `/metrics`: read when somebody asks, and no more often than it is cheap. A store that is away leaves it out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Generic, TypeVar

from prometheus_client.core import GaugeMetricFamily

from hub.core.breaker import BreakerState, Circuit
from hub.core.errors import StoreBusy
from hub.flow.hub import Hub
from hub.http import families
from hub.http.families import Family
from hub.store import Backlog, Conservation

SHARE = 20  # counting may take one part in so many of a process's time, however often it is asked and however much there is

T = TypeVar("T")


def gauge(family: Family) -> GaugeMetricFamily:
    return GaugeMetricFamily(family.name, f"{family.help} [{family.whose}]", labels=list(family.labels))


class _Kept(Generic[T]):
    """An answer of the store, kept for so many times as long as it took."""

    def __init__(self, ask: Callable[[], T]) -> None:
        self._ask = ask
        self._answer: T | None = None
        self._asked_at = 0.0
        self._cost = 0.0

    def get(self) -> T:
        now = time.monotonic()
        if self._answer is None or now - self._asked_at > self._cost * SHARE:
            self._answer = self._ask()
            self._asked_at = time.monotonic()
            self._cost = self._asked_at - now
        return self._answer

    @property
    def age(self) -> float:
        return time.monotonic() - self._asked_at


class StoreFacts:
    """One per process. Safe for several threads: whoever asks second waits for the first one's answer, and has the same."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._lock = threading.Lock()
        self._books = _Kept(hub.store.conservation)  # reads all rows
        self._now = _Kept(self._look)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        up = gauge(families.STORE_UP)
        try:
            with self._lock:
                books, age = self._books.get(), self._books.age
                backlog, due, breakers, workers, now = self._now.get()
        except StoreBusy:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        yield from _of_books(books, age)
        yield from _of_lanes(backlog, due, breakers, now)
        alive = gauge(families.WORKERS)
        alive.add_metric([], workers)
        yield alive
        keys, used = gauge(families.CAPACITY_KEYS), gauge(families.CAPACITY_USED)
        for route, (number, places) in sorted(backlog.capacity.items()):
            keys.add_metric([route], number)
            used.add_metric([route], places)
        yield from (keys, used)

    def _look(self) -> tuple[Backlog, dict[str, datetime], list[BreakerState], int, datetime]:
        store = self._hub.store
        return store.backlog(), store.oldest_due(), store.breakers(), store.workers(), store.now()


def _of_books(books: Conservation, age: float) -> Iterator[GaugeMetricFamily]:
    deliveries = gauge(families.DELIVERIES)
    for status, number in books.by_status.items():
        deliveries.add_metric([status.value], number)
    messages = gauge(families.MESSAGES)
    for name, number in (("routed", books.routed), ("unrouted", books.unrouted), ("filtered", books.filtered)):
        messages.add_metric([name], number)
    unaccounted, old = gauge(families.UNACCOUNTED), gauge(families.BOOKS_AGE)
    unaccounted.add_metric([], books.unaccounted)
    old.add_metric([], age)
    yield from (deliveries, messages, unaccounted, old)


def _of_lanes(backlog: Backlog, due: dict[str, datetime], breakers: list[BreakerState], now: datetime) -> Iterator[GaugeMetricFamily]:
    waiting = gauge(families.BACKLOG)
    for (lane, status), number in sorted(backlog.waiting.items()):
        waiting.add_metric([lane, status.value], number)
    ages = gauge(families.OLDEST_DUE)
    for lane, at in sorted(due.items()):
        ages.add_metric([lane], max(0.0, (now - at).total_seconds()))
    states = gauge(families.BREAKER)
    for breaker in sorted(breakers, key=lambda one: one.lane):
        for state in Circuit:
            states.add_metric([breaker.lane, state.value], float(breaker.state is state))
    yield from (waiting, ages, states)
