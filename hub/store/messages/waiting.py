"""Releases held deliveries whose time has come, and cancels deliveries whose `expires` is over."""

from __future__ import annotations

import sqlalchemy as sa

from hub.core.errors import Cause, Reason
from hub.store.engine.database import Database
from hub.store.engine.dialects import along, any_of, skip_locked, texts
from hub.store.engine.json_columns import dump_why
from hub.store.messages import capacity

# Locked rows are skipped: another process is releasing them, or a person is changing them.
_RELEASABLE = texts(
    lambda kind: (
        f"SELECT id, lane FROM delivery{along('ix_delivery_release', kind)} WHERE status = 'held' AND release_at IS NOT NULL AND release_at <= :now "
        f"ORDER BY release_at LIMIT :limit{skip_locked(kind)}"
    )
)
_RELEASE = texts(
    lambda kind: (
        f"UPDATE delivery{along('PRIMARY', kind)} SET status = 'pending', due_at = :now, changed_at = :now, release_at = NULL, why = NULL "
        f"WHERE status = 'held' AND id {any_of('ids', kind)}"
    )
)
_LAPSING = sa.text(
    "SELECT id FROM delivery WHERE expires_at IS NOT NULL AND (status = 'pending' OR status = 'held') AND expires_at <= :now ORDER BY expires_at LIMIT :limit"
)
# Checked again under the lock: if a person replayed the delivery in between, it does not expire.
_LAPSABLE = texts(
    lambda kind: (
        f"SELECT id FROM delivery{along('PRIMARY', kind)} WHERE (status = 'pending' OR status = 'held') AND expires_at <= :now "
        f"AND id {any_of('ids', kind)}{skip_locked(kind)}"
    )
)
_LAPSE = texts(
    lambda kind: (
        f"UPDATE delivery{along('PRIMARY', kind)} SET status = 'cancelled', changed_at = :now, release_at = NULL, why = :why WHERE id {any_of('ids', kind)}"
    )
)
_EXPIRED = Cause(
    Reason.EXPIRED,
    "It was not delivered before it expired, as its route says (expires).",
    fix="Send a new message, if it is still wanted.",
)


def release(database: Database, limit: int = 1_000) -> list[str]:
    """Makes up to `limit` held deliveries whose time has come pending again; gives their lanes. Safe in several
    processes at once.
    """

    def work(connection: sa.Connection) -> list[str]:
        now = database.clock(connection)
        rows = connection.execute(_RELEASABLE[database.kind], {"now": now, "limit": limit}).all()
        ids = [row.id for row in rows]
        if ids:
            connection.execute(_RELEASE[database.kind], {"now": now, "ids": database.listing(ids)})
            capacity.use(database, connection, ids)
        return sorted({row.lane for row in rows})

    return database.write(work)


def lapse(database: Database, limit: int = 1_000) -> int:
    """Cancels up to `limit` expired deliveries with their cause; gives how many. Their capacity slots are given back;
    leased deliveries are not touched.
    """

    def work(connection: sa.Connection) -> int:
        now = database.clock(connection)
        lapsing = connection.execute(_LAPSING, {"now": now, "limit": limit}).scalars().all()
        if not lapsing:
            return 0
        capacity.lock_of(database, connection, lapsing, now)
        lapsed = (
            connection.execute(_LAPSABLE[database.kind], {"now": now, "ids": database.listing(lapsing)}).scalars().all()
        )
        if lapsed:
            connection.execute(
                _LAPSE[database.kind], {"now": now, "ids": database.listing(lapsed), "why": dump_why(_EXPIRED)}
            )
            capacity.give_back(database, connection, lapsed, now)
        return len(lapsed)

    return database.write(work)
