"""Moving a repair on: seeing what became of its deliveries, judging its canary, sending the next ones again. One
transaction per step.

Each step locks the repair's row first, so that of any number of processes that try, one does it; it looks at what the
store has, and at nothing else. If we die in the midst, nothing of the step happened, and the next one does it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from hub.core.message import Json
from hub.core.model.delivery import Status
from hub.core.model.repair import LIVE, OPEN, RESULTS, Act, Result, State, allowed, is_good
from hub.store.accounts import acts
from hub.store.engine.database import Database, Stamp, Update
from hub.store.engine.dialects import along, for_update, texts
from hub.store.engine.register_tables import repair, repair_row
from hub.store.repairs.reopen import CANCELLED, REOPENED, RevisionChoice, cancel_in, reopen_in

SIZE = 500  # deliveries that one step sends again: so long others wait for SQLite's one writer


@dataclass(frozen=True, slots=True)
class Step:
    """What one step did. `lanes` have work now; `more`: another step would do something at once."""

    before: State
    state: State
    results: dict[Result, int] = field(default_factory=dict)
    lanes: tuple[str, ...] = ()
    more: bool = False


_LOCK = texts(lambda kind: f"SELECT * FROM repair WHERE id = :id{for_update(kind)}")
# What was sent again and is not on its way any more; a delivery that is pruned ended well enough for that.
_ENDED = texts(
    lambda kind: (
        "SELECT r.place, r.result, d.status, d.why FROM repair_row r LEFT JOIN delivery d ON d.id = r.delivery_id WHERE r.repair_id = :id "
        "AND (r.result = 'going' OR r.result = 'parked') AND (d.id IS NULL OR (d.status <> 'pending' AND d.status <> 'leased')) LIMIT 2000"
    )
)


def _going(kind: str) -> str:
    """What was sent again, with its deliveries: from the few to the many, never the other way round."""
    join = "STRAIGHT_JOIN" if kind == "mariadb" else "CROSS JOIN"
    return (
        f"FROM repair_row r {join} delivery d WHERE r.repair_id = :id AND r.result = 'going' AND d.id = r.delivery_id"
    )


def _through_blocks(kind: str) -> str:
    """SQLite has no numbers of a young store, and would walk through all that is dead for each that was sent again."""
    return " INDEXED BY ix_delivery_block" if kind == "sqlite" else along("ix_delivery_block", kind)


_EARLIER = "FROM delivery e{key} WHERE e.lane = d.lane AND e.order_key = d.order_key AND e.seq < d.seq"
# What may not go although it is due: behind one of its key that waits for a person, or in a lane that one blocks.
_PARKED = texts(
    lambda kind: (
        f"SELECT r.place {_going(kind)} AND d.status = 'pending' AND ("
        f"EXISTS (SELECT 1 {_EARLIER} AND e.status IN ('held', 'unknown')) "
        f"OR EXISTS (SELECT 1 {_EARLIER} AND e.status = 'dead' AND e.when_dead IN ('park', 'block')) "
        f"OR EXISTS (SELECT 1 FROM delivery b{_through_blocks(kind)} WHERE b.lane = d.lane AND b.status = 'dead' AND b.when_dead = 'block')) "
        "LIMIT 2000"
    ).format(key=along("ix_delivery_key", kind))
)
_AHEAD = texts(lambda kind: f"SELECT count(*) {_going(kind)} AND d.status = 'pending' AND d.attempts = r.attempts")
_NEXT = sa.text(
    "SELECT r.place, r.delivery_id, r.attempts, d.lane FROM repair_row r LEFT JOIN delivery d ON d.id = r.delivery_id "
    "WHERE r.repair_id = :id AND r.result = 'waiting' AND r.place <= :last ORDER BY r.place LIMIT :number"
)
_COUNTS = sa.text("SELECT result, count(*) FROM repair_row WHERE repair_id = :id AND place <= :last GROUP BY result")
_UPDATE = Update(
    repair_row,
    ("result", "why", "note", "changed_at"),
    by=("repair_id", "place"),
    fixed="attempts = attempts",
    only="result <> 'skipped'",
)
_BEHIND = "It goes when the one before it on its key, or the one that blocks its lane, is mended or ended."


def step(database: Database, id_: str, *, size: int = SIZE) -> Step | None:
    """Moves a repair on by one step; None where there is nothing to move. Raises StoreBusy: nothing happened."""
    return database.write(lambda connection: _step(database, connection, id_, size))


def _step(database: Database, connection: sa.Connection, id_: str, size: int) -> Step | None:
    row = connection.execute(_LOCK[database.kind], {"id": id_}).first()
    if row is None or State(row.state) not in LIVE:
        return None
    now = database.clock(connection)
    before = state = State(row.state)
    results, is_all = _look(database, connection, id_, now)
    last = row.canary if state is State.CANARY else row.number
    if state is State.CANARY and is_all and not _open(counts := _counts(connection, id_, last)):
        # Where nothing would follow, there is nothing to be asked.
        state = State.RUNNING if is_good(counts, row.go_on_at) or last >= row.number else State.WAITING
        last = row.number
    lanes: tuple[str, ...] = ()
    more = not is_all
    stepped_at: Stamp | None = None
    moved: list[str] = []
    if state in LIVE:
        number, stepped_at = _budget(database, connection, row, now, size)
        chosen = connection.execute(_NEXT, {"id": id_, "last": last, "number": number}).all() if number else []
        sent = _send(database, connection, row, chosen, now)
        for result in sent:
            results[result] = results.get(result, 0) + 1
        gone = [one for one, result in zip(chosen, sent, strict=True) if result is not Result.SKIPPED]
        lanes, moved = tuple(sorted({one.lane for one in gone})), [one.delivery_id for one in gone]
        more = more or number == size == len(chosen)
        if state is State.RUNNING and not _open(_counts(connection, id_, last)):
            state = State.DONE
    _write(database, connection, row, state, stepped_at, now)
    _record(database, connection, row, state, moved)
    return Step(before, state, results, lanes, more)


def _look(database: Database, connection: sa.Connection, id_: str, now: Stamp) -> tuple[dict[Result, int], bool]:
    """Writes down what became of what went; gives the numbers, and whether all was looked at."""
    ended = connection.execute(_ENDED[database.kind], {"id": id_}).all()
    rows = [(id_, one.place, *_result(one), now) for one in ended]
    parked = connection.execute(_PARKED[database.kind], {"id": id_}).scalars().all()
    rows += [(id_, place, Result.PARKED.value, None, _BEHIND, now) for place in parked]
    _UPDATE.run(connection, rows)
    results: dict[Result, int] = {}
    for row in rows:
        results[Result(row[2])] = results.get(Result(row[2]), 0) + 1
    return results, max(len(ended), len(parked)) < 2_000


def _result(row: Any) -> tuple[str, str | None, str | None]:
    if row.status is None:
        return Result.ENDED.value, None, "It ended, and was pruned."
    result = RESULTS[Status(row.status)]
    return result.value, None if result is Result.DELIVERED else row.why, None


def _budget(database: Database, connection: sa.Connection, row: Any, now: Stamp, size: int) -> tuple[int, Stamp | None]:
    """How many may go in this step, and up to when the rate is used up by them. Ending deliveries needs no rate."""
    if Act(row.act) is Act.DISCARD:
        return size, now
    waited = (
        None if row.stepped_at is None else (database.instant(now) - database.instant(row.stepped_at)).total_seconds()
    )
    ahead = int(connection.execute(_AHEAD[database.kind], {"id": row.id}).scalar_one())
    number, left_s = allowed(row.rate, waited, ahead=ahead, most=size)
    return number, database.stamp(database.instant(now) - timedelta(seconds=left_s)) if number else None


def _send(database: Database, connection: sa.Connection, row: Any, chosen: Sequence[Any], now: Stamp) -> list[Result]:
    """Sends these again, or ends them; gives the result of each. What was tried since it was chosen is left alone."""
    if not chosen:
        return []
    attempts = {one.delivery_id: one.attempts for one in chosen}
    if Act(row.act) is Act.DISCARD:
        why = f"Discarded by {row.changed_by}: {row.why}"
        answers = cancel_in(database, connection, list(attempts), by=row.changed_by, why=why, chosen=attempts)
        done, result = CANCELLED, Result.DISCARDED
    else:
        making = RevisionChoice(row.revision)
        answers = reopen_in(
            database,
            connection,
            list(attempts),
            by=row.changed_by,
            force=bool(row.forced),
            making=making,
            chosen=attempts,
        )
        done, result = REOPENED, Result.GOING
    results = [result if answers[one.delivery_id] == done else Result.SKIPPED for one in chosen]
    notes = [None if answers[one.delivery_id] == done else answers[one.delivery_id] for one in chosen]
    _UPDATE.run(
        connection,
        [
            (row.id, one.place, made.value, None, note, now)
            for one, made, note in zip(chosen, results, notes, strict=True)
        ],
    )
    return results


def _counts(connection: sa.Connection, id_: str, last: int) -> dict[Result, int]:
    return {Result(result): int(number) for result, number in connection.execute(_COUNTS, {"id": id_, "last": last})}


def _open(counts: dict[Result, int]) -> bool:
    return any(counts.get(result) for result in OPEN)


def _record(database: Database, connection: sa.Connection, row: Any, state: State, moved: Sequence[str]) -> None:
    """What the step did in the name of who let the repair go, and its end. Last: all acts wait for its lock."""
    if moved:
        what = "delivery.cancelled" if Act(row.act) is Act.DISCARD else "delivery.replayed"
        acts.record(
            database,
            connection,
            row.changed_by,
            what,
            moved[0] if len(moved) == 1 else "",
            {"repair": row.id, **acts.named(moved)},
        )
    if state is State.DONE:
        results: dict[str, Json] = {
            result.value: number for result, number in _counts(connection, row.id, row.number).items()
        }
        acts.record(database, connection, row.changed_by, "repair.done", row.id, results)


def _write(
    database: Database, connection: sa.Connection, row: Any, state: State, stepped_at: Stamp | None, now: Stamp
) -> None:
    """The repair's own row, where something of it changed: a look that saw nothing new writes nothing."""
    values: dict[str, Any] = {}
    if state is not State(row.state):
        values = {
            "state": state.value,
            "changed_at": database.instant(now),
            "passed": bool(row.passed) or state is State.RUNNING,
        }
    if stepped_at is not None and stepped_at != row.stepped_at:
        values["stepped_at"] = database.instant(stepped_at)
    if values:
        connection.execute(sa.update(repair).where(repair.c.id == row.id).values(values))
