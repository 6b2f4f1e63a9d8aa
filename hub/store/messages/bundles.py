"""Bundles: deliveries that travel together in one call. When one of them is due: its bundle is full, or its first has waited long enough.

Only whole bundles are full: what is left over waits for its own time, or for the next full one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from hub.core.model.delivery import Bundle, Claim
from hub.store.engine.database import Database, Stamp
from hub.store.engine.dialects import along, any_of, skip_locked, texts

MOST = 10_000  # of one bundle that are looked at in one transaction
_WAIT = "lane = :lane AND status = 'pending' AND bundle IS NOT NULL AND bundle = :name AND due_at > :now AND spent = 0"
# The fresh ones that wait, the oldest first. What another transaction is changing is left to it.
_WAITING = texts(lambda kind: f"SELECT id FROM delivery{along('ix_delivery_bundle', kind)} WHERE {_WAIT} ORDER BY due_at, id LIMIT {MOST}{skip_locked(kind)}")
_RIPEN = texts(
    lambda kind: (
        f"UPDATE delivery{along('PRIMARY', kind)} SET due_at = :now WHERE status = 'pending' AND due_at > :now AND spent = 0 AND id {any_of('ids', kind)}"
    )
)


def send_full(database: Database, connection: sa.Connection, lanes: Mapping[Bundle, str], now: Stamp) -> None:
    """What fills whole bundles does not wait for its hour. `lanes`: of each bundle that was added to."""
    for bundle, lane in lanes.items():
        ids = _waiting(database, connection, lane, bundle.name, now)
        _ripen(database, connection, ids[: len(ids) // bundle.size * bundle.size], now)


def fill(database: Database, connection: sa.Connection, claims: Sequence[Claim], bundles: Mapping[str, Bundle], now: Stamp) -> int:
    """Makes due what goes along with `claims`: where the first of a bundle has waited its time, as many others as have room. How many."""
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
