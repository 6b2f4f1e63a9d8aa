"""What flowed, by minute and way: added in batches by each process, summed when somebody looks, gone after two days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from hub.store.engine.database import Database, Insert
from hub.store.engine.dialects import texts
from hub.store.engine.register_tables import JOURNEY, OUTCOMES, SENDING, flow_minute
from hub.store.messages.add import UNSTORABLE

KEPT = timedelta(hours=48)
MINUTE = timedelta(minutes=1)
NUMBERS = (*OUTCOMES, *JOURNEY, *SENDING)
_GOOD = ("accepted", "apart", "delivered")  # the other outcomes are of attempts that did not arrive
_ADD = Insert(
    flow_minute,
    "ON CONFLICT (minute, route, way) DO UPDATE SET "
    + ", ".join(f"{name} = flow_minute.{name} + excluded.{name}" for name in NUMBERS),
)
_PRUNE = sa.text("DELETE FROM flow_minute WHERE minute < :before")


@dataclass(frozen=True, slots=True)
class ThroughputRow:
    """What flowed in one span of time on one way. `route` empty: what was accepted, and `way` is its type with version;
    else `way` is the target.

    `numbers`: by the words of OUTCOMES; `journey` and `sending`: how many took at most BOUNDS_MS milliseconds, not
    added up, the last one longer.
    """

    at: datetime
    route: str
    way: str
    numbers: Mapping[str, int] = field(default_factory=dict)
    journey: tuple[int, ...] = (0,) * len(JOURNEY)
    sending: tuple[int, ...] = (0,) * len(SENDING)

    def __add__(self, other: ThroughputRow) -> ThroughputRow:
        numbers = {name: self.numbers.get(name, 0) + other.numbers.get(name, 0) for name in OUTCOMES}
        journey = tuple(a + b for a, b in zip(self.journey, other.journey, strict=True))
        return ThroughputRow(
            self.at,
            self.route,
            self.way,
            numbers,
            journey,
            tuple(a + b for a, b in zip(self.sending, other.sending, strict=True)),
        )

    @property
    def attempts(self) -> int:
        return sum(self.sending)


@dataclass(frozen=True, slots=True)
class MinuteCount:
    """One minute of one way, in three numbers: what was accepted, what arrived, and what did not (dead, held, unknown,
    to be tried again, ended).
    """

    at: datetime
    route: str
    way: str
    accepted: int
    delivered: int
    failed: int


def add_minutes(database: Database, batch: Sequence[ThroughputRow]) -> None:
    """Adds to what is there. In one order everywhere: two processes that add the same rows wait for each other in
    turn.
    """
    rows = sorted(
        (
            database.stamp(one.at),
            one.route,
            one.way,
            *(one.numbers.get(name, 0) for name in OUTCOMES),
            *one.journey,
            *one.sending,
        )
        for one in batch
    )
    if not rows:
        return
    try:
        database.write(lambda connection: _ADD.run(connection, rows))
    except UNSTORABLE:
        # One row that cannot be stored must not hold up the others for ever: it is let go, its neighbours are not.
        if len(batch) > 1:
            middle = len(batch) // 2
            add_minutes(database, batch[:middle])
            add_minutes(database, batch[middle:])


def prune_minutes(database: Database, before: datetime) -> int:
    return database.write(lambda connection: connection.execute(_PRUNE, {"before": database.stamp(before)}).rowcount)


def flowed(database: Database, since: datetime, until: datetime | None = None) -> list[ThroughputRow]:
    """Sums from `since` on, per route and way; `at` is `since`."""
    columns = flow_minute.c
    query = (
        _among(sa.select(columns.route, columns.way, *_sums()), since, until)
        .group_by(columns.route, columns.way)
        .order_by(columns.route, columns.way)
    )
    return [
        _flowed(since, row.route, row.way, row)
        for row in database.read(lambda connection: connection.execute(query).all())
    ]


# Which step a minute falls into, counted from the first: the database adds up, so that two days are as quick as an
# hour.
_STEP = {
    "postgresql": "CAST(floor(extract(epoch FROM minute - :since) / :step) AS integer)",
    "sqlite": "(minute - :since) / (:step * 1000000)",
    "mariadb": "(minute - :since) DIV (:step * 1000000)",
}
_SERIES = texts(
    lambda kind: (
        (
            f"SELECT {_STEP[kind]} AS step, {', '.join(f'sum({name}) AS {name}' for name in NUMBERS)} FROM flow_minute "
            "WHERE minute >= :since AND minute < :until AND (:route IS NULL OR route = :route) AND (:way IS NULL OR way = :way) "
            "AND (:size = 0 OR (route <> '' AND substr(way, 1, :size) = :head)) GROUP BY step ORDER BY step"
        )
        .replace(
            ":route IS NULL",
            "CAST(:route AS CHAR(191)) IS NULL" if kind == "mariadb" else "CAST(:route AS text) IS NULL",
        )
        .replace(
            ":way IS NULL", "CAST(:way AS CHAR(255)) IS NULL" if kind == "mariadb" else "CAST(:way AS text) IS NULL"
        )
    )
)


def beats(database: Database, since: datetime) -> list[MinuteCount]:
    """Each minute of each way from `since` on: for small lines of many ways at once."""
    columns = flow_minute.c
    failed = sum((columns[name] for name in OUTCOMES if name not in _GOOD), sa.literal(0))
    query = sa.select(columns.minute, columns.route, columns.way, columns.accepted, columns.delivered, failed).where(
        columns.minute >= since
    )
    return [
        MinuteCount(row[0], row[1], row[2], *map(int, row[3:]))
        for row in database.read(lambda connection: connection.execute(query).all())
    ]


def series(
    database: Database,
    since: datetime,
    *,
    step: timedelta = MINUTE,
    route: str | None = None,
    way: str | None = None,
    lane: str | None = None,
    until: datetime | None = None,
) -> list[ThroughputRow]:
    """Sums per step of whole minutes, oldest first; steps in which nothing flowed are missing.

    `route`, `way` and `lane` (a target system) narrow it; "" is a route too.
    """

    def work(connection: sa.Connection) -> list[Any]:
        end = until if until is not None else database.instant(database.clock(connection)) + KEPT
        head = f"{lane}/" if lane is not None else ""
        given = {
            "since": database.stamp(since),
            "until": database.stamp(end),
            "step": int(step.total_seconds()),
            "route": route,
            "way": way,
        }
        return list(connection.execute(_SERIES[database.kind], {**given, "size": len(head), "head": head}).all())

    return [_flowed(since + int(row.step) * step, route or "", way or "", row) for row in database.read(work)]


def delivered_around(database: Database, route: str, way: str, at: datetime) -> tuple[datetime | None, datetime | None]:
    """The last minute up to `at` in which this way delivered, and the first one after it."""
    columns = flow_minute.c
    mine = sa.and_(columns.route == route, columns.way == way, columns.delivered > 0)
    before = sa.select(columns.minute).where(mine, columns.minute <= at).order_by(columns.minute.desc()).limit(1)
    after = sa.select(columns.minute).where(mine, columns.minute > at).order_by(columns.minute).limit(1)
    return database.read(lambda connection: (connection.execute(before).scalar(), connection.execute(after).scalar()))


def _among(query: sa.Select[Any], since: datetime, until: datetime | None) -> sa.Select[Any]:
    query = query.where(flow_minute.c.minute >= since)
    return query if until is None else query.where(flow_minute.c.minute < until)


def _sums() -> list[sa.Label[Any]]:
    return [sa.func.sum(flow_minute.c[name]).label(name) for name in NUMBERS]


def _flowed(at: datetime, route: str, way: str, row: Any) -> ThroughputRow:
    named = row._mapping  # noqa: SLF001  the library's public name
    journey, sending = (tuple(int(named[name]) for name in names) for names in (JOURNEY, SENDING))
    return ThroughputRow(at, route, way, {name: int(named[name]) for name in OUTCOMES}, journey, sending)
