"""The schema: what the migrations make is what the tables say, on all databases, and there is a way back."""

import re
import time

import pytest
import setuptools
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from hub.core.errors import StoreUnusable
from hub.core.model.delivery import Status
from hub.store import columns, migrate, open_store, tables
from hub.store.engine import schema_check
from hub.store.engine.database import Database
from tests.support import migration_lock

# What MariaDB has otherwise, or not at all: it has no partial indexes.
MARIADB_OWN = {
    *re.findall(r"IF NOT EXISTS (\w+)", tables.MARIADB_DELIVERY.statement),
    "ix_delivery_cluster",
    "ix_message_trace",
    "ix_message_apart",
}


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
        # SQLite keeps the words of a table as they came: a column that was added later stands behind its constraints,
        # before the bracket.
        plain = (
            [re.sub(r" ?\)( WITHOUT ROWID)?$", r", \1", re.sub(r"[\s\"]+", " ", str(word))) for word in row]
            for row in rows
        )
        return sorted(words for words in plain if "alembic" not in " ".join(words))

    return database.read(work)


def test_the_migrations_make_what_the_tables_say(database):
    # Given a store that was migrated
    migrate.upgrade(database)

    # Then nothing differs from the tables, as far as the migration tool can see: of what MariaDB has otherwise the next
    # test decides
    def is_seen(_thing, name, *_):
        return database.kind != "mariadb" or name not in MARIADB_OWN

    def differences(connection):
        opts = {
            "compare_type": True,
            "include_object": is_seen,
            "include_name": lambda name, kind, _: kind != "table" or name not in parts,
        }
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
    """Whatever order columns stand in, and however PostgreSQL numbers the indexes of a part, which it names by
    itself.
    """
    return sorted(
        sorted(re.split(r", ", re.sub(r"\b(\w+_default)_\w+_idx\d*", r"\1_idx", " ".join(row)))) for row in rows
    )


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
    [check] = [
        one for one in sa.inspect(engine).get_check_constraints("delivery") if one["name"] == "ck_delivery_status"
    ]
    engine.dispose()
    assert set(re.findall(r"'(\w+)'", check["sqltext"])) == {status.value for status in Status}


def test_the_migrations_are_in_the_wheel():
    assert "hub.store.migrations.versions" in setuptools.find_packages(include=["hub*"])


def test_migrations_are_append_only():
    # What stands in the lock made somebody's store: whoever edits it leaves that store with a number that it does not
    # fit
    assert migration_lock.faults(migration_lock.digests(), migration_lock.locked()) == []


def test_the_lock_finds_what_was_edited_and_tells_how_to_add(tmp_path):
    known = {"0001_first.py": "a", "0002_second.py": "b"}
    assert migration_lock.faults(known, known) == []
    assert "was edited" in migration_lock.faults({**known, "0001_first.py": "x"}, known)[0]
    assert "is gone" in migration_lock.faults({"0001_first.py": "a"}, known)[0]
    [line] = migration_lock.faults({**known, "0003_third.py": "c"}, known)
    assert "append to versions.lock: c  0003_third.py" in line
    assert "Renumber" in migration_lock.faults({**known, "0002_other.py": "c"}, known)[-1]


SPOILED = {
    "a column that 0001 got later": ("ALTER TABLE delivery DROP COLUMN caller", "delivery has no column caller"),
    "a column of a small table": ("ALTER TABLE caller_key DROP COLUMN pins", "caller_key has no column pins"),
    "a table that 0001 got later": ("DROP TABLE pruned", "no table pruned"),
    "a column that nothing fills": (
        "ALTER TABLE leader ADD COLUMN house VARCHAR(9) NOT NULL",
        "leader has a column house",
    ),
    "a column with another name": ("ALTER TABLE leader RENAME COLUMN token TO fence", "leader has no column token"),
}


@pytest.mark.parametrize("case", SPOILED)
def test_a_store_that_does_not_fit_its_number_is_refused(database, store_url, case):
    # Given a store that says the newest number, with tables of an earlier text of a migration
    migrate.upgrade(database)
    statement, words = SPOILED[case]
    if "caller" in statement and "delivery" in statement:
        database.write(lambda connection: connection.exec_driver_sql(_dropping_indexes(database)))
    database.write(lambda connection: connection.exec_driver_sql(statement))
    # Then it is refused by one line that names what differs and says what to do
    with pytest.raises(StoreUnusable, match=words) as refused:
        migrate.upgrade(database)
    assert "HUB_STORE" in str(refused.value)
    assert "\n" not in str(refused.value)
    opened = open_store(store_url)
    with pytest.raises(StoreUnusable):
        opened.migrate()
    opened.close()


def _dropping_indexes(database):
    return "DROP INDEX ix_delivery_caller" + (" ON delivery" if database.kind == "mariadb" else "")


def test_a_check_that_lacks_a_word_is_found():
    # As a store says of itself whose 0001 knew fewer outcomes
    whole = schema_check.Shape({}, {})
    assert schema_check.first_difference(whole) == "there is no table act"
    columns_ = {
        table.name: {column.name: True for column in table.columns} for table in columns.metadata.tables.values()
    }
    checks = {
        f"ck_{table.name}_{check.name}" if not check.name.startswith("ck_") else check.name: schema_check.words(
            str(check.sqltext)
        )
        for table in columns.metadata.tables.values()
        for check in table.constraints
        if isinstance(check, sa.CheckConstraint)
    }
    assert schema_check.first_difference(schema_check.Shape(columns_, checks)) is None
    checks["ck_attempt_outcome"] -= {"superseded"}
    assert "does not know 'superseded'" in schema_check.first_difference(schema_check.Shape(columns_, checks))
    assert "no unique index" in schema_check.first_difference(
        schema_check.Shape(
            columns_, checks | {"ck_attempt_outcome": checks["ck_attempt_outcome"] | {"superseded"}}, frozenset()
        )
    )


def test_a_newer_store_is_refused(database):
    migrate.upgrade(database)
    database.write(lambda connection: connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreUnusable, match="9999, which is newer than this hub's"):
        migrate.upgrade(database)


def test_an_older_store_whose_tables_do_not_fit_is_left_as_it_is(database):
    # Given a store of the first number that lacks a column of it
    migrate.upgrade(database, "0001")
    database.write(lambda connection: connection.exec_driver_sql("ALTER TABLE caller_key DROP COLUMN pins"))
    with pytest.raises(StoreUnusable, match="caller_key has no column pins"):
        migrate.upgrade(database)
    # Then nothing was changed, but on MariaDB, which commits each step
    if database.kind != "mariadb":
        assert migrate.current(database) == "0001"


def test_a_database_of_somebody_else_is_refused(database):
    database.write(lambda connection: connection.exec_driver_sql("CREATE TABLE message (id INTEGER)"))
    with pytest.raises(StoreUnusable, match="does not fit"):
        migrate.upgrade(database)


def test_the_look_at_the_tables_costs_little(database):
    migrate.upgrade(database)
    began = time.perf_counter()
    for _ in range(5):
        migrate.upgrade(database)
    assert (time.perf_counter() - began) / 5 < 0.25  # 1 ms on SQLite, 5 on PostgreSQL; the bound is for a busy machine
