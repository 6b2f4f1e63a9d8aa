"""Notifies workers that lanes have due work: lane names only, best effort, never an exception."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Protocol


class Notifier(Protocol):
    """The interface that the flow calls after a commit."""

    def notify(self, lanes: Iterable[str]) -> None:
        """Notifies the workers of `lanes`. Best effort: a lost notification costs one polling interval."""


class CombinedNotifier:
    """Notifies this process at once, and other processes through the broker."""

    def __init__(self, near: Notifier, far: Notifier) -> None:
        self._near, self._far = near, far

    def notify(self, lanes: Iterable[str]) -> None:
        names = tuple(lanes)
        self._near.notify(names)
        self._far.notify(names)


class LocalNotifier:
    """A notifier inside one process: collects lane names in a set until the worker loop takes them. `only`: ignores all
    other lanes; empty: accepts all.
    """

    def __init__(self, only: frozenset[str] = frozenset()) -> None:
        self._only = only
        self._lanes: set[str] = set()
        self._heard = threading.Condition()

    def notify(self, lanes: Iterable[str]) -> None:
        with self._heard:
            self._lanes.update(lane for lane in lanes if not self._only or lane in self._only)
            self._heard.notify()

    def wait(self, seconds: float) -> set[str]:
        """The lanes that were rung, each once. Waits up to `seconds` for the first; empty if there was none."""
        with self._heard:
            if not self._lanes:
                self._heard.wait(seconds)
            lanes, self._lanes = self._lanes, set()
            return lanes
