"""Pauses of routes and targets by a person. Every claim reads them, so a pause is effective from its commit on.

The deliveries of a paused target stay pending, and its lane is not claimed. A paused route shares its lanes with
others: each claim holds some of its deliveries, so that claims need not skip a million of them. Until then the claim
leaves them out by a condition.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from hub.core.errors import Cause, Reason
from hub.store.accounts import acts
from hub.store.engine.database import Database, Stamp
from hub.store.engine.dialects import along, any_of, for_share, for_update, skip_locked, texts
from hub.store.engine.json_columns import dump_why
from hub.store.engine.people_tables import pause as table

ROUTE, TARGET = "route", "target"
# The release time of deliveries that a pause holds. It distinguishes them from those that wait for a time or for a
# person.
UNTIL_RESUMED = datetime(9999, 12, 31, tzinfo=UTC)
AHEAD = 2_000  # due deliveries at the head of a lane in which a claim looks for paused routes
BLOCK = 1_000  # deliveries released in one transaction

# The condition of a claim: not of a paused target, not of a paused route. Both are evaluated once, not per row.
NOT_PAUSED = (
    ":lane NOT IN (SELECT p.name FROM pause p WHERE p.kind = 'target' AND p.ended_at IS NULL) "
    "AND d.route NOT IN (SELECT p.name FROM pause p WHERE p.kind = 'route' AND p.ended_at IS NULL)"
)

# A shared lock until the commit: if the pause ended between our read and our write, nothing would release what is held.
_PAUSED_ROUTES = texts(
    lambda kind: f"SELECT name, \"by\", why FROM pause WHERE kind = 'route' AND ended_at IS NULL{for_share(kind)}"
)
_HEAD = texts(
    lambda kind: (
        f"SELECT id, route FROM delivery{along('ix_delivery_due', kind)} WHERE lane = :lane AND status = 'pending' AND due_at <= :now "
        f"ORDER BY due_at, id LIMIT {AHEAD}{skip_locked(kind)}"
    )
)
_HOLD = texts(
    lambda kind: (
        f"UPDATE delivery{along('PRIMARY', kind)} SET status = 'held', release_at = :forever, why = :why, changed_at = :now "
        f"WHERE status = 'pending' AND id {any_of('ids', kind)}"
    )
)
_HELD = texts(
    lambda kind: (
        f"SELECT id, lane FROM delivery{along('ix_delivery_release', kind)} WHERE status = 'held' AND release_at IS NOT NULL AND release_at = :forever "
        f"AND route = :route LIMIT {BLOCK}{for_update(kind)}"
    )
)
_FREE = texts(
    lambda kind: (
        f"UPDATE delivery{along('PRIMARY', kind)} SET status = 'pending', due_at = :now, changed_at = :now, release_at = NULL, why = NULL, cluster = NULL "
        f"WHERE status = 'held' AND id {any_of('ids', kind)}"
    )
)
_ENDED = texts(
    lambda kind: (
        f"SELECT name FROM pause WHERE kind = 'route' AND ended_at IS NOT NULL ORDER BY name LIMIT 1{skip_locked(kind)}"
    )
)
_OVER = sa.text("DELETE FROM pause WHERE kind = 'route' AND name = :name AND ended_at IS NOT NULL")


@dataclass(frozen=True, slots=True)
class Pause:
    """The pause of a route or a target: since when, by whom, and why."""

    kind: str
    name: str
    at: datetime
    by: str
    why: str


def pause(database: Database, kind: str, name: str, *, by: str, why: str) -> bool:
    """Pauses a route or a target from the commit on. False: it was paused already, and the first pause stays."""
    columns = table.c

    def work(connection: sa.Connection) -> bool:
        row = connection.execute(
            sa.select(columns.ended_at).where(columns.kind == kind, columns.name == name).with_for_update()
        ).first()
        if row is not None and row.ended_at is None:
            return False
        values = {"at": database.instant(database.clock(connection)), "by": by, "why": why, "ended_at": None}
        if row is None:
            connection.execute(sa.insert(table).values(kind=kind, name=name, **values))
        else:
            connection.execute(sa.update(table).where(columns.kind == kind, columns.name == name).values(values))
        acts.record(database, connection, by, f"{kind}.paused", name, {"why": why})
        return True

    try:
        return database.write(work)
    except sa.exc.IntegrityError:
        return False  # somebody else paused it this moment


def resume(database: Database, kind: str, name: str, *, by: str) -> bool:
    """Ends a pause. `free` releases the held deliveries of a route in blocks; if we die in between, the next sweep goes
    on. False: it was not paused.
    """
    columns = table.c

    def work(connection: sa.Connection) -> bool:
        this_pause = (columns.kind == kind, columns.name == name, columns.ended_at.is_(None))
        now = database.instant(database.clock(connection))
        change = (
            sa.delete(table).where(*this_pause)
            if kind == TARGET
            else sa.update(table).where(*this_pause).values(ended_at=now)
        )
        if not connection.execute(change).rowcount:
            return False
        acts.record(database, connection, by, f"{kind}.resumed", name, {})
        return True

    return database.write(work)


def pauses(database: Database) -> list[Pause]:
    """The current pauses, oldest first."""
    columns = table.c
    query = (
        sa.select(columns.kind, columns.name, columns.at, columns.by, columns.why)
        .where(columns.ended_at.is_(None))
        .order_by(columns.at, columns.name)
    )
    return [Pause(*row) for row in database.read(lambda connection: connection.execute(query).all())]


def hold(database: Database, connection: sa.Connection, lane: str, now: Stamp) -> int:
    """Holds the due deliveries of paused routes at the head of `lane`, inside a claim's transaction; gives how many."""
    paused = {row.name: row for row in connection.execute(_PAUSED_ROUTES[database.kind])}
    if not paused:
        return 0
    ids_by_route: dict[str, list[str]] = {}
    for row in connection.execute(_HEAD[database.kind], {"lane": lane, "now": now}):
        if row.route in paused:
            ids_by_route.setdefault(row.route, []).append(row.id)
    for route, ids in ids_by_route.items():
        parameters = {
            "now": now,
            "forever": database.stamp(UNTIL_RESUMED),
            "why": dump_why(_why(paused[route])),
            "ids": database.listing(ids),
        }
        connection.execute(_HOLD[database.kind], parameters)
    return sum(map(len, ids_by_route.values()))


