"""Capacities: who goes in which window. Places are given in the transaction that adds the delivery, so none is given twice or lost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypeAlias

import sqlalchemy as sa

from hub.core.delivery import Planned, Slot
from hub.store import tables
from hub.store.database import Database, Insert, Stamp
from hub.store.tables import EPOCH

Row: TypeAlias = tuple[str, str]  # route, value of its `by`
Windows: TypeAlias = dict[tuple[str, str, datetime], int]  # how much of each window is taken, as far as it was looked at

PAGE = 64  # windows that are looked at in one query

# A row that is there is locked by being written with its own value: until the commit nobody else gives places of it.
_LOCK = Insert(tables.capacity, "ON CONFLICT (route, key, window_at) DO UPDATE SET used = capacity.used")
_WRITE = Insert(tables.capacity, "ON CONFLICT (route, key, window_at) DO UPDATE SET used = excluded.used")


def place(database: Database, connection: sa.Connection, planned: Sequence[Planned], now: Stamp) -> dict[str, datetime]:
    """When each delivery that needs a place may go: the start of its window, by the delivery's id. Those that may go at once are left out.

    A delivery gets the first window with room from now on, or from the hour until which it is held. Places are not given back.
    """
    wanted = [(one, one.slot) for one in planned if one.slot is not None]
    if not wanted:
        return {}
    at = database.instant(now)
    # Sorted: two groups that need the same rows lock them in one order.
    _LOCK.run(connection, [(*row, database.stamp(EPOCH), 0) for row in sorted({(slot.route, slot.key) for _, slot in wanted})])
    seen: Windows = {}
    given: Windows = {}
    starts: dict[str, datetime] = {}
    for one, slot in wanted:
        earliest = max(at, one.hold_until or at)
        window = _first_with_room(connection, slot, slot.quota.window(earliest), seen)
        seen[slot.route, slot.key, window] += 1
        given[slot.route, slot.key, window] = seen[slot.route, slot.key, window]
        if window > at:
            starts[one.id] = max(window, one.hold_until or window)
    _WRITE.run(connection, [(route, key, database.stamp(window), used) for (route, key, window), used in sorted(given.items())])
    return starts


def _first_with_room(connection: sa.Connection, slot: Slot, window: datetime, seen: Windows) -> datetime:
    """From `window` on. Looks at windows page by page; each is looked at once per transaction."""
    while True:
        if (slot.route, slot.key, window) not in seen:
            _look(connection, slot, window, seen)
        if seen[slot.route, slot.key, window] < slot.quota.limit:
            return window
        window = slot.quota.next(window)


def _look(connection: sa.Connection, slot: Slot, window: datetime, seen: Windows) -> None:
    columns = tables.capacity.c
    query = sa.select(columns.window_at, columns.used).where(columns.route == slot.route, columns.key == slot.key, columns.window_at >= window)
    used: dict[datetime, int] = {row[0]: row[1] for row in connection.execute(query.order_by(columns.window_at).limit(PAGE))}
    last = max(used, default=window)
    while True:
        seen.setdefault((slot.route, slot.key, window), used.get(window, 0))
        if window >= last or used.get(window, 0) < slot.quota.limit:
            return
        window = slot.quota.next(window)
