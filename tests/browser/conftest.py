"""A hub as a real process, and people who are signed in to its console."""

import os

import pytest

from tests.conftest import missing
from tests.support.chromium import Visitor, binary, chromium
from tests.support.hubs import HubProcess, Sink, small_workspace

PASSWORD = "correct horse battery staple"
PEOPLE = {"olga": "operator", "vera": "viewer"}


@pytest.fixture(scope="session")
def browser():
    if binary() is None:
        missing("Chromium", "no chromium is installed")
    with chromium() as made:
        yield made


@pytest.fixture(scope="module")
def console(tmp_path_factory):
    """`hub up` with an operator, olga, and a viewer, vera."""
    folder = tmp_path_factory.mktemp("console")
    sink = Sink()
    made = HubProcess(small_workspace(folder / "workspace", sink.url), f"sqlite:///{folder}/hub.sqlite3").start()
    made.sink = sink
    for name, role in PEOPLE.items():
        add_user(made, name, role)
    yield made
    made.stop()
    sink.shutdown()
    sink.server_close()


def add_user(hub, name, role, password=PASSWORD):
    code, _, error = hub.run("user", "add", name, "--role", role, text=password + "\n")
    assert code == 0, error


# Each page is looked at in English; in both languages what no route took, and with `make browser` all.
LANGUAGES = ["en", "zh-CN"]
IN_BOTH = ("test_unrouted",)


def pytest_generate_tests(metafunc):
    if "language" in metafunc.fixturenames:
        is_in_both = os.environ.get("HUB_BROWSER_LANGUAGES") == "all" or metafunc.module.__name__.endswith(IN_BOTH)
        metafunc.parametrize("language", LANGUAGES if is_in_both else LANGUAGES[:1], indirect=True)


@pytest.fixture
def language(request):
    return request.param


@pytest.fixture
def operator(browser, console, language):
    """Olga, signed in, in each language."""
    made = Visitor(browser, console.url, language).sign_in("olga", PASSWORD)
    yield made
    made.close()


@pytest.fixture
def viewer(browser, console):
    """Vera, signed in."""
    made = Visitor(browser, console.url, "en", role="viewer").sign_in("vera", PASSWORD)
    yield made
    made.close()
