"""Stepping aside: what waits behind a dead letter on its key is due a little later, so that claims do not walk past it each time.

It stays pending, and keeps its place on the key. It is due at once when the dead one is replayed or ended; otherwise it is looked at again
after `AHEAD`, so that nothing waits for ever for a word that was missed.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import sqlalchemy as sa

from hub.core.model.delivery import Priority
from hub.store.engine.database import Database, Stamp
from hub.store.engine.dialects import along, any_of, texts

LOOK = 2_000  # deliveries at the head of a rank of a lane that are looked at in one round
PATIENCE = timedelta(seconds=10)  # what is due for less long is left to the claims
AHEAD = timedelta(minutes=10)

_DEAD_BEFORE = (
    "EXISTS (SELECT 1 FROM delivery e{way} WHERE e.lane = {of}.lane AND e.order_key = {of}.order_key AND e.status = 'dead' "
    "AND e.seq < {of}.seq AND e.when_dead IN ('park', 'block'))"
)
# What was tried keeps the time that its retry has, and what travels in a bundle the bundle's: what steps aside is what comes back, and nothing else.
_BEHIND = texts(
    lambda kind: (
        f"SELECT h.id FROM (SELECT id, lane, order_key, seq, spent, bundle FROM delivery{along('ix_delivery_due', kind)} WHERE lane = :lane AND status = 'pending' "
        f"AND rank = :rank AND due_at <= :old ORDER BY due_at, id LIMIT {LOOK}) h "
        f"WHERE h.order_key IS NOT NULL AND h.spent = 0 AND h.bundle IS NULL AND {_DEAD_BEFORE.format(way=along('ix_delivery_key', kind), of='h')}"
    )
)
# Asked again: one that was replayed since the look has called back what is behind it, and will not do it twice.
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
    """Puts off what stands at the heads of these lanes and waits behind a dead letter; how many. If we die in between, the rest is done next time."""
    return sum(_of_lane(database, lane, rank) for lane in lanes for rank in sorted(one.rank for one in Priority))


def _of_lane(database: Database, lane: str, rank: int) -> int:
    def look(connection: sa.Connection) -> tuple[list[str], Stamp]:
        now = database.clock(connection)
        given = {"lane": lane, "rank": rank, "old": database.stamp(database.instant(now) - PATIENCE)}
        return list(connection.execute(_BEHIND[database.kind], given).scalars()), now

    ids, now = database.read(look)
    if not ids:
        return 0
    at = database.instant(now)
    given = {"later": database.stamp(at + AHEAD), "old": database.stamp(at - PATIENCE), "ids": database.listing(ids)}
    return database.write(lambda connection: connection.execute(_LATER[database.kind], given).rowcount)


def come_back(database: Database, connection: sa.Connection, keys: Iterable[tuple[str, str]], now: Stamp) -> None:
    """Inside a transaction that replays or ends what they waited for: those of these lanes and keys are due again."""
    by_lane: dict[str, list[str]] = {}
    for lane, key in sorted(set(keys)):
        by_lane.setdefault(lane, []).append(key)
    for lane, of in by_lane.items():
        connection.execute(_NOW[database.kind], {"lane": lane, "keys": database.listing(of), "now": now})
