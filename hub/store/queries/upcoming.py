"""What waits at one target or on one route, the next to go first. Each answer looks at a bounded number of rows,
however much waits.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from hub.core.model.delivery import RANKS, Status
from hub.store.engine.database import Database
from hub.store.engine.dialects import along, texts
from hub.store.messages.pauses import UNTIL_RESUMED
from hub.store.queries.backlog import MOST, SAMPLE
from hub.store.queries.details import DELIVERY, DeliveryRow, delivery_of
from hub.store.tables import delivery

_NEXT = texts(
    lambda kind: (
        f"SELECT id FROM delivery{along('ix_delivery_due', kind)} WHERE status = 'pending' AND lane = :lane AND \"rank\" = :rank ORDER BY due_at, id LIMIT :limit"
    )
)
# Of a route: among the first SAMPLE of the lane, for a route has no queue of its own.
_OF_ROUTE = texts(
    lambda kind: (
        f"SELECT id FROM (SELECT id, route, due_at FROM delivery{along('ix_delivery_due', kind)} WHERE status = 'pending' AND lane = :lane "
        f'AND "rank" = :rank ORDER BY due_at, id LIMIT {SAMPLE}) AS head WHERE route = :route ORDER BY due_at, id LIMIT :limit'
    )
)
_HELD = texts(
    lambda kind: (
        f"SELECT id FROM delivery{along('ix_delivery_release', kind)} WHERE status = 'held' AND release_at IS NOT NULL AND release_at = :forever "
        "AND route = :route LIMIT :limit"
    )
)
_HELD_NUMBERS = texts(
    lambda kind: (
        "SELECT route, count(*) AS number FROM (SELECT route FROM delivery"
        f"{along('ix_delivery_release', kind)} WHERE status = 'held' AND release_at IS NOT NULL AND release_at = :forever LIMIT {MOST + 1}) AS counted GROUP BY route"
    )
)


def of_lane(database: Database, lane: str, *, limit: int = 50) -> list[DeliveryRow]:
    """The next `limit` of a lane, as a claim would take them: by rank, then by when they are due."""
    return _rows(
        database,
        [(_NEXT[database.kind], {"lane": lane, "rank": rank, "limit": limit}) for rank in range(len(RANKS))],
        limit,
    )


def of_route(database: Database, route: str, lanes: Sequence[str], *, limit: int = 50) -> list[DeliveryRow]:
    """Up to `limit` of a route: what a pause of it holds, then what is pending in its `lanes`; those far behind in a
    long lane are not looked for.
    """
    held = (_HELD[database.kind], {"forever": database.stamp(UNTIL_RESUMED), "route": route, "limit": limit})
    heads = [
        (_OF_ROUTE[database.kind], {"lane": lane, "rank": rank, "route": route, "limit": limit})
        for lane in lanes
        for rank in range(len(RANKS))
    ]
    return _rows(database, [held, *heads], limit)


def held_by_pauses(database: Database) -> dict[str, int]:
    """How many the pause of each route holds; counted no further than MOST in all."""
    rows = database.read(
        lambda connection: connection.execute(
            _HELD_NUMBERS[database.kind], {"forever": database.stamp(UNTIL_RESUMED)}
        ).all()
    )
    return {row.route: int(row.number) for row in rows}


def _rows(
    database: Database, wanted: Sequence[tuple[sa.TextClause, dict[str, object]]], limit: int
) -> list[DeliveryRow]:
    def work(connection: sa.Connection) -> list[DeliveryRow]:
        ids: list[str] = []
        for query, given in wanted:
            if len(ids) < limit:
                ids += connection.execute(query, given).scalars().all()
        found = {
            row.id: row
            for row in map(
                delivery_of, connection.execute(sa.select(*DELIVERY).where(delivery.c.id.in_(ids[:limit]))).all()
            )
        }
        # One that was taken between the two looks is under way, and waits no more.
        return [
            found[id_] for id_ in ids[:limit] if id_ in found and found[id_].status in (Status.PENDING, Status.HELD)
        ]

    return database.read(work)
