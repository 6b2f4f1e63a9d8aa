"""The embedded receiver: one thread per lane that has work, and one for rings. Stops within its grace, losing nothing."""

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
from hub.transport.bell import EmbeddedBell

PAUSE_S = 0.5  # after a fault of ours (the store is away, a bug): long enough not to spin, short enough not to be noticed


class Lane(threading.Thread):
    """Works off one lane whenever it is rung. Has its own sender, with its own kept-alive connections."""

    def __init__(self, hub: Hub, name: str, sender: Callable[[], Sender]) -> None:
        super().__init__(name=f"lane-{name}", daemon=True)
        self._hub = hub
        self._lane = name
        self._make_sender = sender
        self._rung = threading.Event()
        self._stopping = threading.Event()

    def ring(self) -> None:
        self._hub.counts.heard(self._lane)
        self._rung.set()

    def stop(self) -> None:
        """No further claim; what is under way is finished."""
        self._stopping.set()
        self._rung.set()

    def run(self) -> None:
        try:
            sender = self._make_sender()
        except Exception as error:  # noqa: BLE001  no descriptors left: the next ring begins anew
            event("lane.failed", told(error), level="error", lane=self._lane)
            return
        try:
            while not self._stopping.is_set():
                self._rung.wait()
                # Cleared before the work, not after it: a ring during the work means one more look, never a missed one.
                self._rung.clear()
                self._tell("working")
                self._tell("idle" if self._work(sender) else "paused")
        finally:
            sender.close()

    def _work(self, sender: Sender) -> bool:
        """Gives whether it came to the end of what was due; not, where something of ours failed."""
        while not self._stopping.is_set():
            try:
                done = deliver(self._hub, self._lane, sender)
                if done.claimed and has_more(self._hub, self._lane, done.claimed):
                    self._hub.bell.ring([self._lane])  # there is more than one round of it: whoever else hears may help
                if done.is_over:
                    return True
            except StoreBusy as error:
                event("lane.paused", str(error), level="warning", lane=self._lane)
                self._pause()
                return False
            except Exception as error:  # noqa: BLE001
                # What was claimed stays leased and comes back by itself when the lease ends.
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
    """Hears rings. `start` returns at once; `stop` waits for what is under way, up to `grace` seconds."""

    def __init__(self, hub: Hub, bell: EmbeddedBell, sender: Callable[[], Sender]) -> None:
        self._hub = hub
        self._bell = bell
        self._sender = sender
        self._lanes: dict[str, Lane] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="bell", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, grace: float) -> bool:
        """Returns whether everything under way was finished. What was not comes back when its lease ends."""
        end = time.monotonic() + grace
        self._stopping.set()
        self._bell.ring(())
        # Who hears goes first: a ring that came at this moment would begin a lane anew that has just stopped, and nobody would stop that one.
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
                # No thread to be had, for one. A process that went deaf would look well and deliver nothing; what was rung is due still, and the
                # next look rings it again.
                event("loop.failed", told(error), level="error")
                self._stopping.wait(PAUSE_S)

    def _hear(self) -> None:
        for name in self._bell.wait(self._hub.settings.sweep):
            lane = self._lanes.get(name)
            if lane is None or not lane.is_alive():
                lane = Lane(self._hub, name, self._sender)
                lane.start()
                self._lanes[name] = lane  # once it runs: one that could not begin is tried again at the next ring
            lane.ring()
