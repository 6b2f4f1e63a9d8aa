"""Refused arrivals: what came by any door and could not be accepted, as it came, until a person retries or drops it.

What a queue brought is acknowledged, and stays until a person ends it. Of all other doors each caller has room for so
many rows and bytes: the oldest make room (`store.bounds`), and all go by age.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from hub.core.config.identified_request import FOR_A_PERSON, QUEUE, IdentifiedRequest
from hub.core.config.queue import Arrival
from hub.core.errors import Refused
from hub.core.message import Json
from hub.store.accounts import acts
from hub.store.engine.database import Database, Insert
from hub.store.engine.dialects import upsert
from hub.store.engine.json_columns import dump, dump_text
from hub.store.repairs.arrival_limits import Bounds, make_room
from hub.store.tables import refused as table

WAITING = "waiting"  # for a person
ACCEPTED = "accepted"  # a retry made messages of it
DROPPED = "dropped"  # a named person let it go
STATES = (WAITING, ACCEPTED, DROPPED)
MAX_PAGE = 10_000
_MAX_TEXT = 2_000

_TRACES = 20  # of one row, as 32 digits and a space each
_SET = (
    "ON CONFLICT (source, fingerprint) DO UPDATE SET times = refused.times + excluded.times, last_at = excluded.last_at, state = excluded.state, "
    "code = excluded.code, text = excluded.text, faults = excluded.faults, revision = excluded.revision, changed_at = excluded.changed_at, changed_by = NULL, "
    "message_id = excluded.message_id, headers = excluded.headers, door = excluded.door, caller = excluded.caller, proof = excluded.proof, "
    "request = excluded.request, note = NULL, trace_ids = "
)
_JOINED = f"substr({{}}, 1, {_TRACES * 33 - 1})"
# What comes again (its acknowledgement was lost, or its sender repeats it) is one row that counts, and waits again if
# it was ended.
_INSERT = Insert(
    table,
    _SET + _JOINED.format("excluded.trace_ids || ' ' || coalesce(refused.trace_ids, '')"),
    mariadb=upsert(
        _SET + _JOINED.format("concat(excluded.trace_ids, ' ', coalesce(refused.trace_ids, ''))"), "mariadb"
    ),
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An arrival that cannot be accepted, and why, by the configuration `revision`."""

    id: str  # UUIDv7, made by us; that of the first refusal stays
    source: str  # as of `sent`; queue:<system>/<queue> where there is none
    arrival: Arrival
    why: Refused
    revision: str
    at: datetime
    sent: IdentifiedRequest | None = None  # None: a queue brought it
    trace_id: str = ""
    times: int = 1

    @property
    def fingerprint(self) -> str:
        return self.arrival.fingerprint if self.sent is None else self.sent.fingerprint


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
    door: str = QUEUE
    caller: str = ""
    trace_ids: tuple[str, ...] = ()  # of the last refusals of it, the newest first
    note: str | None = None  # why it was let go
    proof: dict[str, Json] | None = field(default=None, repr=False)
    request: dict[str, Json] = field(default_factory=dict, repr=False)
    arrival: Arrival | None = field(default=None, repr=False)


def refuse(database: Database, batch: Sequence[Refusal], bounds: Bounds | None = None) -> int:
    """Keeps what was refused; gives how many rows had to make room. Repeating it is harmless but for the count.

    Raises StoreBusy; then nothing may be acknowledged. `bounds`: what each caller has room for; queues have no bound.
    """
    together: dict[tuple[str, str], list[Refusal]] = {}
    for one in batch:
        together.setdefault((one.source, one.fingerprint), []).append(one)
    # One row per content and statement, in one order everywhere: PostgreSQL refuses to update a row twice, and two
    # workers would wait crosswise.
    rows = [_written(database, found) for _, found in sorted(together.items(), key=lambda pair: pair[0])]
    callers = sorted({one.sent.room for one in batch if one.sent is not None})

    def work(connection: sa.Connection) -> int:
        _INSERT.run(connection, rows)
        return sum(make_room(connection, bounds.of(caller), caller) for caller in callers) if bounds is not None else 0

    return database.write(work) if batch else 0


