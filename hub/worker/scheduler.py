"""The scheduler: periodic work that one process does for all, chosen by leader election with a lease (term)."""

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
TERM_S = 10.0  # lease of the leader: after a crash another process leads after this time at most
RENEW_S = TERM_S / 3


class Scheduler:
    """A thread that tries to lead, and runs the rounds while it leads. A round that runs twice, after the term, changes
    nothing (promise P5).
    """

    def __init__(self, hub: Hub, rounds: tuple[Callable[[Hub, Lead], None], ...] = ()) -> None:
        self._hub = hub
        self._rounds = rounds
        self._stopping = threading.Event()
        # On SQLite only one process runs at a time, so a new one is the former leader and need not wait for the end of
        # the term.
        self._holder = ONE_WRITER if hub.settings.store.startswith("sqlite") else hub.worker
        self._held: Lead | None = None
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)

    @property
    def leads(self) -> bool:
        return self._held is not None and self._held.is_held()

    def start(self) -> None:
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Ends after the current round and resigns, so that the next leader need not wait."""
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
            event(
                "lead.taken" if after is not None else "lead.lost", f"token {after or before}", worker=self._hub.worker
            )

    def _round(self, held: Lead) -> None:
        rescue(self._hub)
        look(self._hub, self._hub.notifier.notify)
        for act in self._rounds:
            act(self._hub, held)


def somebody_leads(hub: Hub) -> bool:
    """Whether a scheduler leads. If none does, each worker runs the rounds itself: the changes are guarded, so nothing
    is done twice.
    """
    row = hub.store.leader(LEAD)
    return row is not None and row.until > hub.store.now()
