"""What waits, for `/metrics`: counted by lane and state from the partial indexes that the work is found by, and from
the small tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from hub.core.model.delivery import Status
from hub.store.columns import EPOCH
from hub.store.engine.database import Database

# What is over (delivered, cancelled, superseded) is most of all rows, and waits for nobody: the books count it, less
# often.
OPEN = (Status.PENDING, Status.LEASED, Status.DEAD, Status.HELD, Status.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is not over. `capacity`: by route, how many values have places given in windows that are not over, and how
    many places.
    """

    waiting: Mapping[tuple[str, Status], int]
    capacity: Mapping[str, tuple[int, int]]


# A part per state: each is answered by the partial index of its state. SQLite takes that of leases only where a column
# of it is compared: without, it reads the whole table, of which nearly all is over.
_ALSO = {Status.LEASED: " AND lease_until > :never"}
_WAITING = sa.text(
    " UNION ALL ".join(
        f"SELECT lane, '{status}' AS status, count(*) AS number FROM delivery WHERE status = '{status}'{_ALSO.get(status, '')} GROUP BY lane"
        for status in OPEN
    )
)
_CAPACITY = sa.text(
    'SELECT route, count(DISTINCT "key") AS many, sum(used) AS used FROM capacity WHERE ends_at > :now AND used > 0 GROUP BY route'
)


def backlog(database: Database) -> Backlog:
    """One snapshot."""

    def work(connection: sa.Connection) -> Backlog:
        waiting = {
            (str(row.lane), Status(row.status)): int(row.number)
            for row in connection.execute(_WAITING, {"never": database.stamp(EPOCH)})
        }
        rows = connection.execute(_CAPACITY, {"now": database.clock(connection)})
        return Backlog(waiting, {str(row.route): (int(row.many), int(row.used)) for row in rows})

    return database.read(work)
