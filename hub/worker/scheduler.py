"""The scheduler: what must be done once, however many processes run. Of all that could, one leads; the others wait for the end of its term."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from hub.core.errors import StoreBusy
from hub.flow.hub import Hub
from hub.flow.maintenance.recover import look, rescue
from hub.logs import event
from hub.store import Lead
from hub.store.accounts.leader import ONE_WRITER

LEAD = "scheduler"
TERM_S = 10.0  # a leader that is gone is missed for so long at most
RENEW_S = TERM_S / 3


class Scheduler:
    """A thread that tries to lead, and does the rounds while it does. What it does once too often, after its term, changes nothing (promise P5)."""

    def __init__(self, hub: Hub, rounds: tuple[Callable[[Hub, Lead], None], ...] = ()) -> None:
        self._hub = hub
        self._rounds = rounds
        self._stopping = threading.Event()
        # On SQLite one process at a time writes: whoever has that role is the one that led before, and need not wait for its own term.
        self._holder = ONE_WRITER if hub.settings.store.startswith("sqlite") else hub.worker
        self._held: Lead | None = None
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)

    @property
    def leads(self) -> bool:
        return self._held is not None and self._held.is_held()

    def start(self) -> None:
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Ends after the round that is under way, and gives the lead up: the next one need not wait."""
        self._stopping.set()
        self._thread.join(seconds)
        if self._held is not None:
            try:
                self._hub.store.resign(self._held)
            except StoreBusy as error:
                event("lead.kept", f"it ends by itself: {error}", level="warning")

    def _run(self) -> None:
        renewed_at = float("-inf")
        while not self._stopping.wait(self._hub.settings.sweep):
            try:
                if time.monotonic() - renewed_at >= RENEW_S or not self.leads:
                    self._take()
                    renewed_at = time.monotonic()
                if self._held is not None and self._held.is_held():
                    self._round(self._held)
            except StoreBusy as error:
                event("schedule.failed", str(error), level="warning")
            except Exception as error:  # noqa: BLE001  the next round tries again
                event("schedule.failed", repr(error), level="error")

    def _take(self) -> None:
        before = self._held.token if self._held is not None else None
        self._held = self._hub.store.lead(LEAD, self._holder, term_s=TERM_S)
        after = self._held.token if self._held is not None else None
        if before != after:
            event("lead.taken" if after is not None else "lead.lost", f"token {after or before}", worker=self._hub.worker)

    def _round(self, held: Lead) -> None:
        rescue(self._hub)
        look(self._hub, self._hub.bell.ring)
        for act in self._rounds:
            act(self._hub, held)


def somebody_leads(hub: Hub) -> bool:
    """Whether a scheduler does the rounds. Where none runs, each worker does them for itself: they are guarded, and nothing is done twice."""
    row = hub.store.leader(LEAD)
    return row is not None and row.until > hub.store.now()
