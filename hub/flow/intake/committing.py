"""Measures the group commit: duration, number of posts per commit, and trace spans."""

from __future__ import annotations

import time
from collections.abc import Sequence

from hub.core.errors import Refused
from hub.core.message import Receipt
from hub.core.model.delivery import AcceptedMessage
from hub.flow.context.counts import Counts
from hub.flow.context.spans import Spans
from hub.logs import event
from hub.store import Store


class MeasuredAdd:
    """`Store.add` with metrics, for the group commit. Costs a few µs per group, whatever its size, if tracing is
    off.
    """

    def __init__(self, store: Store, counts: Counts, spans: Spans | None = None) -> None:
        self._store = store
        self._counts = counts
        self._spans = spans

    def add(self, batch: Sequence[AcceptedMessage]) -> list[Receipt | Refused]:
        began, started_at = time.perf_counter(), time.time()
        answers = self._store.add(batch)
        ms = (time.perf_counter() - began) * 1000
        self._counts.time("commit", ms)
        self._counts.size("commit_group", len(batch))
        event("posts.committed", f"{len(batch)} in one commit", level="debug", number=len(batch), ms=round(ms, 1))
        if self._spans is not None:
            # Before the answers are sent, so that a sender who looks for its trace finds the span.
            for accepted in batch:
                self._spans.committed(accepted.message, started_at, ms, len(batch))
        return answers
