"""A bell that is counted: how often was rung, and how often in vain. What the bell itself promises stays as it is."""

from __future__ import annotations

from collections.abc import Iterable

from hub.flow.context.counts import Counts
from hub.logs import event, told
from hub.transport.bell import Bell


class CountedBell:
    """Rings another bell. One that breaks costs one sweep, and nobody an answer."""

    def __init__(self, bell: Bell, counts: Counts) -> None:
        self._bell = bell
        self._counts = counts

    def ring(self, lanes: Iterable[str]) -> None:
        try:
            self._bell.ring(lanes)
        except Exception as error:  # noqa: BLE001  whatever the broker's client raises: the message is stored, and the sweep finds it
            self._counts.add("rings", "failed")
            event("bell.unheard", "the sweep will find them", level="warning", lanes=sorted(lanes), error=told(error))
        else:
            self._counts.add("rings", "sent")
