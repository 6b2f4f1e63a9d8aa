"""Every command that opens the store, over every way in which a store can be broken: one line on standard error, exit
code 3, nothing of any row.
"""

import os
import resource
import sqlite3
import stat
import subprocess
import sys
from datetime import date
from urllib.parse import urlsplit

import click
import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from hub import logs
from hub.cli import commands
from hub.core.errors import StoreBusy
from hub.flow.accounts import people
from hub.store import Archive, open_store
from hub.store.engine.backup import backup
from tests.conftest import MARIADB, POSTGRES, missing
from tests.support.hubs import MASTER, HubProcess, small_workspace

# What never opens a store, and why: files alone, or what is printed is made of nothing else.
WITHOUT = {
    "init", "check", "test", "schema", "openapi", "asyncapi", "docs", "key master", "contracts diff", "contracts lock", "new mapping", "new route", "new system",
    "sandbox", "audit", "map try",
}  # fmt: skip
GIVEN = {
    "before": "2020-01-01", "version": "shop/order.placed@1", "message": "shop/order.placed", "mapping": "shop/order.placed@1--warehouse/order.create@1",
    "source": "shop/order.placed@1", "new": "viewer", "systems": "shop", "why": "a test", "type_": "shop/order.placed@1", "id_or_type": "01a22d2b-7e5b-7012-a538-217f9f7ed9dd",
}  # fmt: skip
EXTRA = {
    "refused retry": ["x"],
    "repair new": ["--route", "orders"],
    "dead replay": ["x"],
    "find": ["SO-1"],
    "rollback": ["abc"],
    "contracts try": ["--type", "shop/order.placed@1"],
}
HASH = "scrypt$16384$8$1$c2VjcmV0LXNhbHQ"  # how a password's hash begins; and a word of one
PASSWORD = "hunter2-9fKd2hPq"


def leaves(command=commands.main, path=()):
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            yield from leaves(command.get_command(click.Context(command), name), (*path, name))
    else:
        yield " ".join(path), command


TREE = dict(leaves())
OPENING = sorted(set(TREE) - WITHOUT)


def words_of(name, folder):
    """The command with something for each argument that it wants."""
    given = name.split()
    for param in TREE[name].params:
        if not param.required:
            continue
        text = GIVEN.get(param.name, "x")
        if isinstance(param.type, click.Path | click.File):
            file = folder / f"{param.name}.json"
            if getattr(param.type, "exists", False) or param.name in ("file", "files"):
                file.write_text("{}")
            text = str(file if name != "store backup" else folder / "copy.sqlite3")
        given += [text] if isinstance(param, click.Argument) else [param.opts[0], text]
    return given + EXTRA.get(name, [])


def _of_file(make):
    def address(folder):
        path = folder / "hub.sqlite3"
        make(path)
        return f"sqlite:///{path}"

    return address


def _store_of(path, statement=""):
    opened = open_store(f"sqlite:///{path}")
    opened.migrate()
    people.add(opened, "ann", PASSWORD, people.OPERATOR, by="test")
    opened.close()
    if statement:
        with sqlite3.connect(path) as connection:
            connection.execute(statement)


def _truncated(path):
    _store_of(path)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    os.truncate(path, 9_000)


def _behind_a_file(folder):
    (folder / "file").write_text("")
    return f"sqlite:///{folder}/file/hub.sqlite3"


def _refused(address, **parts):
    return lambda _: sa.make_url(address).set(**parts).render_as_string(hide_password=False)


