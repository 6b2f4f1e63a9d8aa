"""The write-ahead log of a SQLite store is copied into its file beside the commits, by the process that keeps
writing.
"""

import sqlite3
from pathlib import Path

import pytest

from hub.store import open_store
from hub.store.engine import checkpoint
from tests.support.making import laid
from tests.support.waiting import wait_until

SOME = 200
# 200 of them are a thousand pages: as many as SQLite has its writers copy at once
RAW = b'{"orderNo":"B","note":"' + b"x" * 20_000 + b'"}'


@pytest.fixture
def path(tmp_path):
    return tmp_path / "hub.sqlite3"


def stored(path, *, writer):
    store = open_store(f"sqlite:///{path}", writer=writer)
    store.migrate()
    store.add([laid(raw=RAW) for _ in range(SOME)])
    return store


def test_the_log_is_copied_while_nobody_commits(path):
    # When much was committed by a process that keeps writing, and nothing is committed any more
    store = stored(path, writer=True)
    # Then the database itself has all of it soon, without the log
    wait_until(lambda: path.stat().st_size > SOME * len(RAW), seconds=10, what="a log that is copied")
    store.close()


def test_whoever_commits_does_not_copy(path, monkeypatch):
    # Given a process that keeps writing, whose thread is slow
    monkeypatch.setattr(checkpoint, "EVERY_S", 3_600.0)
    store = stored(path, writer=True)
    # Then its commits stand in the log alone
    assert path.stat().st_size < len(RAW) * SOME / 2
    assert Path(f"{path}-wal").stat().st_size > len(RAW) * SOME
    # And are there all the same
    assert store.conservation().messages == SOME
    store.close()
    assert not Path(f"{path}-wal").exists()


def test_a_copy_that_fails_is_told_once_and_tried_again(path, monkeypatch):
    monkeypatch.setattr(checkpoint, "EVERY_S", 0.01)
    tries = []
    connect = sqlite3.connect

    def broken(*given, **more):
        tries.append(given)
        if len(tries) < 5:
            raise sqlite3.OperationalError("disk I/O error")
        return connect(*given, **more)

    told = []
    monkeypatch.setattr(checkpoint.sqlite3, "connect", broken)
    monkeypatch.setattr(checkpoint, "event", lambda key, *_, **__: told.append(key))
    made = checkpoint.Checkpoints(str(path))
    wait_until(lambda: len(tries) == 5, seconds=5, what="another try")
    made.stop()
    assert told == ["checkpoint.failed"]
