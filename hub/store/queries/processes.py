"""Which processes run: each signs every few seconds, whatever it does. Only shown to people; leases and rates go by
worker_sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from hub.store.accounts.leader import ONE_WRITER
from hub.store.engine import register_tables
from hub.store.engine.database import Database
from hub.store.engine.dialects import texts, upsert
from hub.store.engine.people_tables import process_sign

SILENT = timedelta(seconds=30)  # without a sign for so long, a process counts as gone
KEPT = timedelta(days=1)  # then it is not shown any more

_SIGN = texts(
    lambda kind: upsert(
        "INSERT INTO process_sign (process, role, version, revision, started_at, seen_at) VALUES (:process, :role, :version, :revision, :now, :now) "
        "ON CONFLICT (process) DO UPDATE SET seen_at = excluded.seen_at, revision = excluded.revision",
        kind,
    )
)


@dataclass(frozen=True, slots=True)
class Process:
    """A process as it said itself. `leads`: in what it leads at this moment; `is_silent`: it has not said anything for
    too long.
    """

    name: str
    role: str
    version: str
    revision: str
    started_at: datetime
    seen_at: datetime
    leads: tuple[str, ...]
    is_silent: bool


def sign(database: Database, name: str, *, role: str, version: str, revision: str) -> None:
    """A sign of life. The first one of a name is its start."""

    def work(connection: sa.Connection) -> None:
        now = database.clock(connection)
        given = {"process": name, "role": role, "version": version, "revision": revision, "now": now}
        connection.execute(_SIGN[database.kind], given)

    database.write(work)


def sign_off(database: Database, name: str) -> None:
    """It has ended in good order; with it those that ended without a word, a day ago."""

    def work(connection: sa.Connection) -> None:
        columns = process_sign.c
        gone = database.instant(database.clock(connection)) - KEPT
        connection.execute(sa.delete(process_sign).where(sa.or_(columns.process == name, columns.seen_at < gone)))

    database.write(work)


def processes(database: Database) -> list[Process]:
    """All that signed within a day, the latest started first."""
    columns = process_sign.c

    def work(connection: sa.Connection) -> list[Process]:
        now = database.instant(database.clock(connection))
        leading = connection.execute(
            sa.select(register_tables.leader.c.holder, register_tables.leader.c.name).where(
                register_tables.leader.c.until > now
            )
        ).all()
        query = sa.select(
            columns.process, columns.role, columns.version, columns.revision, columns.started_at, columns.seen_at
        )
        rows = connection.execute(
            query.where(columns.seen_at >= now - KEPT).order_by(columns.started_at.desc(), columns.process)
        ).all()
        return [
            Process(
                *row,
                leads=tuple(sorted(_led_by(row.process, row.role, leading))),
                is_silent=row.seen_at + SILENT <= now,
            )
            for row in rows
        ]

    return database.read(work)


def _led_by(process: str, role: str, leading: Sequence[Any]) -> list[str]:
    return [
        row.name
        for row in leading
        if row.holder == process or (row.holder == ONE_WRITER and role in ("up", "scheduler"))
    ]
