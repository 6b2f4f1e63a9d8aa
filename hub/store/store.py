"""The store: one object with all the verbs. Each is a function in the module of its tables; this is their one front."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime

from hub.core.errors import StoreBusy
from hub.core.model.delivery import Bundle, Claim
from hub.store import migrate as migrate_module
from hub.store.accounts import leader as leader_module
from hub.store.command_methods import Commands
from hub.store.engine import backup as backup_module
from hub.store.engine import store_faults
from hub.store.engine.database import Database
from hub.store.engine.engine import parse
from hub.store.engine.verbs import verb
from hub.store.messages import (
    add as add_module,
)
from hub.store.messages import (
    blocked,
    capacity,
    concurrency_shares,
    in_doubt,
    in_hand,
    pins,
    waiting,
)
from hub.store.messages import (
    breakers as breakers_module,
)
from hub.store.messages import (
    claim as claim_module,
)
from hub.store.messages import (
    decide as decide_module,
)
from hub.store.messages import (
    expire as expire_module,
)
from hub.store.messages import (
    lookups as lookups_module,
)
from hub.store.messages import (
    settle as settle_module,
)
from hub.store.messages.lookups import Lookup
from hub.store.queries import backlog as backlog_module
from hub.store.queries import conservation as conservation_module
from hub.store.queries import measures
from hub.store.queries import processes as processes_module
from hub.store.queries import usage as usage_module
from hub.store.query_methods import Queries
from hub.store.retention import ended, partitions
from hub.store.retention import prune as prune_module
from hub.store.retention import records as records_module


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
        migrate_module.upgrade(self._database)
        with suppress(StoreBusy):  # somebody reads a whole table: the default parts take what comes until the next try
            self.make_parts()

    schema_revision = verb(migrate_module.current)

    def is_current(self) -> bool:
        return migrate_module.current(self._database) == migrate_module.head()

    add = verb(add_module.add)

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
        claims = claim_module.claim(
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
        (self._crowded.add if len(claims) >= size - size // claim_module.KEPT_OF else self._crowded.discard)(lane)
        return claims

    stale = verb(claim_module.stale)
    return_leases = verb(claim_module.return_leases)
    due_lanes = verb(claim_module.due_lanes)
    step_aside = verb(blocked.step_aside)
    settle = verb(settle_module.settle)
    decide = verb(decide_module.decide)
    expire = verb(expire_module.expire)
    record_lookups = verb(lookups_module.record)

    def lookups(self, *message_ids: str) -> list[Lookup]:
        return lookups_module.find(self._database, message_ids)

    release = verb(waiting.release)
    lapse = verb(waiting.lapse)
    prune_windows = verb(capacity.prune)
    add_usage = verb(usage_module.add_usage)
    tag_deliveries = verb(in_hand.tag)
    forget_deliveries = verb(in_hand.forget)
    add_version_pins = verb(pins.add)
    version_pin = verb(pins.find)
    version_pins = verb(pins.of_types)
    usage = verb(usage_module.usage)
    count_open = verb(usage_module.count_open)
    breakers = verb(breakers_module.all_breakers)
    trip_breaker = verb(breakers_module.trip)
    probe_breaker = verb(breakers_module.probe)
    return_probe = verb(breakers_module.return_probe)
    close_breaker = verb(breakers_module.close)

    @property
    def is_alone(self) -> bool:
        """Whether one process at a time writes here: then nothing needs to be shared out."""
        return self._database.kind == "sqlite"

    shares = verb(concurrency_shares.shares)
    take_share = verb(concurrency_shares.take)
    renew_shares = verb(concurrency_shares.renew)
    leave_shares = verb(concurrency_shares.leave)
    workers = verb(expire_module.workers)
    sign = verb(expire_module.sign)
    sign_off = verb(expire_module.sign_off)
    conservation = verb(conservation_module.conservation)
    prunable = verb(prune_module.prunable)
    prune = verb(prune_module.prune)
    forget_names = verb(prune_module.forget_names)
    forget_refused = verb(ended.forget_refused)
    forget_ended = verb(ended.forget_ended)
    records = verb(records_module.records)
    restore = verb(records_module.restore)
    parts = verb(partitions.parts)
    make_parts = verb(partitions.make_ahead)
    drop_parts = verb(partitions.drop_empty)
    backup = verb(backup_module.backup)
    backlog = verb(measures.backlog)
    lead = verb(leader_module.lead)
    resign = verb(leader_module.resign)
    leader = verb(leader_module.leader)
    doubted = verb(in_doubt.doubted)
    doubtful_lanes = verb(in_doubt.doubtful_lanes)
    take_doubtful = verb(in_doubt.take_doubtful)
    clear = verb(in_doubt.clear)
    signs = verb(backlog_module.signs)
    sign_process = verb(processes_module.sign)
    sign_off_process = verb(processes_module.sign_off)
    processes = verb(processes_module.processes)
