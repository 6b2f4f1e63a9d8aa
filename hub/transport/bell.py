"""The bell: who has work. A ring names lanes; it carries no message, promises nothing and never raises."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Protocol


class Bell(Protocol):
    """What the flow rings after a commit."""

    def ring(self, lanes: Iterable[str]) -> None:
        """Says "look" for `lanes`. Best effort: a lost ring costs one sweep."""


class Both:
    """Two bells for one ring: this process hears it at once, and others that hear the far one may help."""

    def __init__(self, near: Bell, far: Bell) -> None:
        self._near, self._far = near, far

    def ring(self, lanes: Iterable[str]) -> None:
        known = tuple(lanes)
        self._near.ring(known)
        self._far.ring(known)


class EmbeddedBell:
    """A bell inside one process: rings gather in a set until the worker's loop takes them. `only`: it is deaf to all other lanes; empty: it hears all."""

    def __init__(self, only: frozenset[str] = frozenset()) -> None:
        self._only = only
        self._lanes: set[str] = set()
        self._heard = threading.Condition()

    def ring(self, lanes: Iterable[str]) -> None:
        with self._heard:
            self._lanes.update(lane for lane in lanes if not self._only or lane in self._only)
            self._heard.notify()

    def wait(self, seconds: float) -> set[str]:
        """The lanes that were rung, each once; waits up to `seconds` for the first. Empty if none was."""
        with self._heard:
            if not self._lanes:
                self._heard.wait(seconds)
            lanes, self._lanes = self._lanes, set()
            return lanes
