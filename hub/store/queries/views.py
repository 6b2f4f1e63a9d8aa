"""Saved views: questions that somebody keeps, their own or everybody's. What a question may hold, whoever asks it
decides.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from hub.core.message import Json
from hub.store.engine.database import Database
from hub.store.engine.register_tables import saved_view

EVERYBODY = ""
MOST = 200  # of one owner


@dataclass(frozen=True, slots=True)
class View:
    """A question under a name. `owner` empty: everybody's."""

    id: str
    name: str
    owner: str
    question: Mapping[str, Json]
    changed_at: datetime
    changed_by: str


def save(database: Database, view_id: str, *, name: str, owner: str, question: Mapping[str, Json], by: str) -> str:
    """Keeps a question; one of the same owner and name is replaced, and keeps its id. Gives the id. Raises ValueError
    where its owner has too many.
    """

    def work(connection: sa.Connection) -> str:
        columns = saved_view.c
        at = database.instant(database.clock(connection))
        text = json.dumps(dict(question), separators=(",", ":"), sort_keys=True)
        mine = sa.and_(columns.owner == owner, columns.name == name)
        known = connection.execute(sa.select(columns.id).where(mine)).scalar()
        if known is not None:
            connection.execute(sa.update(saved_view).where(mine).values(question=text, changed_at=at, changed_by=by))
            return str(known)
        if connection.execute(sa.select(sa.func.count()).where(columns.owner == owner)).scalar_one() >= MOST:
            raise ValueError(f"There are {MOST} saved views already; delete one first.")
        connection.execute(
            sa.insert(saved_view).values(
                id=view_id, name=name, owner=owner, question=text, changed_at=at, changed_by=by
            )
        )
        return view_id

    # Two that save the same new name at once: the second meets the first one's row, and the repeat then replaces it.
    try:
        return database.write(work)
    except sa.exc.IntegrityError:
        return database.write(work)


def views(database: Database, owner: str = "") -> list[View]:
    """Everybody's, and those of `owner`; by name."""
    columns = saved_view.c
    query = sa.select(saved_view).where(columns.owner.in_([EVERYBODY, owner])).order_by(columns.name, columns.owner)
    rows = database.read(lambda connection: connection.execute(query).all())
    return [View(row.id, row.name, row.owner, json.loads(row.question), row.changed_at, row.changed_by) for row in rows]


def delete(database: Database, view_id: str, *, owner: str = "") -> bool:
    """Deletes one of everybody's, or of `owner`'s own. False: there is none."""
    mine = sa.and_(saved_view.c.id == view_id, saved_view.c.owner.in_([EVERYBODY, owner]))
    return database.write(lambda connection: connection.execute(sa.delete(saved_view).where(mine)).rowcount > 0)
