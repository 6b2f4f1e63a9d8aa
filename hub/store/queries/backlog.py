"""How things stand, for whoever looks: what waits on each way, behind whom, and which processes live. Each answer looks
at a bounded number of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from hub.core.model.delivery import RANKS
from hub.store.engine.database import Database
from hub.store.engine.register_tables import breaker, worker_sign
from hub.store.repairs.arrivals import for_a_person
from hub.store.tables import refused

SAMPLE = 10_000  # pending deliveries of a lane that are looked at one by one
MOST = 100_000  # beyond that, nobody counts on
DEAD = 5_000  # dead deliveries whose keys are looked at


@dataclass(frozen=True, slots=True)
class Way:
    """What is pending on one route to one target. `is_exact`: counted; else scaled up from the first SAMPLE of its
    lane.
    """

    lane: str
    route: str
    target: str
    number: int
    is_exact: bool


@dataclass(frozen=True, slots=True)
class Lane:
    """What is pending in a lane. `oldest_due_at`: in the past, if it is late. `is_exact`: False where there are more
    than MOST.
    """

    lane: str
    number: int
    is_exact: bool
    oldest_due_at: datetime | None
    ways: tuple[Way, ...]


@dataclass(frozen=True, slots=True)
class ParkedKey:
    """A business key whose later deliveries wait behind a dead one."""

    lane: str
    order_key: str
    delivery_id: str  # the dead one
    since: datetime
    waiting: int


@dataclass(frozen=True, slots=True)
class BlockedLane:
    """A lane that stands still because of dead deliveries (`when_dead: block`)."""

    lane: str
    number: int
    since: datetime


@dataclass(frozen=True, slots=True)
class OpenBreaker:
    """A breaker that is not closed."""

    lane: str
    state: str
    since: datetime
    until: datetime | None
    trips: int


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What a queue brought and the hub could not accept, and nobody has ended yet."""

    source: str
    number: int
    oldest_at: datetime
    newest_at: datetime


_WAYS = sa.text(
    "SELECT route, target, count(*) AS number FROM (SELECT route, target FROM delivery WHERE status = 'pending' AND lane = :lane LIMIT :sample) AS sample "
    "GROUP BY route, target ORDER BY route, target"
)
_NUMBER = sa.text(
    "SELECT count(*) FROM (SELECT 1 FROM delivery WHERE status = 'pending' AND lane = :lane LIMIT :most) AS few"
)
_OLDEST = sa.text(
    "SELECT due_at FROM delivery WHERE status = 'pending' AND lane = :lane AND \"rank\" = :rank ORDER BY due_at LIMIT 1"
)
# The oldest dead ones of all: their keys have waited for longest. A key that has a dead one and nothing behind it is
# parked for nobody.
_PARKED = sa.text(
    "SELECT g.lane, g.order_key, g.id, g.since, (SELECT count(*) FROM delivery p WHERE p.lane = g.lane AND p.order_key = g.order_key "
    "AND p.order_key IS NOT NULL AND p.status = 'pending' AND p.seq > g.seq) AS waiting "
    "FROM (SELECT lane, order_key, min(seq) AS seq, min(id) AS id, min(changed_at) AS since "
    "FROM (SELECT lane, order_key, seq, id, changed_at, when_dead FROM delivery WHERE status = 'dead' ORDER BY id LIMIT :most) AS dead "
    "WHERE order_key IS NOT NULL AND when_dead = 'park' GROUP BY lane, order_key) AS g"
)
_DEAD = sa.text("SELECT count(*) FROM (SELECT 1 FROM delivery WHERE status = 'dead' LIMIT :most) AS few")
_BLOCKED = sa.text(
    "SELECT lane, count(*) AS number, min(changed_at) AS since FROM delivery WHERE status = 'dead' AND when_dead = 'block' GROUP BY lane ORDER BY lane"
)


def lanes(database: Database, names: Sequence[str]) -> list[Lane]:
    """What is pending in each of these lanes, by way."""

    def one(connection: sa.Connection, lane: str) -> Lane:
        rows = connection.execute(_WAYS, {"lane": lane, "sample": SAMPLE + 1}).all()
        seen = sum(int(row.number) for row in rows)
        total = (
            seen if seen <= SAMPLE else int(connection.execute(_NUMBER, {"lane": lane, "most": MOST + 1}).scalar_one())
        )
        is_whole = seen <= SAMPLE
        ways = tuple(Way(lane, row.route, row.target, int(row.number) * total // seen, is_whole) for row in rows)
        due = [
            database.instant(at)
            for rank in range(len(RANKS))
            if (at := connection.execute(_OLDEST, {"lane": lane, "rank": rank}).scalar()) is not None
        ]
        return Lane(lane, min(total, MOST), total <= MOST, min(due, default=None), ways)

    return database.read(lambda connection: [one(connection, lane) for lane in names])


def parked(database: Database) -> tuple[list[ParkedKey], bool]:
    """Keys that wait behind a dead delivery, the oldest first; and whether all dead ones were looked at, or only the
    oldest DEAD.
    """

    def work(connection: sa.Connection) -> tuple[list[ParkedKey], bool]:
        rows = connection.execute(_PARKED, {"most": DEAD}).all()
        number = int(connection.execute(_DEAD, {"most": DEAD + 1}).scalar_one())
        found = [
            ParkedKey(row.lane, row.order_key, row.id, database.instant(row.since), int(row.waiting))
            for row in rows
            if row.waiting
        ]
        return sorted(found, key=lambda one: (one.since, one.delivery_id)), number <= DEAD

    return database.read(work)


def blocked(database: Database) -> list[BlockedLane]:
    rows = database.read(lambda connection: connection.execute(_BLOCKED).all())
    return [BlockedLane(row.lane, int(row.number), database.instant(row.since)) for row in rows]


def opened(database: Database) -> list[OpenBreaker]:
    columns = breaker.c
    query = (
        sa.select(columns.lane, columns.state, columns.changed_at, columns.until, columns.trips)
        .where(columns.state != "closed")
        .order_by(columns.lane)
    )
    return [OpenBreaker(*row) for row in database.read(lambda connection: connection.execute(query).all())]


def arrivals(database: Database) -> list[Arrivals]:
    columns = refused.c
    oldest, newest = (
        sa.type_coerce(one, columns.last_at.type)
        for one in (sa.func.min(columns.received_at), sa.func.max(columns.last_at))
    )
    query = (
        sa.select(columns.source, sa.func.count(), oldest, newest)
        .where(columns.state == "waiting", for_a_person())
        .group_by(columns.source)
        .order_by(columns.source)
    )
    return [
        Arrivals(row[0], int(row[1]), row[2], row[3])
        for row in database.read(lambda connection: connection.execute(query).all())
    ]


def signs(database: Database) -> list[tuple[str, datetime]]:
    """When each worker that did not sign off was heard of last."""
    query = sa.select(worker_sign.c.worker, worker_sign.c.seen_at).order_by(worker_sign.c.worker)
    return [(row[0], row[1]) for row in database.read(lambda connection: connection.execute(query).all())]
