"""What the store knows, for `/metrics`: read when somebody asks, and no more often than it is cheap. A store that is
away leaves it out.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily

from hub.core.errors import StoreBusy
from hub.core.model.breaker import BreakerState, Circuit
from hub.flow.context.query_cache import CachedQuery
from hub.flow.hub import Hub
from hub.http.monitoring import metric_definitions
from hub.http.monitoring.metric_definitions import Family
from hub.store import Backlog, Conservation


def gauge(family: Family) -> GaugeMetricFamily:
    return GaugeMetricFamily(family.name, f"{family.help} [{family.whose}]", labels=list(family.labels))


class StoreFacts:
    """One per process. Safe for several threads: whoever asks second waits for the first one's answer, and has the
    same.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._lock = threading.Lock()
        self._books = CachedQuery(hub.store.conservation)  # reads all rows
        self._now = CachedQuery(self._look)
        self._behind = CachedQuery(self._look_behind)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        up = gauge(metric_definitions.STORE_UP)
        try:
            with self._lock:
                books, age = self._books.get(), self._books.age
                backlog, due, breakers, workers, now, refused = self._now.get()
                behind = self._behind.get()
        except StoreBusy:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        yield from _of_books(books, age)
        yield from _of_lanes(backlog, due, breakers, now)
        parked = gauge(metric_definitions.PARKED)
        for lane, number in sorted(behind.items()):
            parked.add_metric([lane], number)
        yield parked
        alive = gauge(metric_definitions.WORKERS)
        alive.add_metric([], workers)
        yield alive
        waiting = gauge(metric_definitions.REFUSED_WAITING)
        for source, number in sorted(refused.items()):
            waiting.add_metric([source.removeprefix("queue:")], number)
        yield waiting
        keys, used = gauge(metric_definitions.CAPACITY_KEYS), gauge(metric_definitions.CAPACITY_USED)
        for route, (number, places) in sorted(backlog.capacity.items()):
            keys.add_metric([route], number)
            used.add_metric([route], places)
        yield from (keys, used)

    def _look(self) -> tuple[Backlog, dict[str, datetime], list[BreakerState], int, datetime, dict[str, int]]:
        store = self._hub.store
        return (
            store.backlog(),
            store.oldest_due(),
            store.breakers(),
            store.workers(),
            store.now(),
            store.count_refused(),
        )

    def _look_behind(self) -> dict[str, int]:
        """How many wait behind a dead delivery, by lane. Where one blocks its lane, that is all that waits there."""
        store = self._hub.store
        found: Counter[str] = Counter()
        for key in store.parked()[0]:
            found[key.lane] += key.waiting
        blocked = [one.lane for one in store.blocked()]
        return {**found, **{lane.lane: lane.number for lane in store.lanes(blocked)}}


def _of_books(books: Conservation, age: float) -> Iterator[GaugeMetricFamily]:
    deliveries = gauge(metric_definitions.DELIVERIES)
    for status, number in books.by_status.items():
        deliveries.add_metric([status.value], number)
    messages = gauge(metric_definitions.MESSAGES)
    for name, number in (("routed", books.routed), ("unrouted", books.unrouted), ("filtered", books.filtered)):
        messages.add_metric([name], number)
    unaccounted, old = gauge(metric_definitions.UNACCOUNTED), gauge(metric_definitions.BOOKS_AGE)
    unaccounted.add_metric([], books.unaccounted)
    old.add_metric([], age)
    yield from (deliveries, messages, unaccounted, old)


def _of_lanes(
    backlog: Backlog, due: dict[str, datetime], breakers: list[BreakerState], now: datetime
) -> Iterator[GaugeMetricFamily]:
    waiting = gauge(metric_definitions.BACKLOG)
    for (lane, status), number in sorted(backlog.waiting.items()):
        waiting.add_metric([lane, status.value], number)
    ages = gauge(metric_definitions.OLDEST_DUE)
    for lane, at in sorted(due.items()):
        ages.add_metric([lane], max(0.0, (now - at).total_seconds()))
    states = gauge(metric_definitions.BREAKER)
    for breaker in sorted(breakers, key=lambda one: one.lane):
        for state in Circuit:
            states.add_metric([breaker.lane, state.value], float(breaker.state is state))
    yield from (waiting, ages, states)
