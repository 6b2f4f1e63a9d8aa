"""The store: one object with all the verbs. Each is a function in the module of its tables; this is their one front."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from pathlib import Path

from hub.core.errors import Refused, StoreBusy
from hub.core.message import Json, Receipt, Ref
from hub.core.model.breaker import BreakerState
from hub.core.model.delivery import AcceptedMessage, Bundle, Claim, NewDelivery, Settlement
from hub.store import migrate
from hub.store.accounts import leader
from hub.store.accounts.leader import Lead, LeaderRow
from hub.store.command_methods import Commands
from hub.store.engine import backup, store_faults
from hub.store.engine.database import Database
from hub.store.engine.engine import parse
from hub.store.messages import (
    add,
    blocked,
    breakers,
    capacity,
    claim,
    concurrency_shares,
    decide,
    expire,
    in_doubt,
    in_hand,
    lookups,
    pins,
    settle,
    waiting,
)
from hub.store.messages.concurrency_shares import Share
from hub.store.messages.in_doubt import ProbeOutcome
from hub.store.messages.in_hand import InFlightDelivery
from hub.store.messages.lookups import Lookup
from hub.store.messages.pins import Pin
from hub.store.queries import backlog, conservation, measures, processes, usage
from hub.store.queries.conservation import Conservation
from hub.store.queries.measures import Backlog
from hub.store.queries.processes import Process
from hub.store.queries.usage import UsageCount
from hub.store.query_methods import Queries
from hub.store.retention import ended, partitions, prune, records
from hub.store.retention.partitions import AHEAD, Part
from hub.store.retention.prune import Gone, Page, Place


def open_store(url: str, *, writer: bool = False) -> Store:
    """Opens a store; does not migrate it. `writer`: this process keeps writing (`hub up`, a worker); on SQLite there
    can be one.

    Raises ValueError for an address that is none, StoreBusy where another process is the SQLite file's writer,
    StoreUnusable where the file cannot be opened. An empty file is made, so that no umask opens it to others.
    """
    try:
        return Store(Database(url, writer=writer))
    except OSError as error:
        raise store_faults.of_system(error, parse(url)) from error


class Store(Queries, Commands):
    """All verbs. They take batches, raise StoreBusy, and let no connection and no row object out."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._crowded: set[str] = set()  # lanes in which a claim was not the end of what waits

    def close(self) -> None:
        self._database.close()

    def now(self) -> datetime:
        """The database's clock."""
        return self._database.read(lambda connection: self._database.instant(self._database.clock(connection)))

    def migrate(self) -> None:
        migrate.upgrade(self._database)
        with suppress(StoreBusy):  # somebody reads a whole table: the default parts take what comes until the next try
            self.make_parts()

    def schema_revision(self) -> str | None:
        return migrate.current(self._database)

    def is_current(self) -> bool:
        return migrate.current(self._database) == migrate.head()

    def add(self, batch: Sequence[AcceptedMessage]) -> list[Receipt | Refused]:
        return add.add(self._database, batch)

    def claim(
        self,
        lane: str,
        *,
        size: int,
        lease_s: float,
        worker: str,
        bundles: Mapping[str, Bundle] | None = None,
        holds: bool = False,
    ) -> list[Claim]:
        is_crowded = lane in self._crowded
        claims = claim.claim(
            self._database,
            lane,
            size=size,
            lease_s=lease_s,
            worker=worker,
            bundles=bundles or {},
            holds=holds,
            is_crowded=is_crowded,
        )
        # A claim that was filled left others waiting, perhaps: the next one deals out.
        (self._crowded.add if len(claims) >= size - size // claim.KEPT_OF else self._crowded.discard)(lane)
        return claims

    def stale(self, claims: Sequence[Claim]) -> frozenset[str]:
        return claim.stale(self._database, claims)

    def return_leases(self, claims: Sequence[Claim]) -> int:
        return claim.return_leases(self._database, claims)

    def due_lanes(self) -> list[str]:
        return claim.due_lanes(self._database)

    def step_aside(self, lanes: Iterable[str]) -> int:
        return blocked.step_aside(self._database, lanes)

    def settle(self, batch: Sequence[Settlement]) -> list[str]:
        return settle.settle(self._database, batch)

    def decide(self, claim: Claim, pieces: Sequence[NewDelivery], revision: str) -> bool:
        return decide.decide(self._database, claim, pieces, revision)

    def expire(self, limit: int = 1_000) -> list[str]:
        return expire.expire(self._database, limit)

    def record_lookups(self, batch: Sequence[Lookup]) -> None:
        lookups.record(self._database, batch)

    def lookups(self, *message_ids: str) -> list[Lookup]:
        return lookups.find(self._database, message_ids)

    def release(self, limit: int = 1_000) -> list[str]:
        return waiting.release(self._database, limit)

    def lapse(self, limit: int = 1_000) -> int:
        return waiting.lapse(self._database, limit)

    def prune_windows(self, limit: int = 1_000, margin: timedelta = capacity.MARGIN) -> int:
        return capacity.prune(self._database, limit, margin)

    def add_usage(self, batch: Sequence[UsageCount]) -> None:
        usage.add_usage(self._database, batch)

    def tag_deliveries(
        self, source: str, batch: Sequence[InFlightDelivery], *, keep: timedelta, is_shared: bool
    ) -> list[str]:
        return in_hand.tag(self._database, source, batch, keep=keep, is_shared=is_shared)

    def forget_deliveries(self, source: str, tags: Sequence[str]) -> None:
        in_hand.forget(self._database, source, tags)

    def add_version_pins(self, batch: Sequence[Pin]) -> None:
        pins.add(self._database, batch)

    def version_pin(self, caller: str, type_: str) -> int | None:
        return pins.find(self._database, caller, type_)

    def version_pins(self, types: Sequence[str]) -> list[Pin]:
        return pins.of_types(self._database, types)

    def usage(
        self, *, type_: str | None = None, version: int | None = None, since: str = "", fields: bool = False
    ) -> list[UsageCount]:
        return usage.usage(self._database, type_=type_, version=version, since=since, fields=fields)

    def count_open(self) -> dict[Ref, int]:
        return usage.count_open(self._database)

    def breakers(self) -> list[BreakerState]:
        return breakers.all_breakers(self._database)

    def trip_breaker(self, lane: str, span: timedelta) -> bool:
        return breakers.trip(self._database, lane, span)

    def probe_breaker(self, lane: str, span: timedelta) -> bool:
        return breakers.probe(self._database, lane, span)

    def return_probe(self, lane: str) -> bool:
        return breakers.return_probe(self._database, lane)

    def close_breaker(self, lane: str) -> bool:
        return breakers.close(self._database, lane)

    @property
    def is_alone(self) -> bool:
        """Whether one process at a time writes here: then nothing needs to be shared out."""
        return self._database.kind == "sqlite"

    def shares(self) -> list[Share]:
        return concurrency_shares.shares(self._database)

    def take_share(self, lane: str, worker: str, most: int, *, holders: int | None = None) -> int:
        return concurrency_shares.take(self._database, lane, worker, most, holders=holders)

    def renew_shares(self, worker: str) -> int:
        return concurrency_shares.renew(self._database, worker)

    def leave_shares(self, worker: str, lanes: Sequence[str]) -> None:
        concurrency_shares.leave(self._database, worker, lanes)

    def workers(self) -> int:
        return expire.workers(self._database)

    def sign(self, worker: str) -> None:
        expire.sign(self._database, worker)

    def sign_off(self, worker: str) -> None:
        expire.sign_off(self._database, worker)

    def conservation(self) -> Conservation:
        return conservation.conservation(self._database)

    def prunable(self, before: datetime, *, after: Place | None = None, limit: int = prune.PAGE) -> Page:
        return prune.prunable(self._database, before, after=after, limit=limit)

    def prune(self, ids: Sequence[str], *, before: datetime, held: Lead | None = None) -> Gone:
        return prune.prune(self._database, ids, before=before, held=held)

    def forget_names(
        self, *, after: tuple[str, str, str] = ("", "", ""), held: Lead | None = None
    ) -> tuple[int, tuple[str, str, str] | None]:
        return prune.forget_names(self._database, after=after, held=held)

    def forget_refused(self, before: datetime, *, held: Lead | None = None) -> int:
        return ended.forget_refused(self._database, before, held=held)

    def forget_ended(self, before: datetime, *, held: Lead | None = None) -> int:
        return ended.forget_ended(self._database, before, held=held)

    def records(self, ids: Sequence[str]) -> list[dict[str, Json]]:
        return records.records(self._database, ids)

    def restore(self, batch: Sequence[Mapping[str, Json]], *, until: datetime) -> Gone:
        return records.restore(self._database, batch, until=until)

    def parts(self) -> list[Part]:
        return partitions.parts(self._database)

    def make_parts(self, ahead: int = AHEAD) -> list[str]:
        return partitions.make_ahead(self._database, ahead)

    def drop_parts(self, before: date, *, held: Lead | None = None) -> list[str]:
        return partitions.drop_empty(self._database, before, held)

    def backup(self, file: Path) -> int:
        return backup.backup(self._database, file)

    def backlog(self) -> Backlog:
        return measures.backlog(self._database)

    def lead(self, name: str, holder: str, *, term_s: float) -> Lead | None:
        return leader.lead(self._database, name, holder, term_s=term_s)

    def resign(self, held: Lead) -> bool:
        return leader.resign(self._database, held)

    def leader(self, name: str) -> LeaderRow | None:
        return leader.leader(self._database, name)

    def doubted(self, ids: Sequence[str]) -> frozenset[str]:
        return in_doubt.doubted(self._database, ids)

    def doubtful_lanes(self) -> list[str]:
        return in_doubt.doubtful_lanes(self._database)

    def take_doubtful(self, lane: str, *, size: int, again_s: float) -> list[Claim]:
        return in_doubt.take_doubtful(self._database, lane, size=size, again_s=again_s)

    def clear(self, cleared: Sequence[ProbeOutcome]) -> list[str]:
        return in_doubt.clear(self._database, cleared)

    def signs(self) -> list[tuple[str, datetime]]:
        return backlog.signs(self._database)

    def sign_process(self, name: str, *, role: str, version: str, revision: str) -> None:
        processes.sign(self._database, name, role=role, version=version, revision=revision)

    def sign_off_process(self, name: str) -> None:
        processes.sign_off(self._database, name)

    def processes(self) -> list[Process]:
        return processes.processes(self._database)
