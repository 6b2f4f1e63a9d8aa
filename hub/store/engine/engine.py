"""Engines: how connections to the databases are made, and who may keep writing to a SQLite file.

**Writing roles on SQLite.** Exactly one process may *keep* writing: `hub up`, or a worker. It opens the store with
`writer=True` and holds an advisory lock beside the database until it ends, however it ends. Two such processes would
push each other's commits over a second, and both would believe that they own time. Short writes of the command line (a
key made, a dead letter replayed) need no lock: each is one transaction, `BEGIN IMMEDIATE` makes them queue, and the
busy timeout bounds the wait. On PostgreSQL and MariaDB there are many writers.
"""

from __future__ import annotations

import fcntl
import os
import re
from pathlib import Path
from typing import IO, Any

import sqlalchemy as sa

from hub.core.errors import StoreBusy
from hub.store.columns import metadata
from hub.store.engine import private_files

BUSY_MS = 5_000
READERS = 8
# On each connection, not on each file: only journal_mode is remembered in the file. FULL, because NORMAL in WAL may
# drop an acknowledged commit at a power cut (promise P22, fault F15); group commit is what makes it cheap.
SQLITE = (
    "journal_mode=WAL",
    "synchronous=FULL",
    f"busy_timeout={BUSY_MS}",
    "foreign_keys=ON",
    "temp_store=MEMORY",
    "cache_size=-65536",
)
# A hung server or a half-open connection must not hold a thread for ever (fault F22). synchronous_commit stays what the
# server says: on.
POSTGRESQL = {
    "application_name": "crossdock",
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "options": "-c timezone=UTC -c statement_timeout=30s -c lock_timeout=5s -c idle_in_transaction_session_timeout=60s -c jit=off",
}


# The same on MariaDB. The mode of the session, whatever the server's is: what does not fit is refused, never cut; "key"
# is a name. The planner's two habits are off that would turn a look by key into a walk through a table.
# innodb_flush_log_at_trx_commit stays the server's: 1.
MARIADB = {
    "charset": "utf8mb4",
    "connect_timeout": 5,
    "read_timeout": 40,
    "write_timeout": 40,
    "init_command": "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,ANSI_QUOTES', "
    "time_zone = '+00:00', default_storage_engine = InnoDB, innodb_lock_wait_timeout = 5, lock_wait_timeout = 20, max_statement_time = 30, "
    "idle_transaction_timeout = 60, in_predicate_conversion_threshold = 0, optimizer_switch = 'exists_to_in=off'",
}
OLDEST_MARIADB = (10, 11)
PACKET = "packet"  # in a connection's `info`: how long a statement may be, on MariaDB
_ADDRESS = "Write sqlite:///FILE, postgresql+psycopg://USER@HOST/NAME, or mariadb://USER@HOST/NAME."


def parse(url: str) -> sa.URL:
    """The store's address, with its driver. Raises ValueError, saying what to write instead."""
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise ValueError(f"{url!r} is not a database URL. {_ADDRESS}") from error
    match parsed.get_backend_name():
        case "postgresql":
            return parsed.set(drivername="postgresql+psycopg")
        case "mariadb" | "mysql":
            if not parsed.database:
                raise ValueError(f"The database URL has no database name. {_ADDRESS}")
            return parsed.set(drivername="mariadb+pymysql")
        case "sqlite":
            if parsed.database in (None, "", ":memory:"):
                raise ValueError("An in-memory database loses all data. Write sqlite:///FILE.")
            return parsed.set(drivername="sqlite+pysqlite")
        case other:
            raise ValueError(f"{other} is not a supported database. {_ADDRESS}")


