"""Migrations: from whatever schema a store has to the one that this hub knows. One transaction on both databases: all or nothing."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from hub.store.database import Database

FOLDER = Path(__file__).parent / "migrations"
_LOCK = 0x6372_6F73  # any number of our own: two processes that migrate at once go one after the other


def upgrade(database: Database, to: str = "head") -> None:
    """Runs what is missing. If we die in the midst, nothing of it happened."""

    def work(connection: sa.Connection) -> None:
        if database.is_postgresql:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        command.upgrade(_config(connection), to)

    database.write(work)


def downgrade(database: Database, to: str) -> None:
    """The way back, for tests and for a deploy that is taken back."""
    database.write(lambda connection: command.downgrade(_config(connection), to))


def current(database: Database) -> str | None:
    """The schema that the store has; None where it has none."""
    return database.read(lambda connection: MigrationContext.configure(connection).get_current_revision())


@lru_cache(maxsize=1)
def head() -> str | None:
    """The schema that this hub knows."""
    return ScriptDirectory(str(FOLDER)).get_current_head()


def _config(connection: sa.Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["connection"] = connection
    return config
