"""Receives notifications from a message broker through a Celery worker, and passes the lane names to the worker loop.
The only task is one line.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

from celery import Celery
from celery.exceptions import WorkerShutdown, WorkerTerminate
from celery.worker import state

from hub.logs import event
from hub.transport.celery_notifier import RING, make_app, queue_of, read_ring

FOLLOW_S = 1.0  # polling interval for new lanes of a new configuration
AGAIN_S = 5.0  # pause before a Celery worker that ended is restarted


class NotificationListener:
    """Receives notifications in its own thread. If the broker is unavailable, it waits; the process still polls for due
    work.
    """

    def __init__(self, broker: str, heard: Callable[[Iterable[str]], None], lanes: Callable[[], set[str]]) -> None:
        self._broker = broker
        self._heard = heard
        self._lanes = lanes
        self._hears: set[str] = set()
        self._worker: Any = None
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=run, name=name, daemon=True)
            for name, run in (("ears", self._run), ("ears-lanes", self._follow))
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, seconds: float = 1.0) -> None:
        """Stops receiving. What does not end in time is abandoned: a lost notification costs one polling interval."""
        self._stopping.set()
        state.should_stop = 0  # Celery's own flag to stop a worker, checked in each turn of its loop
        self._threads[0].join(seconds)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._listen()
            except (WorkerShutdown, WorkerTerminate, SystemExit):
                pass
            except Exception as error:  # noqa: BLE001  a broker client may raise anything; this process works without it
                event("ears.failed", f"{type(error).__name__}: {error}"[:300], level="warning")
            self._stopping.wait(AGAIN_S)

    def _listen(self) -> None:
        app: Celery = make_app(self._broker, rings=False)
        lanes_at_start = self._lanes()

        @app.task(name=RING, ignore_result=True)  # type: ignore[untyped-decorator]  # it has no types
        def ring(lanes: object, form: object = 0) -> None:
            self._heard(set(read_ring(lanes, form)) & self._lanes())

        self._hears = set(lanes_at_start)
        app.conf.task_queues = [queue_of(lane, self._broker) for lane in sorted(lanes_at_start)]
        self._worker = app.Worker(
            pool="solo",
            concurrency=1,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            loglevel="ERROR",
            quiet=True,
        )
        self._worker.start()

    def _follow(self) -> None:
        """Subscribes to the lanes of a new configuration."""
        while not self._stopping.wait(FOLLOW_S):
            consumer = getattr(self._worker, "consumer", None)
            new = self._lanes() - self._hears
            if not new or consumer is None or consumer.task_consumer is None:
                continue
            for lane in sorted(new):
                queue = queue_of(lane, self._broker)
                consumer.app.amqp.queues.add(queue)  # a new connection subscribes to the queues registered here
                consumer.call_soon(consumer.add_task_queue, queue)
                self._hears.add(lane)
            event("ears.grew", f"now hears {', '.join(sorted(new))} too")
