"""A background queue with one worker thread: counts fields and shadow versions of messages outside the event loop.

If the process is killed, the waiting tasks are lost, and with them counts, never a message. If the queue is full, a
task runs at once in the calling thread.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from hub.logs import event, told

MAX_WAITING = 5_000  # maximum number of waiting tasks
MAX_BYTES = 64 << 20  # maximum size of the messages that waiting tasks hold


class BackgroundQueue:
    """A bounded queue with one thread, which starts with the first task. Thread-safe."""

    def __init__(self, *, most: int = MAX_WAITING, most_bytes: int = MAX_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._changed = threading.Condition()
        self._waiting: deque[tuple[Callable[[], None], int]] = deque()
        self._bytes = 0  # of the waiting tasks and the running one
        self._thread: threading.Thread | None = None

    def later(self, task: Callable[[], None], size: int) -> None:
        """Queues the task. `size`: about how many bytes it holds in memory."""
        with self._changed:
            has_room = len(self._waiting) < self._most and self._bytes + size <= self._most_bytes
            if has_room:
                self._waiting.append((task, size))
                self._bytes += size
                self._changed.notify_all()
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="noting", daemon=True)
                    self._thread.start()
        if not has_room:
            _note(task)

    def drain(self, seconds: float) -> bool:
        """Waits until all tasks so far are done; gives whether they are."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._bytes and not self._waiting, seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting))
                task, size = self._waiting.popleft()
            _note(task)
            with self._changed:
                self._bytes -= size
                self._changed.notify_all()
            time.sleep(0)  # releases the interpreter lock, so that the event loop runs before the next task


def _note(task: Callable[[], None]) -> None:
    try:
        task()
    except Exception as error:  # noqa: BLE001  the message is stored and its sender is told so, even if the counts fail
        event("usage.failed", told(error), level="error")