def _written(database: Database, found: Sequence[Refusal]) -> tuple[object, ...]:
    """The row of all refusals of one content; the last one says why, and how it is read again."""
    first, last = found[0], found[-1]
    arrival, sent = last.arrival, last.sent
    traces = " ".join([one.trace_id for one in reversed(found) if one.trace_id][:_TRACES])
    return (
        first.id, first.source, first.fingerprint, WAITING, database.stamp(first.at), database.stamp(last.at), sum(one.times for one in found),
        dump_text(arrival.message_id), dump_text(arrival.topic), dump_text(arrival.content_type), dump(dict(arrival.headers)), arrival.body, arrival.flaw,
        *_why(last), database.stamp(last.at), None,
        sent.door if sent is not None else QUEUE, sent.room if sent is not None else first.source, traces, len(arrival.body),
        dump(dict(sent.proof)) if sent is not None and sent.proof is not None else None, dump(dict(sent.request)) if sent is not None else None, None,
    )  # fmt: skip


def _why(refusal: Refusal) -> tuple[int, str, str, str]:
    why = refusal.why
    return (
        int(why.code),
        dump_text(why.text)[:_MAX_TEXT],
        json.dumps([fault.as_json() for fault in why.faults[:50]]),
        refusal.revision,
    )


@dataclass(frozen=True, slots=True)
class ArrivalFilter:
    """Which refused arrivals: all that is given must hold. `text` is a part of the source, or of the reason's words."""

    state: str | None = WAITING
    source: str = ""
    caller: str = ""
    code: int | None = None
    trace_id: str = ""
    text: str = ""
    since: datetime | None = None  # refused then or later
    until: datetime | None = None


