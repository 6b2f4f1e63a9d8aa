"""Records: a message with all that belongs to it, as one JSON document, and back. What an archive holds.

Columns are named as the tables name them, instants are RFC 3339 in UTC, bytes are base64. A column that a record does
not have is NULL, so that what was archived before a column was there can be read. Bodies and replies are copied as they
are stored: what is sealed stays sealed.
"""

from __future__ import annotations

import base64
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from hub.core.config.hook import HOOK
from hub.core.message import Json
from hub.store import columns, tables
from hub.store.columns import Instant
from hub.store.engine import days, register_tables
from hub.store.engine.database import Database, Insert, Stamp
from hub.store.messages.add import UNSTORABLE
from hub.store.retention import partitions
from hub.store.retention.prune import PLANNED, Gone

_OWN = (tables.body, tables.delivery, tables.business_key, tables.lookup)  # found by the message's id
_FILL = {table.name: Insert(table, "ON CONFLICT DO NOTHING") for table in (*_OWN, tables.attempt, tables.origin)}
# A number that was given is never given again, also where the deliveries that have it came from elsewhere.
_NUMBER = Insert(
    tables.order_key,
    "ON CONFLICT (lane, key) DO UPDATE SET last_seq = CASE WHEN excluded.last_seq > order_key.last_seq THEN excluded.last_seq ELSE order_key.last_seq END",
)
_KEEP = Insert(register_tables.restored, "ON CONFLICT (message_id) DO UPDATE SET until = excluded.until")
# What comes back is no longer gone. Below 0, where it went from another store: this one never accepted it, and its
# books say so.
_UNCOUNT = Insert(
    register_tables.pruned, "ON CONFLICT (day, word) DO UPDATE SET number = pruned.number + excluded.number"
)


def records(database: Database, ids: Sequence[str]) -> list[dict[str, Json]]:
    """The records of these messages, oldest first; those that are not there are left out."""

    def work(connection: sa.Connection) -> list[dict[str, Json]]:
        if database.kind != "sqlite":  # one moment for all: a message must not be read without what belongs to it
            comma = "," if database.kind == "mariadb" else ""
            connection.exec_driver_sql(f"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ{comma} READ ONLY")
        messages = _rows(connection, tables.message, "id", ids)
        made: dict[str, dict[str, Any]] = {row["id"]: {"message": _written(tables.message, row)} for row in messages}
        for table in _OWN:
            found = defaultdict(list)
            for row in _rows(connection, table, "message_id", list(made)):
                found[row["message_id"]].append(_written(table, row))
            for id_, record in made.items():
                record[table.name] = found[id_]
        lines = {line["id"]: id_ for id_, record in made.items() for line in record["delivery"]}
        for record in made.values():
            record["attempt"], record["origin"] = [], []
        for row in _rows(connection, tables.attempt, "delivery_id", list(lines)):
            made[lines[row["delivery_id"]]]["attempt"].append(_written(tables.attempt, row))
        hooked = {row["trace_id"] for row in messages if row["source"] == HOOK}
        origins = {
            row["trace_id"]: _written(tables.origin, row)
            for row in _rows(connection, tables.origin, "trace_id", sorted(hooked))
        }
        for row in messages:
            if row["source"] == HOOK and row["trace_id"] in origins:
                made[row["id"]]["origin"].append(origins[row["trace_id"]])
        return [made[row["id"]] for row in sorted(messages, key=lambda row: (row["received_at"], row["id"]))]

    return database.read(work) if ids else []


def _rows(connection: sa.Connection, table: sa.Table, column: str, ids: Sequence[str]) -> list[Any]:
    found: list[Any] = []
    for start in range(0, len(ids), 500):
        query = sa.select(table).where(table.c[column].in_(ids[start : start + 500]))
        found += connection.execute(query.order_by(*table.primary_key.columns)).mappings().all()
    return found


def _written(table: sa.Table, row: Mapping[str, Any]) -> dict[str, Json]:
    return {column.name: _value(row[column.name]) for column in table.columns}


def _value(value: Any) -> Json:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(bytes(value)).decode("ascii")
    plain: Json = value
    return plain


