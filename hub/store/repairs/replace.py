"""Replacing: a message that a person changed goes in the place of a delivery that waits, which ends. Both, or
neither.
"""

from __future__ import annotations

import hashlib

import sqlalchemy as sa

from hub.core.errors import Code, Refused
from hub.core.message import Json, Receipt
from hub.core.model.delivery import AcceptedMessage, Status
from hub.store.accounts import acts
from hub.store.engine.database import Database
from hub.store.messages.add import insert_messages
from hub.store.repairs.reopen import CANCELLED, cancel_in, locked, refused_of

_SEQ = sa.text("SELECT lane, order_key, seq FROM delivery WHERE id = :id")
_TAKE_PLACE = sa.text("UPDATE delivery SET seq = :seq WHERE id = :id AND lane = :lane AND order_key = :key")


def replace(
    database: Database, id_: str, accepted: AcceptedMessage, *, by: str, why: str, force: bool = False
) -> Receipt:
    """Inserts `accepted`, which has one delivery, and cancels the delivery `id_` with its id as the reason, in one
    transaction.

    On the same key of the same lane it takes the old one's place in the order. `accepted.dedupe_keys` names the change:
    the same one again gives the first one's receipt as a duplicate, and changes nothing. Raises Refused: where the old
    one does not wait for a person, where a later one on its key is delivered (but for `force`), where it was changed
    otherwise before, and where the message cannot be stored.
    """

    def work(connection: sa.Connection) -> Receipt:
        rows = locked(database, connection, [id_])
        problem = refused_of(database, connection, rows, [id_], force=force).get(id_)
        if problem is not None:
            # Perhaps it was this very change that ended it: its name is known then. What is new is undone with the
            # refusal.
            answer = (
                insert_messages(database, connection, [accepted])[0]
                if id_ in rows and rows[id_].status == Status.CANCELLED
                else None
            )
            if isinstance(answer, Refused):
                raise answer
            if answer is not None and answer.duplicate:
                return answer
            raise Refused(Code.CONFLICT if id_ in rows else Code.NOT_FOUND, problem)
        [planned] = accepted.deliveries
        place = connection.execute(_SEQ, {"id": id_}).one()
        # Ended first: on a key that wants the latest only, the new one would supersede it.
        text = f"Message {accepted.message.id}, changed by {by}, goes in its place: {why}"
        if cancel_in(database, connection, [id_], by=by, why=text)[id_] != CANCELLED:
            raise Refused(Code.CONFLICT, "It does not wait any more.")
        [answer] = insert_messages(database, connection, [accepted])
        if isinstance(answer, Refused):
            raise answer
        if answer.duplicate:
            raise Refused(Code.CONFLICT, f"The same change is known as message {answer.message_id}.")
        if place.seq is not None:
            connection.execute(
                _TAKE_PLACE, {"id": planned.id, "lane": place.lane, "key": place.order_key, "seq": place.seq}
            )
        details: dict[str, Json] = {
            "message": accepted.message.id,
            "why": why,
            "force": force,
            "sha256": hashlib.sha256(accepted.message.raw).hexdigest(),
        }
        acts.record(database, connection, by, "delivery.replaced", id_, details)
        return answer

    def committed(connection: sa.Connection) -> bool:
        return connection.execute(_SEQ, {"id": accepted.deliveries[0].id}).first() is not None

    return database.write(work, committed=committed)
