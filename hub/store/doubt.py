"""Deliveries in doubt whose target can be asked (`in_doubt: probe`): taken to be asked about, and settled by what it says (PROMISES P13)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from hub.core.delivery import Claim, Laid, Status
from hub.core.errors import Why
from hub.store import days
from hub.store.add import lay
from hub.store.claim import COLUMNS, claim_of, claimed
from hub.store.database import Database
from hub.store.documents import dump_why

BY = "probe"
# Its hour is put off by the taking: two workers ask at most once each, and if we die the next one asks again.
_TAKE = {
    is_postgresql: sa.text(
        "UPDATE delivery SET due_at = :again WHERE status = 'unknown' AND id IN (SELECT id FROM delivery WHERE status = 'unknown' AND lane = :lane "
        "AND in_doubt = 'probe' AND due_at <= :now ORDER BY due_at, id LIMIT :limit"
        + (" FOR UPDATE SKIP LOCKED" if is_postgresql else "")
        + ") RETURNING id, message_id"
    )
    for is_postgresql in (False, True)
}
_TAKEN = sa.text(
    f"SELECT {COLUMNS} FROM json_each(:ids) j CROSS JOIN delivery d ON d.id = j.value CROSS JOIN message m ON m.id = d.message_id "
    "CROSS JOIN body b ON b.message_id = m.id"
)
_LANES = sa.text("SELECT DISTINCT lane FROM delivery WHERE status = 'unknown' AND in_doubt = 'probe' AND due_at <= :now")
_CLEAR = sa.text(
    "UPDATE delivery SET status = :status, due_at = :due, in_doubt = :in_doubt, why = :why, changed_at = :now, changed_by = :by "
    "WHERE id = :id AND status = 'unknown' AND attempts = :attempts"
)


@dataclass(frozen=True, slots=True)
class Cleared:
    """What asking brought. `status`: delivered, pending, dead; or unknown still. `parks`: nobody asks any more, a person decides."""

    claim: Claim
    status: Status
    why: Why | None = None
    parks: bool = False
    after_s: float = 0.0
    reply: Laid | None = None


def doubtful_lanes(database: Database) -> list[str]:
    """Lanes in which something is to be asked about now."""
    return database.read(lambda connection: list(connection.execute(_LANES, {"now": database.clock(connection)}).scalars()))


def take_doubtful(database: Database, lane: str, *, size: int, again_s: float) -> list[Claim]:
    """Up to `size` deliveries of `lane` that were sent, whose outcome nobody saw, and whose target can be asked. They hold no lease."""

    def work(connection: sa.Connection) -> list[Claim]:
        now = database.clock(connection)
        again = database.stamp(database.instant(now) + timedelta(seconds=again_s))
        taken = connection.execute(_TAKE[database.is_postgresql], {"lane": lane, "limit": size, "now": now, "again": again}).all()
        ids, messages = [row[0] for row in taken], sorted({row[1] for row in taken})
        if not ids:
            return []
        if database.is_postgresql:
            rows = connection.execute(claimed(days.within("m.id", messages)), {"ids": ids, "messages": messages}).all()
        else:
            rows = connection.execute(_TAKEN, {"ids": database.listing(ids)}).all()
        return [claim_of(database, row, "", now, now) for row in rows]

    return database.write(work)


def clear(database: Database, cleared: Sequence[Cleared]) -> list[str]:
    """Writes what asking brought; gives the ids that were still in doubt under the same attempt. Replies are laid in the same transaction."""

    def work(connection: sa.Connection) -> list[str]:
        now = database.clock(connection)
        done: list[str] = []
        for one in cleared:
            due = database.stamp(database.instant(now) + timedelta(seconds=one.after_s))
            given = {"id": one.claim.id, "attempts": one.claim.attempt, "status": one.status.value, "due": due, "now": now, "by": BY}
            row = {**given, "in_doubt": "park" if one.parks else "probe", "why": dump_why(one.why)}
            if connection.execute(_CLEAR, row).rowcount:
                done.append(one.claim.id)
        replies = [one.reply for one in cleared if one.reply is not None and one.claim.id in done]
        if replies:
            lay(database, connection, replies)
        return done

    return database.write(work) if cleared else []
