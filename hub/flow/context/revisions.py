"""Caches compiled configuration revisions: the active one, and those that older messages pin. Each is loaded and
replaced as a whole (laws 5 and 6).
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

from hub.catalog import Catalog, from_files
from hub.core.errors import BadWorkspace, Finding, HubError, StoreBusy
from hub.logs import event
from hub.store import Store

KEPT = 16  # cache size, beside the active revision: a large one takes tens of megabytes, and old ones are rarely needed
LOOK_AGAIN = 20  # every 20th refresh, a revision that this machine could not run is tried again
MAX_REASON = 2_000  # characters


Unmet: TypeAlias = Callable[[Catalog], list[Finding]]


def nothing_unmet(_: Catalog) -> list[Finding]:
    """No requirements of the machine: for processes that only read."""
    return []


class NoRevision(HubError):
    """No configuration is active in this store yet: run `hub apply` (or `hub up`) in the workspace first."""


def roll_back(store: Store, to: str | None, *, by: str = "", why: str = "", onto: str | None = None) -> Catalog:
    """Makes an older configuration active again: the one whose hash begins with `to`, or the one before the active one.

    `onto`: the active hash on which the decision is based. Raises NoRevision, BadWorkspace; RevisionConflict if another
    one is active.
    """
    history = store.activations(1_000)
    active = store.active()
    if to is None:
        hashes = {history[0].before} if history and history[0].before is not None else set()
    else:
        hashes = {
            hash_of_row
            for row in history
            for hash_of_row in (row.hash, row.before)
            if hash_of_row is not None and hash_of_row.startswith(to)
        }
    if len(hashes) != 1:
        raise NoRevision(f"{len(hashes)} configurations fit {to or 'the one before'!r}; see: hub revisions")
    [hash_] = hashes
    files = store.revision(hash_)
    if files is None:
        raise NoRevision(f"The store does not have the configuration {hash_[:12]}.")
    # a configuration that this hub cannot read is refused here, before it reaches every process
    catalog = from_files(files)
    store.activate(hash_, by=by, why=why, onto=onto or active)
    return catalog


@dataclass(frozen=True, slots=True)
class Refusal:
    """An active configuration that this process could not load, and why. Meanwhile it uses the previous one."""

    revision: str
    reason: str
    is_of_this_machine: bool = False  # another machine may be able to run it


class Revisions:
    """An LRU cache of catalogues by revision hash, and the active catalogue.

    At most `kept` are cached beside the active one and those in use; the least recently used is evicted and compiled
    again from the store when it is needed. Thread-safe.
    """

    def __init__(self, store: Store, *, kept: int = KEPT, unmet: Unmet = nothing_unmet) -> None:
        """`unmet` gives the requirements of a configuration that this process does not meet; a configuration with any
        is not activated here.
        """
        self.unmet = unmet
        self._looks = 0  # since the active configuration was refused
        self._store = store
        self._most = kept
        self._lock = threading.Lock()  # guards the cache; held for a moment
        # held while compiling, so that each is compiled once; cached ones do not wait for it
        self._compiling = threading.Lock()
        self._kept: OrderedDict[str, Catalog] = OrderedDict()  # the most recently used is last
        self._under_way: Counter[str] = Counter()
        self._refused: Refusal | None = None
        active = store.active()
        if active is None:
            raise NoRevision(
                "No configuration is active in this store. Run `hub apply` (or `hub up`) in the workspace first."
            )
        self._active = self._load(active)

    def active(self) -> Catalog:
        return self._active

    def pinned(self, revision: str) -> Catalog:
        """The catalogue of `revision` as it was. Raises NoRevision if the store does not have it, BadWorkspace if it
        cannot be read.
        """
        active = self._active
        if revision == active.revision:
            return active  # the usual case, without a lock
        catalog = self._find(revision)
        if catalog is None:
            with self._compiling:
                catalog = self._find(revision) or self._load(revision)
                self._keep(revision, catalog)
        return catalog

    @contextmanager
    def under_way(self, revisions: Iterable[str]) -> Iterator[None]:
        """Keeps these revisions in the cache for the duration of the context. Otherwise a batch that pins many would
        compile each again for each step.
        """
        named = set(revisions)
        with self._lock:
            self._under_way.update(named)
        try:
            yield
        finally:
            with self._lock:
                self._under_way.subtract(named)
                self._under_way = +self._under_way
                self._trim()

    @property
    def refused(self) -> Refusal | None:
        """The active configuration that this process could not load; None if it uses the active one."""
        return self._refused

    def refresh(self) -> bool:
        """Follows the store's active revision. If it cannot be loaded, that is reported once and the old one stays.
        Returns whether it changed.

        Raises StoreBusy: the next tick tries again.
        """
        active = self._store.active()
        if active is None:
            return False
        if self._refused is not None and active == self._refused.revision:
            # An unreadable configuration stays unreadable. A missing secret may have been added, so that is checked
            # again.
            self._looks += 1
            if self._looks % LOOK_AGAIN or not self._refused.is_of_this_machine or self.unmet(self.pinned(active)):
                return False
        if active == self._active.revision:
            self._refused = None
            return False
        try:
            catalog = self._runnable(active)
        except StoreBusy:
            raise
        except Exception as error:  # noqa: BLE001  whatever the error is, the old configuration stays and the reason is shown to operators
            reason = str(error) if isinstance(error, HubError) else f"It could not be compiled: {error!r}"
            self._refused = Refusal(active, reason[:MAX_REASON], isinstance(error, BadWorkspace))
            event(
                "revision.refused",
                f"the old configuration stays: {reason}",
                level="error",
                revision=active[:12],
                kept=self._active.revision[:12],
            )
            return False
        self._keep(self._active.revision, self._active)  # messages accepted under it are still being delivered
        self._active, self._refused = catalog, None
        event("revision.activated", "all new messages go by it", revision=active[:12])
        return True

    def _runnable(self, revision: str) -> Catalog:
        """The catalogue of this revision. Raises BadWorkspace if this machine does not meet its requirements."""
        catalog = self.pinned(revision)
        missing = self.unmet(catalog)
        if missing:
            raise BadWorkspace(missing)
        return catalog

    def _find(self, revision: str) -> Catalog | None:
        with self._lock:
            catalog = self._kept.get(revision)
            if catalog is not None:
                self._kept.move_to_end(revision)
            return catalog

    def _load(self, revision: str) -> Catalog:
        files = self._store.revision(revision)
        if files is None:
            raise NoRevision(f"The store does not have the configuration {revision[:12]}.")
        return from_files(files)

    def _keep(self, revision: str, catalog: Catalog) -> None:
        with self._lock:
            self._kept[revision] = catalog
            self._kept.move_to_end(revision)
            self._trim()

    def _trim(self) -> None:
        """Evicts the least recently used revisions that are not in use, down to the limit. The active one is held
        separately.
        """
        over = len(self._kept) - len(self._under_way.keys() & self._kept.keys()) - self._most
        if over > 0:
            for revision in [cached for cached in self._kept if cached not in self._under_way][:over]:
                del self._kept[revision]
