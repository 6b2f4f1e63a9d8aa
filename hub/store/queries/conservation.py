"""Conservation: nothing accepted is ever gone (promise I6). Counted from rows, in one statement, so that one moment is
seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa

from hub.core.message import Disposition
from hub.core.model.delivery import Status
from hub.store.engine.database import Database


@dataclass(frozen=True, slots=True)
class Conservation:
    """The books. `planned` is the sum of the numbers written on messages at acceptance, not a count of delivery rows: a
    lost row shows.
    """

    messages: int
    routed: int
    unrouted: int
    filtered: int
    planned: int
    by_status: Mapping[Status, int]
    hollow: int  # messages that say routed and planned nothing, or the other way round
    # what is gone by age: by disposition, by state, and what was `planned`
    pruned: Mapping[str, int] = field(default_factory=dict)

    @property
    def unaccounted(self) -> int:
        """Exported as `hub_unaccounted`; must be 0."""
        ends = abs(self.messages - (self.routed + self.unrouted + self.filtered))
        gone = abs(self.pruned.get("planned", 0) - sum(self.pruned.get(status.value, 0) for status in Status))
        return ends + abs(self.planned - sum(self.by_status.values())) + self.hollow + gone

    @property
    def ever(self) -> int:
        """Messages ever accepted: those that are here, and those that were pruned."""
        return self.messages + sum(self.pruned.get(disposition.value, 0) for disposition in Disposition)


_WORDS = ("planned", *(disposition.value for disposition in Disposition), *(status.value for status in Status))
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
    ), p AS (
        SELECT {", ".join(f"coalesce(sum(CASE WHEN word = '{word}' THEN number ELSE 0 END), 0) AS pruned_{word}" for word in _WORDS)} FROM pruned
    )
    SELECT * FROM m CROSS JOIN d CROSS JOIN p
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
        pruned={word: int(row[f"pruned_{word}"]) for word in _WORDS},
    )
