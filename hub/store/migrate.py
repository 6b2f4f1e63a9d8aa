"""Migrations: from whatever schema a store has to the one that this hub knows.

On SQLite and PostgreSQL one transaction: all or nothing. MariaDB commits each change of a table by itself; the schema's number is written
last, so a migration that died is run again from its beginning, and what it had done already stays as it is.

Third party that lives here: alembic, loaded only where something is missing: each command of the command line passes by here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from hub.core.errors import StoreBusy
from hub.store.database import Database

if TYPE_CHECKING:
    from alembic.config import Config

FOLDER = Path(__file__).parent / "migrations"
_version = sa.table("alembic_version", sa.column("version_num"))
_LOCK = 0x6372_6F73  # any number of our own: two processes that migrate at once go one after the other


def upgrade(database: Database, to: str = "head") -> None:
    """Runs what is missing. If we die in the midst, nothing of it happened, or on MariaDB the next one goes on."""
    if to == "head" and current(database) == head():
        return
    from alembic import command  # noqa: PLC0415

    def work(connection: sa.Connection) -> None:
        with _alone(database, connection):
            command.upgrade(_config(connection), to)

    database.write(work)


@contextmanager
def _alone(database: Database, connection: sa.Connection) -> Iterator[None]:
    if database.kind == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    if database.kind != "mariadb":
        yield
        return
    # Of the connection, not of the transaction, which ends with each step. If we die, the server lets go of it with the connection.
    name = {"name": f"crossdock {database.url.database}"[:64]}
    if connection.execute(sa.text("SELECT GET_LOCK(:name, 20)"), name).scalar() != 1:
        raise StoreBusy("Another process is migrating the store.")
    try:
        yield
    finally:
        with suppress(sa.exc.SQLAlchemyError):  # the connection is gone, and the lock with it
            connection.execute(sa.text("SELECT RELEASE_LOCK(:name)"), name)


@compiles(sa.schema.CreateTable, "mariadb")
def _create_table(element: sa.schema.CreateTable, compiler: Any, **named: Any) -> str:
    element.if_not_exists = True
    return str(compiler.visit_create_table(element, **named))


@compiles(sa.schema.CreateIndex, "mariadb")
def _create_index(element: sa.schema.CreateIndex, compiler: Any, **named: Any) -> str:
    element.if_not_exists = True
    return str(compiler.visit_create_index(element, **named))


@compiles(sa.schema.DropTable, "mariadb")
def _drop_table(element: sa.schema.DropTable, compiler: Any, **named: Any) -> str:
    element.if_exists = True
    return str(compiler.visit_drop_table(element, **named))


def downgrade(database: Database, to: str) -> None:
    """The way back, for tests and for a deploy that is taken back."""
    from alembic import command  # noqa: PLC0415

    database.write(lambda connection: command.downgrade(_config(connection), to))


def current(database: Database) -> str | None:
    """The schema that the store has; None where it has none."""

    def work(connection: sa.Connection) -> str | None:
        if not sa.inspect(connection).has_table(_version.name):
            return None
        return connection.execute(sa.select(_version.c.version_num)).scalar()

    return database.read(work)


@lru_cache(maxsize=1)
def head() -> str:
    """The schema that this hub knows: the last of the migrations, which are numbered and have no branches."""
    return max(path.name for path in (FOLDER / "versions").glob("[0-9]*_*.py")).partition("_")[0]


def _config(connection: sa.Connection) -> Config:
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["connection"] = connection
    return config
