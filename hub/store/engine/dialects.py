"""What the databases say differently: lists, locks, conflicts, clocks, and what passes by itself. Knows no table's
meaning.

A statement is written once, as a function of the database's kind, and made into text for each; where one word differs,
it calls what is here. SQLite and PostgreSQL mostly agree. MariaDB has no RETURNING on UPDATE, no LIMIT inside IN
(SELECT …), no ON CONFLICT, and `key` is a word of its own there, which is why it stands in quotation marks.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from hub.store.columns import Instant

KINDS = ("sqlite", "postgresql", "mariadb")
# Instants on MariaDB are microseconds since 1970, as on SQLite: no zone, no last year, nothing that a session could
# read otherwise. SYSDATE, not NOW: what a transaction reads after a wait must be later than the wait.
CLOCKS = {
    "postgresql": "clock_timestamp()",  # not now(): that stands still inside a transaction
    "sqlite": "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)",  # its steps are milliseconds
    "mariadb": "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', SYSDATE(6))",
}
# Of one statement's beginning: where a statement asks several times, it must get one answer.
MARIADB_BEGUN = "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', NOW(6))"

# What may go away by itself (faults F19, F20, F22, F24): serialization, deadlock, lock not available, statement
# timeout, too many connections, a server that stops, starts, or lost us, and a node that has just become read-only.
TRANSIENT = ("40001", "40P01", "55P03", "57014", "53300", "57P01", "57P02", "57P03", "25006", "08")
# The same in MariaDB's numbers. 1020: the row changed under us (a server with snapshot isolation). 1158 to 1161: the
# network.
TRANSIENT_MARIADB = frozenset(
    {
        1020,
        1040,
        1053,
        1129,
        1158,
        1159,
        1160,
        1161,
        1203,
        1205,
        1213,
        1290,
        1317,
        1412,
        1792,
        1836,
        1927,
        1969,
        2002,
        2003,
        2006,
        2013,
        2055,
    }
)

_LISTS = re.compile(r"\bIN :(\w+)")


def texts(write: Callable[[str], str]) -> dict[str, sa.TextClause]:
    """A statement in the words of each database, by its kind."""
    return {kind: text(write(kind), kind) for kind in KINDS}


def text(sql: str, kind: str) -> sa.TextClause:
    """A statement in one database's words. On MariaDB a list is written out: it looks up each of its members by key in
    all statements so.
    """
    lists: list[sa.BindParameter[Any]] = (
        [sa.bindparam(name, expanding=True) for name in dict.fromkeys(_LISTS.findall(sql))] if kind == "mariadb" else []
    )
    return sa.text(sql).bindparams(*lists)


def any_of(name: str, kind: str) -> str:
    """The right side of a comparison with a list of any length. One parameter, so that the statement's text stays the
    same, and prepared.
    """
    if kind == "mariadb":
        return f"IN :{name}"
    return f"= ANY(CAST(:{name} AS text[]))" if kind == "postgresql" else f"IN (SELECT value FROM json_each(:{name}))"


def for_update(kind: str) -> str:
    """Locks what is found until the commit. On SQLite the writing transaction is alone anyhow."""
    return "" if kind == "sqlite" else " FOR UPDATE"


def for_share(kind: str) -> str:
    """Lets others read it, and nobody change it, until the commit."""
    return {"sqlite": "", "postgresql": " FOR SHARE", "mariadb": " LOCK IN SHARE MODE"}[kind]


def skip_locked(kind: str) -> str:
    """The same, without what another has locked."""
    return "" if kind == "sqlite" else " FOR UPDATE SKIP LOCKED"


def along(index: str, kind: str) -> str:
    """After a table's name: the way to its rows. MariaDB locks all that it walks past, so its planner may not choose
    another one.
    """
    return f" FORCE INDEX ({index})" if kind == "mariadb" else ""


_DO_NOTHING = re.compile(r"ON CONFLICT \((\w+)[^)]*\) DO NOTHING")
_DO_UPDATE = re.compile(r"ON CONFLICT \([^)]*\) DO UPDATE SET (.+)", re.DOTALL)


def upsert(sql: str, kind: str) -> str:
    """`sql`, which says `ON CONFLICT (columns) …`, in the words of `kind`. On MariaDB its count says nothing: what
    stays counts like what is new.

    Never INSERT IGNORE, which would cut short what is too long, and let go of what a CHECK refuses. MariaDB assigns
    from left to right, each seeing the ones before: no assignment may read a column that stands to its left. Raises
    ValueError for a condition.
    """
    if kind != "mariadb":
        return sql
    if " WHERE " in sql:
        raise ValueError(f"MariaDB has no condition on a conflict; write this one by hand: {sql}")
    sql = _DO_NOTHING.sub(r"ON DUPLICATE KEY UPDATE \1 = \1", sql)
    sql = _DO_UPDATE.sub(r"ON DUPLICATE KEY UPDATE \1", sql)
    return re.sub(r"\bexcluded\.(\w+)", r"VALUES(\1)", sql)


def json_columns(table: sa.Table, *names: str) -> str:
    """MariaDB: the columns of a JSON array of arrays, typed as the table's of these names: or their text would compare
    otherwise, and no index fit.

    The array must hold its characters as they are: MariaDB does not read the escapes of those beyond U+FFFF.
    """
    typed = [(name, "BIGINT" if _is_number(table.c[name]) else table.c[name].type.compile(_MARIADB)) for name in names]
    return ", ".join(f"\"{name}\" {kind} PATH '$[{place}]'" for place, (name, kind) in enumerate(typed))


def _is_number(column: sa.Column[Any]) -> bool:
    return isinstance(column.type, Instant | sa.Integer)  # an Instant is a count of microseconds there


_MARIADB = sa.make_url("mariadb+pymysql://").get_dialect()()
