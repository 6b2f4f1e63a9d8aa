"""Deliveries in doubt whose target can be asked (`in_doubt: probe`): taken to be asked about, and settled by what it says (promise P13)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from hub.core.errors import Why
from hub.core.model.delivery import Claim, Laid, Status
from hub.store.engine.database import Database
from hub.store.engine.dialects import along, any_of, skip_locked, texts
from hub.store.engine.json_columns import dump_why
from hub.store.engine.tables import attempt
from hub.store.messages.add import lay
from hub.store.messages.claim import COLUMNS, MARIADB_CLAIMED, RETURNED, claim_of, with_messages

BY = "probe"
GATEWAY = (502, 504)  # said in the target's place, by who had no answer of it
# Its hour is put off by the taking: two workers ask at most once each, and if we die the next one asks again.
_TAKE = texts(
    lambda kind: (
        f"SELECT {RETURNED} FROM delivery{along('ix_delivery_due', kind)} WHERE status = 'unknown' AND lane = :lane AND in_doubt = 'probe' AND due_at <= :now "
        f"ORDER BY due_at, id LIMIT :limit{skip_locked(kind)}"
    )
)
_PUT_OFF = texts(lambda kind: f"UPDATE delivery{along('PRIMARY', kind)} SET due_at = :again WHERE id " + any_of("ids", kind))
_TAKEN = {
    "sqlite": sa.text(
        f"SELECT {COLUMNS} FROM json_each(:ids) j CROSS JOIN delivery d ON d.id = j.value CROSS JOIN message m ON m.id = d.message_id "
        "CROSS JOIN body b ON b.message_id = m.id"
    ),
    "mariadb": MARIADB_CLAIMED,
}
_LANES = sa.text("SELECT DISTINCT lane FROM delivery WHERE status = 'unknown' AND in_doubt = 'probe' AND due_at <= :now")
_CLEAR = sa.text(
    "UPDATE delivery SET status = :status, due_at = :due, in_doubt = :in_doubt, why = :why, changed_at = :now, changed_by = :by, cluster = NULL "
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


def doubted(database: Database, ids: Sequence[str]) -> frozenset[str]:
    """Those of these deliveries that have an attempt whose outcome nobody saw: no answer came, or a gateway's own."""
    unseen = sa.or_(attempt.c.outcome.in_(("in_doubt", "outcome_not_seen")), attempt.c.http_status.in_(GATEWAY))
    query = sa.select(attempt.c.delivery_id).where(attempt.c.delivery_id.in_(ids), unseen)
    return frozenset(database.read(lambda connection: connection.execute(query).scalars().all())) if ids else frozenset()


def doubtful_lanes(database: Database) -> list[str]:
    """Lanes in which something is to be asked about now."""
    return database.read(lambda connection: list(connection.execute(_LANES, {"now": database.clock(connection)}).scalars()))


def take_doubtful(database: Database, lane: str, *, size: int, again_s: float) -> list[Claim]:
    """Up to `size` deliveries of `lane` that were sent, whose outcome nobody saw, and whose target can be asked. They hold no lease."""

    def work(connection: sa.Connection) -> list[Claim]:
        now = database.clock(connection)
        again = database.stamp(database.instant(now) + timedelta(seconds=again_s))
        taken = connection.execute(_TAKE[database.kind], {"lane": lane, "limit": size, "now": now}).all()
        if not taken:
            return []
        ids = database.listing([row[0] for row in taken])
        connection.execute(_PUT_OFF[database.kind], {"ids": ids, "again": again})
        if database.kind == "postgresql":
            return [claim_of(database, row, "", now, now) for row in with_messages(connection, taken)]
        rows = connection.execute(_TAKEN[database.kind], {"ids": ids}).all()
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