def restore(database: Database, batch: Sequence[Mapping[str, Any]], *, until: datetime) -> Gone:
    """Puts records back, in one transaction; gives how many messages and deliveries were not there. They are not pruned
    before `until`.

    What is there stays as it is, so that twice changes nothing; no name of a post comes back, so a repeat of one that
    was forgotten is new. Raises ValueError for a record that is none, or of which a delivery has not ended: nothing
    that was archived may be sent again.
    """
    rows = [_read(database, record) for record in batch]
    partitions.make(
        database,
        {
            day
            for row in rows
            for id_ in (row["message"][0][0], *(line[0] for line in row["delivery"]))
            if (day := days.day_of(id_))
        },
    )

    def work(connection: sa.Connection) -> Gone:
        # What is there already is looked up: a count would not tell it on MariaDB, where of two that restore at once
        # the second fails.
        there = {row["id"] for row in _rows(connection, tables.message, "id", [row["message"][0][0] for row in rows])}
        fresh = [
            row for row in rows if row["message"][0][0] not in there and _FILL_MESSAGE.run(connection, row["message"])
        ]
        for name, insert in _FILL.items():
            insert.run(connection, sorted({line for row in fresh for line in row[name]}, key=repr))
        numbers: dict[tuple[str, str], int] = {}
        for lane, key, seq in (
            (line[_LANE], line[_KEY], line[_SEQ]) for row in fresh for line in row["delivery"] if line[_SEQ] is not None
        ):
            numbers[lane, key] = max(seq, numbers.get((lane, key), 0))
        _NUMBER.run(connection, [(*key, number) for key, number in sorted(numbers.items())])
        _KEEP.run(connection, sorted((row["message"][0][0], database.stamp(until)) for row in rows))
        _uncount(connection, database, fresh)
        return Gone(len(fresh), sum(len(row["delivery"]) for row in fresh))

    try:
        return database.write(work) if rows else Gone()
    except UNSTORABLE as error:
        raise ValueError(
            f"These records do not fit the store: {type(error).__name__}. They have another schema, or were changed."
        ) from error


_FILL_MESSAGE = Insert(tables.message, "ON CONFLICT DO NOTHING", mariadb="")
_PLACES = {
    table.name: {column.name: place for place, column in enumerate(table.columns)}
    for table in (tables.message, tables.delivery)
}
_LANE, _KEY, _SEQ, _STATUS = (_PLACES["delivery"][name] for name in ("lane", "order_key", "seq", "status"))
_RECEIVED, _DISPOSITION, _PLAN = (_PLACES["message"][name] for name in ("received_at", "disposition", "planned"))


def _read(database: Database, record: Mapping[str, Any]) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of a record, by table, as the driver takes them."""
    try:
        made = {name: [_row(database, columns.metadata.tables[name], line) for line in record[name]] for name in _FILL}
        made["message"] = [_row(database, tables.message, record["message"])]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"This is not a record of a message: {error!r}.") from error
    ended = ("delivered", "cancelled", "superseded")
    if any(line[_STATUS] not in ended for line in made["delivery"]) or made["message"][0][_PLAN] != len(
        made["delivery"]
    ):
        raise ValueError(
            f"Message {made['message'][0][0]} has a delivery that has not ended or is missing. Such a message cannot be in an archive."
        )
    return made


def _row(database: Database, table: sa.Table, line: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(_driven(database, column, line.get(column.name)) for column in table.columns)


def _driven(database: Database, column: sa.Column[Any], value: Any) -> Any:
    if value is None:
        return None
    if isinstance(column.type, Instant):
        stamp: Stamp = database.stamp(datetime.fromisoformat(value))
        return stamp
    return base64.b64decode(value, validate=True) if isinstance(column.type, sa.LargeBinary) else value


def _uncount(
    connection: sa.Connection, database: Database, fresh: Sequence[Mapping[str, Sequence[tuple[Any, ...]]]]
) -> None:
    numbers: Counter[tuple[str, str]] = Counter()
    for row in fresh:
        [message] = row["message"]
        day = days.of(database.instant(message[_RECEIVED])).isoformat()
        numbers[day, message[_DISPOSITION]] -= 1
        numbers[day, PLANNED] -= message[_PLAN]
        numbers.subtract((day, line[_STATUS]) for line in row["delivery"])
    _UNCOUNT.run(connection, [(*key, number) for key, number in sorted(numbers.items()) if number])
