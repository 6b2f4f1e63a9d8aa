"""A database: transactions that are repeated where that is safe, the one clock, and statements for many rows. Knows no
table's meaning.

Hot statements are written once, as text; they differ between the databases only in what this module says.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias, TypeVar

import sqlalchemy as sa

from hub.core.errors import StoreBusy
from hub.store.columns import Instant, from_micros, to_micros
from hub.store.engine import store_faults
from hub.store.engine.checkpoint import HELP_PAGES, Checkpoints
from hub.store.engine.dialects import CLOCKS, TRANSIENT, TRANSIENT_MARIADB, json_columns, upsert
from hub.store.engine.engine import make_engines, parse, take_writing_role

Result = TypeVar("Result")
Stamp: TypeAlias = Any  # an instant as the driver takes it: datetime on PostgreSQL, microseconds on SQLite and MariaDB

TURNS = 5


class Database:
    """One store's engines. `write` and `read` are the only ways in."""

    def __init__(self, url: str, *, writer: bool) -> None:
        self.url = parse(url)
        self.kind = self.url.get_backend_name()  # one of dialects.KINDS
        self.is_postgresql = self.kind == "postgresql"
        self._role = take_writing_role(self.url) if writer else None
        try:
            self.writing, self.reading = make_engines(self.url)
        except BaseException:
            if self._role is not None:
                self._role.close()
            raise
        self._checkpoints: Checkpoints | None = None
        if self._role is not None:
            self._checkpoints = Checkpoints(str(self.url.database))
            sa.event.listen(
                self.writing,
                "connect",
                lambda connection, _: connection.execute(f"PRAGMA wal_autocheckpoint={HELP_PAGES}"),
            )

    def close(self) -> None:
        if self._checkpoints is not None:
            self._checkpoints.stop()
        self.writing.dispose()
        self.reading.dispose()
        if self._role is not None:
            self._role.close()

    def write(
        self, work: Callable[[sa.Connection], Result], *, committed: Callable[[sa.Connection], bool] | None = None
    ) -> Result:
        """One transaction around `work`, repeated whole up to five times where what failed may pass. Raises StoreBusy
        after that.

        A COMMIT whose answer was lost may have happened (promise P12). `committed` then looks, on a new connection,
        whether it did; without it the work is repeated, which must be harmless.
        """
        for turn in range(TURNS):
            done: list[Result] = []
            try:
                with self.writing.connect() as connection, connection.begin():
                    done.append(work(connection))
                return done[0]
            except (sa.exc.DBAPIError, sa.exc.TimeoutError) as error:
                if not (
                    is_transient(error) or (turn and isinstance(error, sa.exc.IntegrityError) and committed is not None)
                ):
                    self._tell(error)
                    raise
                problem = error
            if has_waited(problem):
                break
            # Only a connection that went away in the COMMIT leaves a doubt; a repeat that meets its own rows means that
            # it had happened.
            if committed is not None and (done or isinstance(problem, sa.exc.IntegrityError)) and self._look(committed):
                if done:
                    return done[0]
                raise StoreBusy(
                    "A commit went through without its answer. Send it again: it will be known."
                ) from problem
            time.sleep(random.uniform(0, 0.02 * 2**turn))  # noqa: S311  # jitter, not a secret
        raise StoreBusy(
            store_faults.line("The store did not take the transaction", store_faults.brief(problem), self.url)
        ) from problem

    def _tell(self, error: Exception) -> None:
        """Raises StoreUnusable where it is the store as a whole that failed, not one statement."""
        unusable = store_faults.of_store(error, self.url)
        if unusable is not None:
            raise unusable from error

    def _look(self, committed: Callable[[sa.Connection], bool]) -> bool:
        """Whether the transaction in doubt is there. Raises StoreBusy where that cannot be seen either: then nobody may
        be told 2xx.
        """
        return self.read(committed)

    def read(self, work: Callable[[sa.Connection], Result]) -> Result:
        """One snapshot for `work`, where the database gives one per transaction. Raises StoreBusy."""
        for turn in range(TURNS):
            try:
                with self.reading.connect() as connection:
                    return work(connection)
            except (sa.exc.DBAPIError, sa.exc.TimeoutError) as error:
                if not is_transient(error):
                    self._tell(error)
                    raise
                problem = error
            if has_waited(problem):
                break
            time.sleep(random.uniform(0, 0.02 * 2**turn))  # noqa: S311  # jitter, not a secret
        raise StoreBusy(
            store_faults.line("The store cannot be read", store_faults.brief(problem), self.url)
        ) from problem

    def clock(self, connection: sa.Connection) -> Stamp:
        """The clock that decides leases and due times: the database's, moving inside a transaction too. On SQLite one
        process owns time.
        """
        if self.kind == "sqlite":
            return time.time_ns() // 1_000
        return connection.execute(_CLOCK[self.kind]).scalar_one()

    def stamp(self, instant: datetime) -> Stamp:
        """An instant as the driver takes it. Raises ValueError for one without a zone."""
        micros = to_micros(instant)
        return instant if self.is_postgresql else micros

    def instant(self, stamp: Stamp) -> datetime:
        return stamp.astimezone(UTC) if self.is_postgresql else from_micros(stamp)

    def listing(self, values: Sequence[str]) -> object:
        """The parameter of `any_of`."""
        return json.dumps(values) if self.kind == "sqlite" else list(values)


_CLOCK = {kind: sa.text(f"SELECT {CLOCKS[kind]}") for kind in ("postgresql", "mariadb")}