def make_engines(url: sa.URL) -> tuple[sa.Engine, sa.Engine]:
    """The writing engine, and the reading one. Made after a fork, never inherited over one."""
    if url.get_backend_name() == "postgresql":
        # Pinged before use: a server that restarted costs a reconnect, not an error. Two seconds for a free connection,
        # then busy (fault F21).
        engine = sa.create_engine(
            url,
            pool_pre_ping=True,
            pool_size=6,
            max_overflow=6,
            pool_timeout=2,
            pool_recycle=1_800,
            connect_args=POSTGRESQL,
            hide_parameters=True,
        )
        return engine, engine
    if url.get_backend_name() == "mariadb":
        engine = _make_mariadb(url)
        return engine, engine
    file = Path(url.database or "").absolute()
    private_files.folder(file.parent)
    private_files.touch(file)
    arguments = {"check_same_thread": False, "timeout": BUSY_MS / 1_000, "isolation_level": None}
    # One writing connection: threads queue for it here, in order, instead of for the file's lock, by polling.
    writer = sa.create_engine(
        url,
        poolclass=sa.QueuePool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=BUSY_MS / 1_000,
        connect_args=arguments,
        hide_parameters=True,
    )
    reader = sa.create_engine(
        url,
        poolclass=sa.QueuePool,
        pool_size=READERS,
        max_overflow=0,
        pool_timeout=2,
        connect_args=arguments,
        hide_parameters=True,
    )
    sa.event.listen(writer, "connect", _prepare)
    sa.event.listen(reader, "connect", _prepare_reader)
    # The driver would begin late and deferred; a deferred transaction that turns to writing fails at once, whatever the
    # timeout.
    sa.event.listen(writer, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    sa.event.listen(reader, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return writer, reader


def _make_mariadb(url: sa.URL) -> sa.Engine:
    try:
        engine = sa.create_engine(
            url,
            isolation_level="READ COMMITTED",
            pool_pre_ping=True,
            pool_size=6,
            max_overflow=6,
            pool_timeout=2,
            pool_recycle=1_800,
            connect_args=MARIADB,
            hide_parameters=True,
        )
    except ModuleNotFoundError as error:
        raise ValueError("A store on MariaDB needs its driver: pip install crossdock[mysql].") from error
    sa.event.listen(engine, "first_connect", _refuse_unfit)
    sa.event.listen(engine, "connect", _ask_limit)
    sa.event.listen(engine, "handle_error", _name_check, retval=True)
    return engine


def _ask_limit(connection: Any, record: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@max_allowed_packet")
        record.info[PACKET] = int(cursor.fetchone()[0])


def _name_check(context: sa.ExceptionContext) -> BaseException | None:
    """A CHECK that refuses a row: the driver takes it for a fault of the server's, which might pass."""
    error = context.original_exception
    if error.args[:1] != (4025,):
        return None
    return sa.exc.IntegrityError(context.statement, context.parameters, error)


def _refuse_unfit(connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT VERSION()")
        problem = unfit_version(str(cursor.fetchone()[0]))
        cursor.execute("SELECT support FROM information_schema.engines WHERE engine = 'InnoDB'")
        if problem is None and str((cursor.fetchone() or ("NO",))[0]) not in ("YES", "DEFAULT"):
            problem = "This server has no InnoDB; nothing else keeps what was accepted."
        names = ", ".join(f"'{name}'" for name in metadata.tables)
        cursor.execute(
            f"SELECT table_name, engine FROM information_schema.tables WHERE table_schema = DATABASE() AND engine <> 'InnoDB' AND table_name IN ({names})"
        )
        others = cursor.fetchall()
    if problem is None and others:
        problem = f"The table {others[0][0]} is of the engine {others[0][1]}, which loses transactions. Make it: ALTER TABLE {others[0][0]} ENGINE = InnoDB."
    if problem is not None:
        raise ValueError(problem)


def unfit_version(version: str) -> str | None:
    """Why a server that calls itself so cannot be the store; None if it can."""
    # 5.5.5: a prefix for old clients
    found = re.match(r"(?:5\.5\.5-)?(\d+)\.(\d+)[^-]*-.*mariadb", version, re.IGNORECASE)
    if found is None:
        return f"{version} is no MariaDB. The store needs MariaDB 10.11 or newer."
    if (int(found[1]), int(found[2])) < OLDEST_MARIADB:
        return f"{version} is too old. The store needs MariaDB 10.11 or newer."
    return None


def _prepare(connection: Any, _record: object) -> None:
    for pragma in SQLITE:
        connection.execute(f"PRAGMA {pragma}")


def _prepare_reader(connection: Any, record: object) -> None:
    _prepare(connection, record)
    connection.execute("PRAGMA query_only=ON")


def take_writing_role(url: sa.URL) -> IO[str] | None:
    """Locks the file beside a SQLite database for as long as the answer is open; None on the others, which have many
    writers.

    Raises StoreBusy where another process has it. The kernel lets go of the lock when the process ends, however it
    ends.
    """
    if url.get_backend_name() != "sqlite":
        return None
    path = Path(f"{url.database}.lock")
    private_files.folder(path.absolute().parent)
    file = open(path, "a+", encoding="ascii", opener=private_files.opener)  # noqa: SIM115  Path.open takes no opener; held as long as the process writes
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        text = f"{url.database} already has a writing process (pid {holder}). Stop it first, or use PostgreSQL or MariaDB for several."
        raise StoreBusy(text) from error
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file
