"""Routes unrouted messages again: adds their deliveries, or a person drops them. Each batch is one transaction.

The message's disposition, its number of deliveries, the deliveries and the row of `unrouted` change together, so all
figures agree at any time. If two processes route the same message, only one finds its row. If we die before the commit,
nothing is changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from hub.core.message import Disposition, Json
from hub.core.model.delivery import AcceptedMessage
from hub.store.accounts import acts
from hub.store.engine.database import Database
from hub.store.engine.dialects import along, any_of, for_update, texts
from hub.store.engine.json_columns import dump
from hub.store.messages.add import insert_deliveries, ordered, refuse_unstorable, take_numbers
from hub.store.tables import delivery

NONE = "There is no such message."
ENDED = "It does not wait: it is {disposition}."

_LOCK = texts(
    lambda kind: (
        f"SELECT message_id FROM unrouted{along('PRIMARY', kind)} WHERE message_id {any_of('ids', kind)} ORDER BY message_id{for_update(kind)}"
    )
)
_TAKE = texts(lambda kind: f"DELETE FROM unrouted WHERE message_id {any_of('ids', kind)}")
_STAYS = sa.text("UPDATE unrouted SET tried = :wish, note = :note WHERE message_id = :id")
# A later delivery on the same key and lane that is not cancelled: the message would be sent after it.
_LATER = sa.text(
    "SELECT n.id FROM delivery n WHERE n.lane = :lane AND n.order_key = :key AND n.order_key IS NOT NULL AND n.message_id > :message "
    "AND n.status IN ('pending', 'leased', 'delivered', 'dead', 'unknown', 'held') ORDER BY n.seq LIMIT 1"
)


def later_of(database: Database, batch: Sequence[AcceptedMessage]) -> dict[str, str]:
    """The messages that would be sent after a later one on their key, each with a text that says so. Changes and locks
    nothing.
    """
    return database.read(lambda connection: _later(connection, batch))


def _later(connection: sa.Connection, batch: Sequence[AcceptedMessage]) -> dict[str, str]:
    notes: dict[str, str] = {}
    for accepted in batch:
        for lane, key in sorted(
            {(planned.lane, planned.order_key) for planned in accepted.deliveries if planned.order_key is not None}
        ):
            later = connection.execute(_LATER, {"lane": lane, "key": key, "message": accepted.message.id}).scalar()
            if later is not None:
                text_ = f"A later one on the key {key}, delivery {later}, is there; this one would go behind it. Use force if that is meant."
                notes.setdefault(accepted.message.id, text_)
    return notes


def reroute(
    database: Database,
    batch: Sequence[AcceptedMessage],
    *,
    stays: Mapping[str, str],
    by: str,
    revision: str,
    force: bool = False,
    wish: str | None = None,
    why: str = "",
) -> dict[str, str]:
    """Adds the deliveries of unrouted messages; gives per id its new disposition, or why it stays unrouted.

    `batch`: each message with its new `disposition`, `planned` and `why`; `stays`: messages that still match no route,
    with the text for each. A message that is not unrouted any more is left as it is. Without `force`, so is a message
    that would be sent after a later one on its key. Raises StoreBusy; then nothing is changed.
    """
    wanting = sorted(batch, key=lambda accepted: accepted.message.id)
    ids_wanted = [*(accepted.message.id for accepted in wanting), *stays]

    def work(connection: sa.Connection) -> dict[str, str]:
        waiting = _waiting(database, connection, ids_wanted)
        answers = _ended(connection, [id_ for id_ in ids_wanted if id_ not in waiting])
        notes = {id_: note for id_, note in stays.items() if id_ in waiting}
        unrouted = [accepted for accepted in wanting if accepted.message.id in waiting]
        notes |= {
            accepted.message.id: refused.text
            for accepted in unrouted
            if (refused := refuse_unstorable(accepted)) is not None
        }
        unrouted = [accepted for accepted in unrouted if accepted.message.id not in notes]
        # Lock the order keys first: no new delivery comes on them until the commit, so all later ones are visible.
        numbers = take_numbers(database, connection, ordered(unrouted))
        if not force:
            notes |= _later(connection, unrouted)
        going = [accepted for accepted in unrouted if accepted.message.id not in notes]
        if going:
            now = database.clock(connection)
            insert_deliveries(database, connection, going, numbers, now, is_newest=not force)
            _write(database, connection, going)
        for id_, note in sorted(notes.items()):
            connection.execute(_STAYS, {"id": id_, "note": note, "wish": wish})
        answers |= notes | {accepted.message.id: accepted.message.disposition.value for accepted in going}
        details: dict[str, Json] = {"revision": revision, "force": force, **({"why": why} if why else {})}
        for disposition in (Disposition.ROUTED, Disposition.FILTERED):
            ids = [accepted.message.id for accepted in going if accepted.message.disposition is disposition]
            _record(database, connection, by, f"message.{disposition}", ids, details)
        return answers

    return database.write(work, committed=lambda connection: _is_done(connection, wanting)) if ids_wanted else {}


def let_go(
    database: Database, ids: Sequence[str], *, whys: Mapping[str, Mapping[str, Json]], by: str, why: str
) -> dict[str, str]:
    """Drops these unrouted messages, as a person decided: their disposition becomes `filtered`. Gives per id
    `filtered`, or why not.

    `whys`: the cause of each message's disposition. A second call changes nothing.
    """

    def work(connection: sa.Connection) -> dict[str, str]:
        waiting = _waiting(database, connection, ids)
        answers = _ended(connection, [id_ for id_ in ids if id_ not in waiting])
        done = sorted(waiting & set(whys))
        # an older version of the hub pruned the message: its row is deleted too
        answers |= dict.fromkeys(waiting - set(whys), NONE)
        for id_ in done:
            connection.execute(
                _SET, {"id": id_, "disposition": Disposition.FILTERED.value, "planned": 0, "why": dump(whys[id_])}
            )
        if waiting:
            connection.execute(_TAKE[database.kind], {"ids": database.listing(sorted(waiting))})
        _record(database, connection, by, "message.dropped", done, {"why": why})
        return answers | dict.fromkeys(done, Disposition.FILTERED.value)

    return database.write(work) if ids else {}


def _waiting(database: Database, connection: sa.Connection, ids: Sequence[str]) -> set[str]:
    """Those of these messages that are unrouted; their rows are locked until the commit."""
    return set(connection.execute(_LOCK[database.kind], {"ids": database.listing(sorted(set(ids)))}).scalars())


def _ended(connection: sa.Connection, ids: Sequence[str]) -> dict[str, str]:
    answers = dict.fromkeys(ids, NONE)
    for id_ in ids:
        disposition = connection.execute(_DISPOSITION, {"id": id_}).scalar()
        if disposition is not None:
            answers[id_] = ENDED.format(disposition=disposition)
    return answers


_DISPOSITION = sa.text("SELECT disposition FROM message WHERE id = :id")
_SET = sa.text("UPDATE message SET disposition = :disposition, planned = :planned, why = :why WHERE id = :id")


def _write(database: Database, connection: sa.Connection, going: Sequence[AcceptedMessage]) -> None:
    """Writes the new dispositions, and deletes the rows of `unrouted`."""
    for accepted in going:
        message = accepted.message
        parameters = {
            "id": message.id,
            "disposition": message.disposition.value,
            "planned": len(accepted.deliveries),
            "why": dump(message.why),
        }
        connection.execute(_SET, parameters)
    connection.execute(_TAKE[database.kind], {"ids": database.listing([accepted.message.id for accepted in going])})


def _record(
    database: Database, connection: sa.Connection, by: str, what: str, ids: Sequence[str], details: dict[str, Json]
) -> None:
    """Records the act. It comes last, because all acts wait for its lock."""
    if ids:
        acts.record(database, connection, by, what, ids[0] if len(ids) == 1 else "", {**details, **acts.named(ids)})


def _is_done(connection: sa.Connection, batch: Sequence[AcceptedMessage]) -> bool:
    """Whether a commit without an acknowledgement succeeded. One delivery stands for all: they are one transaction."""
    planned = next((planned.id for accepted in batch for planned in accepted.deliveries), None)
    return (
        planned is not None
        and connection.execute(sa.select(delivery.c.id).where(delivery.c.id == planned)).first() is not None
    )
