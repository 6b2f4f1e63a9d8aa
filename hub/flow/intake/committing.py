"""The group commit, measured: how long each took, how many posts went together, and which of them are traced."""

from __future__ import annotations

import time
from collections.abc import Sequence

from hub.core.errors import Refused
from hub.core.message import Receipt
from hub.core.model.delivery import Laid
from hub.flow.context.counts import Counts
from hub.flow.context.spans import Spans
from hub.logs import event
from hub.store import Store


class MeasuredAdd:
    """The one verb of the store that a group commit calls, with notes: a few µs per group, whatever its size, where nothing is traced."""

    def __init__(self, store: Store, counts: Counts, spans: Spans | None = None) -> None:
        self._store = store
        self._counts = counts
        self._spans = spans

    def add(self, batch: Sequence[Laid]) -> list[Receipt | Refused]:
        began, started_at = time.perf_counter(), time.time()
        answers = self._store.add(batch)
        ms = (time.perf_counter() - began) * 1000
        self._counts.time("commit", ms)
        self._counts.size("commit_group", len(batch))
        event("posts.committed", f"{len(batch)} in one commit", level="debug", number=len(batch), ms=round(ms, 1))
        if self._spans is not None:
            # Noted before anybody is told: whoever is answered finds it.
            for laid in batch:
                self._spans.committed(laid.message, started_at, ms, len(batch))
        return answers
