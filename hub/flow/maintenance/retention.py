"""Keep: what is kept, and for how long. Archives and prunes what has ended and is old enough, forgets names of posts, makes and drops parts.

Done by whoever leads, and from the command line. Each step is one guarded transaction, so that dying, stopping or losing the lead in the
midst leaves nothing half done, and the next round goes on. What is to be archived is pruned only once it is safely in its file.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from pathlib import Path

from hub.catalog import Catalog
from hub.core.errors import StoreBusy
from hub.settings import BadSetting, Settings
from hub.store import BLOCK, Archive, Archived, Gone, Lead, Place, Store
from hub.store.queries.throughput import KEPT as MINUTES_KEPT
from hub.store.retention.archive import MOST, Writing, read

Renew = Callable[[], Lead | None]


@dataclass(slots=True)
class Kept:
    """What a run did, or would do: messages and deliveries gone, as old ones that stay, files written, names forgotten, refused arrivals and repairs that
    were ended, parts made and dropped.
    """

    gone: Gone = field(default_factory=Gone)
    stay: int = 0
    files: list[Archived] = field(default_factory=list)
    forgotten: int = 0
    ended: int = 0
    made: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)


class Stopped(Exception):
    """The run ended early; what was done is done, and the rest is for the next one."""


def horizon(catalog: Catalog) -> timedelta:
    """The longest that a delivery of an active route may be tried."""
    return max((destination.retry.give_up_after for route in catalog.routes for destination in route.to), default=timedelta(0))


def check_keeping(settings: Settings, catalog: Catalog) -> None:
    """Raises BadSetting where messages would be kept for less long than they are still tried."""
    longest = horizon(catalog)
    if settings.keep_messages is not None and timedelta(days=settings.keep_messages) < longest:
        days = longest / timedelta(days=1)
        raise BadSetting(f"HUB_KEEP_MESSAGES={settings.keep_messages:g} is shorter than the longest give_up_after of the active routes, {days:g} days.")


def dry_run(store: Store, before: datetime) -> Kept:
    """What `prune` would take; changes nothing."""
    kept = Kept()
    for ids, stay in _pages(store, before):
        kept.gone += Gone(len(ids), sum(1 for _ in store.deliveries(*(id_ for id_, _ in ids))))
        kept.stay += stay
    return kept


def prune(store: Store, before: datetime, *, archive: Archive | None = None, renew: Renew | None = None, share: float = 1.0) -> Kept:
    """Prunes all that ended before `before`, archived first where there is an archive.

    `renew` is asked before each step, and gives the lead under which it is done; None ends the run (Stopped). `share`: of the time, so much
    goes into it at most, and the rest belongs to those who work. Raises Stopped, StoreBusy, NotLeading, BadArchive, OSError.
    """
    return _Run(store, before, renew, share).over(archive)


def archive_only(store: Store, before: datetime, archive: Archive) -> Kept:
    """Archives what could be pruned, and is not archived yet; prunes nothing. Raises StoreBusy, BadArchive, OSError."""
    return _Run(store, before, None, 1.0, prunes=False).over(archive)


def _pages(store: Store, before: datetime) -> Iterator[tuple[list[tuple[str, datetime]], int]]:
    place: Place | None = None
    while True:
        page = store.prunable(before, after=place)
        yield list(page.messages), page.kept
        if (place := page.next) is None:
            return


class _Run:
    """One run over the old messages, oldest first: at most one file is open, and what it holds is pruned when it is finished."""

    def __init__(self, store: Store, before: datetime, renew: Renew | None, share: float, *, prunes: bool = True) -> None:
        self.kept = Kept()
        self._store, self._before, self._renew, self._share, self._prunes = store, before, renew, share, prunes
        self._writing: Writing | None = None
        self._known: tuple[date, set[str]] | None = None

    def over(self, archive: Archive | None) -> Kept:
        try:
            for messages, stay in _pages(self._store, self._before):
                self.kept.stay += stay
                if archive is None:
                    self.prune([id_ for id_, _ in messages])
                    continue
                for day, group in groupby(messages, key=lambda one: one[1].astimezone(UTC).date()):
                    self.archive(archive, day, [id_ for id_, _ in group])
            self.finish()
        finally:
            self.drop()  # what is half written when a run ends early
        return self.kept

    def archive(self, archive: Archive, day: date, ids: list[str]) -> None:
        if self._writing is not None and self._writing.day != day:
            self.finish()
        if self._known is None or self._known[0] != day:
            self._known = (day, archive.ids(day))
        # What an earlier run archived, and did not come to prune, is in its file already; what was restored is there too.
        known = self._known[1]
        self.prune([id_ for id_ in ids if id_ in known])
        fresh = [id_ for id_ in ids if id_ not in known]
        for start in range(0, len(fresh), BLOCK):
            self._held()
            if self._writing is None:
                self._writing = archive.begin(day)
            self._writing.add(self._store.records(fresh[start : start + BLOCK]))
            if len(self._writing.ids) >= MOST:
                self.finish()

    def finish(self) -> None:
        writing, self._writing = self._writing, None
        if writing is None:
            return
        if not writing.ids:
            writing.drop()
            return
        self.kept.files.append(writing.finish())
        # If we die here, the next run finds them in the file, and prunes them.
        if self._known is not None and self._known[0] == writing.day:
            self._known[1].update(writing.ids)
        self.prune(writing.ids)

    def drop(self) -> None:
        if self._writing is not None:
            self._writing.drop()

    def prune(self, ids: list[str]) -> None:
        if not self._prunes:
            return
        for start in range(0, len(ids), BLOCK):
            held = self._held()
            began = time.monotonic()
            self.kept.gone += self._store.prune(ids[start : start + BLOCK], before=self._before, held=held)
            if self._share < 1.0:
                time.sleep((time.monotonic() - began) * (1 / self._share - 1))

    def _held(self) -> Lead | None:
        if self._renew is None:
            return None
        if (held := self._renew()) is None:
            raise Stopped
        return held


def round_(store: Store, settings: Settings, catalog: Catalog, renew: Renew, *, share: float = 0.25) -> Kept:
    """All that a leader does to keep a store small: parts ahead, archive and prune by the settings, names of posts, parts that are empty.

    Raises what `prune` raises, and BadSetting where messages would be kept for less long than they are tried.
    """
    kept = Kept()
    with suppress(StoreBusy):  # somebody reads for long: there are parts for days ahead, and the next round tries again
        kept.made = store.make_parts()
    now = store.now()
    if settings.keep_messages is not None:
        check_keeping(settings, catalog)
        archive = Archive(settings.archive) if settings.archive is not None else None
        before = now - timedelta(days=settings.keep_messages)
        pruned = prune(store, before, archive=archive, renew=renew, share=share)
        kept.gone, kept.stay, kept.files = pruned.gone, pruned.stay, pruned.files
        kept.ended = forget_ended(store, before, renew)
    kept.ended += forget_refused(store, now - timedelta(days=settings.keep_refused), renew)
    while store.list_unrouted():  # what an older version beside this one routed nowhere
        _must(renew)
    kept.forgotten = forget(store, renew)
    store.prune_minutes(now - MINUTES_KEPT)
    # A day is left, in which something that was accepted at midnight may still end.
    kept.dropped = store.drop_parts(now.astimezone(UTC).date() - timedelta(days=1), held=_must(renew))
    return kept


def prune_by(store: Store, before: datetime, *, archive: Archive | None, renew: Renew, by: str, where: str) -> Kept:
    """A round at a person's word, up to a day that they name. Raises what `prune` raises."""
    # On record before the first block, and not with the last: what is pruned by a person who then loses the connection is told all the same.
    store.note_act(by=by, what="store.pruned", details={"before": f"{before.date()}", "archive": where})
    done = prune(store, before, archive=archive, renew=renew, share=0.5)
    done.forgotten = forget(store, renew)
    done.ended = forget_ended(store, before, renew)
    done.dropped = store.drop_parts(before.date())
    return done


