"""What usually follows a message: learnt from the last ones of its type, by the business keys that they share with what
came after them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from hub.store.engine.database import Database
from hub.store.tables import business_key, message

SAMPLE = 60  # messages of the type
MOST = 20_000  # rows that share a key with them; a key that ties more together is no order's
LEAST_AGE = timedelta(minutes=1)  # what is younger has had no time to be followed


@dataclass(frozen=True, slots=True)
class Follower:
    """`type` came after `number` of `of` messages; half of them within `median`, nine of ten within `most`."""

    type: str
    number: int
    of: int
    median: timedelta
    most: timedelta


def followers(database: Database, type_: str) -> list[Follower]:
    """The types of messages that came after messages of `type_` on the same key, the most frequent first; [] while
    there are none to learn from.
    """

    def work(connection: sa.Connection) -> tuple[dict[str, datetime], list[tuple[str, str, datetime]]]:
        before = database.instant(database.clock(connection)) - LEAST_AGE
        newest = sa.select(message.c.id, message.c.received_at).where(
            message.c.type == type_, message.c.received_at < before
        )
        began = {
            row[0]: row[1]
            for row in connection.execute(
                newest.order_by(message.c.received_at.desc(), message.c.id.desc()).limit(SAMPLE)
            )
        }
        if not began:
            return {}, []
        mine, others = business_key.alias("mine"), business_key.alias("others")
        tied = (
            sa.select(mine.c.message_id.label("origin"), others.c.message_id)
            .join(others, sa.and_(others.c.value == mine.c.value, others.c.name == mine.c.name))
            .where(mine.c.message_id.in_(sorted(began)), others.c.message_id > mine.c.message_id)
            .limit(MOST)
            .subquery()
        )
        query = sa.select(tied.c.origin, message.c.type, message.c.received_at).join(
            message, message.c.id == tied.c.message_id
        )
        return began, [(row[0], row[1], row[2]) for row in connection.execute(query)]

    began, rows = database.read(work)
    first: dict[tuple[str, str], datetime] = {}
    for origin, other, at in rows:
        if other != type_:
            first[origin, other] = min(at, first.get((origin, other), at))
    found = [
        _follower(other, len(began), [at - began[origin] for (origin, one), at in first.items() if one == other])
        for other in {one for _, one in first}
    ]
    return sorted(found, key=lambda one: (-one.number, one.median, one.type))


def _follower(type_: str, of: int, delays: Iterable[timedelta]) -> Follower:
    ranked = sorted(delays)
    return Follower(
        type_, len(ranked), of, ranked[len(ranked) // 2], ranked[min(len(ranked) - 1, len(ranked) * 9 // 10)]
    )
