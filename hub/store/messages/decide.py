"""Stores a late routing decision: replaces an undecided delivery by the deliveries that the route makes of its
message.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import sqlalchemy as sa

from hub.core.errors import HubError
from hub.core.model.delivery import Claim, NewDelivery
from hub.store.engine.database import Database
from hub.store.engine.dialects import along, texts
from hub.store.messages import bundles, capacity
from hub.store.messages.add import INSERT_DELIVERIES, delivery_row, held_until, is_latest, supersede_older, take_numbers

_DECIDED = texts(
    lambda kind: (
        f"UPDATE delivery{along('PRIMARY', kind)} SET status = :status, due_at = :due_at, release_at = :release_at, why = :why, part = :part, "
        "bundle = :bundle, made_with = :made_with, undecided = NULL, lease = NULL, leased_at = NULL, lease_until = NULL, worker = NULL, "
        "attempts = attempts - 1, spent = spent - 1, lost_leases = 0, cluster = NULL, changed_at = :now "
        "WHERE id = :id AND status = 'leased' AND lease = :token AND undecided IS NOT NULL"
    )
)
# Makes room on the key at the delivery's place: later deliveries stay behind all parts.
_MOVE_UP = texts(
    lambda kind: (
        f"UPDATE delivery{along('ix_delivery_key', kind)} SET seq = seq + :number WHERE lane = :lane AND order_key = :key AND seq > :seq"
    )
)
_PLANNED = sa.text("UPDATE message SET planned = planned + :number WHERE id = :id")
_IS_DECIDED = sa.text("SELECT 1 FROM delivery WHERE id = :id AND undecided IS NULL")


class _Fenced(HubError):
    """The lease was lost to another worker."""


def decide(database: Database, claim: Claim, pieces: Sequence[NewDelivery], revision: str) -> bool:
    """Turns the claimed delivery into the first of `pieces` and adds the others, all made by `revision`, in one fenced
    transaction.

    On their key they take its place, one behind the other, so that deliveries behind it wait for all of them. Nothing
    was sent, so the attempt is not counted. False: the lease was lost, and nothing is changed. Raises StoreBusy.
    """
    first, further = replace(pieces[0], id=claim.id), pieces[1:]
    made_with = revision if revision != claim.message.revision else None

    def work(connection: sa.Connection) -> bool:
        now = database.clock(connection)
        starts = capacity.place(database, connection, [first, *further], now)
        held, why = held_until(first, starts.get(claim.id))
        row = {
            "id": claim.id,
            "token": claim.token,
            "status": "pending" if held is None else "held",
            "due_at": now if first.bundle is None else database.stamp(database.instant(now) + first.bundle.within),
            "release_at": database.stamp(held) if held is not None else None,
            "why": why,
            "part": first.part,
            "bundle": first.bundle.name if first.bundle is not None else None,
            "made_with": made_with,
            "now": now,
        }
        if connection.execute(_DECIDED[database.kind], row).rowcount != 1:
            raise _Fenced  # the rollback also frees the capacity slots
        if further and claim.order_key is not None:
            take_numbers(database, connection, Counter({(claim.lane, claim.order_key): len(further)}))
            connection.execute(
                _MOVE_UP[database.kind],
                {"lane": claim.lane, "key": claim.order_key, "seq": claim.seq, "number": len(further)},
            )
        numbers = [None if claim.seq is None else claim.seq + place for place in range(1, len(pieces))]
        rows = zip(further, numbers, strict=True)
        INSERT_DELIVERIES.run(
            connection,
            [
                delivery_row(database, claim.message, piece, seq, starts.get(piece.id), now, made_with)
                for piece, seq in rows
            ],
        )
        if further:
            connection.execute(_PLANNED, {"id": claim.message.id, "number": len(further)})
        bundles.send_full(
            database,
            connection,
            {piece.bundle: claim.lane for piece in (first, *further) if piece.bundle is not None},
            now,
        )
        if is_latest(first):
            supersede_older(database, connection, [(claim.lane, claim.order_key or "")], now)
        return True

    def committed(connection: sa.Connection) -> bool:
        return connection.execute(_IS_DECIDED, {"id": claim.id}).first() is not None

    try:
        return database.write(work, committed=committed)
    except _Fenced:
        return False
