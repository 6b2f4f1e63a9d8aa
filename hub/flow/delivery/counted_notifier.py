"""Counts the notifications that were sent, and those that failed."""

from __future__ import annotations

from collections.abc import Iterable

from hub.flow.context.counts import Counts
from hub.logs import event, told
from hub.transport.notifier import Notifier


class CountedNotifier:
    """Notifies through another notifier and counts it. A failure costs at most one sweep; no sender's answer depends
    on it.
    """

    def __init__(self, notifier: Notifier, counts: Counts) -> None:
        self._notifier = notifier
        self._counts = counts

    def notify(self, lanes: Iterable[str]) -> None:
        try:
            self._notifier.notify(lanes)
        except Exception as error:  # noqa: BLE001  a broker client may raise anything; the message is stored, and the sweep finds it
            self._counts.add("rings", "failed")
            event("bell.unheard", "the sweep will find them", level="warning", lanes=sorted(lanes), error=told(error))
        else:
            self._counts.add("rings", "sent")
