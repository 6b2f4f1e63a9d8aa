"""`/metrics`: this process's counters, and the depths and the books of the store, from one SQL snapshot each time it is asked."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from hub.core.breaker import Circuit
from hub.flow.counts import BUCKETS_MS
from hub.flow.hub import Hub


class _Collector:
    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def collect(self) -> Iterator[Metric]:
        yield from self._counters()
        yield from self._books()

    def _counters(self) -> Iterator[Metric]:
        families = {
            "posts": CounterMetricFamily("hub_posts", "Posts answered, by HTTP status.", labels=["status"]),
            "accepted": CounterMetricFamily("hub_accepted", "Messages that were told 202, by whether they were new.", labels=["kind"]),
            "refused": CounterMetricFamily("hub_refused", "Requests and items of batches that were refused, by code.", labels=["code"]),
            "delivered": CounterMetricFamily("hub_attempts", "Attempts judged, by outcome.", labels=["outcome"]),
        }
        for (name, label), number in sorted(self._hub.counts.counts().items()):
            if name in families:
                families[name].add_metric([label], number)
        yield from families.values()
        for name, row in self._hub.counts.times().items():
            histogram = HistogramMetricFamily(f"hub_{name}_seconds", f"How long it took to {name}.")
            buckets = [(f"{bound / 1000:g}", row[index]) for index, bound in enumerate(BUCKETS_MS)]
            histogram.add_metric([], [*buckets, ("+Inf", row[-1])], row[-2] / 1000)
            yield histogram
        revision = GaugeMetricFamily("hub_revision", "The configuration that this process goes by.", labels=["revision"])
        revision.add_metric([self._hub.catalogs.active().revision], 1)
        yield revision
        refused = GaugeMetricFamily(
            "hub_revision_refused", "1 while this process cannot load the active configuration and keeps an older one; the log says why."
        )
        refused.add_metric([], 1 if self._hub.catalogs.refused else 0)
        yield refused
        breakers = GaugeMetricFamily("hub_breaker_open", "1 while a target's breaker lets nothing or one probe through.", labels=["target"])
        for breaker in self._hub.pace.breakers():
            breakers.add_metric([breaker.lane], 0 if breaker.state is Circuit.CLOSED else 1)
        yield breakers
        backlog = GaugeMetricFamily("hub_commit_backlog", "Posts that wait for the next group commit.")
        backlog.add_metric([], self._hub.commit.backlog)
        yield backlog

    def _books(self) -> Iterator[Metric]:
        books = self._hub.store.conservation()
        deliveries = GaugeMetricFamily("hub_deliveries", "Deliveries, by state.", labels=["status"])
        for status, number in books.by_status.items():
            deliveries.add_metric([status.value], number)
        yield deliveries
        messages = GaugeMetricFamily("hub_messages", "Messages, by disposition.", labels=["disposition"])
        for name, number in (("routed", books.routed), ("unrouted", books.unrouted), ("filtered", books.filtered)):
            messages.add_metric([name], number)
        yield messages
        unaccounted = GaugeMetricFamily("hub_unaccounted", "What the books cannot account for; must be 0.")
        unaccounted.add_metric([], books.unaccounted)
        yield unaccounted
        refused = GaugeMetricFamily("hub_refused_waiting", "What queues brought, was refused, and waits for a person; by queue.", labels=["queue"])
        for source, number in sorted(self._hub.store.count_refused().items()):
            refused.add_metric([source.removeprefix("queue:")], number)
        yield refused
        now = self._hub.store.now()
        age = GaugeMetricFamily("hub_oldest_due_seconds", "How long the lane's oldest waiting delivery has been due.", labels=["lane"])
        for lane, due in sorted(self._hub.store.oldest_due().items()):
            age.add_metric([lane], max(0.0, (now - due).total_seconds()))
        yield age


def exposition(hub: Hub) -> bytes:
    """The text that Prometheus reads."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(hub))
    return generate_latest(registry)
