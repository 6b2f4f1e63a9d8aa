"""Writes refusals to the store: buffers them in memory and writes them in a background thread. The refused sender does
not wait for it.

If the process is killed, the buffered refusals are lost; their senders have their answers. If the buffer is full, a
refusal is only counted.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace

from hub.core.config.identified_request import UNPROVEN
from hub.core.errors import StoreBusy
from hub.logs import event, told
from hub.store import Bounds, Refusal, Store

MAX_WAITING = 2_000  # maximum number of buffered refusals with different content
MAX_BYTES = 32 << 20
SHARE = 4  # one caller may use a quarter of the buffer
STRANGERS, STRANGERS_BYTES = 10, 128 << 10  # per write, for unauthenticated requests: they must not load the store
GATHER_S = 0.1  # write interval: many refusals of one content become one row
BOUND_S = 60.0  # interval between checks of the total size in the store


class Refusals:
    """A bounded buffer with one writer thread, which starts with the first refusal. Thread-safe."""

    def __init__(self, bounds: Bounds = Bounds()) -> None:  # noqa: B008  frozen
        self._bounds = bounds
        self._changed = threading.Condition()
        self._waiting: dict[tuple[str, str], Refusal] = {}
        self._rooms: dict[str, tuple[int, int]] = {}  # per caller: contents and bytes
        self._writing = False
        self._thread: threading.Thread | None = None
        self._bounded_at = float("-inf")

    def add(self, store: Store, refusal: Refusal) -> bool:
        """Buffers a refusal for writing; False if the buffer is full."""
        sent = refusal.sent
        assert sent is not None  # refusals of queues do not come here: they are stored before the acknowledgement
        key, room, size = (refusal.source, refusal.fingerprint), sent.room, len(sent.arrival.body)
        with self._changed:
            buffered = self._waiting.get(key)
            if buffered is not None:
                # The newest refusal replaces the content; the id and time of the first stay, and the trace ids are
                # joined.
                traces = f"{refusal.trace_id} {buffered.trace_id}"[: 20 * 33]
                self._waiting[key] = replace(
                    refusal, id=buffered.id, at=buffered.at, times=buffered.times + 1, trace_id=traces
                )
                return True
            contents, held = self._rooms.get(room, (0, 0))
            most, most_bytes = (
                (STRANGERS, STRANGERS_BYTES)
                if room.startswith(UNPROVEN)
                else (MAX_WAITING // SHARE, MAX_BYTES // SHARE)
            )
            if contents >= most or held + size > most_bytes or not self._has_room(size):
                return False
            self._waiting[key] = refusal
            self._rooms[room] = (contents + 1, held + size)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, args=(store,), name="refusals", daemon=True)
                self._thread.start()
            self._changed.notify_all()
            return True

    def drain(self, seconds: float) -> bool:
        """Waits until all refusals so far are written; gives whether they are."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._writing, seconds)

    def _has_room(self, size: int) -> bool:
        return len(self._waiting) < MAX_WAITING and sum(held for _, held in self._rooms.values()) + size <= MAX_BYTES

    def _run(self, store: Store) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting))
            time.sleep(GATHER_S)
            with self._changed:
                batch, self._waiting, self._rooms, self._writing = [*self._waiting.values()], {}, {}, True
            try:
                self._write(store, batch)
            except StoreBusy as error:
                event("refusals.unwritten", str(error), level="warning", number=len(batch))
            except Exception as error:  # noqa: BLE001  the senders have their answers, and the next write tries again
                event("refusals.unwritten", told(error), level="error", number=len(batch))
            with self._changed:
                self._writing = False
                self._changed.notify_all()

    def _write(self, store: Store, batch: list[Refusal]) -> None:
        gone = store.refuse(batch, self._bounds)
        if time.monotonic() - self._bounded_at >= BOUND_S:
            self._bounded_at = time.monotonic()
            gone += store.bound_refused(self._bounds.all)
        if gone:
            event("refusals.let_go", f"{gone} of the oldest made room", level="warning", number=gone)
