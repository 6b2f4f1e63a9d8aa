"""How large the store is, as its database knows it without counting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from hub.store.engine.database import Database

# The parts of a table that is cut by day count with their table.
_POSTGRESQL = sa.text("""
    SELECT coalesce(p.relname, c.relname) AS name, sum(greatest(c.reltuples, 0)) AS rows, sum(pg_total_relation_size(c.oid)) AS bytes
    FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_class p ON p.oid = i.inhparent
    WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace GROUP BY 1
""")
_MARIADB = sa.text(
    "SELECT table_name AS name, table_rows AS `rows`, data_length + index_length AS bytes FROM information_schema.tables WHERE table_schema = DATABASE()"
)


@dataclass(frozen=True, slots=True)
class TableSize:
    """A table with its indexes. `rows` is the database's own guess; None where it has none."""

    name: str
    rows: int | None
    bytes: int | None


@dataclass(frozen=True, slots=True)
class Size:
    """`bytes` of all of it; the tables, largest first. SQLite knows the size of its file alone, and has no tables
    here.
    """

    kind: str
    bytes: int
    tables: tuple[TableSize, ...]


def size(database: Database) -> Size:
    def work(connection: sa.Connection) -> Size:
        if database.kind == "sqlite":
            pages: Any = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            page: Any = connection.exec_driver_sql("PRAGMA page_size").scalar_one()
            return Size(database.kind, int(pages) * int(page), ())
        rows = connection.execute(_POSTGRESQL if database.is_postgresql else _MARIADB).all()
        tables = [TableSize(row[0], int(row[1] or 0), int(row[2] or 0)) for row in rows]
        return Size(
            database.kind,
            sum(one.bytes or 0 for one in tables),
            tuple(sorted(tables, key=lambda one: (-(one.bytes or 0), one.name))),
        )

    return database.read(work)
