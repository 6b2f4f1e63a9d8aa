"""The hub's own entry with a clock that may be put forward: `python -m tests.faults.simulated up`, with the file of
`Clock` in HUB_TEST_CLOCK.

What the hub asks for the time is wrapped from outside: the instants of its flow, and on SQLite those of its store.
Elsewhere the store's is the database's, which `Clock` puts forward too. What only measures how long something takes
goes on as it is.
"""

import mmap
import os
import struct
import sys
import time
import types
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

SIMULATED = (
    "CREATE SCHEMA simulated",
    "CREATE TABLE simulated.ahead (span interval NOT NULL)",
    "INSERT INTO simulated.ahead VALUES ('0')",
    """CREATE FUNCTION simulated.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
    AS 'SELECT pg_catalog.clock_timestamp() + span FROM simulated.ahead'""",
)


class Clock:
    """How far the simulated time is ahead, for all processes that read its file, and for the database of their
    store.
    """

    def __init__(self, file: Path, store_url: str) -> None:
        file.write_bytes(bytes(8))
        self._map = _open(file)
        self._engine = sa.create_engine(store_url)
        self._is_postgresql = self._engine.dialect.name == "postgresql"
        if self._is_postgresql:
            with self._engine.begin() as connection:
                for statement in (
                    *SIMULATED,
                    f'ALTER DATABASE "{self._engine.url.database}" SET search_path = public, simulated, pg_catalog',
                ):
                    connection.execute(sa.text(statement))
            self._engine.dispose()  # those that come now find it

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=_ahead(self._map))

    def put_forward(self, by: timedelta) -> None:
        """In one step. Whoever lives gave signs of life all the time, and held what it holds."""
        with self._engine.begin() as connection:
            span = (
                f"interval '{by.total_seconds()} seconds'"
                if self._is_postgresql
                else str(int(by.total_seconds() * 1_000_000))
            )
            for table, column in (("worker_sign", "seen_at"), ("share", "until"), ("leader", "until")):
                connection.execute(sa.text(f"UPDATE {table} SET {column} = {column} + {span}"))
            if self._is_postgresql:
                connection.execute(sa.text(f"UPDATE simulated.ahead SET span = span + {span}"))
            struct.pack_into("d", self._map, 0, _ahead(self._map) + by.total_seconds())

    def rows(self, sql: str, **given: object) -> list[sa.Row]:
        with self._engine.connect() as connection:
            return list(connection.execute(sa.text(sql), given))

    def close(self) -> None:
        self._engine.dispose()
        self._map.close()


def _open(file: Path) -> mmap.mmap:
    with file.open("r+b") as opened:
        return mmap.mmap(opened.fileno(), 8)


def _ahead(shared: mmap.mmap) -> float:
    return struct.unpack_from("d", shared)[0]


def _wrap(shared: mmap.mmap) -> None:
    import hub.main.clock  # only in the hub's process
    import hub.store.engine.database

    class Ahead(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + timedelta(seconds=_ahead(shared))

    hub.main.clock.datetime = Ahead
    names = {name: getattr(time, name) for name in dir(time) if not name.startswith("_")}
    hub.store.engine.database.time = types.SimpleNamespace(
        **{**names, "time_ns": lambda: time.time_ns() + int(_ahead(shared) * 1e9)}
    )


if __name__ == "__main__":
    _wrap(_open(Path(os.environ["HUB_TEST_CLOCK"])))
    from hub.cli import main

    main(sys.argv[1:])
