"""What a person does to deliveries that wait: replaying and cancelling. Many at once, one answer per id."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa

from hub.core.delivery import TRANSITIONS, Status
from hub.core.errors import Reason, Why
from hub.store import capacity
from hub.store.database import Database
from hub.store.dialects import along, any_of, for_update, texts
from hub.store.documents import dump_why

REOPENED = "reopened"
CANCELLED = "cancelled"

_LOCK = texts(
    lambda kind: f"SELECT id, lane, order_key, seq, status FROM delivery{along('PRIMARY', kind)} WHERE id {any_of('ids', kind)} ORDER BY id{for_update(kind)}"
)
_LATER = sa.text(
    "SELECT id FROM delivery WHERE lane = :lane AND order_key = :key AND status = 'delivered' AND seq > :seq ORDER BY seq LIMIT 1",
)
_REOPEN = sa.text(
    "UPDATE delivery SET status = 'pending', due_at = :now, first_at = :now, changed_at = :now, spent = 0, lost_leases = 0, why = NULL, "
    "release_at = NULL, expires_at = NULL, changed_by = :by WHERE id = :id AND status = :status",
)
_CANCEL = sa.text(
    "UPDATE delivery SET status = 'cancelled', changed_at = :now, release_at = NULL, why = :why, changed_by = :by WHERE id = :id AND status = :status"
)


def reopen(database: Database, ids: Sequence[str], *, by: str, force: bool) -> dict[str, str]:
    """Re-arms dead, unknown and held deliveries: the same id, key and sequence number, a fresh budget, due at once, and no
    expiry any more: a person wants it. Per id: why, or `reopened`.

    On an ordered key a delivery is not replayed once a later one is delivered, unless `force`: an old state would overwrite a newer one.
    A second click changes nothing. One that was held gives its place in a capacity back: it goes now, because a person says so. Source: PROMISES P11, F79, F80.
    """

    def refuse(connection: sa.Connection, row: Any) -> str | None:
        if row.status not in (Status.DEAD, Status.UNKNOWN, Status.HELD):
            return f"It is {row.status}; only a dead, unknown or held delivery can be replayed."
        if row.order_key is None or force:
            return None
        later = connection.execute(_LATER, {"lane": row.lane, "key": row.order_key, "seq": row.seq}).scalar()
        if later is None:
            return None
        return (
            f"A later one on the key {row.order_key}, delivery {later}, is delivered; replaying this one would go back behind it. Use force if that is meant."
        )

    return _change(database, ids, refuse, _REOPEN, {"by": by}, REOPENED)


def cancel(database: Database, ids: Sequence[str], *, by: str, why: str) -> dict[str, str]:
    """Ends deliveries that are not on the way, for good; a held one's place in a capacity is given back. Per id: why not, or `cancelled`."""

    def refuse(_connection: sa.Connection, row: Any) -> str | None:
        if Status.CANCELLED in TRANSITIONS[Status(row.status)]:
            return None
        return f"It is {row.status}; only a pending, dead, unknown or held delivery can be cancelled."

    reason = dump_why(Why(Reason.CANCELLED, f"Cancelled by {by}: {why}"))
    return _change(database, ids, refuse, _CANCEL, {"by": by, "why": reason}, CANCELLED)


def _change(
    database: Database,
    ids: Sequence[str],
    refuse: Callable[[sa.Connection, Any], str | None],
    statement: sa.TextClause,
    given: dict[str, Any],
    done: str,
) -> dict[str, str]:
    def work(connection: sa.Connection) -> dict[str, str]:
        capacity.lock_of(database, connection, ids, database.clock(connection))
        # The clock after the locks: what is replayed is due from the moment that it is really ours to change.
        rows = {row.id: row for row in connection.execute(_LOCK[database.kind], {"ids": database.listing(list(dict.fromkeys(ids)))})}
        now = database.clock(connection)
        answers: dict[str, str] = {}
        for id_ in dict.fromkeys(ids):
            row = rows.get(id_)
            answers[id_] = "There is no such delivery." if row is None else refuse(connection, row) or done
        changed = [{**given, "id": id_, "status": rows[id_].status, "now": now} for id_, answer in answers.items() if answer == done]
        if changed:
            connection.execute(statement, changed)
            capacity.give_back(database, connection, [row["id"] for row in changed], now)
        return answers

    return database.write(work) if ids else {}
