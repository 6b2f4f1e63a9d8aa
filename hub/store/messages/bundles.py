"""Bundles: deliveries that are sent in one call. A delivery is due when its bundle is full, or when the bundle's first
one has waited long enough.

Only complete bundles are full. The remaining deliveries wait for their own due time, or for the next full bundle.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from hub.core.model.delivery import Bundle, Claim
from hub.store.engine.database import Database, Stamp
from hub.store.engine.dialects import along, any_of, skip_locked, texts

MOST = 10_000  # maximum number of a bundle's deliveries that one transaction examines
_WAIT = "lane = :lane AND status = 'pending' AND bundle IS NOT NULL AND bundle = :name AND due_at > :now AND spent = 0"
# The waiting deliveries without an attempt, oldest first. Rows that another transaction has locked are skipped.
_WAITING = texts(
    lambda kind: (
        f"SELECT id FROM delivery{along('ix_delivery_bundle', kind)} WHERE {_WAIT} ORDER BY due_at, id LIMIT {MOST}{skip_locked(kind)}"
    )
)
_RIPEN = texts(
    lambda kind: (
        f"UPDATE delivery{along('PRIMARY', kind)} SET due_at = :now WHERE status = 'pending' AND due_at > :now AND spent = 0 AND id {any_of('ids', kind)}"
    )
)


def send_full(database: Database, connection: sa.Connection, lanes: Mapping[Bundle, str], now: Stamp) -> None:
    """Makes the deliveries of full bundles due at once. `lanes`: the lane of each bundle that got new deliveries."""
    for bundle, lane in lanes.items():
        ids = _waiting(database, connection, lane, bundle.name, now)
        _ripen(database, connection, ids[: len(ids) // bundle.size * bundle.size], now)


def fill(
    database: Database, connection: sa.Connection, claims: Sequence[Claim], bundles: Mapping[str, Bundle], now: Stamp
) -> int:
    """Fills the bundles of `claims`: if the first of a bundle has waited long enough, makes others due up to the
    bundle's size; gives how many.
    """
    now_at = database.instant(now)
    numbers = Counter(claim.bundle for claim in claims if claim.bundle is not None)
    over = {claim.bundle for claim in claims if _is_over(claim, bundles, now_at)}
    number = 0
    for name, bundle in sorted(bundles.items()):
        free = -numbers[name] % bundle.size
        if name in over and free:
            ids = _waiting(database, connection, claims[0].lane, name, now)[:free]
            _ripen(database, connection, ids, now)
            number += len(ids)
    return number


def _is_over(claim: Claim, bundles: Mapping[str, Bundle], now: datetime) -> bool:
    bundle = bundles.get(claim.bundle or "")
    return bundle is not None and claim.first_at + bundle.within <= now


def _waiting(database: Database, connection: sa.Connection, lane: str, name: str, now: Stamp) -> list[str]:
    return list(connection.execute(_WAITING[database.kind], {"lane": lane, "name": name, "now": now}).scalars())


def _ripen(database: Database, connection: sa.Connection, ids: Sequence[str], now: Stamp) -> None:
    if ids:
        connection.execute(_RIPEN[database.kind], {"ids": database.listing(ids), "now": now})
