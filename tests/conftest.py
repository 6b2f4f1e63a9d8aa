"""What all tests share: real stores on all databases, each test with its own."""

import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import sqlalchemy as sa

from hub.store import Store, open_store
from tests.support import brokers
from tests.support.hubs import Sink

# A run that decides about a landing tries the same generated cases each time; at the desk new ones are tried in every
# run.
hypothesis.settings.register_profile("landing", derandomize=True, deadline=None)
if os.environ.get("CI") == "true":
    hypothesis.settings.load_profile("landing")

POSTGRES = os.environ.get("HUB_TEST_POSTGRES", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres")
# A user of the tests' own: CREATE USER crossdock_test@'127.0.0.1' IDENTIFIED BY 'crossdock_test'; GRANT ALL ON
# `crossdock\\_%`.* TO crossdock_test@'127.0.0.1'
MARIADB = os.environ.get("HUB_TEST_MARIADB", "mariadb+pymysql://crossdock_test:crossdock_test@127.0.0.1:3306/")


# What is only about the flow runs on SQLite and PostgreSQL; the store's own tests and one line of the conformance suite
# on MariaDB as well.
EVERYWHERE = os.environ.get("HUB_TEST_STORES") == "all"
ON_MARIADB = ("tests/store/", "tests/test_golden.py", "tests/conformance/", "tests/cli/test_store.py")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """`make stores` leaves nothing out."""
    if EVERYWHERE:
        return
    left = [item for item in items if _is_elsewhere(item)]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if item not in set(left)]


def _is_elsewhere(item: pytest.Item) -> bool:
    given = getattr(getattr(item, "callspec", None), "params", {})
    path = item.path.as_posix()
    if "tests/conformance/" in path:
        # One line through the pairings, in which each store and each bell stands once; all nine: make conformance.
        return (given.get("store_url"), given.get("broker")) not in {
            ("sqlite", "embedded"),
            ("postgresql", "rabbitmq"),
            ("mariadb", "redis"),
        }
    return given.get("store_url") == "mariadb" and not any(part in path for part in ON_MARIADB)


def missing(service: str, reason: str) -> None:
    """A service that is missing is a skip at the desk that says so, and a failure where the run promised to have it."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{service} is missing: {reason}")
    pytest.skip(f"{service} is missing: {reason}")


SERVERS = {"postgresql": (POSTGRES, "PostgreSQL"), "mariadb": (MARIADB, "MariaDB")}


def _database_name() -> str:
    return f"crossdock_{secrets.token_hex(6)}"


def _run(kind: str, *statements: str) -> None:
    """Statements on the server of `kind`, outside a transaction."""
    address, label = SERVERS[kind]
    server = sa.create_engine(address, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 3})
    try:
        with server.connect() as connection:
            for statement in statements:
                connection.execute(sa.text(statement))
    except sa.exc.OperationalError as error:
        missing(label, str(error.orig).strip())
    finally:
        server.dispose()


def _drop(kind: str, name: str) -> None:
    _run(kind, f"DROP DATABASE {name}{' WITH (FORCE)' if kind == 'postgresql' else ''}")


def _url(kind: str, name: str) -> str:
    return sa.make_url(SERVERS[kind][0]).set(database=name).render_as_string(hide_password=False)


def _migrate(url: str) -> None:
    opened = open_store(url, writer=True)
    opened.migrate()
    opened.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory) -> Path:
    """A file with this hub's schema, made once; a test copies it."""
    file = tmp_path_factory.mktemp("template") / "hub.sqlite3"
    _migrate(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def postgresql_template() -> Iterator[str]:
    """The name of a database with this hub's schema, made once; the server copies it. MariaDB has no such thing."""
    name = _database_name()
    _run("postgresql", f"CREATE DATABASE {name}")
    _migrate(_url("postgresql", name))
    yield name
    _drop("postgresql", name)


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def store_url(request, tmp_path) -> Iterator[str]:
    """The address of a database of the test's own: empty, or with this hub's schema where the test asks for `store`."""
    kind, is_migrated = request.param, "store" in request.fixturenames
    if kind == "sqlite":
        file = tmp_path / "hub.sqlite3"
        if is_migrated:
            shutil.copy(request.getfixturevalue("sqlite_template"), file)
        yield f"sqlite:///{file}"
        return
    is_copied = is_migrated and kind == "postgresql"
    name = _database_name()
    template = f" TEMPLATE {request.getfixturevalue('postgresql_template')}" if is_copied else ""
    _run(kind, f"CREATE DATABASE {name}{template}")
    yield _url(kind, name)
    _drop(kind, name)


@pytest.fixture
def store(store_url) -> Iterator[Store]:
    """An open store with this hub's schema."""
    opened = open_store(store_url, writer=True)
    if store_url.startswith("mariadb"):
        opened.migrate()
    yield opened
    opened.close()


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A target that de-duplicates and remembers."""
    made = Sink()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture(scope="module")
def rabbit() -> Iterator[brokers.RabbitMQ]:
    """A RabbitMQ of the module's own, which it may hurt."""
    if brokers.SERVER is None:
        missing("RabbitMQ", "no rabbitmq-server in /usr/lib/rabbitmq")
    made = brokers.RabbitMQ().start()
    yield made
    made.stop()