def is_transient(error: Exception) -> bool:
    """Whether the same transaction may succeed a moment later."""
    if isinstance(error, sa.exc.TimeoutError):
        return True
    if not isinstance(error, sa.exc.DBAPIError):
        return False
    number = error.orig.args[0] if error.orig is not None and error.orig.args else None
    if isinstance(number, int):  # MariaDB's; its sqlstate is HY000 for most
        return number in TRANSIENT_MARIADB or error.connection_invalidated
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return str(state).startswith(TRANSIENT)
    if error.connection_invalidated:
        return True
    return isinstance(error, sa.exc.OperationalError) and store_faults.passes(str(error.orig))


def has_waited(error: Exception) -> bool:
    """Whether the limit of waiting is already over: for a free connection, or for SQLite's one write lock. Five more
    such waits help nobody.
    """
    text = str(getattr(error, "orig", ""))
    return isinstance(error, sa.exc.TimeoutError) or any(
        words in text for words in ("database is locked", "timeout expired", "timed out")
    )


def _array_type(column: sa.Column[Any]) -> str:
    kind = column.type
    if isinstance(kind, Instant):
        return "timestamptz[]"
    names = ((sa.Boolean, "boolean"), (sa.BigInteger, "bigint"), (sa.Integer, "integer"), (sa.LargeBinary, "bytea"))
    return next((name for type_, name in names if isinstance(kind, type_)), "text") + "[]"


# The clock inside a statement, for a condition that cannot be handed `clock()`'s value.
CLOCK = "{clock}"


class Insert:
    """Inserts whole rows, as tuples in the order of the table's columns: arrays on PostgreSQL (one plan, one trip),
    else executemany, which the driver of MariaDB makes into statements of many rows. `mariadb`: its tail, where it is
    not what `upsert` makes of the others'.
    """

    def __init__(self, table: sa.Table, tail: str = "", *, mariadb: str | None = None) -> None:
        names = [column.name for column in table.columns]
        head = f"INSERT INTO {table.name} ({', '.join(names)})"
        arrays = ", ".join(f"%s::{_array_type(column)}" for column in table.columns)
        if mariadb is None:
            mariadb = upsert(tail.replace("ON CONFLICT DO", f"ON CONFLICT ({names[0]}) DO"), "mariadb")
        quoted = ", ".join(f'"{name}"' for name in names)
        self._texts = {
            "sqlite": f"{head} VALUES ({', '.join('?' for _ in names)}) {tail}".replace(CLOCK, CLOCKS["sqlite"]),
            "postgresql": f"{head} SELECT * FROM unnest({arrays}) {tail}".replace(CLOCK, CLOCKS["postgresql"]),
            "mariadb": f"INSERT INTO {table.name} ({quoted}) VALUES ({', '.join('%s' for _ in names)}) {mariadb}",
        }

    def run(self, connection: sa.Connection, rows: Sequence[tuple[Any, ...]]) -> int:
        """How many rows were written; fewer than given where the tail says what becomes of conflicts (but on MariaDB:
        see `upsert`).
        """
        if not rows:
            return 0
        kind = connection.dialect.name
        return _count(connection, self._texts[kind], _arrays(rows) if kind == "postgresql" else list(rows))


class Update:
    """Updates rows found by the columns `by`: rows are tuples of `by` and `names`, in that order. `fixed` is set too;
    `only` must hold.
    """

    def __init__(self, table: sa.Table, names: Sequence[str], *, by: Sequence[str], fixed: str, only: str) -> None:
        columns = [table.c[name] for name in (*by, *names)]
        arrays = ", ".join(f"%s::{_array_type(column)}" for column in columns)
        given = json_columns(table, *by, *names)
        sets = ", ".join(f"{name} = given.{name}" for name in names)
        found = " AND ".join(f"{table.name}.{name} = given.{name}" for name in by) + f" AND {table.name}.{only}"
        self._keys = len(by)
        self._texts = {
            "sqlite": f"UPDATE {table.name} SET {', '.join(f'{name} = ?' for name in names)}, {fixed} "
            f"WHERE {' AND '.join(f'{name} = ?' for name in by)} AND {only}",
            "postgresql": f"UPDATE {table.name} SET {sets}, {fixed} FROM unnest({arrays}) AS given ({', '.join((*by, *names))}) WHERE {found}",
            # STRAIGHT_JOIN: from the rows given to the table's, by key; never the other way round, through all of it.
            "mariadb": f"UPDATE JSON_TABLE(%s, '$[*]' COLUMNS ({given})) AS given STRAIGHT_JOIN {table.name} "
            f"SET {', '.join(f'{table.name}.{name} = given.{name}' for name in names)}, "
            f"{', '.join(f'{table.name}.{one}' for one in fixed.split(', '))} WHERE {found}",
        }

    def run(self, connection: sa.Connection, rows: Sequence[tuple[Any, ...]]) -> int:
        """How many rows were changed."""
        if not rows:
            return 0
        kind = connection.dialect.name
        if kind == "sqlite":
            return _count(connection, self._texts[kind], [row[self._keys :] + row[: self._keys] for row in rows])
        return _count(
            connection,
            self._texts[kind],
            _arrays(rows) if kind == "postgresql" else (json.dumps(rows, ensure_ascii=False),),
        )


_COUNTED = {"preserve_rowcount": True}


def _arrays(rows: Sequence[tuple[Any, ...]]) -> tuple[list[Any], ...]:
    return tuple(list(column) for column in zip(*rows, strict=True))


def _count(connection: sa.Connection, statement: str, given: Any) -> int:
    return connection.exec_driver_sql(statement, given, execution_options=_COUNTED).rowcount
