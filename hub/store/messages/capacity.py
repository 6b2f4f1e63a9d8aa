"""Capacity limits: assigns deliveries to time windows. The transaction that adds a delivery takes its slot, so none is
taken twice or lost.

A delivery that ends, or is sent by a person, before its window gives its slot back. Its row of `place` is deleted with
it, so it is given back once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

import sqlalchemy as sa

from hub.core.model.delivery import NewDelivery, Slot
from hub.store.columns import EPOCH
from hub.store.engine import register_tables
from hub.store.engine.database import Database, Insert, Stamp
from hub.store.engine.dialects import any_of, skip_locked, texts

Row: TypeAlias = tuple[str, str]  # route, value of its `by`
Windows: TypeAlias = dict[tuple[str, str, datetime], int]  # used slots of each window that was read

PAGE = 64  # windows read by one query
# How long a past window is kept: a transaction that read the clock before its end may still need it.
MARGIN = timedelta(hours=1)
LOCK_FOR = timedelta(days=1)  # an unused lock row is pruned after this; it is created again when needed

# Writing an existing row with its own value locks it: until the commit no other transaction takes slots of it.
_LOCK = Insert(register_tables.capacity, "ON CONFLICT (route, key, window_at) DO UPDATE SET ends_at = excluded.ends_at")
# If a route's capacity was changed, two units may start a window at one instant: the row is kept until the later end.
_WRITE = Insert(
    register_tables.capacity,
    "ON CONFLICT (route, key, window_at) DO UPDATE SET used = excluded.used, "
    "ends_at = CASE WHEN excluded.ends_at > capacity.ends_at THEN excluded.ends_at ELSE capacity.ends_at END",
)
_HOLD = Insert(register_tables.place)
_HELD = texts(lambda kind: 'SELECT DISTINCT route, "key" FROM place WHERE delivery_id ' + any_of("ids", kind))
_TAKE = texts(
    lambda kind: "DELETE FROM place WHERE delivery_id " + any_of("ids", kind) + ' RETURNING route, "key", window_at'
)
_GIVE_BACK = sa.text(
    'UPDATE capacity SET used = used - :number WHERE route = :route AND "key" = :key AND window_at = :window AND used >= :number'
)
_OVER = sa.text("SELECT 1 FROM capacity WHERE ends_at <= :over LIMIT 1")
# Locked rows are skipped: another transaction is taking slots of that window.
_PRUNABLE = texts(
    lambda kind: (
        f'SELECT route, "key", window_at FROM capacity WHERE ends_at <= :over ORDER BY ends_at LIMIT :limit{skip_locked(kind)}'
    )
)
_PRUNE = sa.text('DELETE FROM capacity WHERE route = :route AND "key" = :key AND window_at = :window')


def place(
    database: Database, connection: sa.Connection, planned: Sequence[NewDelivery], now: Stamp
) -> dict[str, datetime]:
    """Assigns a window to each delivery with a capacity; gives the start of the window by delivery id, without those
    that may be sent at once.

    A delivery gets the first window with a free slot from now on, or from the time until which it is held.
    """
    slotted = [(delivery, delivery.slot) for delivery in planned if delivery.slot is not None]
    if not slotted:
        return {}
    at = database.instant(now)
    _lock(database, connection, {(slot.route, slot.key) for _, slot in slotted}, now)
    used_slots: Windows = {}
    changed: dict[tuple[str, str, datetime], tuple[int, datetime]] = {}
    held: list[tuple[str, str, str, Stamp]] = []
    starts: dict[str, datetime] = {}
    for delivery, slot in slotted:
        earliest = max(at, delivery.hold_until or at)
        window = _first_with_room(connection, slot, slot.quota.window(earliest), used_slots)
        used_slots[slot.route, slot.key, window] += 1
        changed[slot.route, slot.key, window] = (used_slots[slot.route, slot.key, window], slot.quota.next(window))
        if window > at:
            starts[delivery.id] = max(window, delivery.hold_until or window)
        if window > at or delivery.hold_until is not None:
            held.append((delivery.id, slot.route, slot.key, database.stamp(window)))
    _WRITE.run(
        connection,
        [
            (route, key, database.stamp(window), used, database.stamp(ends))
            for (route, key, window), (used, ends) in sorted(changed.items())
        ],
    )
    _HOLD.run(connection, held)
    return starts


def lock_of(database: Database, connection: sa.Connection, ids: Sequence[str], now: Stamp) -> None:
    """Locks the capacity rows of these deliveries. Must come before the lock of the deliveries: adding takes the locks
    in that order too.
    """
    _lock(
        database,
        connection,
        {(row[0], row[1]) for row in connection.execute(_HELD[database.kind], {"ids": database.listing(ids)})},
        now,
    )


def give_back(database: Database, connection: sa.Connection, ids: Sequence[str], now: Stamp) -> None:
    """Gives back the slots of held deliveries that will not be sent in their window. Deliveries without a slot change
    nothing.
    """
    if not ids:
        return
    rows = Counter(
        (row[0], row[1], row[2]) for row in connection.execute(_TAKE[database.kind], {"ids": database.listing(ids)})
    )
    if rows:
        _lock(database, connection, {(route, key) for route, key, _ in rows}, now)
        changes = [
            {"route": route, "key": key, "window": window, "number": number}
            for (route, key, window), number in sorted(rows.items())
        ]
        connection.execute(_GIVE_BACK, changes)


def use(database: Database, connection: sa.Connection, ids: Sequence[str]) -> None:
    """Marks the slots of these deliveries as used: their window has begun, and the slots cannot be given back any
    more.
    """
    if ids:
        connection.execute(_TAKE[database.kind], {"ids": database.listing(ids)})


def prune(database: Database, limit: int = 1_000, margin: timedelta = MARGIN) -> int:
    """Deletes up to `limit` windows that ended `margin` ago, and unused lock rows; gives how many. Safe in several
    processes at once.
    """

    def parameters(connection: sa.Connection) -> dict[str, Stamp]:
        return {"over": database.stamp(database.instant(database.clock(connection)) - margin)}

    # Usually there is none, and a read does not take the write lock.
    if database.read(lambda connection: connection.execute(_OVER, parameters(connection)).first()) is None:
        return 0

    def work(connection: sa.Connection) -> int:
        rows = connection.execute(_PRUNABLE[database.kind], {**parameters(connection), "limit": limit}).all()
        if rows:
            connection.execute(_PRUNE, [{"route": row[0], "key": row[1], "window": row[2]} for row in rows])
        return len(rows)

    return database.write(work)


def _lock(database: Database, connection: sa.Connection, rows: set[Row], now: Stamp) -> None:
    """Locks these rows, sorted: two transactions with the same rows lock them in the same order."""
    ends = database.stamp(database.instant(now) + LOCK_FOR)
    _LOCK.run(connection, [(*row, database.stamp(EPOCH), 0, ends) for row in sorted(rows)])


def _first_with_room(connection: sa.Connection, slot: Slot, window: datetime, used_slots: Windows) -> datetime:
    """The first window with a free slot, from `window` on. Reads windows in pages, each once per transaction."""
    while True:
        if (slot.route, slot.key, window) not in used_slots:
            _look(connection, slot, window, used_slots)
        if used_slots[slot.route, slot.key, window] < slot.quota.limit:
            return window
        window = slot.quota.next(window)


def _look(connection: sa.Connection, slot: Slot, window: datetime, used_slots: Windows) -> None:
    columns = register_tables.capacity.c
    query = sa.select(columns.window_at, columns.used).where(
        columns.route == slot.route, columns.key == slot.key, columns.window_at >= window
    )
    used: dict[datetime, int] = {
        row[0]: row[1] for row in connection.execute(query.order_by(columns.window_at).limit(PAGE))
    }
    last = max(used, default=window)
    while True:
        used_slots.setdefault((slot.route, slot.key, window), used.get(window, 0))
        if window >= last or used.get(window, 0) < slot.quota.limit:
            return
        window = slot.quota.next(window)
