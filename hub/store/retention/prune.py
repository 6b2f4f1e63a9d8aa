"""Pruning: what has ended and is old enough goes, in blocks, each whole or not at all (promises P11, I6; fault F72).

A message goes with all that belongs to it, once every delivery that was planned for it has ended. What is dead, held,
in doubt, on its way or unrouted never goes by age, and what has lost a row stays, so that the loss goes on being seen.
What went is counted in the same transaction: the books are right at every moment, and after a crash the next run simply
goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from hub.core.config.hook import HOOK
from hub.core.model.delivery import ENDED, Status
from hub.store import columns
from hub.store.accounts.leader import Lead, assert_leads
from hub.store.engine import days, register_tables
from hub.store.engine.database import Database, Insert
from hub.store.engine.dialects import KINDS, any_of, text, texts

BLOCK = 250  # messages in one transaction: a few hundredths of a second
PAGE = 1_000
PLANNED = "planned"


@dataclass(frozen=True, slots=True)
class Place:
    """How far a walk over the old messages has come."""

    at: datetime
    id: str


@dataclass(frozen=True, slots=True)
class Page:
    """Messages that may go, oldest first, as (id, when it was accepted); and where the walk goes on, None at its
    end.
    """

    messages: tuple[tuple[str, datetime], ...]
    kept: int  # as old, and must stay
    next: Place | None


@dataclass(frozen=True, slots=True)
class Gone:
    """How much a block took away."""

    messages: int = 0
    deliveries: int = 0

    def __add__(self, other: Gone) -> Gone:
        return Gone(self.messages + other.messages, self.deliveries + other.deliveries)


def _words(statuses: Sequence[Status]) -> str:
    return ", ".join(f"'{status.value}'" for status in statuses)


_OPEN = tuple(status for status in Status if status not in ENDED)
# Behind something open on its key a delivered one is the proof that a replay would go back behind it, and that a
# content is stale: both stay.
_IS_OVER = f"""(
    message.disposition <> 'unrouted' AND message.planned = (SELECT count(*) FROM delivery d WHERE d.message_id = message.id)
    AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.message_id = message.id AND (d.status IN ({_words(_OPEN)}) OR d.changed_at >= :before))
    AND NOT EXISTS (SELECT 1 FROM delivery d JOIN delivery e ON e.lane = d.lane AND e.order_key = d.order_key
        WHERE d.message_id = message.id AND d.order_key IS NOT NULL AND e.order_key IS NOT NULL AND e.status IN ({_words(_OPEN)})
        AND (e.seq < d.seq OR e.fresh < d.fresh))
    AND NOT EXISTS (SELECT 1 FROM restored r WHERE r.message_id = message.id AND r.until > :now)
)"""
_LOOK = sa.text(
    f"SELECT id, received_at, CASE WHEN {_IS_OVER} THEN 1 ELSE 0 END AS is_over FROM message WHERE received_at < :before "
    "AND (received_at > :at OR (received_at = :at AND id > :id)) ORDER BY received_at, id LIMIT :limit"
)
_COUNT = Insert(
    register_tables.pruned, "ON CONFLICT (day, word) DO UPDATE SET number = pruned.number + excluded.number"
)


def prunable(database: Database, before: datetime, *, after: Place | None = None, limit: int = PAGE) -> Page:
    """A page of what was accepted before `before`, and ended before it. Changes nothing."""
    start = after or Place(columns.EPOCH, "")
    given = {"before": database.stamp(before), "at": database.stamp(start.at), "id": start.id, "limit": limit}
    rows = database.read(
        lambda connection: connection.execute(_LOOK, {**given, "now": database.clock(connection)}).all()
    )
    found = tuple((row.id, database.instant(row.received_at)) for row in rows if row.is_over)
    last = Place(database.instant(rows[-1].received_at), rows[-1].id) if len(rows) == limit else None
    return Page(found, len(rows) - len(found), last)


def prune(database: Database, ids: Sequence[str], *, before: datetime, held: Lead | None = None) -> Gone:
    """One block, in one transaction: those of `ids` that may go are gone, with all that belongs to them. Twice changes
    nothing.

    Raises NotLeading where `held` is no longer true, StoreBusy; nothing is gone then.
    """

    def work(connection: sa.Connection) -> Gone:
        if held is not None:
            assert_leads(database, connection, held)
        return _prune(database, connection, ids, before)

    return database.write(work) if ids else Gone()


def _prune(database: Database, connection: sa.Connection, ids: Sequence[str], before: datetime) -> Gone:
    now = database.clock(connection)
    # Judged once more, and the message first: of two that prune at once, the one that takes its row takes the rest, and
    # counts it.
    returned = "RETURNING id, received_at, disposition, planned, source, trace_id"
    messages = _delete(
        database,
        connection,
        "message",
        "id",
        ids,
        only=_IS_OVER,
        returned=returned,
        before=database.stamp(before),
        now=now,
    )
    gone = [row.id for row in messages]
    if not gone:
        return Gone()
    deliveries = _delete(
        database, connection, "delivery", "message_id", gone, returned="RETURNING id, message_id, status", by_day=False
    )
    tried = [row.id for row in deliveries]
    _delete(database, connection, "attempt", "delivery_id", tried)
    _delete(database, connection, "place", "delivery_id", tried, by_day=False)
    _delete(database, connection, "body", "message_id", gone)
    for name in ("business_key", "lookup", "restored"):
        _delete(database, connection, name, "message_id", gone, by_day=False)
    hooked = sorted({row.trace_id for row in messages if row.source == HOOK})
    needed = "NOT EXISTS (SELECT 1 FROM message WHERE message.trace_id = origin.trace_id AND message.source = 'hook')"
    _delete(database, connection, "origin", "trace_id", hooked, only=needed, by_day=False)
    _count(database, connection, messages, deliveries)
    return Gone(len(gone), len(tried))


def _delete(
    database: Database,
    connection: sa.Connection,
    table: str,
    column: str,
    ids: Sequence[str],
    *,
    only: str = "",
    returned: str = "",
    by_day: bool = True,
    **given: Any,
) -> Sequence[Any]:
    if not ids:
        return []
    condition = f"{column} {any_of('ids', database.kind)}" + (days.within(column, ids) if by_day else "")
    statement = text(
        f"DELETE FROM {table} WHERE {condition}" + (f" AND {only}" if only else "") + f" {returned}", database.kind
    )
    done = connection.execute(statement, {"ids": database.listing(ids), **given})
    return done.all() if returned else []


def _count(database: Database, connection: sa.Connection, messages: Sequence[Any], deliveries: Sequence[Any]) -> None:
    day = {row.id: days.of(database.instant(row.received_at)).isoformat() for row in messages}
    numbers: Counter[tuple[str, str]] = Counter()
    for row in messages:
        numbers[day[row.id], row.disposition] += 1
        numbers[day[row.id], PLANNED] += row.planned
    for row in deliveries:
        numbers[day[row.message_id], row.status] += 1
    _COUNT.run(connection, [(*key, number) for key, number in sorted(numbers.items()) if number])


Name = tuple[str, str, str]
# MariaDB goes along an index to a row of three columns only where each is compared by itself.
_AFTER = dict.fromkeys(KINDS, '(caller, type, "key") > (:caller, :type, :key)') | {
    "mariadb": '(caller > :caller OR (caller = :caller AND (type > :type OR (type = :type AND "key" > :key))))'
}
_NAMES = texts(
    lambda kind: (
        f'SELECT caller, type, "key", expires_at FROM idempotency WHERE {_AFTER[kind]} ORDER BY caller, type, "key" LIMIT :limit'
    )
)
_FORGET = sa.text(
    'DELETE FROM idempotency WHERE caller = :caller AND type = :type AND "key" = :key AND expires_at <= :now'
)


def forget_names(
    database: Database, *, after: Name = ("", "", ""), limit: int = 2_000, held: Lead | None = None
) -> tuple[int, Name | None]:
    """Of the next `limit` names of posts, those whose time is over go. Gives how many, and where the walk goes on, None
    at its end.

    A walk, not an index by time: that would cost each post something, for what is done once an hour. Only where
    something is over is written.
    """
    caller, type_, key = after

    def look(connection: sa.Connection) -> tuple[Sequence[Any], Any]:
        given = {"caller": caller, "type": type_, "key": key, "limit": limit}
        return connection.execute(_NAMES[database.kind], given).all(), database.clock(connection)

    rows, now = database.read(look)
    over = [
        {"caller": row.caller, "type": row.type, "key": row.key, "now": now} for row in rows if row.expires_at <= now
    ]

    def work(connection: sa.Connection) -> int:
        if held is not None:
            assert_leads(database, connection, held)
        # Named again in between, a row has a new time, and stays.
        return sum(connection.execute(_FORGET, one).rowcount for one in over)

    going_on = (rows[-1].caller, rows[-1].type, rows[-1].key) if len(rows) == limit else None
    return (database.write(work) if over else 0), going_on
