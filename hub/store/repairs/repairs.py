"""Repairs as people look at them and steer them: started, continued, stopped. They are made in `choosing`; what moves
them on stands in `repairing`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from hub.core.errors import Cause, Code, Refused
from hub.core.message import Json, Ref
from hub.core.model.delivery import Status
from hub.core.model.repair import LIVE, TRANSITIONS, Act, Result, State, With
from hub.store.accounts import acts
from hub.store.engine.database import Database
from hub.store.engine.dialects import for_update, texts
from hub.store.engine.json_columns import load_why, parse_ref
from hub.store.engine.register_tables import repair, repair_row
from hub.store.repairs.reopen import refusals
from hub.store.tables import delivery

MAX_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class RepairRow:
    """A repair as it stands, with how many of its deliveries have come to which result."""

    id: str
    act: Act
    with_: With
    revision: str | None
    force: bool
    canary: int
    go_on_at: int | None
    rate: int
    selection: dict[str, Json]
    why: str
    created_at: datetime
    created_by: str
    state: State
    passed: bool
    number: int
    changed_at: datetime
    changed_by: str
    results: dict[Result, int]


@dataclass(frozen=True, slots=True)
class RepairedRow:
    """One delivery of a repair, and what became of it. `why`: the cause for which it waits again; `note`: why it was
    left, or for whom it waits.
    """

    place: int
    delivery_id: str
    message_id: str | None  # None: its delivery is pruned, or never was
    route: str | None
    ref: Ref | None
    part: int | None
    order_key: str | None
    status: Status | None
    made_with: str | None
    undecided: bool
    attempts: int
    result: Result
    why: Cause | None
    note: str | None
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class RepairChange:
    """A repair after what a person wanted, and whether that was new."""

    id: str
    before: State
    state: State

    @property
    def is_new(self) -> bool:
        return self.state is not self.before


_STEER = texts(lambda kind: f"SELECT state, passed, canary FROM repair WHERE id = :id{for_update(kind)}")


def start(database: Database, id_: str, *, by: str) -> RepairChange:
    """Lets it go, or go on where it was stopped: its canary first. One that goes already stays as it is. Raises
    Refused.
    """

    def to(before: State, passed: bool) -> State | None:
        if before in (State.READY, State.STOPPED):
            return State.RUNNING if passed else State.CANARY
        return before

    return _steer(database, id_, by=by, to=to, word="started")


def go_on(database: Database, id_: str, *, by: str) -> RepairChange:
    """Lets the rest go, whatever became of the canary. Raises Refused where it was not started yet."""

    def to(before: State, _passed: bool) -> State | None:
        return None if before is State.READY else before if before is State.DONE else State.RUNNING

    return _steer(database, id_, by=by, to=to, word="continued", passes=True)


def stop(database: Database, id_: str, *, by: str) -> RepairChange:
    """Nothing more goes. What was sent again already goes on, and gets its result when it is started again. Raises
    Refused.
    """

    def to(before: State, _passed: bool) -> State | None:
        return before if before is State.DONE else State.STOPPED

    return _steer(database, id_, by=by, to=to, word="stopped")


def _steer(
    database: Database, id_: str, *, by: str, to: Callable[[State, bool], State | None], word: str, passes: bool = False
) -> RepairChange:
    def work(connection: sa.Connection) -> RepairChange:
        row = connection.execute(_STEER[database.kind], {"id": id_}).first()
        if row is None:
            raise Refused(Code.NOT_FOUND, "There is no such repair.")
        before = State(row.state)
        wanted = to(before, bool(row.passed))
        if wanted is None or (wanted is not before and wanted not in TRANSITIONS[before]):
            raise Refused(Code.CONFLICT, f"It is {before.value}; start it first.")
        if wanted is not before:
            now = database.instant(database.clock(connection))
            values = {"state": wanted.value, "changed_at": now, "changed_by": by, "passed": bool(row.passed) or passes}
            connection.execute(sa.update(repair).where(repair.c.id == id_).values(values))
            acts.record(
                database, connection, by, f"repair.{word}", id_, {"before": before.value, "state": wanted.value}
            )
        return RepairChange(id_, before, wanted)

    return database.write(work)


def find(database: Database, id_: str) -> RepairRow | None:
    rows = _found(database, sa.select(repair).where(repair.c.id == id_))
    return rows[0] if rows else None


def repairs(
    database: Database,
    *,
    state: State | None = None,
    delivery_id: str | None = None,
    limit: int = 50,
    before: str | None = None,
) -> list[RepairRow]:
    """Repairs, newest first; `delivery_id`: those that it is in. `before`: the last id of the page before."""
    query = sa.select(repair)
    if state is not None:
        query = query.where(repair.c.state == state.value)
    if delivery_id is not None:
        query = query.where(
            repair.c.id.in_(sa.select(repair_row.c.repair_id).where(repair_row.c.delivery_id == delivery_id))
        )
    if before is not None:
        query = query.where(repair.c.id < before)
    return _found(database, query.order_by(repair.c.id.desc()).limit(max(1, min(limit, MAX_PAGE))))


def _found(database: Database, query: sa.Select[Any]) -> list[RepairRow]:
    counted = sa.select(repair_row.c.repair_id, repair_row.c.result, sa.func.count())

    def work(connection: sa.Connection) -> list[RepairRow]:
        rows = connection.execute(query).all()
        results: dict[str, dict[Result, int]] = {row.id: {} for row in rows}
        if rows:
            of = counted.where(repair_row.c.repair_id.in_(results)).group_by(
                repair_row.c.repair_id, repair_row.c.result
            )
            for id_, result, number in connection.execute(of):
                results[id_][Result(result)] = int(number)
        return [_row(row, results[row.id]) for row in rows]

    return database.read(work)


def _row(row: Any, results: dict[Result, int]) -> RepairRow:
    return RepairRow(
        id=row.id,
        act=Act(row.act),
        with_=With(row.made_with),
        revision=row.revision,
        force=row.forced,
        canary=row.canary,
        go_on_at=row.go_on_at,
        rate=row.rate,
        selection=json.loads(row.selection),
        why=row.why,
        created_at=row.created_at,
        created_by=row.created_by,
        state=State(row.state),
        passed=row.passed,
        number=row.number,
        changed_at=row.changed_at,
        changed_by=row.changed_by,
        results=results,
    )


_ROW = (
    *(repair_row.c[name] for name in ("place", "delivery_id", "attempts", "result", "why", "note", "changed_at")),
    *(
        delivery.c[name]
        for name in ("message_id", "route", "target", "part", "order_key", "status", "made_with", "undecided")
    ),
)


def rows(
    database: Database, id_: str, *, result: Result | None = None, limit: int = 50, after: int = 0
) -> list[RepairedRow]:
    """The deliveries of a repair in the order in which they go. `after`: the last place of the page before."""
    own = repair_row.c
    query = (
        sa.select(*_ROW)
        .select_from(repair_row.outerjoin(delivery, delivery.c.id == own.delivery_id))
        .where(own.repair_id == id_, own.place > after)
    )
    if result is not None:
        query = query.where(own.result == result.value)
    query = query.order_by(own.place).limit(max(1, min(limit, MAX_PAGE)))
    return [
        RepairedRow(
            place=row.place,
            delivery_id=row.delivery_id,
            message_id=row.message_id,
            route=row.route,
            ref=parse_ref(row.target) if row.target is not None else None,
            part=row.part,
            order_key=row.order_key,
            status=Status(row.status) if row.status is not None else None,
            made_with=row.made_with,
            undecided=bool(row.undecided),
            attempts=row.attempts,
            result=Result(row.result),
            why=load_why(row.why),
            note=row.note,
            changed_at=row.changed_at,
        )
        for row in database.read(lambda connection: connection.execute(query).all())
    ]


def skipped(database: Database, chosen: Sequence[RepairedRow], *, force: bool) -> dict[str, str]:
    """Which of these would be skipped now, and why."""
    attempts = {row.delivery_id: row.attempts for row in chosen}
    return database.read(lambda connection: refusals(database, connection, attempts, force=force))


def live(database: Database) -> list[str]:
    """The repairs that are to be moved on, oldest first. Cheap: asked for at each sweep."""
    states = sorted(state.value for state in LIVE)
    query = sa.select(repair.c.id).where(repair.c.state.in_(states)).order_by(repair.c.id)
    return list(database.read(lambda connection: connection.execute(query).scalars().all()))
