"""Room for what was refused: so many rows and bytes of each caller, and of all together. The oldest make room; what a
queue brought never does.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from hub.core.config.identified_request import UNPROVEN
from hub.store.tables import refused


@dataclass(frozen=True, slots=True)
class Room:
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """`unproven`: of all whom nobody knows together, and of each hook whose proof failed."""

    caller: Room = Room(2_000, 64 << 20)
    unproven: Room = Room(50, 1 << 20)
    all: Room = Room(20_000, 512 << 20)

    def of(self, caller: str) -> Room:
        return self.unproven if caller.startswith(UNPROVEN) else self.caller


_MINE = "FROM refused WHERE caller = :caller AND state = 'waiting'"
_ALL = "FROM refused WHERE door IS NOT NULL AND door <> 'queue' AND state = 'waiting'"


def make_room(connection: sa.Connection, room: Room, caller: str | None) -> int:
    """Lets the oldest go that wait of one caller, or of all (None), beyond the room that there is; gives how many
    rows.
    """
    those, given = (_MINE, {"caller": caller}) if caller is not None else (_ALL, {})
    last = [
        connection.execute(sa.text(f"SELECT id {those} ORDER BY id DESC LIMIT 1 OFFSET {room.rows}"), given).scalar(),
        connection.execute(
            sa.text(
                f"SELECT id FROM (SELECT id, SUM(size) OVER (ORDER BY id DESC) AS total {those}) AS held WHERE total > {room.bytes} ORDER BY id DESC LIMIT 1"
            ),
            given,
        ).scalar(),
    ]
    found = [id_ for id_ in last if id_ is not None]
    if not found:
        return 0
    change = sa.delete(refused).where(refused.c.state == "waiting", refused.c.id <= max(found))
    change = (
        change.where(refused.c.caller == caller)
        if caller is not None
        else change.where(refused.c.door.is_not(None), refused.c.door != "queue")
    )
    return connection.execute(change).rowcount
