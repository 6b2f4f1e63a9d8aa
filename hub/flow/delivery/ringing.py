"""Wraps the bell with counters: rings that were sent, and rings that failed."""

from __future__ import annotations

from collections.abc import Iterable

from hub.flow.context.counts import Counts
from hub.logs import event, told
from hub.transport.bell import Bell


class CountedBell:
    """Rings another bell and counts it. A failure costs at most one sweep; no sender's answer depends on it."""

    def __init__(self, bell: Bell, counts: Counts) -> None:
        self._bell = bell
        self._counts = counts

    def ring(self, lanes: Iterable[str]) -> None:
        try:
            self._bell.ring(lanes)
        except Exception as error:  # noqa: BLE001  a broker client may raise anything; the message is stored, and the sweep finds it
            self._counts.add("rings", "failed")
            event("bell.unheard", "the sweep will find them", level="warning", lanes=sorted(lanes), error=told(error))
        else:
            self._counts.add("rings", "sent")
