"""Leases that ended without a word, and the signs of life of those that hold them (promises P3, P4, P13)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from hub.core.errors import Reason, Why
from hub.core.model.delivery import InDoubtPolicy, Status
from hub.store.engine import register_tables
from hub.store.engine.database import Database, Stamp
from hub.store.engine.dialects import along, skip_locked, texts, upsert
from hub.store.engine.json_columns import dump_why
from hub.store.messages.add import OVERTAKEN
from hub.store.messages.settle import INSERT_ATTEMPTS, UPDATE_DELIVERIES, find_overtaken

STALLED = timedelta(seconds=30)  # without a sign for so long, a worker that used to give them counts as lost
POISON = 3  # so many workers lost to one delivery, in a row

# Skipping what is locked: its worker is settling it this moment, and another process may be ending leases too. The rows stay locked
# until the new states are written, and those are fenced by the token as well.
_ENDED = texts(
    lambda kind: (
        f"SELECT id, lane, lease, worker, leased_at, attempts, lost_leases, in_doubt, when_dead, made_with FROM delivery{along('ix_delivery_lease', kind)} "
        "WHERE status = 'leased' AND (lease_until <= :now OR worker IN (SELECT worker FROM worker_sign WHERE seen_at < :stalled)) "
        f"ORDER BY lease_until, id LIMIT :limit{skip_locked(kind)}"
    )
)


def expire(database: Database, limit: int) -> list[str]:
    """Ends up to `limit` leases whose time is over; gives the lanes that have work again, each once.

    The attempt's row says *outcome not seen*. Then the delivery's `in_doubt` decides: `resend`, pending again under its key; `probe` and
    `park`, unknown. A delivery that has cost three workers in a row is dead, why `poison`. Safe to run in many processes at once.
    """

    def work(connection: sa.Connection) -> list[str]:
        now = database.clock(connection)
        given = {"now": now, "stalled": database.stamp(database.instant(now) - STALLED), "limit": limit}
        rows = connection.execute(_ENDED[database.kind], given).all()
        overtaken = find_overtaken(database, connection, [row.id for row in rows if row.when_dead == "latest"])
        INSERT_ATTEMPTS.run(connection, [_not_seen(row, now) for row in rows])
        UPDATE_DELIVERIES.run(connection, [_state_row(row, overtaken, now) for row in rows])
        return sorted({row.lane for row in rows})

    return database.write(work)


def _not_seen(row: Any, now: Stamp) -> tuple[Any, ...]:
    """The row of an attempt that nobody wrote. `sent`, because it may have been."""
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
    return dump_why(Why(Reason.OUTCOME_NOT_SEEN, text, fix="Ask the target whether it has it; then replay it, or cancel it."))


def _state_row(row: Any, overtaken: frozenset[str], now: Stamp) -> tuple[Any, ...]:
    lost = row.lost_leases + 1
    if lost >= POISON:
        text = f"{lost} workers in a row were lost with it; it is not given to another."
        status, why = Status.DEAD, dump_why(Why(Reason.POISON, text, fix="Look why they ended (memory, a hang); then: hub dead replay " + row.id))
    elif row.in_doubt in (InDoubtPolicy.PARK, InDoubtPolicy.PROBE):
        return (row.id, row.lease, Status.UNKNOWN.value, now, _why(row), lost, now)
    else:
        status, why = Status.PENDING, _why(row)
    if row.id in overtaken:
        status, why = Status.SUPERSEDED, OVERTAKEN
    return (row.id, row.lease, status.value, now, why, lost, now)


_SIGN = texts(
    lambda kind: upsert("INSERT INTO worker_sign (worker, seen_at) VALUES (:worker, :now) ON CONFLICT (worker) DO UPDATE SET seen_at = excluded.seen_at", kind)
)


def sign(database: Database, worker: str) -> None:
    """A sign of life, every 10 s. It renews no lease: a worker that lives and hangs loses what it holds all the same."""

    def work(connection: sa.Connection) -> None:
        connection.execute(_SIGN[database.kind], {"worker": worker, "now": database.clock(connection)})

    database.write(work)


def workers(database: Database) -> int:
    """How many workers live: those that gave a sign lately."""

    def work(connection: sa.Connection) -> int:
        after = database.instant(database.clock(connection)) - STALLED
        return int(connection.execute(sa.select(sa.func.count()).where(register_tables.worker_sign.c.seen_at >= after)).scalar_one())

    return database.read(work)


def sign_off(database: Database, worker: str) -> None:
    """The worker has ended, and given back what it held."""
    database.write(lambda connection: connection.execute(sa.delete(register_tables.worker_sign).where(register_tables.worker_sign.c.worker == worker)))
