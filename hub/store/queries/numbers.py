"""Numbers: the messages that a number of any kind belongs to, each by an index of its own; none of them reads through
what there is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import sqlalchemy as sa

from hub.store.engine.database import Database
from hub.store.engine.dialects import any_of, texts
from hub.store.tables import BROUGHT_TRACE, business_key, delivery, message

MOST = 1_000  # messages of one number
_PAIRS = 500  # of caller and type whose names are looked through
_TRACE = re.compile(r"[0-9a-f]{32}", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
# around the making of our own trace id: the message is prepared when its post is read, a batch within seconds
_BEFORE_MS, _AFTER_MS = 1_000, 15_000
KINDS = ("key", "message", "delivery", "trace", "idempotency")


def _leaps(kind: str) -> str:
    """The index of names begins with caller and type: each pair of them is one look, and the pairs themselves are found
    by leaps, in one statement.
    """
    if kind == "mariadb":  # leaps by itself where it is asked for what differs
        pairs = f"SELECT DISTINCT caller, type FROM idempotency LIMIT {_PAIRS}"
        return (
            f'SELECT i."key", i.message_id FROM ({pairs}) AS p STRAIGHT_JOIN idempotency AS i ON i.caller = p.caller AND i.type = p.type '
            f'WHERE i."key" {any_of("names", kind)} LIMIT {10 * MOST}'
        )
    first, following = (
        "SELECT min(i.caller) FROM idempotency AS i",
        "SELECT min(i.type) FROM idempotency AS i WHERE i.caller = ",
    )
    # Not as one comparison of pairs: SQLite would use the caller alone, and walk over all names of one.
    return (
        f"WITH RECURSIVE callers (caller, place) AS (SELECT ({first}), 1 "
        f"UNION ALL SELECT ({first} WHERE i.caller > c.caller), c.place + 1 FROM callers AS c WHERE c.caller IS NOT NULL AND c.place < {_PAIRS}), "
        f"pairs (caller, type) AS (SELECT c.caller, ({following} c.caller) FROM callers AS c WHERE c.caller IS NOT NULL "
        f"UNION ALL SELECT p.caller, ({following} p.caller AND i.type > p.type) FROM pairs AS p WHERE p.type IS NOT NULL) "
        f"SELECT i.key, i.message_id FROM (SELECT caller, type FROM pairs WHERE type IS NOT NULL LIMIT {_PAIRS}) AS p "
        f"CROSS JOIN idempotency AS i WHERE i.caller = p.caller AND i.type = p.type AND i.key {any_of('names', kind)} LIMIT {10 * MOST}"
    )


_NAMED = texts(_leaps)


def messages_of(database: Database, numbers: Sequence[str]) -> dict[str, dict[str, str]]:
    """By number, the ids of messages that it belongs to, each with how (see KINDS): a business key, a message's or a
    delivery's id, a trace, an Idempotency-Key. Up to MOST of each. Names of posts are forgotten after their time (seven
    days, if the contract does not say otherwise).
    """
    texts = {number: text for number in numbers if (text := number.strip()) and "\0" not in text}

    def work(connection: sa.Connection) -> dict[str, dict[str, str]]:
        wanted = sorted(set(texts.values()))
        named = _named(database, connection, wanted)
        found = {text: _of(connection, text, named.get(text, ())) for text in wanted}
        return {number: found[texts[number]] if number in texts else {} for number in numbers}

    return database.read(work) if texts else {number: {} for number in numbers}


def _of(connection: sa.Connection, text: str, named: Sequence[str]) -> dict[str, str]:
    found = dict.fromkeys(
        connection.execute(
            sa.select(business_key.c.message_id).where(business_key.c.value == text).limit(MOST)
        ).scalars(),
        "key",
    )
    lower = text.lower()
    if _UUID.fullmatch(lower):
        rows = connection.execute(sa.select(message.c.id).where(message.c.id == lower)).scalars()
        found |= dict.fromkeys(rows, "message")
        found |= dict.fromkeys(
            connection.execute(sa.select(delivery.c.message_id).where(delivery.c.id == lower)).scalars(), "delivery"
        )
    if _TRACE.fullmatch(lower):
        found = dict.fromkeys(_traced(connection, lower), "trace") | found
    for id_ in named:
        found.setdefault(id_, "idempotency")
    return dict(list(found.items())[:MOST])


def _traced(connection: sa.Connection, trace_id: str) -> list[str]:
    """The messages of one trace: those that began it, and those that they caused."""
    condition = message.c.trace_id == trace_id
    if connection.dialect.name == "mariadb":
        query = sa.select(message.c.id).where(condition)  # all of them are in one index there
    elif trace_id.startswith("01") and trace_id[12] == "7":
        began = int(trace_id[:12], 16)
        query = sa.select(message.c.id).where(
            condition, message.c.id >= _floor(began - _BEFORE_MS), message.c.id < _floor(began + _AFTER_MS)
        )
    else:
        query = sa.select(message.c.id).where(condition, sa.text(BROUGHT_TRACE))
    found = dict.fromkeys(connection.execute(query.limit(MOST)).scalars())
    edge = list(found)
    while edge and len(found) < MOST:
        caused = (
            sa.select(message.c.id)
            .where(message.c.cause_id.is_not(None), message.c.cause_id.in_(edge[:400]), condition)
            .limit(MOST)
        )
        edge = [id_ for id_ in connection.execute(caused).scalars() if id_ not in found]
        found |= dict.fromkeys(edge)
    return list(found)


def _floor(ms: int) -> str:
    """What stands before every id of this millisecond."""
    text = f"{max(ms, 0):012x}"
    return f"{text[:8]}-{text[8:]}"


def _named(database: Database, connection: sa.Connection, names: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, id_ in connection.execute(_NAMED[database.kind], {"names": database.listing(names)}):
        found.setdefault(name, []).append(id_)
    return found
