"""Refusals on their way into the store: gathered in memory, written by a thread of its own. Nobody who is refused waits for it.

What waits here when the process is killed is lost, and its sender was told no. Beyond its room nothing is gathered: it is counted, and the answer is
the same.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace

from hub.core.config.identified_request import UNPROVEN
from hub.core.errors import StoreBusy
from hub.logs import event, told
from hub.store import Bounds, Refusal, Store

MAX_WAITING = 2_000  # contents
MAX_BYTES = 32 << 20
SHARE = 4  # one caller may have a part in so many of it
STRANGERS, STRANGERS_BYTES = 10, 128 << 10  # in one writing: what is unproven must not keep the store busy either
GATHER_S = 0.1  # between writings: a flood of one content is one row, and one statement
BOUND_S = 60.0  # between looks at what all have together


class Refusals:
    """A buffer with one thread, which begins with the first refusal. Safe in all threads."""

    def __init__(self, bounds: Bounds = Bounds()) -> None:  # noqa: B008  frozen
        self._bounds = bounds
        self._changed = threading.Condition()
        self._waiting: dict[tuple[str, str], Refusal] = {}
        self._rooms: dict[str, tuple[int, int]] = {}  # per caller: contents and bytes
        self._writing = False
        self._thread: threading.Thread | None = None
        self._bounded_at = float("-inf")

    def add(self, store: Store, one: Refusal) -> bool:
        """Written soon; False where there is no room for it."""
        sent = one.sent
        assert sent is not None  # a queue's are stored before they are acknowledged
        key, room, size = (one.source, one.fingerprint), sent.room, len(sent.arrival.body)
        with self._changed:
            known = self._waiting.get(key)
            if known is not None:
                # The last one says how it is read again; the first one's time and id stay, and so do the trace ids of what was between.
                traces = f"{one.trace_id} {known.trace_id}"[: 20 * 33]
                self._waiting[key] = replace(one, id=known.id, at=known.at, times=known.times + 1, trace_id=traces)
                return True
            contents, held = self._rooms.get(room, (0, 0))
            most, most_bytes = (STRANGERS, STRANGERS_BYTES) if room.startswith(UNPROVEN) else (MAX_WAITING // SHARE, MAX_BYTES // SHARE)
            if contents >= most or held + size > most_bytes or not self._has_room(size):
                return False
            self._waiting[key] = one
            self._rooms[room] = (contents + 1, held + size)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, args=(store,), name="refusals", daemon=True)
                self._thread.start()
            self._changed.notify_all()
            return True

    def drain(self, seconds: float) -> bool:
        """Waits until all is written that came before; gives whether it was."""
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
            except Exception as error:  # noqa: BLE001  the senders have their answers; the next ones are tried anew
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
