"""Engines: how connections to the two databases are made, and who may keep writing to a SQLite file.

**Writing roles on SQLite.** Exactly one process may *keep* writing: `hub up`, or a worker. It opens the store with `writer=True` and
holds an advisory lock beside the database until it ends, however it ends. Two such processes would push each other's commits over a
second, and both would believe that they own time. Short writes of the command line (a key made, a dead letter replayed) need no lock:
each is one transaction, `BEGIN IMMEDIATE` makes them queue, and the busy timeout bounds the wait. On PostgreSQL there are many writers.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO, Any

import sqlalchemy as sa

from hub.core.errors import StoreBusy

BUSY_MS = 5_000
READERS = 8
# On each connection, not on each file: only journal_mode is remembered in the file. FULL, because NORMAL in WAL may drop an acknowledged
# commit at a power cut (PROMISES P22, F15); group commit is what makes it cheap.
SQLITE = ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={BUSY_MS}", "foreign_keys=ON", "temp_store=MEMORY", "cache_size=-65536")
# A hung server or a half-open connection must not hold a thread for ever (PROMISES F22). synchronous_commit stays what the server says: on.
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


def parse(url: str) -> sa.URL:
    """The store's address, with its driver. Raises ValueError, saying what to write instead."""
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise ValueError(f"{url!r} is no store. Write sqlite:///FILE, or postgresql+psycopg://USER@HOST/NAME.") from error
    match parsed.get_backend_name():
        case "postgresql":
            return parsed.set(drivername="postgresql+psycopg")
        case "sqlite":
            if parsed.database in (None, "", ":memory:"):
                raise ValueError("A store in memory keeps nothing. Write sqlite:///FILE.")
            return parsed.set(drivername="sqlite+pysqlite")
        case other:
            raise ValueError(f"{other} is no store. Write sqlite:///FILE, or postgresql+psycopg://USER@HOST/NAME.")


def make_engines(url: sa.URL) -> tuple[sa.Engine, sa.Engine]:
    """The writing engine, and the reading one. Made after a fork, never inherited over one."""
    if url.get_backend_name() == "postgresql":
        # Pinged before use: a server that restarted costs a reconnect, not an error. Two seconds for a free connection, then busy (F21).
        engine = sa.create_engine(url, pool_pre_ping=True, pool_size=6, max_overflow=6, pool_timeout=2, pool_recycle=1_800, connect_args=POSTGRESQL)
        return engine, engine
    Path(url.database or "").absolute().parent.mkdir(parents=True, exist_ok=True)
    arguments = {"check_same_thread": False, "timeout": BUSY_MS / 1_000, "isolation_level": None}
    # One writing connection: threads queue for it here, in order, instead of for the file's lock, by polling.
    writer = sa.create_engine(
        url,
        poolclass=sa.QueuePool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=BUSY_MS / 1_000,
        connect_args=arguments,
    )
    reader = sa.create_engine(url, poolclass=sa.QueuePool, pool_size=READERS, max_overflow=0, pool_timeout=2, connect_args=arguments)
    sa.event.listen(writer, "connect", _prepare)
    sa.event.listen(reader, "connect", _prepare_reader)
    # The driver would begin late and deferred; a deferred transaction that turns to writing fails at once, whatever the timeout.
    sa.event.listen(writer, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    sa.event.listen(reader, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return writer, reader


def _prepare(connection: Any, _record: object) -> None:
    for pragma in SQLITE:
        connection.execute(f"PRAGMA {pragma}")


def _prepare_reader(connection: Any, record: object) -> None:
    _prepare(connection, record)
    connection.execute("PRAGMA query_only=ON")


def take_writing_role(url: sa.URL) -> IO[str] | None:
    """Locks the file beside a SQLite database for as long as the answer is open; None on PostgreSQL, which has many writers.

    Raises StoreBusy where another process has it. The kernel lets go of the lock when the process ends, however it ends.
    """
    if url.get_backend_name() == "postgresql":
        return None
    path = Path(f"{url.database}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a+", encoding="ascii")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        text = f"{url.database} already has a writing process (pid {holder}). Stop it first, or use PostgreSQL for several."
        raise StoreBusy(text) from error
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file
