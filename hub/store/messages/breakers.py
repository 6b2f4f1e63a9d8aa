"""Stores the circuit breakers that all processes share. Changes are compare-and-set, so that only one worker probes
(promise P10).
"""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from hub.core.model.breaker import BreakerState, Circuit
from hub.store.engine.database import Database
from hub.store.engine.dialects import texts, upsert
from hub.store.engine.register_tables import breaker

# A lane without a breaker gets a closed one first. All processes use the same order, so that two that open it are
# serialised.
_BEGIN = texts(
    lambda kind: upsert(
        "INSERT INTO breaker (lane, state, until, trips, changed_at) VALUES (:lane, 'closed', NULL, 0, :now) ON CONFLICT (lane) DO NOTHING",
        kind,
    )
)
_TRIP = sa.text(
    "UPDATE breaker SET state = 'open', until = :until, trips = trips + 1, changed_at = :now WHERE lane = :lane AND state <> 'open'"
)
# An open breaker whose time is over, or a probe whose worker is lost.
_PROBE = sa.text(
    "UPDATE breaker SET state = 'half_open', until = :until, changed_at = :now WHERE lane = :lane AND state <> 'closed' AND until <= :now",
)
_RETURN = sa.text(
    "UPDATE breaker SET state = 'open', until = :now, changed_at = :now WHERE lane = :lane AND state = 'half_open'"
)
_CLOSE = sa.text(
    "UPDATE breaker SET state = 'closed', until = NULL, trips = 0, changed_at = :now WHERE lane = :lane AND state <> 'closed'"
)


def all_breakers(database: Database) -> list[BreakerState]:
    query = sa.select(breaker.c.lane, breaker.c.state, breaker.c.until, breaker.c.trips, breaker.c.changed_at)

    def work(connection: sa.Connection) -> list[BreakerState]:
        now = database.instant(database.clock(connection))
        return [
            BreakerState(row[0], Circuit(row[1]), row[2], row[3], (row[2] or now) - now, now - row[4])
            for row in connection.execute(query)
        ]

    return database.read(work)


def trip(database: Database, lane: str, span: timedelta) -> bool:
    """Opens the breaker for `span`. False: it was open already, and is unchanged."""
    return _change(database, _TRIP, lane, span, first=_BEGIN[database.kind])


def probe(database: Database, lane: str, span: timedelta) -> bool:
    """Reserves the probe for `span`. False: it is not time yet, or another worker has it."""
    return _change(database, _PROBE, lane, span)


def return_probe(database: Database, lane: str) -> bool:
    """Releases the probe at once, because there was nothing to send."""
    return _change(database, _RETURN, lane, timedelta())


def close(database: Database, lane: str) -> bool:
    """Closes the breaker, because the target answers again. False: it was closed already."""
    return _change(database, _CLOSE, lane, timedelta())


def _change(
    database: Database, statement: sa.TextClause, lane: str, span: timedelta, first: sa.TextClause | None = None
) -> bool:
    def work(connection: sa.Connection) -> bool:
        now = database.clock(connection)
        if first is not None:
            connection.execute(first, {"lane": lane, "now": now})
        return (
            connection.execute(
                statement, {"lane": lane, "now": now, "until": database.stamp(database.instant(now) + span)}
            ).rowcount
            > 0
        )

    return database.write(work)
