"""The worker loop: a thread per lane that delivers when notified, and one thread that receives the notifications. Stops
within its grace period without loss.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from hub.core.errors import StoreBusy
from hub.flow.deliver import deliver
from hub.flow.delivery.claim_size import has_more
from hub.flow.hub import Hub
from hub.kit.http.sender import Sender
from hub.logs import event, told
from hub.transport.notifier import LocalNotifier

PAUSE_S = 0.5  # pause after an internal error (the store is unavailable, a bug)


class Lane(threading.Thread):
    """Delivers the due work of one lane whenever it is rung. Has its own HTTP sender with its own keep-alive
    connections.
    """

    def __init__(self, hub: Hub, name: str, sender: Callable[[], Sender]) -> None:
        super().__init__(name=f"lane-{name}", daemon=True)
        self._hub = hub
        self._lane = name
        self._make_sender = sender
        self._rung = threading.Event()
        self._stopping = threading.Event()

    def notify(self) -> None:
        self._hub.counts.heard(self._lane)
        self._rung.set()

    def stop(self) -> None:
        """Stops claiming; deliveries under way are finished."""
        self._stopping.set()
        self._rung.set()

    def run(self) -> None:
        try:
            sender = self._make_sender()
        except Exception as error:  # noqa: BLE001  for example no file descriptors: the next notification tries again
            event("lane.failed", told(error), level="error", lane=self._lane)
            return
        try:
            while not self._stopping.is_set():
                self._rung.wait()
                # Cleared before the work: a notification during the work causes one more round and is never missed.
                self._rung.clear()
                self._tell("working")
                self._tell("idle" if self._work(sender) else "paused")
        finally:
            sender.close()

    def _work(self, sender: Sender) -> bool:
        """Runs rounds until nothing is due. False if an internal error ended it."""
        while not self._stopping.is_set():
            try:
                done = deliver(self._hub, self._lane, sender)
                if done.claimed and has_more(self._hub, self._lane, done.claimed):
                    # more than one round is due: other workers that are notified may help
                    self._hub.notifier.notify([self._lane])
                if done.is_over:
                    return True
            except StoreBusy as error:
                event("lane.paused", str(error), level="warning", lane=self._lane)
                self._pause()
                return False
            except Exception as error:  # noqa: BLE001
                # Claimed deliveries stay leased and are retried when the lease ends.
                event("lane.failed", told(error), level="error", lane=self._lane)
                self._pause()
                return False
        return True

    def _pause(self) -> None:
        self._tell("paused")
        self._stopping.wait(PAUSE_S)

    def _tell(self, state: str) -> None:
        self._hub.counts.state("lane", self._lane, state)


class Loop:
    """Receives notifications and starts lane threads. `start` returns at once; `stop` waits for deliveries under way,
    up to `grace` seconds.
    """

    def __init__(self, hub: Hub, notifier: LocalNotifier, sender: Callable[[], Sender]) -> None:
        self._hub = hub
        self._notifier = notifier
        self._sender = sender
        self._lanes: dict[str, Lane] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="bell", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, grace: float) -> bool:
        """Returns whether all deliveries under way were finished. The others are retried when their lease ends."""
        end = time.monotonic() + grace
        self._stopping.set()
        self._notifier.notify(())
        # The receiving thread stops first: otherwise a notification could start a new lane thread that nobody stops.
        self._thread.join(grace)
        for lane in self._lanes.values():
            lane.stop()
        for lane in self._lanes.values():
            lane.join(max(0.0, end - time.monotonic()))
        return not any(lane.is_alive() for lane in self._lanes.values())

    def _listen(self) -> None:
        while not self._stopping.is_set():
            try:
                self._hear()
            except Exception as error:  # noqa: BLE001
                # For example no thread could be started. If this thread ended, the process would look healthy and
                # deliver nothing. The notified lanes are still due, and the next poll notifies them again.
                event("loop.failed", told(error), level="error")
                self._stopping.wait(PAUSE_S)

    def _hear(self) -> None:
        for name in self._notifier.wait(self._hub.settings.sweep):
            lane = self._lanes.get(name)
            if lane is None or not lane.is_alive():
                lane = Lane(self._hub, name, self._sender)
                lane.start()
                # only after a successful start: a failed one is tried again at the next notification
                self._lanes[name] = lane
            lane.notify()
