"""Who still uses what: counts per contract version, day, caller and field. Added in batches, from many processes at
once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import sqlalchemy as sa

from hub.core.message import Ref
from hub.store.engine.database import Database, Insert
from hub.store.engine.dialects import texts
from hub.store.engine.json_columns import ref_of
from hub.store.engine.register_tables import contract_usage
from hub.store.messages.add import UNSTORABLE

_ADD = Insert(
    contract_usage,
    "ON CONFLICT (type, version, day, caller, field) DO UPDATE SET number = contract_usage.number + excluded.number, "
    "first_at = CASE WHEN excluded.first_at < contract_usage.first_at THEN excluded.first_at ELSE contract_usage.first_at END, "
    "last_at = CASE WHEN excluded.last_at > contract_usage.last_at THEN excluded.last_at ELSE contract_usage.last_at END",
)


@dataclass(frozen=True, slots=True)
class UsageCount:
    """How often one caller used one field of one version (an empty field: the message), first and last. `day`: of one
    day in UTC, or "" for a sum.
    """

    ref: Ref
    day: str
    caller: str
    field: str
    number: int
    first_at: datetime
    last_at: datetime


def add_usage(database: Database, batch: Sequence[UsageCount]) -> None:
    """Adds to what is there. In one order everywhere: two processes that add the same rows wait for each other in
    turn.
    """

    def work(connection: sa.Connection) -> None:
        stamp = database.stamp
        rows = sorted(
            (
                one.ref.type,
                one.ref.version,
                one.day,
                one.caller,
                one.field,
                one.number,
                stamp(one.first_at),
                stamp(one.last_at),
            )
            for one in batch
        )
        _ADD.run(connection, rows)

    if not batch:
        return
    try:
        database.write(work)
    except UNSTORABLE:
        # One row that cannot be stored must not hold up the others for ever: it is let go, its neighbours are not.
        if len(batch) > 1:
            middle = len(batch) // 2
            add_usage(database, batch[:middle])
            add_usage(database, batch[middle:])


def usage(
    database: Database, *, type_: str | None = None, version: int | None = None, since: str = "", fields: bool = False
) -> list[UsageCount]:
    """Sums over all days from `since` (2026-06-01) on, per version and caller; with `fields` per field too. Busiest
    first within a version.
    """
    columns = contract_usage.c
    query = sa.select(
        columns.type,
        columns.version,
        columns.caller,
        columns.field,
        sa.func.sum(columns.number).label("number"),
        sa.type_coerce(sa.func.min(columns.first_at), columns.first_at.type),
        sa.type_coerce(sa.func.max(columns.last_at), columns.last_at.type),
    ).where(columns.day >= since)
    if type_ is not None:
        query = query.where(columns.type == type_)
    if version is not None:
        query = query.where(columns.version == version)
    if not fields:
        query = query.where(columns.field == "")
    query = query.group_by(columns.type, columns.version, columns.caller, columns.field)
    query = query.order_by(columns.type, columns.version, sa.text("number DESC"), columns.caller, columns.field)
    rows = database.read(lambda connection: connection.execute(query).all())
    return [UsageCount(ref_of(row[0], row[1]), "", row[2], row[3], int(row[4]), row[5], row[6]) for row in rows]


_OPEN = [
    *("d.status = 'pending'", "d.status = 'leased'", "d.status = 'held' AND d.release_at IS NOT NULL"),
    *(
        f"d.status = '{status}' AND d.release_at IS NULL AND d.cluster IS NULL"
        for status in ("dead", "held", "unknown")
    ),
]
_NAMED = "(d.status = 'dead' OR d.status = 'held' OR d.status = 'unknown') AND d.release_at IS NULL"
# A cause knows its message's version; of what has none its message is looked for, one by one: a join would begin with
# all messages there are.
_COUNT_OPEN = texts(
    lambda kind: (
        "SELECT c.type, c.version, o.number FROM "
        f"(SELECT d.cluster, count(*) AS number FROM delivery d WHERE {_NAMED} GROUP BY d.cluster) o JOIN cluster c ON c.id = o.cluster"
    )
)


def _of_none(state: str, kind: str) -> str:
    whose = "concat(m.version, ' ', m.type)" if kind == "mariadb" else "m.version || ' ' || m.type"
    looked = f"SELECT (SELECT {whose} FROM message m WHERE m.id = d.message_id) AS ref FROM delivery d WHERE {state}"
    return f"SELECT o.ref, count(*) FROM ({looked}) o WHERE o.ref IS NOT NULL GROUP BY o.ref"


_COUNT_UNNAMED = [texts(partial(_of_none, state)) for state in _OPEN]


def count_open(database: Database) -> dict[Ref, int]:
    """Deliveries that are still on their way or wait for a person, by the version of their message; of all versions at
    once, in one pass.
    """

    def work(connection: sa.Connection) -> dict[Ref, int]:
        found: Counter[Ref] = Counter()
        for type_, version, number in connection.execute(_COUNT_OPEN[database.kind]):
            found[ref_of(type_, version)] += int(number)
        for statement in _COUNT_UNNAMED:
            for text, number in connection.execute(statement[database.kind]):
                version, _, type_ = text.partition(" ")
                found[ref_of(type_, int(version))] += int(number)
        return dict(found)

    return database.read(work)
