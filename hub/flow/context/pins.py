"""Version pins: a caller that posts without a contract version stays on the version of its first such post, also if the
default changes.

Pins are cached in memory and written to the store by the tick. If the process is killed, the pins of the last seconds
are lost, and the next such post sets a new one.
"""

from __future__ import annotations

import threading
from datetime import datetime

from hub.core.message import Message
from hub.store import Pin, Store

MAX_KNOWN = 50_000  # maximum number of cached pins; others are read from the store again


class Pins:
    """The cache of version pins of this process. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], int] = {}
        self._meant: dict[tuple[str, str], int] = {}  # versions of posts under way whose caller has no pin yet
        self._new: dict[tuple[str, str], Pin] = {}

    def version(self, store: Store, caller: str, type_: str) -> int | None:
        """The pinned version of this caller for this type; None: no pin yet. Raises StoreBusy."""
        cached = self._known.get((caller, type_))
        if cached is not None:
            return cached
        stored = store.version_pin(caller, type_)
        if stored is not None:
            self._know((caller, type_), stored)
        return stored

    def mean(self, caller: str, type_: str, version: int) -> None:
        """Notes that a post without a version uses this version, the current default. It becomes the caller's pin when
        the post is accepted.
        """
        with self._lock:
            if len(self._meant) >= MAX_KNOWN:  # entries of refused posts remain, so the map is cleared when it is full
                self._meant.clear()
            self._meant[caller, type_] = version

    def accepted(self, message: Message, at: datetime) -> None:
        """Sets the pin when a message is stored for the first time."""
        key = (message.caller, message.ref.type)
        if not self._meant or key not in self._meant:
            return
        with self._lock:
            version = self._meant.pop(key, None)
            if version == message.ref.version and key not in self._known:
                self._new[key] = Pin(*key, version, at)
                self._known[key] = version

    def flush(self, store: Store) -> None:
        """Writes new pins. If another process was first, its pin counts. Raises StoreBusy: then they are written the
        next time.
        """
        with self._lock:
            new, self._new = self._new, {}
        if not new:
            return
        try:
            store.add_version_pins(list(new.values()))
        except Exception:
            with self._lock:
                self._new = new | self._new
            raise
        with self._lock:
            for key in new:
                self._known.pop(key, None)

    def _know(self, key: tuple[str, str], version: int) -> None:
        with self._lock:
            if len(self._known) >= MAX_KNOWN:
                self._known = {known: number for known, number in self._known.items() if known in self._new}
            self._known[key] = version
