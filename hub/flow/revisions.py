"""Which configuration is active, and the ones that older messages pin. Judged whole, swapped whole (DESIGN laws 5 and 6)."""

from __future__ import annotations

import threading
from pathlib import Path

from hub.catalog import Catalog, from_files, load
from hub.core.errors import BadWorkspace, HubError
from hub.logs import event
from hub.store import Store


class NoRevision(HubError):
    """No configuration is active in this store yet: run `hub apply` (or `hub up`) in the workspace first."""


def apply(store: Store, folder: Path) -> Catalog:
    """Checks the workspace whole, keeps it by its content hash and makes it active in one transaction. Raises BadWorkspace: nothing changes."""
    catalog = load(folder)
    store.save_revision(catalog.revision, dict(catalog.files))
    store.activate(catalog.revision)
    return catalog


class Revisions:
    """The active catalogue, and pinned ones by their hash, each read from the store once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._by_hash: dict[str, Catalog] = {}
        self._broken: str | None = None
        active = store.active()
        if active is None:
            raise NoRevision("No configuration is active in this store. Run `hub apply` (or `hub up`) in the workspace first.")
        self._active = self.pinned(active)

    def active(self) -> Catalog:
        return self._active

    def pinned(self, revision: str) -> Catalog:
        """The catalogue of `revision` as it was. Raises NoRevision if the store does not have it, BadWorkspace if it cannot be read."""
        catalog = self._by_hash.get(revision)
        if catalog is None:
            with self._lock:  # compiled once, however many threads ask
                catalog = self._by_hash.get(revision)
                if catalog is None:
                    files = self._store.revision(revision)
                    if files is None:
                        raise NoRevision(f"The store does not have the configuration {revision[:12]}.")
                    catalog = self._by_hash[revision] = from_files(files)
        return catalog

    def refresh(self) -> bool:
        """Follows the store's active revision. One that cannot be loaded is reported once; the old one stays. Returns whether it changed."""
        active = self._store.active()
        if active is None or active in (self._active.revision, self._broken):
            return False
        try:
            self._active = self.pinned(active)
        except (BadWorkspace, NoRevision) as error:
            self._broken = active
            event("revision.refused", f"the old configuration stays: {error}", level="error", revision=active[:12], kept=self._active.revision[:12])
            return False
        self._broken = None
        event("revision.activated", "all new messages go by it", revision=active[:12])
        return True
