"""What a person does to deliveries that wait: replaying and cancelling. Many at once, one answer per id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from hub.core.errors import Cause, Reason
from hub.core.message import Json
from hub.core.model.delivery import TRANSITIONS, Status
from hub.store.accounts import acts
from hub.store.engine.database import Database
from hub.store.engine.dialects import along, any_of, for_update, texts
from hub.store.engine.json_columns import dump_why
from hub.store.messages import blocked, capacity

REOPENED = "reopened"
CANCELLED = "cancelled"
REPLAYABLE = (Status.DEAD, Status.UNKNOWN, Status.HELD)

_FOUND = "SELECT id, lane, order_key, seq, status, attempts FROM delivery"
_FIND = texts(lambda kind: f"{_FOUND}{along('PRIMARY', kind)} WHERE id {any_of('ids', kind)}")
_LOCK = texts(
    lambda kind: f"{_FOUND}{along('PRIMARY', kind)} WHERE id {any_of('ids', kind)} ORDER BY id{for_update(kind)}"
)
# Each has one look into the index of its key: which of the later ones is delivered.
_LATER = texts(
    lambda kind: (
        f"SELECT d.id, (SELECT n.id FROM delivery n{along('ix_delivery_key', kind)} WHERE n.lane = d.lane AND n.order_key = d.order_key "
        "AND n.status = 'delivered' AND n.seq > d.seq ORDER BY n.seq LIMIT 1) AS later "
        f"FROM delivery d{along('PRIMARY', kind)} WHERE d.order_key IS NOT NULL AND d.id {any_of('ids', kind)}"
    )
)
_REOPEN_SETS = (
    "status = 'pending', due_at = :now, first_at = :now, changed_at = :now, spent = 0, lost_leases = 0, why = NULL, "
    "release_at = NULL, expires_at = NULL, changed_by = :by, cluster = NULL"
)
_WAITING = "(status = 'dead' OR status = 'unknown' OR status = 'held')"
_REOPEN = texts(
    lambda kind: (
        f"UPDATE delivery{along('PRIMARY', kind)} SET {_REOPEN_SETS} WHERE {_WAITING} AND id {any_of('ids', kind)}"
    )
)
_REMAKE = texts(
    lambda kind: (
        f"UPDATE delivery{along('PRIMARY', kind)} SET {_REOPEN_SETS}, made_with = :made_with WHERE {_WAITING} AND id {any_of('ids', kind)}"
    )
)
_CANCEL = texts(
    lambda kind: (
        f"UPDATE delivery{along('PRIMARY', kind)} SET status = 'cancelled', changed_at = :now, release_at = NULL, why = :why, changed_by = :by "
        f"WHERE (status = 'pending' OR {_WAITING}) AND id {any_of('ids', kind)}"
    )
)


@dataclass(frozen=True, slots=True)
class RevisionChoice:
    """By which revision what is replayed is made from now on; None: by its message's own."""

    revision: str | None


def reopen(database: Database, ids: Sequence[str], *, by: str, force: bool = False) -> dict[str, str]:
    """Re-arms dead, unknown and held deliveries: the same id, key and sequence number, a fresh budget, due at once, and
    no expiry any more: a person wants it. Per id: why, or `reopened`.

    On an ordered key a delivery is not replayed once a later one is delivered, unless `force`: an old state would
    overwrite a newer one. A second click changes nothing. One that was held gives its place in a capacity back: it goes
    now, because a person says so. Source: promise P11, faults F79, F80.
    """

    def work(connection: sa.Connection) -> dict[str, str]:
        answers = reopen_in(database, connection, ids, by=by, force=force)
        _record(
            database,
            connection,
            by,
            "delivery.replayed",
            {"force": force},
            [id_ for id_, answer in answers.items() if answer == REOPENED],
        )
        return answers

    return database.write(work) if ids else {}


def cancel(database: Database, ids: Sequence[str], *, by: str, why: str) -> dict[str, str]:
    """Ends deliveries that are not on the way, for good; a held one's place in a capacity is given back. Per id: why
    not, or `cancelled`.
    """

    def work(connection: sa.Connection) -> dict[str, str]:
        answers = cancel_in(database, connection, ids, by=by, why=f"Cancelled by {by}: {why}")
        _record(
            database,
            connection,
            by,
            "delivery.cancelled",
            {"why": why},
            [id_ for id_, answer in answers.items() if answer == CANCELLED],
        )
        return answers

    return database.write(work) if ids else {}


def _record(
    database: Database, connection: sa.Connection, by: str, what: str, details: dict[str, Json], done: list[str]
) -> None:
    if done:
        acts.record(database, connection, by, what, done[0] if len(done) == 1 else "", {**details, **acts.named(done)})


