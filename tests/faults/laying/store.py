"""Points in the store: its verbs, before and after, the COMMIT of each, and the record of what people do."""

import functools
import threading

import sqlalchemy as sa

from hub.store.accounts import acts
from hub.store.engine.database import Database
from hub.store.store import Store

VERBS = ("add", "claim", "settle", "expire", "reopen", "prune", "activate")
NAMES = {"activate.before": "apply.checked"}  # a point with a name of its own
_WRITES = ("INSERT", "UPDATE", "DELETE", "WITH")


class _Under(threading.local):
    """Which verb this thread is in, and whether it has written anything yet."""

    verb = ""
    has_written = False


_under = _Under()


def lay_store(wounds):
    reached = lambda name: wounds.reach(NAMES.get(name, name))  # noqa: E731
    for verb in VERBS:
        setattr(Store, verb, _wrapped(getattr(Store, verb), verb, reached))
    record = acts.record

    def record_(*given):
        wounds.reach("act.written")
        return record(*given)

    acts.record = record_
    opened = Database.__init__

    def open_(database, *given, **named):
        opened(database, *given, **named)
        sa.event.listen(database.writing, "after_cursor_execute", _note)
        sa.event.listen(
            database.writing, "commit", lambda _: reached(f"{_under.verb}.written") if _under.has_written else None
        )
        sa.event.listen(database.writing, "begin", _begin)
        commit = database.writing.dialect.do_commit

        def do_commit(connection):
            wrote = _under.has_written
            commit(connection)
            if wrote and wounds.fails(f"store.{_under.verb}"):
                # As a driver says it whose connection went away while it waited for the answer to COMMIT.
                raise database.writing.dialect.dbapi.OperationalError("connection timed out")

        database.writing.dialect.do_commit = do_commit

    Database.__init__ = open_


def _begin(_connection):
    _under.has_written = False


def _note(_connection, cursor, statement, *_):
    is_write = statement.lstrip().upper().startswith(_WRITES)
    # SQLite tells the rows of an UPDATE … RETURNING only once they are read: in doubt it has written.
    _under.has_written |= is_write and (cursor.rowcount != 0 or "RETURNING" in statement)


def _wrapped(method, verb, reached):
    @functools.wraps(method)
    def call(store, *given, **named):
        reached(f"{verb}.before")
        _under.verb, _under.has_written = verb, False
        try:
            result = method(store, *given, **named)
        finally:
            _under.verb = ""
        if result or result is None:
            reached(f"{verb}.committed")
        return result

    return call
