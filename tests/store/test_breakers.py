"""Breakers as all processes see them, on all databases."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from hub.core.model.breaker import Circuit

AGES, NOW = timedelta(hours=1), timedelta()


def test_open_probe_open_again_and_close(store):
    assert store.breakers() == []
    assert store.trip_breaker("wms", NOW)
    assert not store.trip_breaker("wms", AGES)  # open already: it stays as it was
    assert store.probe_breaker("wms", AGES)
    assert store.breakers()[0].state is Circuit.HALF_OPEN
    assert store.trip_breaker("wms", AGES)
    assert store.breakers()[0].trips == 2
    assert not store.probe_breaker("wms", AGES)  # not yet
    assert store.close_breaker("wms")
    assert not store.close_breaker("wms")
    assert (store.breakers()[0].state, store.breakers()[0].trips) == (Circuit.CLOSED, 0)
    assert not store.probe_breaker("wms", AGES)


def test_of_eight_workers_one_probes(store):
    store.trip_breaker("wms", NOW)
    with ThreadPoolExecutor(8) as threads:
        tickets = list(threads.map(lambda _: store.probe_breaker("wms", AGES), range(8)))
    assert tickets.count(True) == 1


def test_a_probe_whose_worker_was_lost_is_given_to_another(store):
    store.trip_breaker("wms", NOW)
    assert store.probe_breaker("wms", timedelta(milliseconds=200))
    assert not store.probe_breaker("wms", AGES)
    time.sleep(0.25)
    assert store.probe_breaker("wms", AGES)


def test_a_ticket_that_was_not_used_is_free_again(store):
    store.trip_breaker("wms", NOW)
    store.probe_breaker("wms", AGES)
    assert store.return_probe("wms")
    assert store.probe_breaker("wms", AGES)


def test_workers_are_counted_while_they_give_signs(store):
    assert store.workers() == 0
    for worker in ("w1", "w2", "w2"):
        store.sign(worker)
    assert store.workers() == 2
    store.sign_off("w1")
    assert store.workers() == 1
