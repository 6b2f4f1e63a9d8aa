"""What MariaDB alone could get wrong: keys that it would take for one, lengths, what its errors mean, a migration that
dies, an unfit server.
"""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from hub.core.errors import Cause, Code, Reason, Refused, StoreBusy
from hub.core.model.delivery import Dead, Delivered, WhenDead
from hub.store import KeyRow, columns, migrate, open_store
from hub.store.engine.database import Database, is_transient
from hub.store.engine.dialects import KINDS, upsert
from hub.store.engine.engine import parse, unfit_version
from tests.support.making import claim, laid, seen, settled

# As good as the same to a database that compares by the rules of a language, or pads with blanks: on each store each is
# its own.
ALIKE = [
    "SO-1",
    "so-1",
    "SO-1 ",
    "SÖ-1",
    "SO\u0308-1",
    "\uff33O-1",
    "SO-1\u200b",
    "订单-1",
    "😀",
    "😁",
    "''\"\\%s:x",
    "1",
    "01",
]
on_mariadb = pytest.mark.parametrize("store_url", ["mariadb"], indirect=True)


def test_keys_that_look_alike_are_different_keys(store):
    # Given orders whose keys differ by case, a blank, an accent, a width, or a character beyond the first 65 536
    added = [laid(order_key=key, keys=(("orderNo", key),), dedupe_keys=[seen(key)]) for key in ALIKE]
    answers = store.add(added)
    # Then none is a repeat of another, each has its own sequence, all may go at once, and each is found by its own key
    # alone
    assert [answer.duplicate for answer in answers] == [False] * len(ALIKE)
    claims = claim(store)
    assert sorted(one.order_key for one in claims) == sorted(ALIKE)
    assert {one.seq for one in claims} == {1}
    for one, key in zip(added, ALIKE, strict=True):
        assert [row.id for row in store.search(key=key)] == [one.message.id]
    assert [store.add([laid(dedupe_keys=[seen(key)])])[0].message_id for key in ALIKE] == [
        one.message.id for one in added
    ]


def test_the_second_of_a_key_has_the_next_number_whatever_the_key_looks_like(store):
    store.add([laid(order_key=key) for key in ALIKE])
    store.settle([settled(one) for one in claim(store)])
    store.add([laid(order_key=key) for key in ALIKE])
    assert {one.seq for one in claim(store)} == {2}


def test_bodies_longer_than_a_short_column_come_back_whole(store):
    raw = bytes(range(256)) * 4096
    one = laid(raw=raw)
    store.add([one])
    assert store.body(one.message.id) == raw
    [held] = claim(store)
    assert held.message.raw == raw


def test_keys_of_the_longest_kind_can_be_stored(store):
    key = "😀" * 255
    one = laid(order_key=key, keys=(("orderNo", key),), dedupe_keys=[seen("k" * 255)])
    assert isinstance(store.add([one])[0], type(store.add([laid()])[0]))
    assert claim(store)[0].order_key == key
    assert [row.id for row in store.search(key=key)] == [one.message.id]


def test_a_reason_in_any_script_is_kept(store):
    store.add([laid()])
    [held] = claim(store)
    store.settle([settled(held, Dead(Cause(Reason.REFUSED, "库存不足 😀 'so' \"said\" \\ %s")))])
    assert store.delivery(held.id).why.text == "库存不足 😀 'so' \"said\" \\ %s"


def test_a_caller_key_of_no_known_form_is_refused_as_such(store):
    with pytest.raises(ValueError, match="form"):
        store.add_key(KeyRow("k_1", "test", ("shop",), "smoke-signals", "h", "s", store.now()))


@on_mariadb
def test_a_key_that_is_too_long_is_refused_and_not_cut(store):
    long, good = laid(order_key="x" * 256), laid()
    refused, taken = store.add([long, good])
    assert isinstance(refused, Refused)
    assert not taken.duplicate
    assert store.conservation().messages == 1


@on_mariadb
def test_a_body_that_the_server_does_not_take_falls_alone(store):
    # Given a body larger than the server takes in one statement
    limit = store._database.read(lambda connection: connection.execute(sa.text("SELECT @@max_allowed_packet")).scalar())
    big, good = laid(raw=b"x" * (limit + 1)), laid()
    # Then it is refused, and its neighbour is stored
    refused, taken = store.add([big, good])
    assert refused.code is Code.TOO_LARGE
    assert not taken.duplicate
    assert store.conservation().messages == 1


@on_mariadb
def test_an_expired_name_is_given_anew_and_a_living_one_is_not(store):
    first = laid(dedupe_keys=[replace(seen("m1"), keep_for=timedelta(seconds=-1)), seen("m2")])
    store.add([first])
    [fresh] = store.add([laid(dedupe_keys=[seen("m1")])])
    [known] = store.add([laid(dedupe_keys=[seen("m2")])])
    assert (fresh.duplicate, known.duplicate) == (False, True)
    assert known.message_id == first.message.id


