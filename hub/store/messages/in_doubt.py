"""Deliveries with an unknown outcome: takes those to probe (`in_doubt: probe`), and stores the outcomes of the probes
(promise P13).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from hub.core.errors import Cause
from hub.core.model.delivery import AcceptedMessage, Claim, Status
from hub.store.engine.database import Database
from hub.store.engine.dialects import along, any_of, skip_locked, texts
from hub.store.engine.json_columns import dump_why
from hub.store.messages.add import insert_messages
from hub.store.messages.claim import COLUMNS, MARIADB_CLAIMED, RETURNED, claim_of, with_messages
from hub.store.tables import attempt

BY = "probe"
GATEWAY = (502, 504)  # answers of a gateway that got none from the target
# Taking delays the due time: two workers do not probe the same delivery, and if we die another worker probes it later.
_TAKE = texts(
    lambda kind: (
        f"SELECT {RETURNED} FROM delivery{along('ix_delivery_due', kind)} WHERE status = 'unknown' AND lane = :lane AND in_doubt = 'probe' AND due_at <= :now "
        f"ORDER BY due_at, id LIMIT :limit{skip_locked(kind)}"
    )
)
_PUT_OFF = texts(
    lambda kind: f"UPDATE delivery{along('PRIMARY', kind)} SET due_at = :again WHERE id " + any_of("ids", kind)
)
_TAKEN = {
    "sqlite": sa.text(
        f"SELECT {COLUMNS} FROM json_each(:ids) j CROSS JOIN delivery d ON d.id = j.value CROSS JOIN message m ON m.id = d.message_id "
        "CROSS JOIN body b ON b.message_id = m.id"
    ),
    "mariadb": MARIADB_CLAIMED,
}
_LANES = sa.text(
    "SELECT DISTINCT lane FROM delivery WHERE status = 'unknown' AND in_doubt = 'probe' AND due_at <= :now"
)
_CLEAR = sa.text(
    "UPDATE delivery SET status = :status, due_at = :due, in_doubt = :in_doubt, why = :why, changed_at = :now, changed_by = :by, cluster = NULL "
    "WHERE id = :id AND status = 'unknown' AND attempts = :attempts"
)


@dataclass(frozen=True, slots=True)
class ProbeOutcome:
    """The outcome of a probe. `status`: delivered, pending, dead, or still unknown. `parks`: no further probe, a person
    decides.
    """

    claim: Claim
    status: Status
    why: Cause | None = None
    parks: bool = False
    after_s: float = 0.0
    reply: AcceptedMessage | None = None


def doubted(database: Database, ids: Sequence[str]) -> frozenset[str]:
    """Those of these deliveries that have an attempt with an unknown outcome: no answer, or only a gateway's."""
    unseen = sa.or_(attempt.c.outcome.in_(("in_doubt", "outcome_not_seen")), attempt.c.http_status.in_(GATEWAY))
    query = sa.select(attempt.c.delivery_id).where(attempt.c.delivery_id.in_(ids), unseen)
    return (
        frozenset(database.read(lambda connection: connection.execute(query).scalars().all())) if ids else frozenset()
    )


def doubtful_lanes(database: Database) -> list[str]:
    """Lanes with a delivery to probe now."""
    return database.read(
        lambda connection: list(connection.execute(_LANES, {"now": database.clock(connection)}).scalars())
    )


def take_doubtful(database: Database, lane: str, *, size: int, again_s: float) -> list[Claim]:
    """Takes up to `size` deliveries of `lane` with an unknown outcome whose target has a probe. They get no lease."""

    def work(connection: sa.Connection) -> list[Claim]:
        now = database.clock(connection)
        again = database.stamp(database.instant(now) + timedelta(seconds=again_s))
        rows_taken = connection.execute(_TAKE[database.kind], {"lane": lane, "limit": size, "now": now}).all()
        if not rows_taken:
            return []
        ids = database.listing([row[0] for row in rows_taken])
        connection.execute(_PUT_OFF[database.kind], {"ids": ids, "again": again})
        if database.kind == "postgresql":
            return [claim_of(database, row, "", now, now) for row in with_messages(connection, rows_taken)]
        rows = connection.execute(_TAKEN[database.kind], {"ids": ids}).all()
        return [claim_of(database, row, "", now, now) for row in rows]

    return database.write(work)


def clear(database: Database, cleared: Sequence[ProbeOutcome]) -> list[str]:
    """Stores the outcomes of probes; gives the ids that were still in doubt under the same attempt. Replies are added
    in the same transaction.
    """

    def work(connection: sa.Connection) -> list[str]:
        now = database.clock(connection)
        done: list[str] = []
        for outcome in cleared:
            due = database.stamp(database.instant(now) + timedelta(seconds=outcome.after_s))
            state = {
                "id": outcome.claim.id,
                "attempts": outcome.claim.attempt,
                "status": outcome.status.value,
                "due": due,
                "now": now,
                "by": BY,
            }
            row = {**state, "in_doubt": "park" if outcome.parks else "probe", "why": dump_why(outcome.why)}
            if connection.execute(_CLEAR, row).rowcount:
                done.append(outcome.claim.id)
        replies = [outcome.reply for outcome in cleared if outcome.reply is not None and outcome.claim.id in done]
        if replies:
            insert_messages(database, connection, replies)
        return done

    return database.write(work) if cleared else []
