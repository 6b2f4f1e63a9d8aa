"""Stores version pins: the contract version of a caller's posts that name none, since its first such post. One row
each, written once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from hub.store.engine.database import Database, Insert
from hub.store.engine.register_tables import version_pin

_ADD = Insert(version_pin, "ON CONFLICT (caller, type) DO NOTHING")


@dataclass(frozen=True, slots=True)
class Pin:
    """The pinned version of a caller for a message type, and since when."""

    caller: str
    type: str
    version: int
    at: datetime


def add(database: Database, batch: Sequence[Pin]) -> None:
    """Writes new pins; an existing pin stays. Raises StoreBusy."""
    rows = sorted((pin.caller, pin.type, pin.version, database.stamp(pin.at)) for pin in batch)
    if rows:
        database.write(lambda connection: _ADD.run(connection, rows))


def find(database: Database, caller: str, type_: str) -> int | None:
    """The pinned version of this caller for this type; None: it has no pin yet."""
    query = sa.select(version_pin.c.version).where(version_pin.c.caller == caller, version_pin.c.type == type_)
    row = database.read(lambda connection: connection.execute(query).first())
    return None if row is None else int(row[0])


def of_types(database: Database, types: Sequence[str]) -> list[Pin]:
    """All pins of these message types, by type and caller."""
    query = (
        sa.select(version_pin).where(version_pin.c.type.in_(types)).order_by(version_pin.c.type, version_pin.c.caller)
    )
    return [Pin(**row._mapping) for row in database.read(lambda connection: connection.execute(query).all())]  # noqa: SLF001  the library's public name for it
