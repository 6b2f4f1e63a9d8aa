"""The schema: what the migrations make is what the tables say, on all databases, and there is a way back."""

import re

import pytest
import setuptools
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from hub.core.delivery import Status
from hub.store import columns, migrate, tables
from hub.store.database import Database

# What MariaDB has otherwise, or not at all: it has no partial indexes.
MARIADB_OWN = {*re.findall(r"IF NOT EXISTS (\w+)", tables.MARIADB_DELIVERY.statement), "ix_delivery_cluster", "ix_message_trace", "ix_message_apart"}


@pytest.fixture
def database(store_url):
    opened = Database(store_url, writer=True)
    yield opened
    opened.close()


def shape(database):
    """All that the database itself knows of the schema: tables, columns, indexes with their conditions, constraints."""

    def work(connection):
        if database.is_postgresql:
            queries = (
                "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'",
                "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace",
                "SELECT table_name, column_name, data_type, is_nullable, collation_name FROM information_schema.columns WHERE table_schema = 'public'",
                "SELECT relname, reloptions::text FROM pg_class WHERE relnamespace = 'public'::regnamespace",
            )
        elif database.kind == "mariadb":
            where = "WHERE table_schema = DATABASE()"
            queries = (
                f"SELECT table_name, engine FROM information_schema.tables {where}",
                f"SELECT table_name, column_name, column_type, is_nullable, collation_name, generation_expression FROM information_schema.columns {where}",
                (
                    f"SELECT table_name, index_name, non_unique, GROUP_CONCAT(column_name ORDER BY seq_in_index) FROM information_schema.statistics {where} "
                    "GROUP BY table_name, index_name, non_unique"
                ),
                "SELECT table_name, constraint_name, check_clause FROM information_schema.check_constraints WHERE constraint_schema = DATABASE()",
                (
                    "SELECT table_name, constraint_name, referenced_table_name FROM information_schema.referential_constraints "
                    "WHERE constraint_schema = DATABASE()"
                ),
            )
        else:
            queries = ("SELECT tbl_name, name, sql FROM sqlite_master",)
        rows = [row for query in queries for row in connection.exec_driver_sql(query)]
        # SQLite keeps the words of a table as they came: a column that was added later stands behind its constraints, before the bracket.
        plain = ([re.sub(r" ?\)( WITHOUT ROWID)?$", r", \1", re.sub(r"[\s\"]+", " ", str(word))) for word in row] for row in rows)
        return sorted(words for words in plain if "alembic" not in " ".join(words))

    return database.read(work)


def test_the_migrations_make_what_the_tables_say(database):
    # Given a store that was migrated
    migrate.upgrade(database)

    # Then nothing differs from the tables, as far as the migration tool can see: of what MariaDB has otherwise the next test decides
    def is_seen(_thing, name, *_):
        return database.kind != "mariadb" or name not in MARIADB_OWN

    def differences(connection):
        opts = {"compare_type": True, "include_object": is_seen, "include_name": lambda name, kind, _: kind != "table" or name not in parts}
        return compare_metadata(MigrationContext.configure(connection, opts=opts), columns.metadata)

    parts = {f"{table}_default" for table in tables.BY_DAY} if database.is_postgresql else set()

    assert database.read(differences) == []


def test_down_to_the_last_condition_of_an_index(database):
    # Given the schema as the tables make it, then as the migrations make it
    database.write(columns.metadata.create_all)
    made = shape(database)
    database.write(columns.metadata.drop_all)
    migrate.upgrade(database)
    # Then the database itself tells both alike: the conditions of partial indexes and CHECKs too
    assert in_order(shape(database)) == in_order(made)


def in_order(rows):
    """Whatever order columns stand in, and however PostgreSQL numbers the indexes of a part, which it names by itself."""
    return sorted(sorted(re.split(r", ", re.sub(r"\b(\w+_default)_\w+_idx\d*", r"\1_idx", " ".join(row)))) for row in rows)


def test_up_down_and_up_again_is_the_same(database):
    migrate.upgrade(database)
    first = shape(database)
    migrate.downgrade(database, "base")
    assert [row for row in shape(database) if "delivery" in " ".join(row)] == []
    assert migrate.current(database) is None
    migrate.upgrade(database)
    assert shape(database) == first
    assert migrate.current(database) == migrate.head()


def test_migrating_twice_changes_nothing(store):
    store.migrate()
    assert store.is_current()


def test_the_database_knows_exactly_the_eight_states(store, store_url):
    engine = sa.create_engine(store_url)
    [check] = [one for one in sa.inspect(engine).get_check_constraints("delivery") if one["name"] == "ck_delivery_status"]
    engine.dispose()
    assert set(re.findall(r"'(\w+)'", check["sqltext"])) == {status.value for status in Status}


def test_the_migrations_are_in_the_wheel():
    assert "hub.store.migrations.versions" in setuptools.find_packages(include=["hub*"])
