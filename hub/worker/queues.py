"""Queue consumers: a thread per queue of the active configuration takes batches, has them accepted, and acknowledges
them.

If the broker is unavailable, it is tried again for ever with exponential backoff. If the store is busy, the batch stays
unacknowledged and is tried again. It is not returned to the broker: it would lose its place, and a quorum queue drops
messages that are returned too often.
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
from hub.kit.queues.source import BrokerUnavailable, QueueInUse, QueueSource
from hub.logs import event, told

LOOK_S = 0.2  # polling interval for the active configuration
WAIT_S = 0.5  # wait for the first arrival of a batch; a stop may wait this long for an idle consumer
FIRST_S, MOST_S = 0.25, 15.0  # first and longest pause after an error
WELL_S = 10.0  # after a connection of this duration the backoff starts again
HELD_S = 2.0  # longest pause with an unacknowledged batch
TAKEN_S = 1.0  # interval between attempts to get a queue that another consumer has

MakeSource = Callable[[Queue], QueueSource]


class Consumer(threading.Thread):
    """The consumer of one queue. When it is stopped, its batch is committed and acknowledged, or returned."""

    def __init__(self, hub: Hub, queue: Queue, address: str, make: MakeSource) -> None:
        super().__init__(name=f"queue-{queue.system}-{queue.name}", daemon=True)
        self.queue = queue
        self.address = address
        self._hub = hub
        self._make = make
        self._stopping = threading.Event()
        self._tags: tuple[str, ...] = ()  # of the current batch
        self._said = ""  # the event key of the current problem, which is logged once

    def stop(self) -> None:
        """Stops taking batches; the current one is finished."""
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
            except QueueInUse as error:
                self._unwell("queue.waiting", str(error), "info")
                self._stopping.wait(TAKEN_S * (0.5 + self._hub.random() / 2))
            except Exception as error:  # noqa: BLE001  a broker client may raise anything
                is_known = isinstance(error, BrokerUnavailable)
                self._unwell(
                    "queue.broken", str(error) if is_known else told(error), "warning" if is_known else "error"
                )
                pause = FIRST_S if time.monotonic() - opened_at > WELL_S else pause
                # With jitter, so that not all workers reconnect at once.
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
            # Committed. If we die here, the broker redelivers the batch, and each arrival is recognised by its id or
            # tag.
            source.ack(len(batch))
            self._forget()

    def _accept(self, source: QueueSource, batch: Sequence[Arrival]) -> bool:
        """Tries until the store accepts the batch. False: stopped before that; then the batch goes back to the
        broker.
        """
        pause = FIRST_S
        while True:
            queue = self._now()
            if queue is None:
                # removed from the active configuration: the batch goes back, and this consumer will be stopped
                self._stopping.wait(LOOK_S)
                return False
            try:
                self._tags = take_in(self._hub, queue, batch).tags
            except StoreBusy as error:
                self._unwell("queue.held", str(error), "warning")
            except Exception as error:  # noqa: BLE001  an unexpected error; nothing is lost by waiting
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
        with contextlib.suppress(StoreBusy):  # a remaining tag expires by its retention time
            acknowledged(self._hub, self.queue, tags)

    def _now(self) -> Queue | None:
        """The queue in the active configuration: its `read` may have changed since the connection was opened."""
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
    """Follows the active configuration: starts, replaces and stops a consumer per queue."""

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
        """Returns whether all batches were finished. The broker redelivers the others when the connection is closed."""
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
        queues = {
            (system.name, name): queue for system in catalog.systems.values() for name, queue in system.queues.items()
        }
        addresses = {key: self._address(queue) for key, queue in queues.items()}
        for key, consumer in list(self._consumers.items()):
            # Compared without `read`, which is read for each batch: a changed condition needs no new connection.
            if (queues.get(key), addresses.get(key)) != (consumer.queue, consumer.address) or not consumer.is_alive():
                consumer.stop()
                self._ending.append(self._consumers.pop(key))
        for key, queue in queues.items():
            if key not in self._consumers:
                # The previous consumer may still be finishing its batch: until then the broker reports that the queue
                # is in use.
                consumer = self._consumers[key] = Consumer(self._hub, queue, addresses[key], self._make)
                consumer.start()
        self._revision = catalog.revision

    def _address(self, queue: Queue) -> str:
        """The broker's address in the current settings; empty if a secret is missing: the consumer logs that once."""
        try:
            return self._hub.values(queue.system).get(queue.broker, "")
        except ValueError:
            return ""
