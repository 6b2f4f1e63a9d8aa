"""Whether a store's tables are those that its number promises: columns, the words that a CHECK takes, and what makes
rows unique.

A migration on `main` is never edited (tests/store/test_migrations.py), but a store may have been made by a commit from
before it got there, and then says a number whose tables it has not. Two or three questions to the database's own
catalogue, at each start.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from hub.core.errors import StoreUnusable
from hub.store.columns import metadata
from hub.store.engine import store_faults

_LITERAL = re.compile(r"'([A-Za-z_][\w.-]*)'", re.ASCII)

_COLUMNS = {
    "sqlite": (
        'SELECT tables.name, columns.name, columns."notnull" AND columns.dflt_value IS NULL '
        "FROM sqlite_master AS tables, pragma_table_info(tables.name) AS columns WHERE tables.type = 'table'"
    ),
    "postgresql": (
        "SELECT relname, attname, attnotnull AND NOT atthasdef AND attidentity = '' FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid "
        "WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped"
    ),
    "mariadb": (
        "SELECT table_name, column_name, is_nullable = 'NO' AND column_default IS NULL AND generation_expression IS NULL AND extra = '' "
        "FROM information_schema.columns WHERE table_schema = DATABASE()"
    ),
}
_CHECKS = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND sql LIKE '%ck\\_%' ESCAPE '\\'",
    "postgresql": "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = current_schema()::regnamespace AND contype = 'c'",
    "mariadb": "SELECT constraint_name, check_clause FROM information_schema.check_constraints WHERE constraint_schema = DATABASE()",
}
_INDEXES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'index'",
    "postgresql": "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('i', 'I')",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """What the comparison is about. `columns`: whether a row may leave it out, by table and name; `checks`: the words
    of each; `indexes`: names.
    """

    columns: Mapping[str, Mapping[str, bool]]
    checks: Mapping[str, frozenset[str]]
    indexes: frozenset[str] | None = None  # None: not compared


def check(connection: sa.Connection, url: sa.URL, number: str | None) -> None:
    """Raises StoreUnusable, naming the first table or column that is not as the number says."""
    difference = first_difference(found(connection))
    if difference is not None:
        raise unfit(f"it says schema {number}, but {difference}", url)


def unfit(what: str, url: sa.URL) -> StoreUnusable:
    return StoreUnusable(
        f"The store does not fit its number: {what} ({store_faults.where(url)}). It was made by another state of the code. Start that one, or begin with "
        "a new store (HUB_STORE); docs/keeping.md says how to take its messages along."
    )


def found(connection: sa.Connection) -> Shape:
    """What the database says of itself."""
    kind = connection.dialect.name
    columns: dict[str, dict[str, bool]] = {}
    for table, column, is_needed in connection.exec_driver_sql(_COLUMNS[kind]):
        columns.setdefault(table, {})[column] = not is_needed
    rows = [
        (str(name), str(text))
        for name, text in connection.exec_driver_sql(
            _CHECKS[kind].replace("%", "%%") if kind == "mariadb" else _CHECKS[kind]
        )
    ]
    if kind == "sqlite":
        rows = [pair for _, text in rows for pair in _checks_of(text)]
    indexes = (
        frozenset(str(name) for (name,) in connection.exec_driver_sql(_INDEXES[kind])) if kind in _INDEXES else None
    )
    return Shape(columns, {name: words(text) for name, text in rows}, indexes)


def words(text: str) -> frozenset[str]:
    """The words that a CHECK compares with."""
    return frozenset(_LITERAL.findall(text))


def _checks_of(sql: str) -> Iterable[tuple[str, str]]:
    """The CHECKs of a table as SQLite keeps them: the words of its CREATE TABLE."""
    for part in re.split(r"(?=CONSTRAINT \"?ck_)", sql)[1:]:
        name = re.match(r"CONSTRAINT \"?(ck_\w+)", part)
        if name is not None:
            yield name[1], re.split(r",\s*(?:CONSTRAINT \"?(?!ck_)|PRIMARY KEY|FOREIGN KEY)", part)[0]


def first_difference(shape: Shape) -> str | None:
    """The first table, column or constraint that is not as this hub's tables say; None where all are."""
    for table in sorted(metadata.tables.values(), key=lambda each: each.name):
        there = shape.columns.get(table.name)
        if there is None:
            return f"there is no table {table.name}"
        missing = next((column.name for column in table.columns if column.name not in there), None)
        if missing is not None:
            return f"its table {table.name} has no column {missing}"
        foreign = next(
            (name for name, may_be_left_out in there.items() if name not in table.columns and not may_be_left_out), None
        )
        if foreign is not None:
            return f"its table {table.name} has a column {foreign} that nothing here fills"
        for constraint in table.constraints:
            if isinstance(constraint, sa.CheckConstraint):
                difference = _of_check(table, constraint, shape)
                if difference is not None:
                    return difference
        absent = next(
            (
                str(index.name)
                for index in table.indexes
                if index.unique and shape.indexes is not None and index.name not in shape.indexes
            ),
            None,
        )
        if absent is not None:
            return f"its table {table.name} has no unique index {absent}"
    return None


def _of_check(table: sa.Table, constraint: sa.CheckConstraint, shape: Shape) -> str | None:
    name = f"ck_{table.name}_{constraint.name}" if not str(constraint.name).startswith("ck_") else str(constraint.name)
    wanted = words(str(constraint.sqltext))
    given = shape.checks.get(name)
    if given is None:
        return f"its table {table.name} has no check {name}"
    if wanted != given:
        word = min(wanted ^ given)
        return f"the check {name} of its table {table.name} {'does not know' if word in wanted else 'knows'} {word!r}"
    return None
