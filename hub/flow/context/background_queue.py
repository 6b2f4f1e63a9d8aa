"""What is noted of messages beside their way, off the way: a thread of its own does it, while the event loop takes the next post.

What waits when the process is killed is lost, as counts are; no message is. What finds no room is noted at once, where it came up.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from hub.logs import event, told

MAX_WAITING = 5_000  # notes
MAX_BYTES = 64 << 20  # of the messages that they are of


class Noting:
    """A queue with one thread, which begins with the first note. Safe in all threads."""

    def __init__(self, *, most: int = MAX_WAITING, most_bytes: int = MAX_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._changed = threading.Condition()
        self._waiting: deque[tuple[Callable[[], None], int]] = deque()
        self._bytes = 0  # of what waits, and of the one that is being noted
        self._thread: threading.Thread | None = None

    def later(self, note: Callable[[], None], size: int) -> None:
        """Notes it soon; `size` is what it holds in memory, about."""
        with self._changed:
            has_room = len(self._waiting) < self._most and self._bytes + size <= self._most_bytes
            if has_room:
                self._waiting.append((note, size))
                self._bytes += size
                self._changed.notify_all()
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="noting", daemon=True)
                    self._thread.start()
        if not has_room:
            _note(note)

    def drain(self, seconds: float) -> bool:
        """Waits until all is noted that came before; gives whether it was."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._bytes and not self._waiting, seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting))
                note, size = self._waiting.popleft()
            _note(note)
            with self._changed:
                self._bytes -= size
                self._changed.notify_all()
            time.sleep(0)  # the event loop first: a thread that computes on and on would make it wait for its turn


def _note(note: Callable[[], None]) -> None:
    try:
        note()
    except Exception as error:  # noqa: BLE001  the message is stored, and its sender is told so, whatever happens to the counts
        event("usage.failed", told(error), level="error")
