"""Retention: archives and prunes old messages that have ended, deletes expired dedupe keys, creates and drops
partitions.

Run by the leader, and from the command line. Each step is one guarded transaction: dying, stopping or losing the lead
in between leaves nothing half done, and the next round continues. A message is pruned only after its archive file is
written safely.
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
from hub.store import BLOCK, Archive, ArchiveFile, Gone, Lead, Place, Store
from hub.store.queries.throughput import KEPT as MINUTES_KEPT
from hub.store.retention.archive import MOST, ArchiveWriter, read

Renew = Callable[[], Lead | None]


@dataclass(slots=True)
class RetentionReport:
    """What a run did, or would do: messages and deliveries pruned, old ones that stay, archive files written, dedupe
    keys deleted, ended refused arrivals and repairs deleted, partitions created and dropped.
    """

    gone: Gone = field(default_factory=Gone)
    stay: int = 0
    files: list[ArchiveFile] = field(default_factory=list)
    forgotten: int = 0
    ended: int = 0
    made: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)


class RetentionStopped(Exception):
    """The run ended early; finished steps stay, and the next run does the rest."""


def horizon(catalog: Catalog) -> timedelta:
    """The longest time for which a delivery of an active route may be retried."""
    return max(
        (destination.retry.give_up_after for route in catalog.routes for destination in route.to), default=timedelta(0)
    )


def check_keeping(settings: Settings, catalog: Catalog) -> None:
    """Raises BadSetting if messages would be pruned while their deliveries may still be retried."""
    longest = horizon(catalog)
    if settings.keep_messages is not None and timedelta(days=settings.keep_messages) < longest:
        days = longest / timedelta(days=1)
        raise BadSetting(
            f"HUB_KEEP_MESSAGES={settings.keep_messages:g} is shorter than the longest give_up_after of the active routes, {days:g} days."
        )


def dry_run(store: Store, before: datetime) -> RetentionReport:
    """Counts what `prune` would delete; changes nothing."""
    report = RetentionReport()
    for ids, stay in _pages(store, before):
        report.gone += Gone(len(ids), sum(1 for _ in store.deliveries(*(id_ for id_, _ in ids))))
        report.stay += stay
    return report


def prune(
    store: Store, before: datetime, *, archive: Archive | None = None, renew: Renew | None = None, share: float = 1.0
) -> RetentionReport:
    """Prunes all messages that ended before `before`; archives them first if there is an archive.

    `renew` is called before each step and gives the lead for it; None ends the run (RetentionStopped). `share`: the
    maximum part of the time that the run uses, so that it does not slow down deliveries. Raises RetentionStopped,
    StoreBusy, NotLeading, BadArchive, OSError.
    """
    return _Run(store, before, renew, share).over(archive)


def archive_only(store: Store, before: datetime, archive: Archive) -> RetentionReport:
    """Archives what could be pruned and is not archived yet; prunes nothing. Raises StoreBusy, BadArchive, OSError."""
    return _Run(store, before, None, 1.0, prunes=False).over(archive)


def _pages(store: Store, before: datetime) -> Iterator[tuple[list[tuple[str, datetime]], int]]:
    place: Place | None = None
    while True:
        page = store.prunable(before, after=place)
        yield list(page.messages), page.kept
        if (place := page.next) is None:
            return


class _Run:
    """One run over the old messages, oldest first. At most one archive file is open; its messages are pruned when it is
    finished.
    """

    def __init__(
        self, store: Store, before: datetime, renew: Renew | None, share: float, *, prunes: bool = True
    ) -> None:
        self.kept = RetentionReport()
        self._store, self._before, self._renew, self._share, self._prunes = store, before, renew, share, prunes
        self._writing: ArchiveWriter | None = None
        self._known: tuple[date, set[str]] | None = None

    def over(self, archive: Archive | None) -> RetentionReport:
        try:
            for messages, stay in _pages(self._store, self._before):
                self.kept.stay += stay
                if archive is None:
                    self.prune([id_ for id_, _ in messages])
                    continue
                for day, group in groupby(messages, key=lambda message: message[1].astimezone(UTC).date()):
                    self.archive(archive, day, [id_ for id_, _ in group])
            self.finish()
        finally:
            self.drop()  # deletes a half-written file if the run ends early
        return self.kept

    def archive(self, archive: Archive, day: date, ids: list[str]) -> None:
        if self._writing is not None and self._writing.day != day:
            self.finish()
        if self._known is None or self._known[0] != day:
            self._known = (day, archive.ids(day))
        # Messages that an earlier run archived but did not prune are in the file already; so are restored ones.
        archived = self._known[1]
        self.prune([id_ for id_ in ids if id_ in archived])
        fresh = [id_ for id_ in ids if id_ not in archived]
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
        # If we die here, the next run finds the messages in the file and prunes them.
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
            raise RetentionStopped
        return held


def round_(store: Store, settings: Settings, catalog: Catalog, renew: Renew, *, share: float = 0.25) -> RetentionReport:
    """The retention round of the leader: creates partitions ahead, archives and prunes by the settings, deletes expired
    dedupe keys, drops empty partitions.

    Raises what `prune` raises, and BadSetting if messages would be pruned while they may still be retried.
    """
    report = RetentionReport()
    # a long read blocks it: partitions for the next days exist, and the next round tries again
    with suppress(StoreBusy):
        report.made = store.make_parts()
    now = store.now()
    if settings.keep_messages is not None:
        check_keeping(settings, catalog)
        archive = Archive(settings.archive) if settings.archive is not None else None
        before = now - timedelta(days=settings.keep_messages)
        pruned = prune(store, before, archive=archive, renew=renew, share=share)
        report.gone, report.stay, report.files = pruned.gone, pruned.stay, pruned.files
        report.ended = forget_ended(store, before, renew)
    report.ended += forget_refused(store, now - timedelta(days=settings.keep_refused), renew)
    while store.list_unrouted():  # unrouted messages that an older version of the hub did not list
        _must(renew)
    report.forgotten = forget(store, renew)
    store.prune_minutes(now - MINUTES_KEPT)
    # One day stays, because a message accepted at midnight may still be under way.
    report.dropped = store.drop_parts(now.astimezone(UTC).date() - timedelta(days=1), held=_must(renew))
    return report


def prune_by(
    store: Store, before: datetime, *, archive: Archive | None, renew: Renew, by: str, where: str
) -> RetentionReport:
    """A retention run that a person started, up to a given day. Raises what `prune` raises."""
    # Recorded before the first block, so that the act is on record even if the connection is lost later.
    store.note_act(by=by, what="store.pruned", details={"before": f"{before.date()}", "archive": where})
    done = prune(store, before, archive=archive, renew=renew, share=0.5)
    done.forgotten = forget(store, renew)
    done.ended = forget_ended(store, before, renew)
    done.dropped = store.drop_parts(before.date())
    return done


def forget(store: Store, renew: Renew | None = None) -> int:
    """Deletes all expired dedupe keys; gives how many."""
    number, name = 0, ("", "", "")
    while True:
        forgotten, after = store.forget_names(after=name, held=_must(renew) if renew is not None else None)
        number += forgotten
        if after is None:
            return number
        name = after


def forget_ended(store: Store, before: datetime, renew: Renew) -> int:
    """Deletes refused arrivals and repairs that ended before `before`; gives how many rows. Raises RetentionStopped,
    NotLeading, StoreBusy.
    """
    number = 0
    while gone := store.forget_ended(before, held=_must(renew)):
        number += gone
    return number


def forget_refused(store: Store, before: datetime, renew: Renew) -> int:
    """Deletes old refused arrivals; gives how many. Raises RetentionStopped, NotLeading, StoreBusy."""
    number = 0
    while gone := store.forget_refused(before, held=_must(renew)):
        number += gone
    return number


def _must(renew: Renew) -> Lead:
    if (held := renew()) is None:
        raise RetentionStopped
    return held


def restore_by(store: Store, files: Sequence[Path], *, until: datetime, by: str) -> dict[str, Gone]:
    """Restores these archive files, as a person asked. Raises what `restore` raises; files before the error stay
    restored.
    """
    store.note_act(
        by=by, what="store.restored", details={"files": [path.name for path in files], "until": until.isoformat()}
    )
    return {path.name: restore(store, path, until=until) for path in files}


def restore(store: Store, path: Path, *, until: datetime, size: int = 200) -> Gone:
    """Restores the messages of an archive file; they are not pruned again before `until`. Idempotent. Raises
    BadArchive, ValueError, StoreBusy.
    """
    gone, batch = Gone(), []
    for record in read(path):
        batch.append(record)
        if len(batch) >= size:
            gone, batch = gone + store.restore(batch, until=until), []
    return gone + store.restore(batch, until=until)
