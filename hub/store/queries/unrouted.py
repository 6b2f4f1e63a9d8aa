"""What no route took: which messages wait, of which causes, since when; and what a person wants of a whole cause.

A message gets its row with its acceptance and loses it with what a person has done to it (`rerouting`). Its cause is
named behind it, in blocks: if we die in the midst the rest is named by the next.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from hub.core.errors import Code, Refused
from hub.core.message import Json
from hub.core.model.unrouted import UnroutedCause, Wish, as_rows, cause_of, misses_of
from hub.store.accounts import acts
from hub.store.engine.database import Database, Insert
from hub.store.engine.dialects import along, any_of, for_update, skip_locked, texts
from hub.store.engine.json_columns import ref_of
from hub.store.engine.register_tables import unrouted_cause as causes
from hub.store.queries.clusters import BLOCK, SPAN
from hub.store.queries.details import MESSAGE, MessageRow, message_from, message_of
from hub.store.tables import message, unrouted

MAX_PAGE = 10_000

_INSERT_CAUSES = Insert(causes, "ON CONFLICT (id) DO NOTHING")
_UNNAMED = texts(
    lambda kind: (
        f"SELECT message_id FROM unrouted{along('ix_unrouted_cause', kind)} WHERE cause IS NULL LIMIT :limit{skip_locked(kind)}"
    )
)
_NAME = texts(
    lambda kind: (
        f"UPDATE unrouted{along('PRIMARY', kind)} SET cause = :cause WHERE cause IS NULL AND message_id {any_of('ids', kind)}"
    )
)
_GONE = texts(lambda kind: f"DELETE FROM unrouted WHERE message_id {any_of('ids', kind)}")


@dataclass(frozen=True, slots=True)
class UnroutedOrder:
    """What a person wants of all messages of a cause that had come by `at`. `left`: to how many of them nothing was
    done yet.
    """

    id: str
    wish: Wish
    at: datetime
    by: str
    why: str
    revision: str  # by which they are routed; empty: they are let go
    is_forced: bool
    left: int


@dataclass(frozen=True, slots=True)
class UnroutedLine:
    """How many messages of a cause wait, since when, and how many came in the last hour and in the one before it."""

    id: str | None  # None: not named yet
    cause: UnroutedCause | None
    number: int
    oldest_at: datetime
    newest_at: datetime
    last_hour: int
    hour_before: int
    wished: UnroutedOrder | None = None


@dataclass(frozen=True, slots=True)
class UnroutedRow:
    """One message that waits. `note`: why it stayed when it was routed again last."""

    message: MessageRow
    cause_id: str | None
    note: str | None


def name(database: Database, limit: int = BLOCK) -> int:
    """Names up to `limit` messages that wait and have no cause yet; gives how many were looked at. Safe in many
    processes at once.
    """

    def work(connection: sa.Connection) -> int:
        ids = connection.execute(_UNNAMED[database.kind], {"limit": limit}).scalars().all()
        if not ids:
            return 0
        rows = [message_of(row) for row in connection.execute(sa.select(*MESSAGE).where(message.c.id.in_(ids)))]
        named = {row.id: cause_of(row.ref, _considered(row.why)) for row in rows}
        first = {
            one.id: (one, min(row.received_at for row in rows if named[row.id].id == one.id)) for one in named.values()
        }
        blank = (None,) * 7
        lines = [
            (id_, one.source.type, one.source.version, json.dumps(as_rows(one.misses)), database.stamp(at), *blank)
            for id_, (one, at) in first.items()
        ]
        _INSERT_CAUSES.run(connection, sorted(lines, key=lambda line: str(line[0])))
        for id_ in sorted(first):
            members = database.listing(sorted(message_id for message_id, one in named.items() if one.id == id_))
            connection.execute(_NAME[database.kind], {"cause": id_, "ids": members})
        lost = sorted(set(ids) - set(named))
        if lost:  # pruned by an older version beside us
            connection.execute(_GONE[database.kind], {"ids": database.listing(lost)})
        return len(ids)

    return database.write(work)


def _considered(why: Mapping[str, Json]) -> list[Mapping[str, Json]]:
    lines = why.get("considered")
    return [line for line in lines if isinstance(line, dict)] if isinstance(lines, list) else []


def list_missing(database: Database, limit: int = BLOCK) -> int:
    """Gives a row to messages that an older version beside us accepted and routed nowhere; how many. Reads all that is
    apart: once an hour.
    """
    query = (
        sa.select(message.c.id, message.c.received_at)
        .where(
            sa.text("disposition <> 'routed'"),
            message.c.disposition == "unrouted",
            ~sa.exists().where(unrouted.c.message_id == message.c.id),
        )
        .limit(limit)
    )
    rows = database.read(lambda connection: connection.execute(query).all())
    lines = [(row.id, database.stamp(row.received_at), None, None, None) for row in sorted(rows)]
    if lines:
        insert = Insert(unrouted, "ON CONFLICT (message_id) DO NOTHING")
        database.write(lambda connection: insert.run(connection, lines))
    return len(lines)


_CAUSE = texts(lambda kind: f"SELECT * FROM unrouted_cause WHERE id = :id{for_update(kind)}")
_COUNT = sa.text(
    "SELECT cause, count(*) AS number, min(received_at) AS oldest, max(received_at) AS newest, "
    "sum(CASE WHEN received_at >= :hour THEN 1 ELSE 0 END) AS last_hour, sum(CASE WHEN received_at >= :two AND received_at < :hour THEN 1 ELSE 0 END) AS earlier "
    "FROM unrouted GROUP BY cause"
)
_LEFT = sa.text(
    "SELECT count(*) FROM unrouted WHERE cause = :cause AND received_at <= :at AND (tried IS NULL OR tried <> :wish)"
)


def count(database: Database) -> list[UnroutedLine]:
    """All that waits, by cause, the largest first."""

    def work(connection: sa.Connection) -> list[UnroutedLine]:
        now = database.instant(database.clock(connection))
        rows = connection.execute(
            _COUNT, {"hour": database.stamp(now - SPAN), "two": database.stamp(now - 2 * SPAN)}
        ).all()
        known = {
            row.id: row
            for row in connection.execute(
                sa.select(causes).where(causes.c.id.in_(sorted(row.cause for row in rows if row.cause)))
            )
        }
        return [_line(database, connection, row, known.get(row.cause)) for row in rows]

    return sorted(database.read(work), key=lambda line: (-line.number, line.id or ""))


def _line(database: Database, connection: sa.Connection, row: Any, known: Any) -> UnroutedLine:
    instant = database.instant
    cause = (
        UnroutedCause(ref_of(known.type, known.version), misses_of(json.loads(known.misses)))
        if known is not None
        else None
    )
    numbers = (int(row.number), instant(row.oldest), instant(row.newest), int(row.last_hour), int(row.earlier))
    return UnroutedLine(
        row.cause, cause, *numbers, wished=_wished(database, connection, known) if known is not None else None
    )


def _wished(database: Database, connection: sa.Connection, row: Any) -> UnroutedOrder | None:
    if row.wish is None:
        return None
    left = int(
        connection.execute(
            _LEFT, {"cause": row.id, "at": database.stamp(row.wish_at), "wish": row.wish_id}
        ).scalar_one()
    )
    return UnroutedOrder(
        row.wish_id,
        Wish(row.wish),
        row.wish_at,
        row.wish_by,
        row.wish_why,
        row.wish_revision or "",
        bool(row.wish_forced),
        left,
    )


def rows(
    database: Database,
    *,
    cause: str | None = None,
    ids: Sequence[str] | None = None,
    limit: int = 50,
    before: str | None = None,
) -> list[UnroutedRow]:
    """Messages that wait, newest first. `before`: the last id of the page before; `ids`: only these."""
    own = unrouted.c
    query = sa.select(*MESSAGE, own.cause.label("unrouted_cause"), own.note.label("unrouted_note")).join(
        unrouted, own.message_id == message.c.id
    )
    if cause is not None:
        query = query.where(own.cause == cause)
    if ids is not None:
        query = query.where(own.message_id.in_(list(ids)))
    if before is not None:
        query = query.where(own.message_id < before)
    query = query.order_by(own.message_id.desc()).limit(max(1, min(limit, MAX_PAGE)))
    return [_row(row) for row in database.read(lambda connection: connection.execute(query).all())]


def _row(row: Any) -> UnroutedRow:
    given = dict(row._mapping)  # noqa: SLF001  the library's public name
    cause, note = given.pop("unrouted_cause"), given.pop("unrouted_note")
    return UnroutedRow(message_from(given), cause, note)


def wish(
    database: Database,
    cause: str,
    *,
    id_: str,
    wish: Wish,
    by: str,
    why: str,
    revision: str = "",
    is_forced: bool = False,
) -> int:
    """Writes down what a person wants of all messages of `cause` that have come by now; gives how many they are.
    Nothing is done to them here.

    The same wish again, while it is under way, changes nothing; another one takes its place. Raises Refused where no
    message of it waits.
    """

    def work(connection: sa.Connection) -> int:
        known = connection.execute(_CAUSE[database.kind], {"id": cause}).first()
        now = database.instant(database.clock(connection))
        number = int(
            connection.execute(
                sa.select(sa.func.count()).where(unrouted.c.cause == cause, unrouted.c.received_at <= now)
            ).scalar_one()
        )
        if known is None or not number:
            raise Refused(Code.NOT_FOUND, f"No message with the cause {cause} waits.")
        same = (known.wish, known.wish_by, known.wish_why, known.wish_revision, known.wish_forced)
        if known.wish is None or same != (wish.value, by, why, revision or None, is_forced):
            values = {
                "wish": wish.value,
                "wish_id": id_,
                "wish_at": now,
                "wish_by": by,
                "wish_why": why,
                "wish_revision": revision or None,
            }
            connection.execute(sa.update(causes).where(causes.c.id == cause).values(**values, wish_forced=is_forced))
            details: dict[str, Json] = {"why": why, "number": number, "revision": revision, "force": is_forced}
            acts.record(database, connection, by, f"unrouted.{wish.value}", cause, details)
        return number

    return database.write(work)


def wished(database: Database) -> list[str]:
    """The causes of which a person wants something that is not done yet. Cheap: asked for at each sweep."""
    query = sa.select(causes.c.id).where(causes.c.wish.is_not(None)).order_by(causes.c.id)
    return list(database.read(lambda connection: connection.execute(query).scalars().all()))


_NEXT = sa.text(
    "SELECT message_id FROM unrouted WHERE cause = :cause AND received_at <= :at AND (tried IS NULL OR tried <> :wish) "
    "ORDER BY received_at, message_id LIMIT :limit"
)


def next_of(database: Database, cause: str, limit: int) -> tuple[UnroutedOrder, list[str]] | None:
    """The wish of a cause, and the messages that are its next, oldest first; None where there is no wish."""

    def work(connection: sa.Connection) -> tuple[UnroutedOrder, list[str]] | None:
        row = connection.execute(sa.select(causes).where(causes.c.id == cause)).first()
        found = _wished(database, connection, row) if row is not None else None
        if found is None:
            return None
        given = {"cause": cause, "at": database.stamp(found.at), "wish": found.id, "limit": limit}
        return found, list(connection.execute(_NEXT, given).scalars())

    return database.read(work)


def end_wish(database: Database, cause: str, id_: str) -> bool:
    """Nothing is left to be done for this wish. Whether it was there: another one, that came meanwhile, stays."""
    blank = {f"wish{name}": None for name in ("", "_id", "_at", "_by", "_why", "_revision", "_forced")}
    query = sa.update(causes).where(causes.c.id == cause, causes.c.wish_id == id_).values(blank)
    return database.write(lambda connection: connection.execute(query).rowcount == 1)
