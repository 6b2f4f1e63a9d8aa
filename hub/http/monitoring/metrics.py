"""`/metrics`: what this process counted, and what the store knows, in the text form that Prometheus reads."""

from __future__ import annotations

import platform
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from hub import __version__
from hub.flow.context.counts import BUCKETS_COUNT, BUCKETS_MS, Labels
from hub.flow.hub import Hub
from hub.http.monitoring import metric_definitions
from hub.http.monitoring.metric_definitions import Family
from hub.http.monitoring.store_metrics import StoreFacts, gauge
from hub.store.commit import MAX_WAITING

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
LANE_STATES = ("idle", "working", "paused")


class Exposition:
    """One per process: it keeps what was expensive to count."""

    def __init__(self, hub: Hub) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Counted(hub))
        self._registry.register(StoreFacts(hub))
        ProcessCollector(registry=self._registry)  # processor time, memory, open files

    def text(self) -> bytes:
        return generate_latest(self._registry)


class _Counted:
    """What this process did and is."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def collect(self) -> Iterator[Metric]:
        yield from self._counters()
        yield from self._histograms()
        yield from self._states()

    def _counters(self) -> Iterator[Metric]:
        counts = self._hub.counts.counts()
        for family in metric_definitions.COUNTED:
            made = CounterMetricFamily(family.name, _help(family), labels=list(family.labels))
            rows = sorted((labels, number) for (name, labels), number in counts.items() if name == family.key)
            for labels, number in rows or _nothing(family):
                made.add_metric(list(labels), number)
            yield made

    def _histograms(self) -> Iterator[Metric]:
        rows = self._hub.counts.histograms()
        for family in (*metric_definitions.TIMED, *metric_definitions.SIZED):
            unit, bounds = (1000, BUCKETS_MS) if family in metric_definitions.TIMED else (1, BUCKETS_COUNT)
            made = HistogramMetricFamily(family.name, _help(family), labels=list(family.labels))
            for (name, labels), row in sorted(rows.items()):
                if name == family.key:
                    numbers = row.cumulative()
                    buckets = [
                        (f"{bound / unit:g}", float(number)) for bound, number in zip(bounds, numbers, strict=False)
                    ]
                    made.add_metric(list(labels), [*buckets, ("+Inf", float(numbers[-1]))], row.total / unit)
            yield made

    def _states(self) -> Iterator[Metric]:
        hub = self._hub
        yield _one(metric_definitions.INFO, 1, __version__, hub.role, platform.python_version())
        yield _one(metric_definitions.STARTED, hub.counts.started_at)
        yield _one(metric_definitions.REVISION, 1, hub.catalogs.active().revision)
        yield _one(metric_definitions.REFUSED, 1 if hub.catalogs.refused else 0)
        yield _one(metric_definitions.COMMIT_BACKLOG, hub.commit.backlog)
        yield _one(metric_definitions.COMMIT_LIMIT, MAX_WAITING)
        lanes = gauge(metric_definitions.LANE_STATE)
        for (name, lane), now in sorted(hub.counts.states().items()):
            if name == "lane":
                for state in LANE_STATES:
                    lanes.add_metric([lane, state], float(state == now))
        yield lanes


def _one(family: Family, value: float, *labels: str) -> GaugeMetricFamily:
    made = gauge(family)
    made.add_metric(list(labels), value)
    return made


def _nothing(family: Family) -> list[tuple[Labels, int]]:
    """A counter without labels begins at 0: an increase from nothing would not be seen."""
    return [] if family.labels else [((), 0)]


def _help(family: Family) -> str:
    return f"{family.help} [{family.whose}]"
