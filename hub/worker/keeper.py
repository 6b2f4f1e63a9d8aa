"""The keeper: once an hour, in one process of all, the round that keeps a store small (hub.flow.maintenance.retention). A thread of its own: it may take long."""

from __future__ import annotations

import threading
from datetime import timedelta

from hub.core.errors import StoreBusy
from hub.flow.hub import Hub
from hub.flow.maintenance import retention
from hub.logs import event
from hub.settings import BadSetting
from hub.store import BadArchive, Lead, NotLeading

NAME = "keep"  # what is led
TERM_S = 60.0  # longer than any step of a round
EVERY = timedelta(hours=1)
LOOK_S = 30.0  # between looks whether a round is due


class Keeper:
    """A thread that leads while a round lasts. When it was, the store knows: whoever looks next after an hour takes its turn."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._held: Lead | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keep", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Ends it after the step at which it is."""
        self._stopping.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        wait = 1.0
        while not self._stopping.wait(wait):
            wait = LOOK_S
            try:
                self.look()
            except (StoreBusy, NotLeading, retention.Stopped) as error:
                event("keep.postponed", f"{error!r}; the next round goes on", level="warning")
            except BadSetting as error:
                event("keep.refused", str(error), level="error")
            except (BadArchive, OSError) as error:
                event("keep.unarchived", f"{error}; what is not safely archived is not pruned", level="error")
            except Exception as error:  # noqa: BLE001  the next round tries again
                event("keep.failed", repr(error), level="error")

    def look(self) -> retention.Kept | None:
        """Does a round, if one is due and nobody else does it; what it did."""
        store = self._hub.store
        last = store.leader(NAME)
        if last is not None and store.now() < last.until + EVERY:
            return None
        if (held := self._renew()) is None:
            return None
        try:
            kept = retention.round_(store, self._hub.settings, self._hub.catalogs.active(), self._renew)
        finally:
            store.resign(self._held or held)
            self._held = None
        self._tell(kept)
        return kept

    def _renew(self) -> Lead | None:
        if self._stopping.is_set():
            return None
        self._held = self._hub.store.lead(NAME, self._hub.worker, term_s=TERM_S)
        return self._held

    def _tell(self, kept: retention.Kept) -> None:
        if kept.gone.messages or kept.files:
            text = f"{kept.gone.messages} messages pruned, {kept.stay} as old stay"
            event("messages.pruned", text, messages=kept.gone.messages, deliveries=kept.gone.deliveries, files=[one.path.name for one in kept.files])
        if kept.made or kept.dropped:
            event("parts.changed", f"{len(kept.made)} made, {len(kept.dropped)} dropped", made=kept.made, dropped=kept.dropped)
        astray = {part.name: part.rows for part in self._hub.store.parts() if part.day is None and part.rows}
        if astray:
            event("parts.astray", "rows have no part of their own day; hub store partitions tells more", level="warning", rows=astray)
