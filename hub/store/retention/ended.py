"""What people have ended and nobody looks at any more: refused arrivals that were accepted or dropped, repairs that are
done.

What they did stays in the record of acts, which is not pruned.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from hub.core.config.identified_request import QUEUE
from hub.core.model.repair import State
from hub.store.accounts.leader import Lead, assert_leads
from hub.store.engine.database import Database
from hub.store.engine.register_tables import repair, repair_row
from hub.store.repairs.arrivals import WAITING
from hub.store.tables import refused

BLOCK = 500  # rows in one transaction


def forget_refused(database: Database, before: datetime, *, held: Lead | None = None) -> int:
    """One block of refused arrivals goes that nobody has touched since `before`: those that ended, and those whose
    sender was told; how many rows, 0 at the end. What a queue brought stays while it waits.

    Raises NotLeading where `held` is no longer true, StoreBusy; nothing is gone then.
    """
    ended = sa.and_(refused.c.state != WAITING, refused.c.changed_at < before)
    old = sa.and_(refused.c.door.is_not(None), refused.c.door != QUEUE, refused.c.last_at < before)
    found = sa.select(refused.c.id).where(sa.or_(ended, old)).order_by(refused.c.id).limit(BLOCK)

    def work(connection: sa.Connection) -> int:
        if held is not None:
            assert_leads(database, connection, held)
        ids = connection.execute(found).scalars().all()
        return (
            connection.execute(sa.delete(refused).where(refused.c.id.in_(ids), sa.or_(ended, old))).rowcount
            if ids
            else 0
        )

    return database.write(work)


def forget_ended(database: Database, before: datetime, *, held: Lead | None = None) -> int:
    """One block of what had ended before `before` goes; how many rows, 0 at the end. What waits for a person, or was
    stopped and may go on, stays.

    Raises NotLeading where `held` is no longer true, StoreBusy; nothing is gone then.
    """
    dropped = (
        sa.select(refused.c.id)
        .where(refused.c.state != WAITING, refused.c.changed_at < before)
        .order_by(refused.c.id)
        .limit(BLOCK)
    )
    done = (
        sa.select(repair.c.id)
        .where(repair.c.state == State.DONE, repair.c.changed_at < before)
        .order_by(repair.c.id)
        .limit(1)
    )

    def work(connection: sa.Connection) -> int:
        if held is not None:
            assert_leads(database, connection, held)
        ids = connection.execute(dropped).scalars().all()
        if ids:
            return connection.execute(
                sa.delete(refused).where(refused.c.id.in_(ids), refused.c.state != WAITING)
            ).rowcount
        one = connection.execute(done).scalar()
        if one is None:
            return 0
        # A repair goes after its rows: if we die in between, the next block finds it by what it still has.
        places = (
            sa.select(repair_row.c.place).where(repair_row.c.repair_id == one).order_by(repair_row.c.place).limit(BLOCK)
        )
        rows = connection.execute(places).scalars().all()
        if rows:
            return connection.execute(
                sa.delete(repair_row).where(repair_row.c.repair_id == one, repair_row.c.place.in_(rows))
            ).rowcount
        return connection.execute(sa.delete(repair).where(repair.c.id == one)).rowcount

    return database.write(work)
