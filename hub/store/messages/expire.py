"""Ends expired leases, and stores the heartbeats of the workers that hold leases (promises P3, P4, P13)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from hub.core.errors import Cause, Reason
from hub.core.model.delivery import InDoubtPolicy, Status
from hub.store.engine import register_tables
from hub.store.engine.database import Database, Stamp
from hub.store.engine.dialects import along, skip_locked, texts, upsert
from hub.store.engine.json_columns import dump_why
from hub.store.messages.add import OVERTAKEN
from hub.store.messages.settle import INSERT_ATTEMPTS, UPDATE_DELIVERIES, find_overtaken

STALLED = timedelta(seconds=30)  # a worker without a heartbeat for this time counts as lost
POISON = 3  # a delivery that lost this many workers in a row is dead

# Locked rows are skipped: their worker is settling them, or another process is ending the leases. The rows stay locked
# until the new states are written, and those writes are also fenced by the token.
_ENDED = texts(
    lambda kind: (
        f"SELECT id, lane, lease, worker, leased_at, attempts, lost_leases, in_doubt, when_dead, made_with FROM delivery{along('ix_delivery_lease', kind)} "
        "WHERE status = 'leased' AND (lease_until <= :now OR worker IN (SELECT worker FROM worker_sign WHERE seen_at < :stalled)) "
        f"ORDER BY lease_until, id LIMIT :limit{skip_locked(kind)}"
    )
)


def expire(database: Database, limit: int = 1_000) -> list[str]:
    """Ends up to `limit` expired leases; gives the lanes that have work again, each once.

    The attempt is recorded as *outcome not seen*. Then the delivery's `in_doubt` decides: `resend` makes it pending
    again under its key; `probe` and `park` make it unknown. A delivery that lost three workers in a row is dead with
    reason `poison`. Safe in several processes at once.
    """

    def work(connection: sa.Connection) -> list[str]:
        now = database.clock(connection)
        parameters = {"now": now, "stalled": database.stamp(database.instant(now) - STALLED), "limit": limit}
        rows = connection.execute(_ENDED[database.kind], parameters).all()
        overtaken = find_overtaken(database, connection, [row.id for row in rows if row.when_dead == "latest"])
        INSERT_ATTEMPTS.run(connection, [_not_seen(row, now) for row in rows])
        UPDATE_DELIVERIES.run(connection, [_state_row(row, overtaken, now) for row in rows])
        return sorted({row.lane for row in rows})

    return database.write(work)


def _not_seen(row: Any, now: Stamp) -> tuple[Any, ...]:
    """The row of an attempt that its worker did not record. `sent` is true, because it may have been sent."""
    return (
        row.id,
        row.attempts,
        row.leased_at,
        now,
        "outcome_not_seen",
        _why(row),
        "",
        "",
        None,
        True,
        0,
        b"",
        0,
        "{}",
        "",
        row.worker,
        row.lease,
        row.made_with,
    )


def _why(row: Any) -> str | None:
    text = f"Worker {row.worker} did not say what became of it before its lease ended; it may have been sent."
    return dump_why(
        Cause(Reason.OUTCOME_NOT_SEEN, text, fix="Ask the target whether it has it; then replay it, or cancel it.")
    )


def _state_row(row: Any, overtaken: frozenset[str], now: Stamp) -> tuple[Any, ...]:
    lost = row.lost_leases + 1
    if lost >= POISON:
        text = f"{lost} workers in a row were lost with it; it is not given to another."
        status, why = (
            Status.DEAD,
            dump_why(
                Cause(Reason.POISON, text, fix="Look why they ended (memory, a hang); then: hub dead replay " + row.id)
            ),
        )
    elif row.in_doubt in (InDoubtPolicy.PARK, InDoubtPolicy.PROBE):
        return (row.id, row.lease, Status.UNKNOWN.value, now, _why(row), lost, now)
    else:
        status, why = Status.PENDING, _why(row)
    if row.id in overtaken:
        status, why = Status.SUPERSEDED, OVERTAKEN
    return (row.id, row.lease, status.value, now, why, lost, now)


_SIGN = texts(
    lambda kind: upsert(
        "INSERT INTO worker_sign (worker, seen_at) VALUES (:worker, :now) ON CONFLICT (worker) DO UPDATE SET seen_at = excluded.seen_at",
        kind,
    )
)


def sign(database: Database, worker: str) -> None:
    """Stores a worker's heartbeat, every 10 s. It renews no lease: a worker that hangs loses its deliveries all the
    same.
    """

    def work(connection: sa.Connection) -> None:
        connection.execute(_SIGN[database.kind], {"worker": worker, "now": database.clock(connection)})

    database.write(work)


def workers(database: Database) -> int:
    """The number of live workers: those with a recent heartbeat."""

    def work(connection: sa.Connection) -> int:
        after = database.instant(database.clock(connection)) - STALLED
        return int(
            connection.execute(
                sa.select(sa.func.count()).where(register_tables.worker_sign.c.seen_at >= after)
            ).scalar_one()
        )

    return database.read(work)


def sign_off(database: Database, worker: str) -> None:
    """Deletes the heartbeat of a worker that ended and returned its leases."""
    database.write(
        lambda connection: connection.execute(
            sa.delete(register_tables.worker_sign).where(register_tables.worker_sign.c.worker == worker)
        )
    )
