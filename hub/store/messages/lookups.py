"""Stores the look-ups of routes (`enrich`): written once per message, then the same for every attempt, replay, trace
and what-if (law 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from hub.store.engine.database import Database, Insert
from hub.store.tables import lookup

WHOLE = -1  # the part of a message that was not split


@dataclass(frozen=True, slots=True)
class Lookup:
    """The answer of one look-up. `found` is its raw body, or None if the route continues without it."""

    message_id: str
    route: str
    part: int | None
    name: str
    found: bytes | None


_INSERT = Insert(lookup, "ON CONFLICT DO NOTHING")


def record(database: Database, batch: Sequence[Lookup]) -> None:
    """Writes new look-ups; one that another worker wrote first stays."""

    def work(connection: sa.Connection) -> None:
        now = database.clock(connection)
        _INSERT.run(
            connection,
            [
                (
                    answer.message_id,
                    answer.route,
                    WHOLE if answer.part is None else answer.part,
                    answer.name,
                    answer.found,
                    now,
                )
                for answer in batch
            ],
        )

    if batch:
        database.write(work)


def find(database: Database, message_ids: Sequence[str]) -> list[Lookup]:
    """All look-ups of these messages."""
    query = sa.select(lookup.c.message_id, lookup.c.route, lookup.c.part, lookup.c.name, lookup.c.found).where(
        lookup.c.message_id.in_(message_ids)
    )
    rows = database.read(lambda connection: connection.execute(query).all()) if message_ids else []
    return [
        Lookup(row[0], row[1], None if row[2] == WHOLE else row[2], row[3], None if row[4] is None else bytes(row[4]))
        for row in rows
    ]
