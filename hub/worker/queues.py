"""Queues as sources: a thread for each queue of the active configuration, which takes batches, has them accepted, and acknowledges.

A broker that is away is asked again with growing pauses, for ever; a store that is busy leaves the batch in hand, unacknowledged, and it is
tried again. It is not given back to the broker meanwhile: it would lose its place, and a quorum queue drops what came back too often.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence

from hub.core.config.queue import Arrival, Queue
from hub.core.errors import StoreBusy
from hub.flow.doors.queues import acknowledged, take_in
from hub.flow.hub import Hub
from hub.kit.queues.source import Broken, QueueSource, Taken
from hub.logs import event, told

LOOK_S = 0.2  # between two looks at the active configuration
WAIT_S = 0.5  # for the first of a batch; so long a stop may wait for an idle consumer
FIRST_S, MOST_S = 0.25, 15.0  # pauses after a fault
WELL_S = 10.0  # a connection that held for so long was a good one: the next fault is a new one
HELD_S = 2.0  # the longest pause with a batch in hand
TAKEN_S = 1.0  # between two attempts to get a queue that another consumer has

MakeSource = Callable[[Queue], QueueSource]


class Consumer(threading.Thread):
    """One queue. Ends when it is stopped, with what it had in hand committed and acknowledged, or given back."""

    def __init__(self, hub: Hub, queue: Queue, address: str, make: MakeSource) -> None:
        super().__init__(name=f"queue-{queue.system}-{queue.name}", daemon=True)
        self.queue = queue
        self.address = address
        self._hub = hub
        self._make = make
        self._stopping = threading.Event()
        self._tags: tuple[str, ...] = ()  # of the batch in hand
        self._said = ""  # what is wrong, as it was said: once, until it is well again or something else is

    def stop(self) -> None:
        """No further batch; the one in hand is finished."""
        self._stopping.set()

    def run(self) -> None:
        source: QueueSource | None = None
        pause = FIRST_S
        while not self._stopping.is_set():
            opened_at = float("inf")
            try:
                if source is None:
                    source = self._make(self.queue)
                source.open()
                opened_at = time.monotonic()
                self._well("queue.opened", "messages are taken from it")
                self._consume(source)
            except Taken as error:
                self._unwell("queue.waiting", str(error), "info")
                self._stopping.wait(TAKEN_S * (0.5 + self._hub.random() / 2))
            except Exception as error:  # noqa: BLE001  a broker's client has no closed set of what it raises
                is_known = isinstance(error, Broken)
                self._unwell("queue.broken", str(error) if is_known else told(error), "warning" if is_known else "error")
                pause = FIRST_S if time.monotonic() - opened_at > WELL_S else pause
                # Jittered, so that all workers do not come back to a broker at once.
                self._stopping.wait(pause * (0.5 + self._hub.random() / 2))
                pause = min(pause * 2, MOST_S)
        if source is not None:
            source.close()

    def _consume(self, source: QueueSource) -> None:
        while not self._stopping.is_set():
            batch = source.take(WAIT_S)
            if not batch:
                continue
            if not self._accept(source, batch):
                return
            # Committed. If we die here, the broker delivers them again, and each is known by its id or its tag.
            source.ack(len(batch))
            self._forget()

    def _accept(self, source: QueueSource, batch: Sequence[Arrival]) -> bool:
        """Tries until the store takes it. False: stopped before; then it goes back to the broker."""
        pause = FIRST_S
        while True:
            queue = self._now()
            if queue is None:
                self._stopping.wait(LOOK_S)  # gone from the active configuration: it goes back, and this consumer is about to be stopped
                return False
            try:
                self._tags = take_in(self._hub, queue, batch).tags
            except StoreBusy as error:
                self._unwell("queue.held", str(error), "warning")
            except Exception as error:  # noqa: BLE001  the store failed in a way that nobody foresaw; nothing is lost by waiting
                self._unwell("queue.held", told(error), "error")
            else:
                self._well("queue.resumed", "the store takes messages again")
                return True
            if self._stopping.is_set():
                return False
            source.hold(pause)
            pause = min(pause * 2, HELD_S)

    def _forget(self) -> None:
        tags, self._tags = self._tags, ()
        with contextlib.suppress(StoreBusy):  # a tag that stays is forgotten with its keeping time
            acknowledged(self._hub, self.queue, tags)

    def _now(self) -> Queue | None:
        """The queue as the active configuration has it: what it reads may have changed since the connection was made."""
        system = self._hub.catalogs.active().systems.get(self.queue.system)
        return system.queues.get(self.queue.name) if system is not None else None

    def _unwell(self, key: str, text: str, level: str) -> None:
        if self._said != key:
            self._said = key
            event(key, text, level=level, queue=self.queue.source)

    def _well(self, key: str, text: str) -> None:
        if self._said or key == "queue.opened":
            event(key, text, queue=self.queue.source)
        self._said = ""


class Queues:
    """Follows the active configuration: a consumer per queue, started, replaced and stopped as it says."""

    def __init__(self, hub: Hub, make: MakeSource) -> None:
        self._hub = hub
        self._make = make
        self._consumers: dict[tuple[str, str], Consumer] = {}
        self._ending: list[Consumer] = []
        self._stopping = threading.Event()
        self._revision = ""
        self._thread = threading.Thread(target=self._run, name="queues", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, grace: float) -> bool:
        """Returns whether all batches in hand were finished. What was not comes again when the connection is gone."""
        end = time.monotonic() + grace
        self._stopping.set()
        self._thread.join(max(0.0, end - time.monotonic()))
        for consumer in self._consumers.values():
            consumer.stop()
        everybody = [*self._consumers.values(), *self._ending]
        for consumer in everybody:
            consumer.join(max(0.0, end - time.monotonic()))
        return not any(consumer.is_alive() for consumer in everybody)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._follow()
            except Exception as error:  # noqa: BLE001  the next look tries again
                event("queues.failed", told(error), level="error")
            self._stopping.wait(LOOK_S)

    def _follow(self) -> None:
        self._ending = [consumer for consumer in self._ending if consumer.is_alive()]
        catalog = self._hub.catalogs.active()
        if catalog.revision == self._revision and all(consumer.is_alive() for consumer in self._consumers.values()):
            return
        wanted = {(system.name, name): queue for system in catalog.systems.values() for name, queue in system.queues.items()}
        addresses = {key: self._address(queue) for key, queue in wanted.items()}
        for key, consumer in list(self._consumers.items()):
            # Compared without `read`, which is looked up for each batch: a changed condition needs no new connection.
            if (wanted.get(key), addresses.get(key)) != (consumer.queue, consumer.address) or not consumer.is_alive():
                consumer.stop()
                self._ending.append(self._consumers.pop(key))
        for key, queue in wanted.items():
            if key not in self._consumers:
                # The one before it may still be finishing its batch: until then the broker says that the queue is taken.
                consumer = self._consumers[key] = Consumer(self._hub, queue, addresses[key], self._make)
                consumer.start()
        self._revision = catalog.revision

    def _address(self, queue: Queue) -> str:
        """As the settings have it now; empty where a secret is missing: the consumer will say so, once."""
        try:
            return self._hub.values(queue.system).get(queue.broker, "")
        except ValueError:
            return ""
