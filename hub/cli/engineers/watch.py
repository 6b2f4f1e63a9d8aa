"""`hub up --watch`: checks each saved change and activates it if it has no errors. A half-written file is read again
and does no harm.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from hub.catalog import WorkspaceFiles, read
from hub.cli.common.output import console, show_findings
from hub.core.errors import BadWorkspace, HubError, StoreBusy
from hub.flow.configuration.plan import apply
from hub.flow.context.revisions import Unmet, nothing_unmet
from hub.store import Store

POLL_S = 0.3  # a change counts once it stood still for one look: an editor writes in several steps


class Watch:
    """A thread that looks at the workspace. `applied` is called with the new revision's hash.

    `known`: the workspace as it was applied last; what was saved since then is applied too. Without it, as it stands
    now.
    """

    def __init__(
        self,
        store: Store,
        folder: Path,
        applied: Callable[[str], None],
        *,
        by: str = "watch",
        known: WorkspaceFiles | None = None,
        unmet: Unmet = nothing_unmet,
    ) -> None:
        self._store = store
        self._folder = folder
        self._applied = applied
        self._by = by
        self._unmet = unmet
        self._stopping = threading.Event()
        self._known = known if known is not None else self._look()
        self._is_waiting = False  # for the store: it is told once, not at each look
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(5)

    def _look(self) -> WorkspaceFiles:
        """What stands in the files. Those that are gone for a moment are missing, and the next look sees them again."""
        return read(self._folder)

    def _run(self) -> None:
        before = self._known
        while not self._stopping.wait(POLL_S):
            try:
                now = self._look()
            except OSError:
                # a folder went away in the midst of the look (a checkout, a rename): the next look sees what there is
                continue
            if now == before and now != self._known and self._apply(now):
                self._known = now
            before = now

    def _apply(self, now: WorkspaceFiles) -> bool:
        """Applies what stood still, exactly as it was looked at: what is saved meanwhile is the next look's. False: it
        must be tried again.
        """
        try:
            made = apply(self._store, now, by=self._by, unmet=self._unmet)
        except BadWorkspace as error:
            show_findings([dict(finding.as_json()) for finding in error.findings])
            console.print(f"{len(error.findings)} faults. The previous configuration stays active.", style="red")
        except StoreBusy as error:
            if not self._is_waiting:
                console.print(f"Not applied yet: {error} It will be tried again.", style="yellow", markup=False)
            self._is_waiting = True
            return False
        except HubError as error:
            console.print(f"Not applied: {error}", style="red", markup=False)
        else:
            self._applied(made.revision)
            console.print(f"Active: {made.revision[:12]}.", style="green")
        self._is_waiting = False
        return True
