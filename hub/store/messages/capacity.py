"""Capacities: who goes in which window. Places are given in the transaction that adds the delivery, so none is given twice or lost.

A delivery that ends, or is sent by a person, before its hour gives its place back: the row of `place` goes with it, so it is given back once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

import sqlalchemy as sa

from hub.core.model.delivery import Planned, Slot
from hub.store.engine import register_tables
from hub.store.engine.columns import EPOCH
from hub.store.engine.database import Database, Insert, Stamp
from hub.store.engine.dialects import any_of, skip_locked, texts

Row: TypeAlias = tuple[str, str]  # route, value of its `by`
Windows: TypeAlias = dict[tuple[str, str, datetime], int]  # how much of each window is taken, as far as it was looked at

PAGE = 64  # windows that are looked at in one query
# A window that is over is kept for so long: who added with a clock read before its end may still look at it.
MARGIN = timedelta(hours=1)
LOCK_FOR = timedelta(days=1)  # a lock that nobody took for so long is pruned; whoever wants it makes it anew

# A row that is there is locked by being written with its own value: until the commit nobody else gives places of it.
_LOCK = Insert(register_tables.capacity, "ON CONFLICT (route, key, window_at) DO UPDATE SET ends_at = excluded.ends_at")
# Two units may begin a window at one instant, where a route's capacity was changed: the row is needed until the longer one's end.
_WRITE = Insert(
    register_tables.capacity,
    "ON CONFLICT (route, key, window_at) DO UPDATE SET used = excluded.used, "
    "ends_at = CASE WHEN excluded.ends_at > capacity.ends_at THEN excluded.ends_at ELSE capacity.ends_at END",
)
_HOLD = Insert(register_tables.place)
_HELD = texts(lambda kind: 'SELECT DISTINCT route, "key" FROM place WHERE delivery_id ' + any_of("ids", kind))
_TAKE = texts(lambda kind: "DELETE FROM place WHERE delivery_id " + any_of("ids", kind) + ' RETURNING route, "key", window_at')
_GIVE_BACK = sa.text('UPDATE capacity SET used = used - :number WHERE route = :route AND "key" = :key AND window_at = :window AND used >= :number')
_OVER = sa.text("SELECT 1 FROM capacity WHERE ends_at <= :over LIMIT 1")
# What is locked is skipped: somebody gives places of it this moment, and it is not over for them.
_PRUNABLE = texts(lambda kind: f'SELECT route, "key", window_at FROM capacity WHERE ends_at <= :over ORDER BY ends_at LIMIT :limit{skip_locked(kind)}')
_PRUNE = sa.text('DELETE FROM capacity WHERE route = :route AND "key" = :key AND window_at = :window')


def place(database: Database, connection: sa.Connection, planned: Sequence[Planned], now: Stamp) -> dict[str, datetime]:
    """When each delivery that needs a place may go: the start of its window, by the delivery's id. Those that may go at once are left out.

    A delivery gets the first window with room from now on, or from the hour until which it is held.
    """
    wanted = [(one, one.slot) for one in planned if one.slot is not None]
    if not wanted:
        return {}
    at = database.instant(now)
    _lock(database, connection, {(slot.route, slot.key) for _, slot in wanted}, now)
    seen: Windows = {}
    given: dict[tuple[str, str, datetime], tuple[int, datetime]] = {}
    held: list[tuple[str, str, str, Stamp]] = []
    starts: dict[str, datetime] = {}
    for one, slot in wanted:
        earliest = max(at, one.hold_until or at)
        window = _first_with_room(connection, slot, slot.quota.window(earliest), seen)
        seen[slot.route, slot.key, window] += 1
        given[slot.route, slot.key, window] = (seen[slot.route, slot.key, window], slot.quota.next(window))
        if window > at:
            starts[one.id] = max(window, one.hold_until or window)
        if window > at or one.hold_until is not None:
            held.append((one.id, slot.route, slot.key, database.stamp(window)))
    _WRITE.run(connection, [(route, key, database.stamp(window), used, database.stamp(ends)) for (route, key, window), (used, ends) in sorted(given.items())])
    _HOLD.run(connection, held)
    return starts


def lock_of(database: Database, connection: sa.Connection, ids: Sequence[str], now: Stamp) -> None:
    """Takes the locks of what these deliveries may give back. Before the deliveries themselves are locked: whoever adds takes them in that order too."""
    _lock(database, connection, {(row[0], row[1]) for row in connection.execute(_HELD[database.kind], {"ids": database.listing(ids)})}, now)


def give_back(database: Database, connection: sa.Connection, ids: Sequence[str], now: Stamp) -> None:
    """The places of held deliveries that will not go at their hour. Those that have none, or gave it back before, change nothing."""
    if not ids:
        return
    rows = Counter((row[0], row[1], row[2]) for row in connection.execute(_TAKE[database.kind], {"ids": database.listing(ids)}))
    if rows:
        _lock(database, connection, {(route, key) for route, key, _ in rows}, now)
        given = [{"route": route, "key": key, "window": window, "number": number} for (route, key, window), number in sorted(rows.items())]
        connection.execute(_GIVE_BACK, given)


def use(database: Database, connection: sa.Connection, ids: Sequence[str]) -> None:
    """The hour of these deliveries has come: their places are used, and nobody gives them back any more."""
    if ids:
        connection.execute(_TAKE[database.kind], {"ids": database.listing(ids)})


def prune(database: Database, limit: int, margin: timedelta = MARGIN) -> int:
    """Up to `limit` windows that have been over for `margin`, and locks that nobody takes, are removed; gives how many. Safe in many processes at once."""

    def given(connection: sa.Connection) -> dict[str, Stamp]:
        return {"over": database.stamp(database.instant(database.clock(connection)) - margin)}

    # Mostly there is none: a look costs nobody the write lock.
    if database.read(lambda connection: connection.execute(_OVER, given(connection)).first()) is None:
        return 0

    def work(connection: sa.Connection) -> int:
        rows = connection.execute(_PRUNABLE[database.kind], {**given(connection), "limit": limit}).all()
        if rows:
            connection.execute(_PRUNE, [{"route": row[0], "key": row[1], "window": row[2]} for row in rows])
        return len(rows)

    return database.write(work)


def _lock(database: Database, connection: sa.Connection, rows: set[Row], now: Stamp) -> None:
    """Sorted: two that need the same rows lock them in one order."""
    ends = database.stamp(database.instant(now) + LOCK_FOR)
    _LOCK.run(connection, [(*row, database.stamp(EPOCH), 0, ends) for row in sorted(rows)])


def _first_with_room(connection: sa.Connection, slot: Slot, window: datetime, seen: Windows) -> datetime:
    """From `window` on. Looks at windows page by page; each is looked at once per transaction."""
    while True:
        if (slot.route, slot.key, window) not in seen:
            _look(connection, slot, window, seen)
        if seen[slot.route, slot.key, window] < slot.quota.limit:
            return window
        window = slot.quota.next(window)


def _look(connection: sa.Connection, slot: Slot, window: datetime, seen: Windows) -> None:
    columns = register_tables.capacity.c
    query = sa.select(columns.window_at, columns.used).where(columns.route == slot.route, columns.key == slot.key, columns.window_at >= window)
    used: dict[datetime, int] = {row[0]: row[1] for row in connection.execute(query.order_by(columns.window_at).limit(PAGE))}
    last = max(used, default=window)
    while True:
        seen.setdefault((slot.route, slot.key, window), used.get(window, 0))
        if window >= last or used.get(window, 0) < slot.quota.limit:
            return
        window = slot.quota.next(window)
