"""Which configuration is active, and the ones that older messages pin. Judged whole, swapped whole (DESIGN laws 5 and 6)."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from hub.catalog import Catalog, from_files, is_readable, judge
from hub.core.errors import BadWorkspace, HubError
from hub.logs import event
from hub.store import Store


class NoRevision(HubError):
    """No configuration is active in this store yet: run `hub apply` (or `hub up`) in the workspace first."""


def apply(store: Store, folder: Path, *, by: str = "", despite: Sequence[str] = (), onto: str | None = None) -> Catalog:
    """Checks the workspace whole, keeps it by its content hash and makes it active in one transaction.

    `despite`: errors that are accepted, each named as `CODE:FILE:LINE`; they are written down with who did it. `onto`: the hash that the change
    was planned against. Raises BadWorkspace (nothing changes) and Outdated.
    """
    catalog, findings = judge(folder)
    errors = [finding for finding in findings if finding.level == "error"]
    named = {f"{finding.code}:{finding.file}:{finding.line}" for finding in errors}
    unknown = [name for name in despite if name not in named]
    if unknown:
        raise ValueError(f"{unknown[0]} is no error of this workspace; there is {', '.join(sorted(named)) or 'none'}.")
    refusing = [finding for finding in errors if f"{finding.code}:{finding.file}:{finding.line}" not in despite]
    if refusing or (errors and not is_readable(catalog)):
        raise BadWorkspace(refusing or errors)  # what cannot be read cannot be accepted either
    store.save_revision(catalog.revision, dict(catalog.files))
    store.activate(catalog.revision, by=by, despite=despite, onto=onto)
    return catalog


def roll_back(store: Store, to: str | None, *, by: str = "") -> Catalog:
    """Makes an older configuration active again: the one whose hash begins with `to`, or the one before the active one. Raises NoRevision."""
    history = store.activations(1_000)
    active = store.active()
    if to is None:
        found = {history[0].before} if history and history[0].before is not None else set()
    else:
        found = {one for row in history for one in (row.hash, row.before) if one is not None and one.startswith(to)}
    if len(found) != 1:
        raise NoRevision(f"{len(found)} configurations fit {to or 'the one before'!r}; see: hub revisions")
    [hash_] = found
    files = store.revision(hash_)
    if files is None:
        raise NoRevision(f"The store does not have the configuration {hash_[:12]}.")
    catalog = from_files(files)  # one that this hub cannot read any more is refused here, not in every process
    store.activate(hash_, by=by, onto=active)
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

    @property
    def refused(self) -> str | None:
        """The hash of the active configuration that this process could not load, while it keeps an older one."""
        return self._broken

    def refresh(self) -> bool:
        """Follows the store's active revision. One that cannot be loaded is reported once; the old one stays. Returns whether it changed."""
        active = self._store.active()
        if active is None or active == self._broken:
            return False
        if active == self._active.revision:
            self._broken = None
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
