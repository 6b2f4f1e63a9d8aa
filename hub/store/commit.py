"""Group commit: whatever waits when the last commit returns goes into the next one. One fsync for many posts
(docs/design/performance.md).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import TypeAlias

from hub.core.errors import Refused, StoreBusy
from hub.core.message import Receipt
from hub.core.model.delivery import AcceptedMessage
from hub.store.store import Store

MAX_GROUP = 512
MAX_WAITING = 20_000  # posts that may wait; beyond it a sender is told 503 at once, instead of waiting for nothing

Answer: TypeAlias = "Receipt | Refused"


class GroupCommit:
    """A thread that commits groups. `on_batch` is called after each commit, with the lanes that have work now: once per
    group, never before it.
    """

    def __init__(self, store: Store, on_batch: Callable[[set[str]], None]) -> None:
        self._store = store
        self._on_batch = on_batch
        self._waiting: deque[tuple[AcceptedMessage, Future[Answer]]] = deque()
        self._changed = threading.Condition()
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="commit", daemon=True)
        self._thread.start()

    @property
    def backlog(self) -> int:
        return len(self._waiting)

    def submit(self, accepted: AcceptedMessage) -> Future[Answer]:
        """The future ends after the COMMIT. Raises StoreBusy when too many wait already, or the hub is stopping."""
        return self.submit_many([accepted])[0]

    def submit_many(self, batch: Sequence[AcceptedMessage]) -> list[Future[Answer]]:
        """All or none is taken. They may go into several commits."""
        pairs = [(accepted, Future[Answer]()) for accepted in batch]
        with self._changed:
            if self._is_closing or len(self._waiting) + len(pairs) > MAX_WAITING:
                raise StoreBusy(
                    "The hub is stopping."
                    if self._is_closing
                    else f"{len(self._waiting)} posts wait for the store already."
                )
            self._waiting.extend(pairs)
            self._changed.notify()
        return [future for _, future in pairs]

    def drain(self, seconds: float) -> bool:
        """Takes no more, commits what waits, and ends the thread. Returns whether all was committed in time."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._is_closing:
                    self._changed.wait()
                if not self._waiting:
                    return
                group = [self._waiting.popleft() for _ in range(min(len(self._waiting), MAX_GROUP))]
            self._commit(group)

    def _commit(self, waited: Sequence[tuple[AcceptedMessage, Future[Answer]]]) -> None:
        # A sender that went away before its commit began was told nothing, and is not stored; from here on its future
        # cannot be cancelled any more, or its answer would find it gone and end this thread.
        group = [(accepted, future) for accepted, future in waited if future.set_running_or_notify_cancel()]
        try:
            answers = self._store.add([accepted for accepted, _ in group])
        except Exception as error:  # noqa: BLE001  whatever it was: nobody may be told 2xx, and nobody may wait for ever
            problem = error if isinstance(error, StoreBusy) else StoreBusy(f"The store failed: {type(error).__name__}.")
            for _, future in group:
                future.set_exception(problem)
            return
        for (_, future), answer in zip(group, answers, strict=True):
            future.set_result(answer)
        # Ring after the commit, never before: a worker that looks too early finds nothing, and the message would wait
        # for the sweep. After the answers, so that the lane's work does not come before them; if we die in between, the
        # sweep notifies.
        lanes = {lane for answer in answers if isinstance(answer, Receipt) for lane in answer.lanes}
        # A notifier that breaks costs one sweep, not this thread, and not the answer to those whose messages are
        # stored.
        with suppress(Exception):
            if lanes:
                self._on_batch(lanes)