FAULTS = {
    "no database": _of_file(lambda path: path.write_bytes(b"what somebody else keeps here\n" * 400)),
    "truncated": _of_file(_truncated),
    "a folder": _of_file(lambda path: path.mkdir()),
    "below a file": _behind_a_file,
    "newer": _of_file(lambda path: _store_of(path, "UPDATE alembic_version SET version_num = '9999'")),
    "of another state of the code": _of_file(lambda path: _store_of(path, "ALTER TABLE caller_key DROP COLUMN pins")),
    "somebody else's": _of_file(lambda path: sqlite3.connect(path).executescript("CREATE TABLE message (id)").close()),
    "PostgreSQL that is not there": _refused(POSTGRES, port=1, username="hub", password=PASSWORD),
    "PostgreSQL without such a database": _refused(POSTGRES, database="crossdock_nowhere", password=PASSWORD),
    "MariaDB that is not there": _refused(MARIADB, port=1, username="hub", password=PASSWORD, database="hub"),
    "MariaDB and a wrong password": _refused(MARIADB, password=PASSWORD, database="crossdock_nowhere"),
}
# each tries for some tenths of a second: a share of the commands
ELSEWHERE = {fault for fault in FAULTS if "SQL" in fault or "MariaDB" in fault}
NEEDS = {"PostgreSQL without such a database": POSTGRES, "MariaDB and a wrong password": MARIADB}


def called(monkeypatch, words, **environment):
    """A command in this process: its exit code, and what it wrote."""
    for name in [name for name in os.environ if name.startswith("HUB_")]:
        if not name.startswith("HUB_TEST"):
            monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, str(value))
    # a thread and a hook for the process, of which this is not one
    monkeypatch.setattr(logs, "set_up", lambda *_: None)
    done = CliRunner().invoke(commands.main, words, catch_exceptions=True)
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.parametrize("fault", FAULTS)
def test_every_command_answers_with_one_line(tmp_path, monkeypatch, fault):
    if fault in NEEDS and not _answers(NEEDS[fault]):
        missing(fault.partition(" ")[0], "it does not answer")
    workspace = small_workspace(tmp_path / "workspace", "http://127.0.0.1:9009")
    address = FAULTS[fault](tmp_path)
    wrong = {}
    for name in OPENING if fault not in ELSEWHERE else OPENING[::6]:
        code, out, err = called(
            monkeypatch,
            words_of(name, tmp_path),
            HUB_STORE=address,
            HUB_WORKSPACE=workspace,
            HUB_MASTER_KEY=MASTER,
            HUB_PORT=0,
            HUB_ALLOW_CIDRS="127.0.0.0/8",
        )
        lines = err.splitlines()
        if (
            code != 3
            or len(lines) != 1
            or out
            or PASSWORD in err
            or HASH[:6] in err
            or "SELECT" in err
            or not lines[0].startswith("The store ")
        ):
            wrong[name] = (code, out[-200:], err[-600:])
        elif urlsplit(address).scheme.startswith("sqlite") and str(tmp_path) not in err:
            wrong[name] = ("does not say where", err)
    assert not wrong, "\n".join(f"{name}: {told}" for name, told in wrong.items())


def test_commands_that_open_no_store_are_known():
    assert set(TREE) >= WITHOUT - {"audit"}


def _answers(address):
    try:
        engine = sa.create_engine(address, connect_args={"connect_timeout": 3}, poolclass=sa.NullPool)
        with engine.connect():
            return True
    except sa.exc.OperationalError:
        return False


@pytest.mark.parametrize("role", ["up", "web", "worker", "scheduler"])
def test_a_process_answers_with_one_line_too(tmp_path, role):
    workspace = small_workspace(tmp_path / "workspace", "http://127.0.0.1:9009")
    (tmp_path / "hub.sqlite3").write_bytes(b"none" * 1_000)
    code, _, err = HubProcess(workspace, f"sqlite:///{tmp_path}/hub.sqlite3").run(role)
    assert (code, len(err.splitlines())) == (3, 1), err
    assert "not a database" in err


