"""Runs the retention round (archive, prune) once an hour in one process, in a separate thread because it may take long
(hub.flow.maintenance.retention).
"""

from __future__ import annotations

import threading
from datetime import timedelta

from hub.core.errors import StoreBusy
from hub.flow.hub import Hub
from hub.flow.maintenance import retention
from hub.logs import event
from hub.settings import BadSetting
from hub.store import BadArchive, Lead, NotLeading

NAME = "keep"  # the name of the lead (leader lock)
TERM_S = 60.0  # lease of the lead; longer than any step of a round
EVERY = timedelta(hours=1)
LOOK_S = 30.0  # polling interval for a due round


class Keeper:
    """A thread that takes the lead for the duration of a round. The store records the last round; the first process
    that polls an hour later runs the next.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._held: Lead | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keep", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Ends it after the current step."""
        self._stopping.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        wait = 1.0
        while not self._stopping.wait(wait):
            wait = LOOK_S
            try:
                self.look()
            except (StoreBusy, NotLeading, retention.RetentionStopped) as error:
                event("keep.postponed", f"{error!r}; the next round goes on", level="warning")
            except BadSetting as error:
                event("keep.refused", str(error), level="error")
            except (BadArchive, OSError) as error:
                event("keep.unarchived", f"{error}; what is not safely archived is not pruned", level="error")
            except Exception as error:  # noqa: BLE001  the next round tries again
                event("keep.failed", repr(error), level="error")

    def look(self) -> retention.RetentionReport | None:
        """Runs a round if one is due and no other process runs it; gives its report."""
        store = self._hub.store
        last = store.leader(NAME)
        if last is not None and store.now() < last.until + EVERY:
            return None
        if (held := self._renew()) is None:
            return None
        try:
            report = retention.round_(store, self._hub.settings, self._hub.catalogs.active(), self._renew)
        finally:
            store.resign(self._held or held)
            self._held = None
        self._tell(report)
        return report

    def _renew(self) -> Lead | None:
        if self._stopping.is_set():
            return None
        self._held = self._hub.store.lead(NAME, self._hub.worker, term_s=TERM_S)
        return self._held

    def _tell(self, report: retention.RetentionReport) -> None:
        if report.gone.messages or report.files:
            text = f"{report.gone.messages} messages pruned, {report.stay} as old stay"
            event(
                "messages.pruned",
                text,
                messages=report.gone.messages,
                deliveries=report.gone.deliveries,
                files=[file.path.name for file in report.files],
            )
        if report.made or report.dropped:
            event(
                "parts.changed",
                f"{len(report.made)} made, {len(report.dropped)} dropped",
                made=report.made,
                dropped=report.dropped,
            )
        astray = {part.name: part.rows for part in self._hub.store.parts() if part.day is None and part.rows}
        if astray:
            event(
                "parts.astray",
                "rows have no part of their own day; hub store partitions tells more",
                level="warning",
                rows=astray,
            )
