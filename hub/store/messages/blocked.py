"""Defers blocked deliveries: those behind a dead letter on their key get a later due time, so that claims need not skip
them each time.

They stay pending and keep their place on the key. They are due at once when the dead letter is replayed or ended.
Otherwise they are due after `AHEAD`, so that a missed notification cannot block them for ever.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import sqlalchemy as sa

from hub.core.model.delivery import Priority
from hub.store.engine.database import Database, Stamp
from hub.store.engine.dialects import along, any_of, texts

LOOK = 2_000  # deliveries at the head of a lane's rank that one round examines
PATIENCE = timedelta(seconds=10)  # deliveries that are due for less time are left to the claims
AHEAD = timedelta(minutes=10)

_DEAD_BEFORE = (
    "EXISTS (SELECT 1 FROM delivery e{way} WHERE e.lane = {of}.lane AND e.order_key = {of}.order_key AND e.status = 'dead' "
    "AND e.seq < {of}.seq AND e.when_dead IN ('park', 'block'))"
)
# Retries and bundles keep their own due times. Exactly the deliveries that are deferred here are made due again.
_BEHIND = texts(
    lambda kind: (
        f"SELECT h.id FROM (SELECT id, lane, order_key, seq, spent, bundle FROM delivery{along('ix_delivery_due', kind)} WHERE lane = :lane AND status = 'pending' "
        f"AND rank = :rank AND due_at <= :old ORDER BY due_at, id LIMIT {LOOK}) h "
        f"WHERE h.order_key IS NOT NULL AND h.spent = 0 AND h.bundle IS NULL AND {_DEAD_BEFORE.format(way=along('ix_delivery_key', kind), of='h')}"
    )
)
# Checked again: a dead letter that was replayed since the first query has requeued those behind it, and will not do so
# twice.
_LATER = texts(
    lambda kind: (
        f"UPDATE delivery{along('PRIMARY', kind)} SET due_at = :later WHERE status = 'pending' AND due_at <= :old AND id {any_of('ids', kind)} "
        f"AND {_DEAD_BEFORE.format(way=along('ix_delivery_key', kind), of='delivery')}"
    )
)
_NOW = texts(
    lambda kind: (
        f"UPDATE delivery{along('ix_delivery_key', kind)} SET due_at = :now WHERE lane = :lane AND order_key IS NOT NULL AND order_key {any_of('keys', kind)} "
        "AND status = 'pending' AND spent = 0 AND bundle IS NULL AND due_at > :now"
    )
)


def step_aside(database: Database, lanes: Iterable[str]) -> int:
    """Defers the deliveries at the heads of these lanes that wait behind a dead letter; gives how many. If we die in
    between, the next round does the rest.
    """
    return sum(
        _of_lane(database, lane, rank) for lane in lanes for rank in sorted(priority.rank for priority in Priority)
    )


def _of_lane(database: Database, lane: str, rank: int) -> int:
    def look(connection: sa.Connection) -> tuple[list[str], Stamp]:
        now = database.clock(connection)
        parameters = {"lane": lane, "rank": rank, "old": database.stamp(database.instant(now) - PATIENCE)}
        return list(connection.execute(_BEHIND[database.kind], parameters).scalars()), now

    ids, now = database.read(look)
    if not ids:
        return 0
    at = database.instant(now)
    parameters = {
        "later": database.stamp(at + AHEAD),
        "old": database.stamp(at - PATIENCE),
        "ids": database.listing(ids),
    }
    return database.write(lambda connection: connection.execute(_LATER[database.kind], parameters).rowcount)


def come_back(database: Database, connection: sa.Connection, keys: Iterable[tuple[str, str]], now: Stamp) -> None:
    """Makes the blocked deliveries of these lanes and keys due again, inside the transaction that replays or ends the
    dead letter.
    """
    by_lane: dict[str, list[str]] = {}
    for lane, key in sorted(set(keys)):
        by_lane.setdefault(lane, []).append(key)
    for lane, of in by_lane.items():
        connection.execute(_NOW[database.kind], {"lane": lane, "keys": database.listing(of), "now": now})