def test_a_full_disk_is_one_line(tmp_path):
    # Given a disk that has room for no more than the store has now, as the kernel's limit of a file's size says it
    _store_of(tmp_path / "hub.sqlite3")
    size = (tmp_path / "hub.sqlite3").stat().st_size
    workspace = small_workspace(tmp_path / "workspace", "http://127.0.0.1:9009")
    environment = {
        **os.environ,
        "HUB_STORE": f"sqlite:///{tmp_path}/hub.sqlite3",
        "HUB_WORKSPACE": str(workspace),
        "HUB_MASTER_KEY": MASTER,
    }
    done = subprocess.run(
        [sys.executable, "-m", "hub", "apply"],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (min(size, 8_192), resource.RLIM_INFINITY)),
    )
    assert done.returncode == 3, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_no_error_of_a_statement_shows_its_parameters(store):
    # As a fault of the hub's own would be: a statement that the database refuses, with a secret among its parameters
    def work(connection):
        connection.exec_driver_sql(
            "INSERT INTO nowhere VALUES (?)" if store_kind(store) == "sqlite" else "INSERT INTO nowhere VALUES (%s)",
            (PASSWORD,),
        )

    with pytest.raises((sa.exc.DBAPIError, StoreBusy)) as raised:
        store._database.write(work)
    assert PASSWORD not in str(raised.value)

    def twice(connection):
        for _ in range(2):
            connection.execute(sa.text("INSERT INTO active_revision VALUES (1, :word, 1)"), {"word": PASSWORD})

    with pytest.raises((sa.exc.DBAPIError, StoreBusy)) as raised:
        store._database.write(twice)
    assert PASSWORD not in str(raised.value)


def store_kind(store):
    return store._database.kind


def test_the_log_shows_no_row():
    text = "duplicate key\nDETAIL:  Key (name)=(hunter2) already exists.\n[SQL: INSERT INTO \"user\" VALUES (1)]\n[parameters: ('scrypt$x')]"
    assert logs.without_rows(text) == "duplicate key"
    assert logs.without_rows("a text with a DETAIL of its own") == "a text with a DETAIL of its own"
    wrapped = RuntimeError("y")
    wrapped.__cause__ = sqlite3.OperationalError("x")
    assert logs.is_of_a_database(wrapped)
    assert not logs.is_of_a_database(RuntimeError("y"))


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_what_holds_messages_is_its_owners_alone(tmp_path, umask):
    before = os.umask(umask)
    try:
        folder = tmp_path / "var"
        store = open_store(f"sqlite:///{folder}/hub.sqlite3", writer=True)
        store.migrate()
        people.add(store, "ann", PASSWORD, people.OPERATOR, by="test")
        backup(store._database, tmp_path / "copies.sqlite3")
        writing = Archive(tmp_path / "archive").begin(date(2026, 6, 1))
        writing.finish()
        modes = {
            path.name: stat.S_IMODE(path.stat().st_mode)
            for place in (folder, tmp_path / "archive")
            for path in place.iterdir()
        }
        modes["copy"] = stat.S_IMODE((tmp_path / "copies.sqlite3").stat().st_mode)
        folders = {stat.S_IMODE(path.stat().st_mode) for path in (folder, tmp_path / "archive")}
        store.close()
    finally:
        os.umask(before)
    assert {"hub.sqlite3", "hub.sqlite3-wal", "hub.sqlite3-shm", "hub.sqlite3.lock"} <= set(modes)
    assert set(modes.values()) == {0o600}, modes
    assert folders == {0o700}


def test_the_key_beside_the_store_is_its_owners_alone(tmp_path):
    workspace = small_workspace(tmp_path / "workspace", "http://127.0.0.1:9009")
    environment = {**os.environ, "HUB_STORE": f"sqlite:///{tmp_path}/var/hub.sqlite3", "HUB_WORKSPACE": str(workspace)}
    subprocess.run(
        [sys.executable, "-m", "hub", "key", "create", "a", "--system", "shop"],
        check=True,
        env=environment,
        capture_output=True,
        umask=0o000,
    )
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "var").iterdir()} == {0o600}
    assert stat.S_IMODE((tmp_path / "var").stat().st_mode) == 0o700
