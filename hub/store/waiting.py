"""What waits for an hour, and what is of no use after one: held deliveries are released, old ones end by their route's own word."""

from __future__ import annotations

import sqlalchemy as sa

from hub.core.errors import Reason, Why
from hub.store.database import Database
from hub.store.documents import dump_why

# Skipping what is locked: another process releases it this moment, or a person has it in hand.
_SKIP = {True: " FOR UPDATE SKIP LOCKED", False: ""}
_RELEASE = {
    is_postgresql: sa.text(
        "UPDATE delivery SET status = 'pending', due_at = :now, changed_at = :now, release_at = NULL, why = NULL WHERE status = 'held' AND id IN "
        "(SELECT id FROM delivery WHERE status = 'held' AND release_at IS NOT NULL AND release_at <= :now ORDER BY release_at LIMIT :limit"
        f"{_SKIP[is_postgresql]}) RETURNING lane"
    )
    for is_postgresql in (False, True)
}
_LAPSE = {
    is_postgresql: sa.text(
        "UPDATE delivery SET status = 'cancelled', changed_at = :now, release_at = NULL, why = :why WHERE (status = 'pending' OR status = 'held') AND id IN "
        "(SELECT id FROM delivery WHERE expires_at IS NOT NULL AND (status = 'pending' OR status = 'held') AND expires_at <= :now "
        f"ORDER BY expires_at LIMIT :limit{_SKIP[is_postgresql]})"
    )
    for is_postgresql in (False, True)
}
_EXPIRED = Why(Reason.EXPIRED, "It was not delivered before it expired, as its route says (expires).", fix="Send a new message, if it is still wanted.")


def release(database: Database, limit: int) -> list[str]:
    """Up to `limit` held deliveries whose hour has come are pending again; gives their lanes. Safe in many processes at once."""

    def work(connection: sa.Connection) -> list[str]:
        found = connection.execute(_RELEASE[database.is_postgresql], {"now": database.clock(connection), "limit": limit})
        return sorted({row[0] for row in found})

    return database.write(work)


def lapse(database: Database, limit: int) -> int:
    """Up to `limit` deliveries that waited too long are cancelled, with why; gives how many. What a worker has is not touched."""

    def work(connection: sa.Connection) -> int:
        given = {"now": database.clock(connection), "limit": limit, "why": dump_why(_EXPIRED)}
        return connection.execute(_LAPSE[database.is_postgresql], given).rowcount

    return database.write(work)
