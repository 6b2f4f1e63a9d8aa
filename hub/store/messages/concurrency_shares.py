"""Stores the concurrency shares: how many of a target's slots each process may use, so that all processes together keep
its limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from hub.core.model.sharing import fair
from hub.store.columns import EPOCH
from hub.store.engine.database import Database
from hub.store.engine.dialects import any_of, for_update, texts, upsert
from hub.store.engine.register_tables import share

HOLD = timedelta(seconds=30)  # a share without a renewal for this time is free: its process is lost
_LOCK = ""  # worker name of the lane's lock row: the transaction that computes the shares locks it until the commit

_BEGIN = texts(
    lambda kind: upsert(
        "INSERT INTO share (lane, worker, slots, until) VALUES (:lane, :lock, 0, :epoch) ON CONFLICT (lane, worker) DO NOTHING",
        kind,
    )
)
_ALONE = texts(lambda kind: f"SELECT slots FROM share WHERE lane = :lane AND worker = :lock{for_update(kind)}")
_OTHERS = sa.text(
    "SELECT worker, slots FROM share WHERE lane = :lane AND worker <> :lock AND worker <> :worker AND until > :now"
)
_SET = texts(
    lambda kind: upsert(
        "INSERT INTO share (lane, worker, slots, until) VALUES (:lane, :worker, :slots, :until) "
        "ON CONFLICT (lane, worker) DO UPDATE SET slots = excluded.slots, until = excluded.until",
        kind,
    )
)
_FORGET = sa.text("DELETE FROM share WHERE lane = :lane AND worker <> :lock AND until <= :now")
_RENEW = sa.text("UPDATE share SET until = :until WHERE worker = :worker AND until > :now")
_LEAVE = texts(lambda kind: "DELETE FROM share WHERE worker = :worker AND lane " + any_of("lanes", kind))


@dataclass(frozen=True, slots=True)
class Share:
    """The slots of a lane that one process holds. 0: it waits for its share."""

    lane: str
    worker: str
    slots: int


def shares(database: Database) -> list[Share]:
    """All shares that are held or waited for now."""

    def work(connection: sa.Connection) -> list[Share]:
        held = share.c.until > database.instant(database.clock(connection))
        rows = connection.execute(
            sa.select(share.c.lane, share.c.worker, share.c.slots).where(held, share.c.worker != _LOCK)
        )
        return [Share(*row) for row in rows]

    return database.read(work)


def take(database: Database, lane: str, worker: str, most: int, *, holders: int | None = None) -> int:
    """Takes this worker's share of the lane's `most` slots; 0: none is free yet, and the request is recorded.

    `holders`: maximum number of processes with a share.
    """

    def work(connection: sa.Connection) -> int:
        names = {"lane": lane, "lock": _LOCK, "worker": worker}
        if connection.execute(_ALONE[database.kind], names).first() is None:
            connection.execute(_BEGIN[database.kind], {**names, "epoch": database.stamp(EPOCH)})
            connection.execute(_ALONE[database.kind], names)
        now = database.clock(connection)
        connection.execute(_FORGET, {**names, "now": now})
        slots_of_others = {row[0]: row[1] for row in connection.execute(_OTHERS, {**names, "now": now})}
        slots = fair(most, slots_of_others, worker, holders=holders)
        connection.execute(
            _SET[database.kind], {**names, "slots": slots, "until": database.stamp(database.instant(now) + HOLD)}
        )
        return slots

    return database.write(work)


def renew(database: Database, worker: str) -> int:
    """Renews the shares of this worker; gives in how many lanes. Lapsed shares may belong to others, and must be taken
    again.
    """

    def work(connection: sa.Connection) -> int:
        now = database.clock(connection)
        return connection.execute(
            _RENEW, {"worker": worker, "now": now, "until": database.stamp(database.instant(now) + HOLD)}
        ).rowcount

    return database.write(work)


def leave(database: Database, worker: str, lanes: Sequence[str]) -> None:
    """Releases this worker's shares in these lanes."""
    if lanes:
        database.write(
            lambda connection: connection.execute(
                _LEAVE[database.kind], {"worker": worker, "lanes": database.listing(lanes)}
            )
        )
