"""The store: one object with all the verbs. Each is a function in the module of its tables; this is their one front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TypedDict, Unpack

from hub.core.breaker import BreakerState
from hub.core.delivery import Claim, Laid, Settled, Status
from hub.core.errors import Refused, StoreBusy
from hub.core.message import Disposition, Json, Receipt, Ref
from hub.store import (
    add,
    arrivals,
    backup,
    breakers,
    capacity,
    claim,
    conservation,
    doubt,
    expire,
    keys,
    leader,
    lookups,
    measures,
    migrate,
    parts,
    prune,
    reading,
    records,
    reopen,
    revisions,
    settle,
    usage,
    waiting,
)
from hub.store.arrivals import Refusal, RefusedRow
from hub.store.conservation import Conservation
from hub.store.database import Database
from hub.store.doubt import Cleared
from hub.store.keys import KeyRow
from hub.store.leader import Lead, LeaderRow
from hub.store.lookups import Lookup
from hub.store.measures import Backlog
from hub.store.parts import AHEAD, Part
from hub.store.prune import Gone, Page, Place
from hub.store.reading import AttemptRow, DeliveryRow, MessageRow, OriginRow
from hub.store.revisions import Activation
from hub.store.usage import Used


class Search(TypedDict, total=False):
    """What messages can be searched by."""

    key: str | None
    name: str | None
    type_: str | None
    version: int | None
    status: Status | None
    disposition: Disposition | None
    since: datetime | None
    until: datetime | None
    limit: int
    before: str | None


def open_store(url: str, *, writer: bool = False) -> Store:
    """Opens a store; does not migrate it. `writer`: this process keeps writing (`hub up`, a worker); on SQLite there can be one.

    Raises ValueError for an address that is none, StoreBusy where another process is the SQLite file's writer.
    """
    return Store(Database(url, writer=writer))


class Store:
    """All verbs. They take batches, raise StoreBusy, and let no connection and no row object out."""

    def __init__(self, database: Database) -> None:
        self._database = database

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

    def add(self, batch: Sequence[Laid]) -> list[Receipt | Refused]:
        return add.add(self._database, batch)

    def claim(self, lane: str, *, size: int, lease_s: float, worker: str, bundled: bool = False) -> list[Claim]:
        return claim.claim(self._database, lane, size=size, lease_s=lease_s, worker=worker, bundled=bundled)

    def stale(self, claims: Sequence[Claim]) -> frozenset[str]:
        return claim.stale(self._database, claims)

    def return_leases(self, claims: Sequence[Claim]) -> int:
        return claim.return_leases(self._database, claims)

    def due_lanes(self) -> list[str]:
        return claim.due_lanes(self._database)

    def settle(self, batch: Sequence[Settled]) -> list[str]:
        return settle.settle(self._database, batch)

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

    def add_usage(self, batch: Sequence[Used]) -> None:
        usage.add_usage(self._database, batch)

    def usage(self, *, type_: str | None = None, version: int | None = None, since: str = "", fields: bool = False) -> list[Used]:
        return usage.usage(self._database, type_=type_, version=version, since=since, fields=fields)

    def count_open(self, ref: Ref) -> int:
        return usage.count_open(self._database, ref)

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

    def workers(self) -> int:
        return expire.workers(self._database)

    def sign(self, worker: str) -> None:
        expire.sign(self._database, worker)

    def sign_off(self, worker: str) -> None:
        expire.sign_off(self._database, worker)

    def reopen(self, ids: Sequence[str], *, by: str, force: bool = False) -> dict[str, str]:
        return reopen.reopen(self._database, ids, by=by, force=force)

    def cancel(self, ids: Sequence[str], *, by: str, why: str) -> dict[str, str]:
        return reopen.cancel(self._database, ids, by=by, why=why)

    def refuse(self, batch: Sequence[Refusal]) -> None:
        arrivals.refuse(self._database, batch)

    def refused(self, *, state: str = arrivals.WAITING, limit: int = 50, before: str | None = None) -> list[RefusedRow]:
        return arrivals.refused(self._database, state=state, limit=limit, before=before)

    def refused_ones(self, *ids: str) -> list[RefusedRow]:
        return arrivals.find(self._database, ids)

    def end_refused(self, ids: Sequence[str], *, state: str, by: str) -> dict[str, bool]:
        return arrivals.end(self._database, ids, state=state, by=by)

    def refuse_again(self, id_: str, refusal: Refusal, *, by: str) -> None:
        arrivals.refuse_again(self._database, id_, refusal, by=by)

    def count_refused(self) -> dict[str, int]:
        return arrivals.count(self._database)

    def conservation(self) -> Conservation:
        return conservation.conservation(self._database)

    def prunable(self, before: datetime, *, after: Place | None = None, limit: int = prune.PAGE) -> Page:
        return prune.prunable(self._database, before, after=after, limit=limit)

    def prune(self, ids: Sequence[str], *, before: datetime, held: Lead | None = None) -> Gone:
        return prune.prune(self._database, ids, before=before, held=held)

    def forget_names(self, *, after: tuple[str, str, str] = ("", "", ""), held: Lead | None = None) -> tuple[int, tuple[str, str, str] | None]:
        return prune.forget_names(self._database, after=after, held=held)

    def records(self, ids: Sequence[str]) -> list[dict[str, Json]]:
        return records.records(self._database, ids)

    def restore(self, batch: Sequence[Mapping[str, Json]], *, until: datetime) -> Gone:
        return records.restore(self._database, batch, until=until)

    def parts(self) -> list[Part]:
        return parts.parts(self._database)

    def make_parts(self, ahead: int = AHEAD) -> list[str]:
        return parts.make_ahead(self._database, ahead)

    def drop_parts(self, before: date, *, held: Lead | None = None) -> list[str]:
        return parts.drop_empty(self._database, before, held)

    def backup(self, file: Path) -> int:
        return backup.backup(self._database, file)

    def backlog(self) -> Backlog:
        return measures.backlog(self._database)

    def search(self, **given: Unpack[Search]) -> list[MessageRow]:
        return reading.search(self._database, **given)

    def message(self, id_: str) -> MessageRow | None:
        return reading.find_message(self._database, id_)

    def lead(self, name: str, holder: str, *, term_s: float) -> Lead | None:
        return leader.lead(self._database, name, holder, term_s=term_s)

    def resign(self, held: Lead) -> bool:
        return leader.resign(self._database, held)

    def leader(self, name: str) -> LeaderRow | None:
        return leader.leader(self._database, name)

    def doubtful_lanes(self) -> list[str]:
        return doubt.doubtful_lanes(self._database)

    def take_doubtful(self, lane: str, *, size: int, again_s: float) -> list[Claim]:
        return doubt.take_doubtful(self._database, lane, size=size, again_s=again_s)

    def clear(self, cleared: Sequence[Cleared]) -> list[str]:
        return doubt.clear(self._database, cleared)

    def origin(self, trace_id: str) -> OriginRow | None:
        return reading.origin_of(self._database, trace_id)

    def body(self, message_id: str) -> bytes | None:
        return reading.find_body(self._database, message_id)

    def bodies(self, *message_ids: str) -> dict[str, bytes]:
        return reading.bodies(self._database, list(message_ids))

    def waiting_by_way(self) -> list[tuple[str, str, Status, int]]:
        return reading.waiting_by_way(self._database)

    def deliveries(self, *message_ids: str) -> list[DeliveryRow]:
        return reading.deliveries(self._database, list(message_ids))

    def delivery(self, id_: str) -> DeliveryRow | None:
        return reading.find_delivery(self._database, id_)

    def attempts(self, *delivery_ids: str) -> list[AttemptRow]:
        return reading.attempts(self._database, list(delivery_ids))

    def waiting(self, status: Status, *, limit: int = 50, before: str | None = None) -> list[DeliveryRow]:
        return reading.waiting(self._database, status, limit=limit, before=before)

    def story(self, value: str) -> list[MessageRow]:
        return reading.story(self._database, value)

    def oldest_due(self) -> dict[str, datetime]:
        return reading.oldest_due(self._database)

    def save_revision(self, hash_: str, files: Mapping[str, str]) -> None:
        revisions.save_revision(self._database, hash_, files)

    def revision(self, hash_: str) -> dict[str, str] | None:
        return revisions.load_revision(self._database, hash_)

    def activate(self, hash_: str, *, by: str = "", despite: Sequence[str] = (), onto: str | None = None) -> None:
        revisions.activate(self._database, hash_, by=by, despite=despite, onto=onto)

    def activations(self, limit: int = 50) -> list[Activation]:
        return revisions.activations(self._database, limit)

    def active(self) -> str | None:
        return revisions.active(self._database)

    def add_key(self, key: KeyRow) -> None:
        keys.add_key(self._database, key)

    def key(self, id_: str) -> KeyRow | None:
        return keys.find_key(self._database, id_)

    def keys(self) -> list[KeyRow]:
        return keys.all_keys(self._database)

    def revoke_key(self, id_: str, at: datetime) -> bool:
        return keys.revoke_key(self._database, id_, at)
