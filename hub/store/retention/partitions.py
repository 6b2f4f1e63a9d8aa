"""Parts of the large tables, one for each day (PostgreSQL). Elsewhere there are none, and these verbs do nothing.

Parts are made ahead, so that nothing waits for one; what has none all the same goes to the table's default part, is
found there as anywhere else, and moves to its own as soon as that is made. A part is dropped once it is empty: its room
is free at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa

from hub.core.errors import StoreBusy
from hub.store.accounts.leader import Lead, assert_leads
from hub.store.engine import days
from hub.store.engine.database import Database
from hub.store.tables import BY_DAY

AHEAD = 3  # days after today for which there is a part: a leader may be missing for so long
_LOCK = 0x6372_6F74  # any number of our own: two processes that make or drop parts go one after the other
_NAME = re.compile(r"(message|body|attempt)_(\d{4})(\d{2})(\d{2})", re.ASCII)
# Rows are as the database estimates them, but for default parts: those should have none, and are counted.
_LIST = sa.text("""
    SELECT p.relname AS of_table, c.relname AS name, c.reltuples AS rows, pg_total_relation_size(c.oid) AS bytes
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
    WHERE i.inhparent IN ('message'::regclass, 'body'::regclass, 'attempt'::regclass) ORDER BY p.relname, c.relname
""")
_NAMES = sa.text(
    "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent IN ('message'::regclass, 'body'::regclass, 'attempt'::regclass)"
)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a table. `day` is None for the default part, whose rows are counted; others' are estimated."""

    table: str
    name: str
    day: date | None
    rows: int
    bytes: int


def parts(database: Database) -> list[Part]:
    """All parts, by table and day; none elsewhere."""

    def work(connection: sa.Connection) -> list[Part]:
        found: list[Part] = []
        for row in connection.execute(_LIST).all():
            day = _day(row.name)
            rows = (
                max(0, int(row.rows))
                if day is not None
                else int(connection.exec_driver_sql(f"SELECT count(*) FROM {row.name}").scalar_one())
            )
            found.append(Part(row.of_table, row.name, day, rows, int(row.bytes)))
        return found

    return database.read(work) if database.is_postgresql else []


def make_ahead(database: Database, number: int = AHEAD) -> list[str]:
    """Makes what is missing of the parts for today and the next `number` days; gives their names. Raises StoreBusy."""
    if not database.is_postgresql:
        return []
    today = days.of(database.read(lambda connection: database.instant(database.clock(connection))))
    return make(database, [today + timedelta(days=ahead) for ahead in range(number + 1)])


def make(database: Database, wanted: Iterable[date]) -> list[str]:
    """Makes what is missing of the parts for these days; gives their names. Raises StoreBusy; then the default part
    goes on taking what comes.
    """
    if not database.is_postgresql:
        return []
    names = {_name(table, day): (table, day) for day in sorted(set(wanted)) for table in BY_DAY}
    missing = [name for name in names if name not in database.read(_known)]
    made: list[str] = []
    for name in missing:
        table, day = names[name]
        # One transaction each: what waits for a lock holds no other.
        if database.write(lambda connection, name=name, table=table, day=day: _make(connection, name, table, day)):  # type: ignore[misc]
            made.append(name)
    return made


def _make(connection: sa.Connection, name: str, table: str, day: date) -> bool:
    _take_turn(connection)
    if name in _known(connection):
        return False
    low, high = days.floor(day), days.floor(day + days.ONE)
    column = BY_DAY[table]
    # Attached, not created as a part: that would lock the whole table against everybody. Only the default part is, and
    # for a moment.
    _lock(connection, f"ONLY {table} IN SHARE UPDATE EXCLUSIVE MODE")
    _lock(connection, f"{table}_default IN ACCESS EXCLUSIVE MODE")
    for statement in (
        f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)",
        f"WITH moved AS (DELETE FROM {table}_default WHERE {column} >= '{low}' AND {column} < '{high}' RETURNING *) INSERT INTO {name} SELECT * FROM moved",
        f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{low}') TO ('{high}')",
    ):
        connection.exec_driver_sql(statement)
    return True


def drop_empty(database: Database, before: date, *, held: Lead | None = None) -> list[str]:
    """Drops the parts of days before `before` in which nothing is left; gives their names. Raises NotLeading,
    StoreBusy.
    """
    if not database.is_postgresql:
        return []
    dropped: list[str] = []
    for name in sorted(database.read(_known)):
        day = _day(name)
        if day is None or day >= before:
            continue
        # Looked at first without a lock: the drop itself holds up everybody for a moment.
        if database.read(lambda connection, name=name, day=day: _is_empty(connection, name, day)) and database.write(  # type: ignore[misc]
            lambda connection, name=name, day=day: _drop(database, connection, name, day, held)  # type: ignore[misc]
        ):
            dropped.append(name)
    return dropped


def _drop(database: Database, connection: sa.Connection, name: str, day: date, held: Lead | None) -> bool:
    if held is not None:
        assert_leads(database, connection, held)
    _take_turn(connection)
    if name not in _known(connection):
        return False
    table = name.rsplit("_", 1)[0]
    _lock(connection, f"ONLY {table} IN ACCESS EXCLUSIVE MODE")
    if not _is_empty(connection, name, day):
        return False  # somebody restored something of that day in between
    connection.exec_driver_sql(f"DROP TABLE {name}")
    return True


def _is_empty(connection: sa.Connection, name: str, day: date) -> bool:
    if connection.exec_driver_sql(f"SELECT 1 FROM {name} LIMIT 1").first() is not None:
        return False
    # A delivery that was not tried yet will want its place.
    low, high = days.floor(day), days.floor(day + days.ONE)
    return (
        not name.startswith("attempt")
        or connection.exec_driver_sql(f"SELECT 1 FROM delivery WHERE id >= '{low}' AND id < '{high}' LIMIT 1").first()
        is None
    )


def _take_turn(connection: sa.Connection) -> None:
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def _lock(connection: sa.Connection, what: str) -> None:
    """Whoever waits for a lock on a whole table holds up all who come after: given up soon, not repeated at once, and
    left to the next round.
    """
    connection.exec_driver_sql("SET LOCAL lock_timeout = '500ms'")
    try:
        connection.exec_driver_sql(f"LOCK TABLE {what}")
    except sa.exc.OperationalError as error:
        raise StoreBusy(f"A long transaction blocks the lock on {what.removeprefix('ONLY ')}.") from error


def _known(connection: sa.Connection) -> set[str]:
    return set(connection.execute(_NAMES).scalars())


def _name(table: str, day: date) -> str:
    return f"{table}_{day:%Y%m%d}"


def _day(name: str) -> date | None:
    found = _NAME.fullmatch(name)
    return date(int(found[2]), int(found[3]), int(found[4])) if found else None
