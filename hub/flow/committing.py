"""The group commit, measured: how long each took, how many posts went together, and which of them are traced."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from hub.core.delivery import Laid
from hub.core.errors import Refused
from hub.core.message import Receipt
from hub.flow.counts import Counts
from hub.flow.spans import Spans
from hub.logs import event
from hub.store import GroupCommit, Store


class MeasuredCommit(GroupCommit):
    """A GroupCommit that notes each of its commits: a few µs per group, whatever its size, where nothing is traced."""

    def __init__(self, store: Store, on_batch: Callable[[set[str]], None], counts: Counts, spans: Spans | None = None) -> None:
        # Before the base begins its thread, which commits.
        self._counts = counts
        self._spans = spans
        super().__init__(store, on_batch)

    def _commit(self, waited: Sequence[tuple[Laid, Future[Receipt | Refused]]]) -> None:
        began, started_at = time.perf_counter(), time.time()
        super()._commit(waited)
        ms = (time.perf_counter() - began) * 1000
        self._counts.time("commit", ms)
        self._counts.size("commit_group", len(waited))
        event("posts.committed", f"{len(waited)} in one commit", level="debug", number=len(waited), ms=round(ms, 1), waiting=self.backlog)
        if self._spans is not None:
            for laid, _ in waited:
                self._spans.committed(laid.message, started_at, ms, len(waited))
