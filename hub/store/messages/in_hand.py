"""Deliveries of a broker that are in hand: what it may bring again, since it has not been told yet that they are committed.

AMQP gives a delivery no name that outlives its connection; it says only that it brings one again. So each that has no id gets a tag here before
anything of it is stored, and one that is brought again gets the tag that its content has: of those in hand alone, never of what was
acknowledged. Rows beside the names of posts, of a type of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from hub.store.engine.database import Database, Insert
from hub.store.engine.tables import idempotency as table

TYPE = "#delivery"
_ADD = Insert(table, "ON CONFLICT (caller, type, key) DO NOTHING")


@dataclass(frozen=True, slots=True)
class InHand:
    """A delivery: a hash of what it holds, whether the broker says that it brings it again, and the tag that it gets if it is new."""

    content: str
    is_again: bool
    tag: str


def tag(database: Database, source: str, batch: Sequence[InHand], *, keep: timedelta, is_shared: bool) -> list[str]:
    """The tag of each. Where one consumer alone has the queue, what it brings for the first time ends what was in hand before: all of that was brought
    again already, or was acknowledged. Raises StoreBusy: nothing is tagged then.

    If we die after it, they come again, and get the same tags.
    """

    def work(connection: sa.Connection) -> list[str]:
        mine = (table.c.caller == source, table.c.type == TYPE)
        rows = connection.execute(sa.select(table.c.key, table.c.fingerprint).where(*mine).order_by(table.c.key)).all()
        free: dict[str, list[str]] = {}
        for key, content in reversed(rows):
            free.setdefault(content, []).append(key)
        tags = [free[one.content].pop() if one.is_again and free.get(one.content) else one.tag for one in batch]
        known = {row.key for row in rows}
        over = sorted(known - set(tags)) if not is_shared and not all(one.is_again for one in batch) else []
        if over:
            connection.execute(sa.delete(table).where(*mine, table.c.key.in_(over)))
        expires = database.stamp(database.instant(database.clock(connection)) + keep)
        new = sorted((source, TYPE, tag, "", one.content, expires) for one, tag in zip(batch, tags, strict=True) if tag not in known)
        if new:
            _ADD.run(connection, new)
        return tags

    return database.write(work)


def forget(database: Database, source: str, tags: Sequence[str]) -> None:
    """The broker knows that these are committed: it brings them no more. Raises StoreBusy."""
    rows = sa.delete(table).where(table.c.caller == source, table.c.type == TYPE, table.c.key.in_(sorted(tags)))
    if tags:
        database.write(lambda connection: connection.execute(rows))