def _why(row: Any) -> Cause:
    text = f"Route {row.name} is paused by {row.by}" + (f": {row.why}" if row.why else ".")
    return Cause(Reason.PAUSED, text, fix=f"It goes by itself once somebody says: hub route resume {row.name}")


def free(database: Database) -> tuple[int, list[str]]:
    """Releases one block of deliveries that an ended pause of a route held; gives how many, and their lanes. 0: no
    pause is ending.
    """

    def work(connection: sa.Connection) -> tuple[int, list[str]]:
        name = connection.execute(_ENDED[database.kind]).scalar()
        if name is None:
            return 0, []
        now = database.clock(connection)
        rows = connection.execute(_HELD[database.kind], {"forever": database.stamp(UNTIL_RESUMED), "route": name}).all()
        if not rows:
            connection.execute(_OVER, {"name": name})
            return 0, []
        connection.execute(_FREE[database.kind], {"now": now, "ids": database.listing([row.id for row in rows])})
        return len(rows), sorted({row.lane for row in rows})

    return database.write(work)


def _behind(of: str) -> dict[str, sa.TextClause]:
    # The states are literals, so that the planner uses the partial indexes and does not scan the ended deliveries.
    return texts(
        lambda kind: (
            f"SELECT (SELECT count(*) FROM delivery{along('ix_delivery_due', kind)} WHERE status = 'pending' AND {of} = :name) "
            f"+ (SELECT count(*) FROM delivery{along('ix_delivery_release', kind)} WHERE status = 'held' AND release_at IS NOT NULL "
            f"AND release_at = :forever AND {of} = :name)"
        )
    )


_BEHIND = {TARGET: _behind("lane"), ROUTE: _behind("route")}


def waiting_behind(database: Database, kind: str, name: str) -> int:
    """The number of deliveries that wait because of a pause, or would wait if it were paused now: pending ones, and
    those that it holds.
    """
    query = _BEHIND[kind][database.kind]
    parameters = {"name": name, "forever": database.stamp(UNTIL_RESUMED)}
    return int(database.read(lambda connection: connection.execute(query, parameters).scalar_one()))
