"""What waits for an hour, and what is of no use after one: held deliveries are released, old ones end by their route's own word."""

from __future__ import annotations

import sqlalchemy as sa

from hub.core.errors import Reason, Why
from hub.store import capacity
from hub.store.database import Database
from hub.store.documents import dump_why

# Skipping what is locked: another process releases it this moment, or a person has it in hand.
_SKIP = {True: " FOR UPDATE SKIP LOCKED", False: ""}
_RELEASE = {
    is_postgresql: sa.text(
        "UPDATE delivery SET status = 'pending', due_at = :now, changed_at = :now, release_at = NULL, why = NULL WHERE status = 'held' AND id IN "
        "(SELECT id FROM delivery WHERE status = 'held' AND release_at IS NOT NULL AND release_at <= :now ORDER BY release_at LIMIT :limit"
        f"{_SKIP[is_postgresql]}) RETURNING id, lane"
    )
    for is_postgresql in (False, True)
}
_LAPSE = {
    is_postgresql: sa.text(
        "UPDATE delivery SET status = 'cancelled', changed_at = :now, release_at = NULL, why = :why WHERE (status = 'pending' OR status = 'held') AND id IN "
        "(SELECT id FROM delivery WHERE expires_at IS NOT NULL AND (status = 'pending' OR status = 'held') AND expires_at <= :now "
        f"ORDER BY expires_at LIMIT :limit{_SKIP[is_postgresql]}) RETURNING id"
    )
    for is_postgresql in (False, True)
}
_LAPSING = sa.text(
    "SELECT id FROM delivery WHERE expires_at IS NOT NULL AND (status = 'pending' OR status = 'held') AND expires_at <= :now ORDER BY expires_at LIMIT :limit"
)
_EXPIRED = Why(Reason.EXPIRED, "It was not delivered before it expired, as its route says (expires).", fix="Send a new message, if it is still wanted.")


def release(database: Database, limit: int) -> list[str]:
    """Up to `limit` held deliveries whose hour has come are pending again; gives their lanes. Safe in many processes at once."""

    def work(connection: sa.Connection) -> list[str]:
        found = connection.execute(_RELEASE[database.is_postgresql], {"now": database.clock(connection), "limit": limit}).all()
        capacity.use(database, connection, [row.id for row in found])
        return sorted({row.lane for row in found})

    return database.write(work)


def lapse(database: Database, limit: int) -> int:
    """Up to `limit` deliveries that waited too long are cancelled, with why; gives how many. Their places go back; what a worker has is not touched."""

    def work(connection: sa.Connection) -> int:
        now = database.clock(connection)
        lapsing = connection.execute(_LAPSING, {"now": now, "limit": limit}).scalars().all()
        if not lapsing:
            return 0
        capacity.lock_of(database, connection, lapsing, now)
        given = {"now": now, "limit": limit, "why": dump_why(_EXPIRED)}
        lapsed = connection.execute(_LAPSE[database.is_postgresql], given).scalars().all()
        capacity.give_back(database, connection, lapsed, now)
        return len(lapsed)

    return database.write(work)