def reopen_in(
    database: Database,
    connection: sa.Connection,
    ids: Sequence[str],
    *,
    by: str,
    force: bool,
    making: RevisionChoice | None = None,
    chosen: Mapping[str, int] | None = None,
) -> dict[str, str]:
    """The same inside a transaction that is already open, whose own it is to record the act. `chosen`: how many
    attempts each had when it was chosen; one that was tried since is refused, so that of two who chose it one sends it.
    `making`: None leaves it as it is.
    """
    rows = locked(database, connection, ids)
    answers = refused_of(database, connection, rows, ids, force=force, chosen=chosen)
    done = [id_ for id_ in rows if id_ not in answers]
    if done:
        now = database.clock(connection)
        given = {"now": now, "by": by, "ids": database.listing(done)}
        if making is None:
            connection.execute(_REOPEN[database.kind], given)
        else:
            connection.execute(_REMAKE[database.kind], {**given, "made_with": making.revision})
        capacity.give_back(database, connection, done, now)
        blocked.come_back(database, connection, _keys(rows, done), now)
    return {id_: answers.get(id_, REOPENED) for id_ in dict.fromkeys(ids)}


def cancel_in(
    database: Database,
    connection: sa.Connection,
    ids: Sequence[str],
    *,
    by: str,
    why: str,
    chosen: Mapping[str, int] | None = None,
) -> dict[str, str]:
    """The same inside a transaction that is already open; `why` is the whole sentence."""
    rows = locked(database, connection, ids)
    answers: dict[str, str] = {}
    for id_ in dict.fromkeys(ids):
        row = rows.get(id_)
        if row is None:
            answers[id_] = _NONE
        elif Status.CANCELLED not in TRANSITIONS[Status(row.status)]:
            answers[id_] = f"It is {row.status}; only a pending, dead, unknown or held delivery can be cancelled."
        elif chosen is not None and row.status not in REPLAYABLE:
            answers[id_] = _moved(row)
        elif chosen is not None and row.attempts != chosen[id_]:
            answers[id_] = _TRIED
    done = [id_ for id_ in rows if id_ not in answers]
    if done:
        now = database.clock(connection)
        reason = dump_why(Cause(Reason.CANCELLED, why))
        connection.execute(_CANCEL[database.kind], {"now": now, "by": by, "why": reason, "ids": database.listing(done)})
        capacity.give_back(database, connection, done, now)
        blocked.come_back(database, connection, _keys(rows, done), now)
    return {id_: answers.get(id_, CANCELLED) for id_ in dict.fromkeys(ids)}


def _keys(rows: Mapping[str, Any], done: Sequence[str]) -> list[tuple[str, str]]:
    return [
        (rows[id_].lane, rows[id_].order_key)
        for id_ in done
        if rows[id_].order_key is not None and rows[id_].status == Status.DEAD
    ]


def refusals(
    database: Database, connection: sa.Connection, chosen: Mapping[str, int], *, force: bool
) -> dict[str, str]:
    """Which of these would not be replayed now, and why. Changes and locks nothing."""
    rows = (
        {row.id: row for row in connection.execute(_FIND[database.kind], {"ids": database.listing(list(chosen))})}
        if chosen
        else {}
    )
    return refused_of(database, connection, rows, list(chosen), force=force, chosen=chosen)


_NONE = "There is no such delivery."
_TRIED = "It was tried since it was chosen; look at it again."


def _moved(row: Any) -> str:
    return f"It is {row.status}; only a dead, unknown or held delivery can be replayed or discarded."


def locked(database: Database, connection: sa.Connection, ids: Sequence[str]) -> dict[str, Any]:
    """These deliveries, theirs until the commit, and the capacities that they may give back."""
    if not ids:
        return {}
    capacity.lock_of(database, connection, ids, database.clock(connection))
    # The clock is read after the locks: what is replayed is due from the moment that it is really ours to change.
    return {
        row.id: row
        for row in connection.execute(_LOCK[database.kind], {"ids": database.listing(list(dict.fromkeys(ids)))})
    }


def refused_of(
    database: Database,
    connection: sa.Connection,
    rows: Mapping[str, Any],
    ids: Sequence[str],
    *,
    force: bool,
    chosen: Mapping[str, int] | None = None,
) -> dict[str, str]:
    """Which of the rows found may not be replayed, and why."""
    answers: dict[str, str] = {}
    ordered: list[str] = []
    for id_ in dict.fromkeys(ids):
        row = rows.get(id_)
        if row is None:
            answers[id_] = _NONE
        elif row.status not in REPLAYABLE:
            answers[id_] = f"It is {row.status}; only a dead, unknown or held delivery can be replayed."
        elif chosen is not None and row.attempts != chosen[id_]:
            answers[id_] = _TRIED
        elif row.order_key is not None and not force:
            ordered.append(id_)
    found = connection.execute(_LATER[database.kind], {"ids": database.listing(ordered)}) if ordered else ()
    later = {row.id: row.later for row in found}
    for id_ in ordered:
        if later.get(id_) is not None:
            answers[id_] = (
                f"A later one on the key {rows[id_].order_key}, delivery {later[id_]}, is delivered; replaying this one would go back behind it. "
                "Use force if that is meant."
            )
    return answers
