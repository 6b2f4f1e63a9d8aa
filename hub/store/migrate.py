"""Migrations: from whatever schema a store has to the one that this hub knows.

On SQLite and PostgreSQL one transaction: all or nothing. MariaDB commits each change of a table by itself; the schema's
number is written last, so a migration that died is run again from its beginning, and what it had done already stays as
it is.

Third party that lives here: alembic, loaded only where something is missing: each command of the command line passes by
here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from hub.core.errors import StoreBusy, StoreUnusable
from hub.store.engine import schema_check, store_faults
from hub.store.engine.database import Database, is_transient

if TYPE_CHECKING:
    from alembic.config import Config

FOLDER = Path(__file__).parent / "migrations"
_version = sa.table("alembic_version", sa.column("version_num"))
_LOCK = 0x6372_6F73  # any number of our own: two processes that migrate at once go one after the other


def upgrade(database: Database, to: str = "head") -> None:
    """Runs what is missing, and looks whether the tables are those of their number. If we die in the midst, nothing of
    it happened, or on MariaDB the next one goes on.

    Raises StoreUnusable for a store that a newer hub made, and for one whose tables do not fit: nothing of it was
    changed then, but on MariaDB.
    """
    number = current(database)
    if to == "head" and number == head():
        database.read(lambda connection: schema_check.check(connection, database.url, number))
        return
    if number is not None and number not in numbers():
        raise StoreUnusable(
            f"The store has the schema {number}, which is newer than this hub's {head()} ({store_faults.where(database.url)}). "
            "Start the newer hub, or put a backup from before it in its place (docs/keeping.md)."
        )
    from alembic import command  # noqa: PLC0415

    def work(connection: sa.Connection) -> None:
        with _alone(database, connection):
            try:
                command.upgrade(_config(connection), to)
            except sa.exc.DBAPIError as error:
                if is_transient(error):
                    raise
                # A change that meets other tables than the ones before it made.
                raise schema_check.unfit(
                    f"the migration from {number or 'nothing'} to {to} fails: {store_faults.brief(error)}", database.url
                ) from error
            if to == "head":
                schema_check.check(connection, database.url, head())

    database.write(work)


@contextmanager
def _alone(database: Database, connection: sa.Connection) -> Iterator[None]:
    if database.kind == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    if database.kind != "mariadb":
        yield
        return
    # Of the connection, not of the transaction, which ends with each step. If we die, the server lets go of it with the
    # connection.
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
def numbers() -> tuple[str, ...]:
    """The migrations in their order: they are numbered, and have no branches."""
    return tuple(sorted(path.name.partition("_")[0] for path in (FOLDER / "versions").glob("[0-9]*_*.py")))


def head() -> str:
    """The schema that this hub knows: the last of the migrations."""
    return numbers()[-1]


def _config(connection: sa.Connection) -> Config:
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["connection"] = connection
    return config
