"""Refused arrivals: what came out of a queue and could not be accepted, as it came, until a person retries or drops it.

A queue's sender hears nothing of a refusal, unlike a poster or a hook's partner: so it is kept here, and the broker may forget it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from hub.core.errors import Refused
from hub.core.message import Json
from hub.core.queue import Arrival
from hub.store import acts
from hub.store.database import Database, Insert
from hub.store.documents import dump, dump_text
from hub.store.tables import refused as table

WAITING = "waiting"  # for a person
ACCEPTED = "accepted"  # a retry made messages of it
DROPPED = "dropped"  # a named person let it go
STATES = (WAITING, ACCEPTED, DROPPED)
MAX_PAGE = 10_000
_MAX_TEXT = 2_000

# What comes again (its acknowledgement was lost, or its sender repeats it) is one row that counts, and waits again if it was ended.
_INSERT = Insert(
    table,
    "ON CONFLICT (source, fingerprint) DO UPDATE SET times = refused.times + excluded.times, last_at = excluded.last_at, state = excluded.state, "
    "code = excluded.code, text = excluded.text, faults = excluded.faults, revision = excluded.revision, changed_at = excluded.changed_at, changed_by = NULL",
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An arrival that cannot be accepted, and why, by the configuration `revision`."""

    id: str  # UUIDv7, made by us; that of the first refusal stays
    source: str  # queue:<system>/<queue>
    arrival: Arrival
    why: Refused
    revision: str
    at: datetime


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A refused arrival as it stands. `arrival` None: a list does not read the bodies."""

    id: str
    source: str
    state: str
    received_at: datetime  # first
    last_at: datetime
    times: int  # how often it was refused: at least as often as it was sent
    message_id: str
    topic: str
    content_type: str
    size: int
    code: int
    text: str
    faults: tuple[dict[str, str], ...]
    revision: str
    changed_at: datetime
    changed_by: str | None
    arrival: Arrival | None = field(default=None, repr=False)


def refuse(database: Database, batch: Sequence[Refusal]) -> None:
    """Keeps what was refused. Repeating it is harmless but for the count. Raises StoreBusy; then nothing may be acknowledged."""
    together: dict[tuple[str, str], list[Refusal]] = {}
    for one in batch:
        together.setdefault((one.source, one.arrival.fingerprint), []).append(one)

    def work(connection: sa.Connection) -> None:
        # One row per content and statement, in one order everywhere: PostgreSQL refuses to update a row twice, and two workers would wait crosswise.
        rows = [
            (
                found[0].id, source, fingerprint, WAITING, database.stamp(found[0].at), database.stamp(found[-1].at), len(found),
                dump_text(one.message_id), dump_text(one.topic), dump_text(one.content_type), dump(dict(one.headers)), one.body, one.flaw,
                *_why(found[-1]), database.stamp(found[-1].at), None,
            )
            for (source, fingerprint), found in sorted(together.items(), key=lambda pair: pair[0])
            for one in [found[0].arrival]
        ]  # fmt: skip
        _INSERT.run(connection, rows)

    if batch:
        database.write(work)


def _why(refusal: Refusal) -> tuple[int, str, str, str]:
    why = refusal.why
    return int(why.code), dump_text(why.text)[:_MAX_TEXT], json.dumps([fault.as_json() for fault in why.faults[:50]]), refusal.revision


def refused(database: Database, *, state: str, limit: int, before: str | None) -> list[RefusedRow]:
    """Newest first, without the bodies. `before`: the last id of the page before."""
    query = sa.select(*_COLUMNS).where(table.c.state == state)
    if before is not None:
        query = query.where(table.c.id < before)
    query = query.order_by(table.c.id.desc()).limit(max(1, min(limit, MAX_PAGE)))
    return [_row(row) for row in database.read(lambda connection: connection.execute(query).all())]


def find(database: Database, ids: Sequence[str]) -> list[RefusedRow]:
    """Those that are there, with their bodies."""
    found = []
    for start in range(0, len(ids), 100):
        query = sa.select(*_COLUMNS, table.c.headers, table.c.raw, table.c.flaw).where(table.c.id.in_(ids[start : start + 100]))
        found += [_row(row, whole=True) for row in database.read(lambda connection, query=query: connection.execute(query).all())]  # type: ignore[misc]
    return found


def end(database: Database, ids: Sequence[str], *, state: str, by: str, why: str = "") -> dict[str, bool]:
    """Ends those that wait; `why` goes on record. Per id whether it was this call that did: a second click changes nothing."""
    change = sa.update(table).where(table.c.id == sa.bindparam("one"), table.c.state == WAITING)

    def work(connection: sa.Connection) -> dict[str, bool]:
        now = database.instant(database.clock(connection))
        done = {
            id_: connection.execute(change.values(state=state, changed_at=now, changed_by=by), {"one": id_}).rowcount == 1 for id_ in sorted(dict.fromkeys(ids))
        }
        if names := [id_ for id_, changed in done.items() if changed]:
            acts.record(
                database, connection, by, f"refused.{state}", names[0] if len(names) == 1 else "", {**acts.named(names), **({"why": why} if why else {})}
            )
        return done

    return database.write(work) if ids else {}


def refuse_again(database: Database, id_: str, refusal: Refusal, *, by: str) -> None:
    """A retry that was refused: why it is refused now stands in the row."""
    code, text, faults, revision = _why(refusal)

    def work(connection: sa.Connection) -> None:
        now = database.instant(database.clock(connection))
        change = sa.update(table).where(table.c.id == id_, table.c.state == WAITING)
        if connection.execute(change.values(code=code, text=text, faults=faults, revision=revision, changed_at=now, changed_by=by)).rowcount:
            acts.record(database, connection, by, "refused.again", id_, {"code": code})

    database.write(work)


def count(database: Database) -> dict[str, int]:
    """How many wait, by source."""
    query = sa.select(table.c.source, sa.func.count()).where(table.c.state == WAITING).group_by(table.c.source)
    return {row[0]: int(row[1]) for row in database.read(lambda connection: connection.execute(query).all())}


_COLUMNS = [
    *(table.c[name] for name in ("id", "source", "state", "received_at", "last_at", "times", "message_id", "topic", "content_type")),
    sa.func.length(table.c.raw).label("size"),
    *(table.c[name] for name in ("code", "text", "faults", "revision", "changed_at", "changed_by")),
]


def _row(row: sa.Row[tuple[object, ...]], *, whole: bool = False) -> RefusedRow:
    values = dict(row._mapping)  # noqa: SLF001  the library's public name for it
    faults = tuple(json.loads(values.pop("faults")))
    arrival = None
    if whole:
        headers: dict[str, Json] = json.loads(values.pop("headers"))
        arrival = Arrival(bytes(values.pop("raw")), values["topic"], headers, values["message_id"], values["content_type"], values.pop("flaw"))
    return RefusedRow(**values, faults=faults, arrival=arrival)
