"""Claims on SQLite, which look before they take the lock that all writing waits for: what was found is asked again within it."""

import sqlite3
import time
from contextlib import closing, suppress

import pytest

from hub.core.delivery import Dead, Status, WhenDead
from hub.core.errors import Reason, Why
from hub.store import claim as claiming
from hub.store import open_store
from hub.store.checkpoint import HELP_PAGES
from tests.support.making import claim, laid, settled
from tests.support.waiting import wait_until


@pytest.fixture
def path(tmp_path):
    return tmp_path / "hub.sqlite3"


@pytest.fixture
def store(path):
    with closing(open_store(f"sqlite:///{path}", writer=True)) as made:
        made.migrate()
        yield made


def add(store, number, **given):
    rows = [laid(**given) for _ in range(number)]
    store.add(rows)
    return [row.deliveries[0].id for row in rows]


def between(monkeypatch, act):
    """Lets `act` happen once, after the first look and before what was found is leased."""
    look, acts = claiming._look, [act]

    def looked(*given):
        found = look(*given)
        if acts:
            acts.pop()()
        return found

    monkeypatch.setattr(claiming, "_look", looked)


def test_what_was_cancelled_since_the_look_is_not_leased_and_the_others_are(store, monkeypatch):
    first, second = add(store, 2)
    between(monkeypatch, lambda: store.cancel([first], by="ann", why="not wanted"))
    assert [one.id for one in claim(store)] == [second]
    assert store.delivery(first).status is Status.CANCELLED


def test_where_all_that_was_found_is_gone_one_looks_again(store, monkeypatch):
    [first] = add(store, 1)
    later = []

    def act():
        store.cancel([first], by="ann", why="not wanted")
        later.extend(add(store, 1))

    between(monkeypatch, act)
    assert [one.id for one in claim(store)] == later


def test_what_was_leased_since_the_look_is_not_leased_twice(store, monkeypatch):
    ids, others = add(store, 2), []
    between(monkeypatch, lambda: others.extend(claim(store, size=1, worker="other")))
    mine = claim(store)
    assert len(mine) == len(others) == 1
    assert {mine[0].id, others[0].id} == set(ids)
    assert store.delivery(others[0].id).attempts == 1


def test_an_earlier_one_of_the_key_that_came_back_goes_first(store, monkeypatch):
    # Given two of one key, the first of which is dead, holds up nothing, and is reopened after the look
    first, second = add(store, 2, order_key="K", when_dead=WhenDead.SKIP)
    store.settle([settled(claim(store)[0], Dead(Why(Reason.REFUSED, "no")))])
    between(monkeypatch, lambda: store.reopen([first], by="ann"))
    assert [one.id for one in claim(store)] == [first]
    assert store.delivery(second).status is Status.PENDING


def test_the_log_is_copied_into_the_database_beside_the_commits(store, path):
    add(store, 50)

    # What is in the database's own file is seen by who does not read the log
    def copied():
        with closing(sqlite3.connect(f"file:{path}?immutable=1", uri=True)) as file, suppress(sqlite3.Error):  # it is written at this moment
            return file.execute("SELECT count(*) FROM delivery").fetchone()[0] == 50

    wait_until(copied, what="the log in the database")
    # And then the log begins anew: it does not grow with what was ever written
    for _ in range(20):
        add(store, 50)
        time.sleep(0.1)
    assert path.with_name("hub.sqlite3-wal").stat().st_size < HELP_PAGES * 4_096
    assert len(claim(store, size=2_000)) == 1_050
