"""Pins: whoever posts without saying a version stays on the one that its first such post was accepted in, also when a newer one becomes the default.

Kept in memory at once and written by the tick: a kill loses the pins of its last seconds, and the next such post pins anew.
"""

from __future__ import annotations

import threading
from datetime import datetime

from hub.core.message import Message
from hub.store import Pin, Store

MAX_KNOWN = 50_000  # callers and types in memory; beyond it the store is asked again


class Pins:
    """The pins that this process knows. Safe in all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], int] = {}
        self._meant: dict[tuple[str, str], int] = {}  # posts under way whose caller has no pin yet
        self._new: dict[tuple[str, str], Pin] = {}

    def version(self, store: Store, caller: str, type_: str) -> int | None:
        """The version of this caller's silent posts; None: it has none yet. Raises StoreBusy."""
        known = self._known.get((caller, type_))
        if known is not None:
            return known
        found = store.version_pin(caller, type_)
        if found is not None:
            self._know((caller, type_), found)
        return found

    def mean(self, caller: str, type_: str, version: int) -> None:
        """A silent post is in this version, the default of now. It is the caller's from its acceptance on."""
        with self._lock:
            if len(self._meant) >= MAX_KNOWN:  # of posts that were refused
                self._meant.clear()
            self._meant[caller, type_] = version

    def accepted(self, message: Message, at: datetime) -> None:
        """One message that was stored for the first time."""
        key = (message.caller, message.ref.type)
        if not self._meant or key not in self._meant:
            return
        with self._lock:
            version = self._meant.pop(key, None)
            if version == message.ref.version and key not in self._known:
                self._new[key] = Pin(*key, version, at)
                self._known[key] = version

    def flush(self, store: Store) -> None:
        """Writes what is new. Where another process was first, its pin holds. Raises StoreBusy: then it is written the next time."""
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
