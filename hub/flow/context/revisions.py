"""Which configuration is active, and the ones that older messages pin. Judged whole, swapped whole (laws 5 and 6)."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

from hub.catalog import Catalog, from_files
from hub.core.errors import BadWorkspace, Finding, HubError, StoreBusy
from hub.core.message import Json
from hub.logs import event
from hub.store import Store

KEPT = 16  # compiled configurations beside the active one: a large one takes tens of megabytes, and old ones are asked for seldom
LOOK_AGAIN = 20  # every so many looks at the active configuration, what was missing on this machine is looked for again
MAX_REASON = 2_000  # characters


Unmet: TypeAlias = Callable[[Catalog], list[Finding]]


def nothing_unmet(_: Catalog) -> list[Finding]:
    """For whoever only reads: nothing is wanted of the machine."""
    return []


class NoRevision(HubError):
    """No configuration is active in this store yet: run `hub apply` (or `hub up`) in the workspace first."""


def roll_back(store: Store, to: str | None, *, by: str = "", why: str = "", onto: str | None = None) -> Catalog:
    """Makes an older configuration active again: the one whose hash begins with `to`, or the one before the active one.

    `onto`: the hash of the active one that this was decided on. Raises NoRevision, BadWorkspace, and Outdated where another one is active.
    """
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
    store.activate(hash_, by=by, why=why, onto=onto or active)
    return catalog


@dataclass(frozen=True, slots=True)
class Refusal:
    """The active configuration that this process could not load, and why. It goes by the one before meanwhile."""

    revision: str
    reason: str
    is_of_this_machine: bool = False  # another may run it

    def as_json(self) -> dict[str, Json]:
        return {"revision": self.revision, "reason": self.reason}


class Revisions:
    """The active catalogue, and pinned ones by their hash, each compiled once while it is wanted.

    At most `kept` are kept beside the active one and those that are under way: the ones that nobody asked for the longest go first. Whoever
    asks for one that went gets it compiled anew from the store. Safe in all threads.
    """

    def __init__(self, store: Store, *, kept: int = KEPT, unmet: Unmet = nothing_unmet) -> None:
        """`unmet`: what keeps a configuration from running in this process; one with any is not followed."""
        self.unmet = unmet
        self._looks = 0  # since the active configuration was refused
        self._store = store
        self._most = kept
        self._lock = threading.Lock()  # of what is kept, for a moment
        self._compiling = threading.Lock()  # compiled once, however many threads ask; those that ask for one that is there do not wait
        self._kept: OrderedDict[str, Catalog] = OrderedDict()  # the one asked for last stands last
        self._under_way: Counter[str] = Counter()
        self._refused: Refusal | None = None
        active = store.active()
        if active is None:
            raise NoRevision("No configuration is active in this store. Run `hub apply` (or `hub up`) in the workspace first.")
        self._active = self._load(active)

    def active(self) -> Catalog:
        return self._active

    def pinned(self, revision: str) -> Catalog:
        """The catalogue of `revision` as it was. Raises NoRevision if the store does not have it, BadWorkspace if it cannot be read."""
        active = self._active
        if revision == active.revision:
            return active  # nearly always, and without a lock
        known = self._find(revision)
        if known is None:
            with self._compiling:
                known = self._find(revision) or self._load(revision)
                self._keep(revision, known)
        return known

    @contextmanager
    def under_way(self, revisions: Iterable[str]) -> Iterator[None]:
        """While it lasts none of these is let go: a batch that pins many would else have each compiled anew for each of its steps."""
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
        """What this process could not load of what was made active; None while it goes by the newest."""
        return self._refused

    def refresh(self) -> bool:
        """Follows the store's active revision. One that cannot be loaded is reported once; the old one stays. Returns whether it changed.

        Raises StoreBusy: the next tick looks again.
        """
        active = self._store.active()
        if active is None:
            return False
        if self._refused is not None and active == self._refused.revision:
            # What could not be read stays so; a secret may be put where it was missing.
            self._looks += 1
            if self._looks % LOOK_AGAIN or not self._refused.is_of_this_machine or self.unmet(self.pinned(active)):
                return False
        if active == self._active.revision:
            self._refused = None
            return False
        try:
            made = self._runnable(active)
        except StoreBusy:
            raise
        except Exception as error:  # noqa: BLE001  whatever it is, the old one stays, and an operator can read why
            reason = str(error) if isinstance(error, HubError) else f"It could not be compiled: {error!r}"
            self._refused = Refusal(active, reason[:MAX_REASON], isinstance(error, BadWorkspace))
            event("revision.refused", f"the old configuration stays: {reason}", level="error", revision=active[:12], kept=self._active.revision[:12])
            return False
        self._keep(self._active.revision, self._active)  # what was accepted under it is still on its way
        self._active, self._refused = made, None
        event("revision.activated", "all new messages go by it", revision=active[:12])
        return True

    def _runnable(self, revision: str) -> Catalog:
        """Raises BadWorkspace where this machine lacks what it wants."""
        made = self.pinned(revision)
        missing = self.unmet(made)
        if missing:
            raise BadWorkspace(missing)
        return made

    def _find(self, revision: str) -> Catalog | None:
        with self._lock:
            known = self._kept.get(revision)
            if known is not None:
                self._kept.move_to_end(revision)
            return known

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
        """Lets the oldest go, until there are as few as there may be. The active one is held by itself."""
        over = len(self._kept) - len(self._under_way.keys() & self._kept.keys()) - self._most
        if over > 0:
            for revision in [one for one in self._kept if one not in self._under_way][:over]:
                del self._kept[revision]