@on_mariadb
def test_two_hubs_on_one_database_keep_the_order_of_each_key(store, store_url):  # noqa: C901  # one story
    # Given two hubs, four threads each, that add, claim and settle on the same seven keys
    hubs = [store, open_store(store_url)]
    order: dict[str, list[int]] = {}
    lock, problems, total = threading.Lock(), [], 7 * 24

    def adds(hub):
        try:
            for _ in range(6):
                hub.add([laid(order_key=f"K{key}") for key in range(7) for _ in range(2)])
        except Exception as error:
            problems.append(error)

    def works(hub):
        while sum(map(len, order.values())) < total and not problems:
            try:
                claims = claim(hub, size=5)
                with lock:
                    for one in claims:
                        order.setdefault(one.order_key, []).append(one.seq)
                hub.settle([settled(one) for one in claims])
            except StoreBusy:
                continue
            except Exception as error:
                problems.append(error)

    threads = [threading.Thread(target=adds, args=(hub,)) for hub in hubs] + [
        threading.Thread(target=works, args=(hub,)) for hub in hubs * 3
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    hubs[1].close()
    # Then each key was claimed in its order, each number once, and nothing is lost
    assert not problems
    assert order == {f"K{key}": list(range(1, 25)) for key in range(7)}
    assert store.conservation().unaccounted == 0


@on_mariadb
def test_a_lost_connection_costs_a_repeat_and_no_answer(store):
    # Given connections in the pool that the server has ended
    store.add([laid()])
    with store._database.writing.connect() as connection:
        own = connection.execute(sa.text("SELECT CONNECTION_ID()")).scalar()
        others = connection.execute(
            sa.text("SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> :own"), {"own": own}
        ).scalars()
        for other in others:
            connection.exec_driver_sql(f"KILL {other}")
    # When one is lost in the midst of a transaction as well, then the next turn does it
    turns = []

    def work(connection):
        turns.append(1)
        if len(turns) == 1:
            connection.exec_driver_sql(f"KILL {connection.execute(sa.text('SELECT CONNECTION_ID()')).scalar()}")
        return connection.execute(sa.text("SELECT count(*) FROM message")).scalar()

    assert store._database.write(work) == 1
    assert len(turns) == 2


@on_mariadb
def test_what_may_pass_is_told_from_what_may_not(store):
    database = store._database

    def problem(sql):
        with pytest.raises(sa.exc.DBAPIError) as caught, database.writing.connect() as connection:
            connection.exec_driver_sql(sql)
        return caught.value

    for number, passes in (
        (1213, True),
        (1205, True),
        (1290, True),
        (1040, True),
        (2013, True),
        (1406, False),
        (1064, False),
        (1146, False),
    ):
        error = problem(f"SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = {number}")
        assert is_transient(error) is passes, number
    assert not is_transient(problem("SELECT * FROM nothing"))
    assert is_transient(problem("SET STATEMENT max_statement_time = 0.01 FOR SELECT SLEEP(1) FROM seq_1_to_100"))


@on_mariadb
def test_each_connection_is_set_up_whatever_the_server_says(store):
    query = "SELECT @@tx_isolation, @@sql_mode, @@time_zone, @@innodb_lock_wait_timeout, @@max_statement_time, @@default_storage_engine"
    level, mode, zone, wait, longest, engine = store._database.read(
        lambda connection: connection.exec_driver_sql(query).one()
    )
    assert (level, zone, wait, longest, engine) == ("READ-COMMITTED", "+00:00", 5, 30, "InnoDB")
    assert {"STRICT_ALL_TABLES", "ANSI_QUOTES", "NO_ENGINE_SUBSTITUTION"} <= set(mode.split(","))


@on_mariadb
@pytest.mark.parametrize("step", [2, 9, 20, 26])
def test_a_migration_that_died_is_finished_by_the_next(store_url, step):
    # Given a process that died after some steps; MariaDB keeps each of them
    database = Database(store_url, writer=True)
    done = []

    def die(_connection, _cursor, statement, *_):
        if statement.lstrip().startswith(("CREATE", "ALTER")):
            done.append(statement)
            if len(done) == step:
                raise KeyboardInterrupt

    sa.event.listen(database.writing, "after_cursor_execute", die)
    with pytest.raises(KeyboardInterrupt):
        migrate.upgrade(database)
    sa.event.remove(database.writing, "after_cursor_execute", die)
    assert migrate.current(database) is None
    # When it is run again, then the store is whole
    migrate.upgrade(database)
    assert migrate.current(database) == migrate.head()
    database.close()
    opened = open_store(store_url)
    opened.add([laid(order_key="SO-1")])
    assert opened.settle([settled(one, Delivered()) for one in claim(opened)])
    opened.close()


@on_mariadb
def test_a_table_that_keeps_no_transactions_is_refused(store, store_url):
    store.close()
    engine = sa.create_engine(store_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE worker_sign ENGINE = MyISAM")
    engine.dispose()
    with pytest.raises(ValueError, match="worker_sign is of the engine MyISAM"):
        open_store(store_url).now()


@pytest.mark.parametrize(
    ("version", "problem"),
    [
        ("10.11.19-MariaDB-0+deb12u1", None),
        ("5.5.5-11.4.2-MariaDB", None),
        ("12.0.1-MariaDB-log", None),
        ("10.6.22-MariaDB", "too old"),
        ("5.5.5-10.5.9-MariaDB-1:10.5.9+maria~focal", "too old"),
        ("8.4.3", "no MariaDB"),
        ("8.0.36-0ubuntu0.22.04.1", "no MariaDB"),
    ],
)
def test_a_server_that_cannot_be_the_store_is_refused(version, problem):
    found = unfit_version(version)
    assert (found is None) if problem is None else (problem in found)


@pytest.mark.parametrize(
    "address",
    ["mysql://u:p@db/hub", "mariadb://u:p@db/hub", "mysql+mysqldb://u:p@db/hub", "mariadb+pymysql://u:p@db/hub"],
)
def test_both_names_lead_to_one_driver(address):
    assert parse(address).drivername == "mariadb+pymysql"


def test_an_address_without_a_database_is_refused():
    with pytest.raises(ValueError, match="has no database name"):
        parse("mariadb://u@db")


def test_a_conflict_with_a_condition_is_not_translated():
    assert upsert("INSERT … ON CONFLICT (a, b) DO NOTHING", "mariadb") == "INSERT … ON DUPLICATE KEY UPDATE a = a"
    assert (
        upsert("… ON CONFLICT (a) DO UPDATE SET n = t.n + excluded.n", "mariadb")
        == "… ON DUPLICATE KEY UPDATE n = t.n + VALUES(n)"
    )
    assert {upsert("… ON CONFLICT (a) DO NOTHING", kind) for kind in KINDS if kind != "mariadb"} == {
        "… ON CONFLICT (a) DO NOTHING"
    }
    with pytest.raises(ValueError, match="by hand"):
        upsert("… ON CONFLICT (a) DO UPDATE SET n = excluded.n WHERE t.n > 1", "mariadb")


@on_mariadb
def test_no_look_of_a_claim_walks_through_what_is_over(store):
    """The plan of each statement of the hot way is along an index that was meant for it, however many rows are
    delivered already.
    """
    walked = []

    def look(connection, _cursor, statement, parameters, _context, many):
        if not many and statement.lstrip().startswith(("SELECT", "UPDATE")) and "delivery" in statement:
            cursor = connection.connection.dbapi_connection.cursor()
            cursor.execute("EXPLAIN " + statement, parameters)
            walked.extend(
                (row[2], row[3], statement[:60])
                for row in cursor.fetchall()
                if row[3] in ("ALL", "index")
                and row[2] in ("d", "e", "b", "n", "m", "delivery", "newer", "place", "capacity")
            )
            cursor.close()

    for turn in range(3):
        store.add([laid(order_key=f"SO-{turn}-{number}", when_dead=WhenDead.LATEST) for number in range(60)])
        store.settle([settled(one) for one in claim(store)])
    store.add([laid(order_key=f"SO-{number}", when_dead=WhenDead.LATEST) for number in range(60)])
    sa.event.listen(store._database.writing, "before_cursor_execute", look)
    claims = claim(store, size=30)
    store.settle([settled(one, Dead(Cause(Reason.REFUSED, "no"))) for one in claims[:10]])
    store.return_leases(claims[10:20])
    store.expire()
    store.release()
    store.lapse()
    store.stale(claims)
    store.reopen([claims[0].id], by="op")
    store.due_lanes()
    store.take_doubtful("warehouse", size=5, again_s=5.0)
    sa.event.remove(store._database.writing, "before_cursor_execute", look)
    assert walked == []


def test_tables_that_hold_text_compare_it_by_bytes():
    """A column that somebody adds as plain text would compare by the rules of a language there."""
    dialect = sa.make_url("mariadb+pymysql://").get_dialect()()
    for table in columns.metadata.tables.values():
        for column in table.columns:
            if isinstance(column.type, sa.Text):
                assert "nopad_bin" in column.type.compile(dialect), f"{table.name}.{column.name}"
            assert "BLOB" not in (words := column.type.compile(dialect)) or words == "LONGBLOB", (
                f"{table.name}.{column.name}"
            )
