"""Tags unacknowledged broker deliveries without an id, so that a redelivery is recognised.

AMQP has no delivery id that survives the connection, only a flag for redelivery. So each delivery without an id gets a
tag before any of it is stored, and a redelivery gets the tag of an unacknowledged delivery with the same content. The
tags are rows of the dedupe key table, with a type of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from hub.store.engine.database import Database, Insert
from hub.store.tables import idempotency as table

TYPE = "#delivery"
_ADD = Insert(table, "ON CONFLICT (caller, type, key) DO NOTHING")


@dataclass(frozen=True, slots=True)
class InFlightDelivery:
    """A broker delivery: the hash of its content, whether it is a redelivery, and the tag that it gets if it is new."""

    content: str
    is_again: bool
    tag: str


def tag(
    database: Database, source: str, batch: Sequence[InFlightDelivery], *, keep: timedelta, is_shared: bool
) -> list[str]:
    """Gives the tag of each delivery. With a single consumer, a first delivery proves that older tags are obsolete:
    those deliveries were redelivered already, or were acknowledged. Raises StoreBusy: then nothing is tagged.

    If we die after this, the broker redelivers them, and they get the same tags.
    """

    def work(connection: sa.Connection) -> list[str]:
        of_source = (table.c.caller == source, table.c.type == TYPE)
        rows = connection.execute(
            sa.select(table.c.key, table.c.fingerprint).where(*of_source).order_by(table.c.key)
        ).all()
        free: dict[str, list[str]] = {}
        for key, content in reversed(rows):
            free.setdefault(content, []).append(key)
        tags = [
            free[in_flight.content].pop() if in_flight.is_again and free.get(in_flight.content) else in_flight.tag
            for in_flight in batch
        ]
        known = {row.key for row in rows}
        over = sorted(known - set(tags)) if not is_shared and not all(in_flight.is_again for in_flight in batch) else []
        if over:
            connection.execute(sa.delete(table).where(*of_source, table.c.key.in_(over)))
        expires = database.stamp(database.instant(database.clock(connection)) + keep)
        new = sorted(
            (source, TYPE, tag, "", in_flight.content, expires)
            for in_flight, tag in zip(batch, tags, strict=True)
            if tag not in known
        )
        if new:
            _ADD.run(connection, new)
        return tags

    return database.write(work)


def forget(database: Database, source: str, tags: Sequence[str]) -> None:
    """Deletes the tags of acknowledged deliveries: the broker does not redeliver them. Raises StoreBusy."""
    rows = sa.delete(table).where(table.c.caller == source, table.c.type == TYPE, table.c.key.in_(sorted(tags)))
    if tags:
        database.write(lambda connection: connection.execute(rows))