def forget(store: Store, renew: Renew | None = None) -> int:
    """Forgets all names of posts whose time is over; gives how many."""
    number, name = 0, ("", "", "")
    while True:
        forgotten, after = store.forget_names(after=name, held=_must(renew) if renew is not None else None)
        number += forgotten
        if after is None:
            return number
        name = after


def forget_ended(store: Store, before: datetime, renew: Renew) -> int:
    """Refused arrivals and repairs that had ended before `before` go; gives how many rows. Raises Stopped, NotLeading, StoreBusy."""
    number = 0
    while gone := store.forget_ended(before, held=_must(renew)):
        number += gone
    return number


def forget_refused(store: Store, before: datetime, renew: Renew) -> int:
    """Refused arrivals that are old go; gives how many. Raises Stopped, NotLeading, StoreBusy."""
    number = 0
    while gone := store.forget_refused(before, held=_must(renew)):
        number += gone
    return number


def _must(renew: Renew) -> Lead:
    if (held := renew()) is None:
        raise Stopped
    return held


def restore_by(store: Store, files: Sequence[Path], *, until: datetime, by: str) -> dict[str, Gone]:
    """Puts back what is in these files, at a person's word. Raises what `restore` raises; what came before it stays."""
    store.note_act(by=by, what="store.restored", details={"files": [path.name for path in files], "until": until.isoformat()})
    return {path.name: restore(store, path, until=until) for path in files}


def restore(store: Store, path: Path, *, until: datetime, size: int = 200) -> Gone:
    """Puts the messages of an archive's file back, until then not pruned again. Twice changes nothing. Raises BadArchive, ValueError, StoreBusy."""
    gone, batch = Gone(), []
    for record in read(path):
        batch.append(record)
        if len(batch) >= size:
            gone, batch = gone + store.restore(batch, until=until), []
    return gone + store.restore(batch, until=until)
