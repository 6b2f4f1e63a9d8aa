"""Conservation: nothing accepted is ever gone (PROMISES I6). Counted from rows, in one statement, so that one moment is seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from hub.core.delivery import Status
from hub.store.database import Database


@dataclass(frozen=True, slots=True)
class Conservation:
    """The books. `planned` is the sum of the numbers written on messages at acceptance, not a count of delivery rows: a lost row shows."""

    messages: int
    routed: int
    unrouted: int
    filtered: int
    planned: int
    by_status: Mapping[Status, int]
    hollow: int  # messages that say routed and planned nothing, or the other way round

    @property
    def unaccounted(self) -> int:
        """Exported as `hub_unaccounted`; must be 0."""
        ends = abs(self.messages - (self.routed + self.unrouted + self.filtered))
        return ends + abs(self.planned - sum(self.by_status.values())) + self.hollow


_COUNT = sa.text(f"""
    WITH m AS (
        SELECT count(*) AS messages, coalesce(sum(planned), 0) AS planned,
            coalesce(sum(CASE WHEN disposition = 'routed' THEN 1 ELSE 0 END), 0) AS routed,
            coalesce(sum(CASE WHEN disposition = 'unrouted' THEN 1 ELSE 0 END), 0) AS unrouted,
            coalesce(sum(CASE WHEN disposition = 'filtered' THEN 1 ELSE 0 END), 0) AS filtered,
            coalesce(sum(CASE WHEN (disposition = 'routed') = (planned = 0) THEN 1 ELSE 0 END), 0) AS hollow
        FROM message
    ), d AS (
        SELECT {", ".join(f"coalesce(sum(CASE WHEN status = '{status}' THEN 1 ELSE 0 END), 0) AS {status}" for status in Status)} FROM delivery
    )
    SELECT * FROM m CROSS JOIN d
""")


def conservation(database: Database) -> Conservation:
    """The books as they stand at this moment. Reads all rows: for once a minute, not for each page."""
    row = database.read(lambda connection: connection.execute(_COUNT).mappings().one())
    return Conservation(
        messages=int(row["messages"]),
        routed=int(row["routed"]),
        unrouted=int(row["unrouted"]),
        filtered=int(row["filtered"]),
        planned=int(row["planned"]),
        by_status={status: int(row[status.value]) for status in Status},
        hollow=int(row["hollow"]),
    )