def refused(database: Database, wanted: ArrivalFilter, *, limit: int, before: str | None) -> list[RefusedRow]:
    """Newest first, without the bodies. `before`: the last id of the page before."""
    query = sa.select(*_COLUMNS)
    for column, value in (
        (table.c.state, wanted.state),
        (table.c.source, wanted.source),
        (table.c.caller, wanted.caller),
        (table.c.code, wanted.code),
    ):
        query = query.where(column == value) if value else query
    if wanted.trace_id:
        query = query.where(table.c.trace_ids.contains(wanted.trace_id, autoescape=True))
    if wanted.text:
        query = query.where(
            table.c.source.contains(wanted.text, autoescape=True) | table.c.text.contains(wanted.text, autoescape=True)
        )
    if wanted.since is not None:
        query = query.where(table.c.last_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(table.c.received_at < wanted.until)
    if before is not None:
        query = query.where(table.c.id < before)
    query = query.order_by(table.c.id.desc()).limit(max(1, min(limit, MAX_PAGE)))
    return [_row(row) for row in database.read(lambda connection: connection.execute(query).all())]


def find(database: Database, ids: Sequence[str]) -> list[RefusedRow]:
    """Those that are there, with their bodies."""
    found = []
    for start in range(0, len(ids), 100):
        query = sa.select(*_COLUMNS, table.c.proof, table.c.request, table.c.headers, table.c.raw, table.c.flaw).where(
            table.c.id.in_(ids[start : start + 100])
        )
        rows = database.read(lambda connection, query=query: connection.execute(query).all())  # type: ignore[misc]
        found += [_row(row, whole=True) for row in rows]
    return found


def end(database: Database, ids: Sequence[str], *, state: str, by: str, why: str = "") -> dict[str, bool]:
    """Ends those that wait; `why` goes on record. Per id whether it was this call that did: a second click changes
    nothing.
    """
    change = sa.update(table).where(table.c.id == sa.bindparam("one"), table.c.state == WAITING)

    def work(connection: sa.Connection) -> dict[str, bool]:
        now = database.instant(database.clock(connection))
        done = {
            id_: connection.execute(
                change.values(state=state, changed_at=now, changed_by=by, note=why or None), {"one": id_}
            ).rowcount
            == 1
            for id_ in sorted(dict.fromkeys(ids))
        }
        if names := [id_ for id_, changed in done.items() if changed]:
            acts.record(
                database,
                connection,
                by,
                f"refused.{state}",
                names[0] if len(names) == 1 else "",
                {**acts.named(names), **({"why": why} if why else {})},
            )
        return done

    return database.write(work) if ids else {}


def refuse_again(database: Database, id_: str, refusal: Refusal, *, by: str) -> None:
    """A retry that was refused: why it is refused now stands in the row."""
    code, text, faults, revision = _why(refusal)

    def work(connection: sa.Connection) -> None:
        now = database.instant(database.clock(connection))
        change = sa.update(table).where(table.c.id == id_, table.c.state == WAITING)
        if connection.execute(
            change.values(code=code, text=text, faults=faults, revision=revision, changed_at=now, changed_by=by)
        ).rowcount:
            acts.record(database, connection, by, "refused.again", id_, {"code": code})

    database.write(work)


def count(database: Database) -> dict[str, int]:
    """How many wait for a person, by source: queues and hooks, whose senders cannot be told what to change."""
    query = (
        sa.select(table.c.source, sa.func.count())
        .where(table.c.state == WAITING, for_a_person())
        .group_by(table.c.source)
    )
    return {row[0]: int(row[1]) for row in database.read(lambda connection: connection.execute(query).all())}


def for_a_person() -> sa.ColumnElement[bool]:
    return sa.or_(table.c.door.is_(None), *(table.c.door == door for door in FOR_A_PERSON))


@dataclass(frozen=True, slots=True)
class RefusedCause:
    """What waits of one source, caller and code: how many contents, how often they were refused, since when, and the
    newest of them.
    """

    source: str
    caller: str
    door: str
    code: int
    number: int
    times: int
    oldest_at: datetime
    newest_at: datetime
    id: str
    text: str


def causes(database: Database, *, most: int = 200) -> list[RefusedCause]:
    """What waits, by source, caller and code; what came last is first."""
    columns = table.c
    oldest, newest = (
        sa.type_coerce(one, columns.last_at.type)
        for one in (sa.func.min(columns.received_at), sa.func.max(columns.last_at))
    )
    by = (columns.source, columns.caller, columns.door, columns.code)
    query = sa.select(*by, sa.func.count(), sa.func.sum(columns.times), oldest, newest, sa.func.max(columns.id)).where(
        columns.state == WAITING
    )
    query = query.group_by(*by).order_by(sa.func.max(columns.last_at).desc()).limit(most)

    def work(connection: sa.Connection) -> list[RefusedCause]:
        rows = connection.execute(query).all()
        found = sa.select(columns.id, columns.text).where(columns.id.in_([row[8] for row in rows]))
        texts = {row[0]: row[1] for row in connection.execute(found)} if rows else {}
        return [
            RefusedCause(
                row[0],
                row[1] or row[0],
                row[2] or QUEUE,
                int(row[3]),
                int(row[4]),
                int(row[5]),
                row[6],
                row[7],
                row[8],
                texts.get(row[8], ""),
            )
            for row in rows
        ]

    return database.read(work)


_COLUMNS = [
    *(
        table.c[name]
        for name in ("id", "source", "state", "received_at", "last_at", "times", "message_id", "topic", "content_type")
    ),
    sa.func.coalesce(table.c.size, sa.func.length(table.c.raw)).label("size"),
    *(
        table.c[name]
        for name in (
            "code",
            "text",
            "faults",
            "revision",
            "changed_at",
            "changed_by",
            "door",
            "caller",
            "trace_ids",
            "note",
        )
    ),
]


def _row(row: sa.Row[tuple[object, ...]], *, whole: bool = False) -> RefusedRow:
    values = dict(row._mapping)  # noqa: SLF001  the library's public name for it
    faults = tuple(json.loads(values.pop("faults")))
    values["door"] = values["door"] or QUEUE
    values["caller"] = values["caller"] or values["source"]
    values["trace_ids"] = tuple((values["trace_ids"] or "").split())
    arrival = None
    if whole:
        for name, empty in (("proof", None), ("request", {})):
            values[name] = json.loads(values[name]) if values[name] else empty
        headers: dict[str, Json] = json.loads(values.pop("headers"))
        arrival = Arrival(
            bytes(values.pop("raw")),
            values["topic"],
            headers,
            values["message_id"],
            values["content_type"],
            values.pop("flaw"),
        )
    return RefusedRow(**values, faults=faults, arrival=arrival)
