"""Ending the wait of messages that no route took: their deliveries are laid now, or a person lets them go. Each batch is one transaction.

The message's disposition, the number that is planned, the deliveries and the row that waits change together, so the books are right at every
moment; of two that route the same message one finds its row. If we die before the commit nothing happened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from hub.core.message import Disposition, Json
from hub.core.model.delivery import Laid
from hub.store.accounts import acts
from hub.store.engine.database import Database
from hub.store.engine.dialects import along, any_of, for_update, texts
from hub.store.engine.json_columns import dump
from hub.store.engine.tables import delivery
from hub.store.messages.add import insert_deliveries, ordered, refuse_unstorable, take_numbers

NONE = "There is no such message."
ENDED = "It does not wait: it is {disposition}."

_LOCK = texts(
    lambda kind: f"SELECT message_id FROM unrouted{along('PRIMARY', kind)} WHERE message_id {any_of('ids', kind)} ORDER BY message_id{for_update(kind)}"
)
_TAKE = texts(lambda kind: f"DELETE FROM unrouted WHERE message_id {any_of('ids', kind)}")
_STAYS = sa.text("UPDATE unrouted SET tried = :wish, note = :note WHERE message_id = :id")
# What came later on the same key of the same lane, and is not ended unsent: the message would go behind it.
_LATER = sa.text(
    "SELECT n.id FROM delivery n WHERE n.lane = :lane AND n.order_key = :key AND n.order_key IS NOT NULL AND n.message_id > :message "
    "AND n.status IN ('pending', 'leased', 'delivered', 'dead', 'unknown', 'held') ORDER BY n.seq LIMIT 1"
)


def later_of(database: Database, batch: Sequence[Laid]) -> dict[str, str]:
    """Which of these messages would go behind a later one on its key, and the sentence that says so. Changes and locks nothing."""
    return database.read(lambda connection: _later(connection, batch))


def _later(connection: sa.Connection, batch: Sequence[Laid]) -> dict[str, str]:
    found: dict[str, str] = {}
    for laid in batch:
        for lane, key in sorted({(planned.lane, planned.order_key) for planned in laid.deliveries if planned.order_key is not None}):
            later = connection.execute(_LATER, {"lane": lane, "key": key, "message": laid.message.id}).scalar()
            if later is not None:
                text_ = f"A later one on the key {key}, delivery {later}, is there; this one would go behind it. Use force if that is meant."
                found.setdefault(laid.message.id, text_)
    return found


def reroute(
    database: Database, batch: Sequence[Laid], *, stays: Mapping[str, str], by: str, revision: str, force: bool = False, wish: str | None = None, why: str = ""
) -> dict[str, str]:
    """Lays the deliveries of messages that wait; gives per id its disposition now, or why it stays.

    `batch`: each message as it shall stand, with `disposition`, `planned` and `why`; `stays`: those that nobody takes now either, with the
    sentence for it. A message that does not wait any more is left as it is. Without `force` one is left that would go behind a later one on
    its key. Raises StoreBusy; nothing happened then.
    """
    wanting = sorted(batch, key=lambda laid: laid.message.id)
    wanted = [*(laid.message.id for laid in wanting), *stays]

    def work(connection: sa.Connection) -> dict[str, str]:
        waiting = _waiting(database, connection, wanted)
        answers = _ended(connection, [id_ for id_ in wanted if id_ not in waiting])
        notes = {id_: note for id_, note in stays.items() if id_ in waiting}
        mine = [laid for laid in wanting if laid.message.id in waiting]
        notes |= {laid.message.id: refused.text for laid in mine if (refused := refuse_unstorable(laid)) is not None}
        mine = [laid for laid in mine if laid.message.id not in notes]
        # The keys first: nothing new comes on them until the commit, so what is later is seen.
        numbers = take_numbers(database, connection, ordered(mine))
        if not force:
            notes |= _later(connection, mine)
        going = [laid for laid in mine if laid.message.id not in notes]
        if going:
            now = database.clock(connection)
            insert_deliveries(database, connection, going, numbers, now, is_newest=not force)
            _write(database, connection, going)
        for id_, note in sorted(notes.items()):
            connection.execute(_STAYS, {"id": id_, "note": note, "wish": wish})
        answers |= notes | {laid.message.id: laid.message.disposition.value for laid in going}
        details: dict[str, Json] = {"revision": revision, "force": force, **({"why": why} if why else {})}
        for disposition in (Disposition.ROUTED, Disposition.FILTERED):
            ids = [laid.message.id for laid in going if laid.message.disposition is disposition]
            _record(database, connection, by, f"message.{disposition}", ids, details)
        return answers

    return database.write(work, committed=lambda connection: _is_done(connection, wanting)) if wanted else {}


def let_go(database: Database, ids: Sequence[str], *, whys: Mapping[str, Mapping[str, Json]], by: str, why: str) -> dict[str, str]:
    """Ends the wait of these messages for good: they are filtered, by a person's word. Per id `filtered`, or why not.

    `whys`: what each message shall say of its disposition. Twice changes nothing.
    """

    def work(connection: sa.Connection) -> dict[str, str]:
        waiting = _waiting(database, connection, ids)
        answers = _ended(connection, [id_ for id_ in ids if id_ not in waiting])
        done = sorted(waiting & set(whys))
        answers |= dict.fromkeys(waiting - set(whys), NONE)  # an older version beside us pruned it: its row goes too
        for id_ in done:
            connection.execute(_SET, {"id": id_, "disposition": Disposition.FILTERED.value, "planned": 0, "why": dump(whys[id_])})
        if waiting:
            connection.execute(_TAKE[database.kind], {"ids": database.listing(sorted(waiting))})
        _record(database, connection, by, "message.dropped", done, {"why": why})
        return answers | dict.fromkeys(done, Disposition.FILTERED.value)

    return database.write(work) if ids else {}


def _waiting(database: Database, connection: sa.Connection, ids: Sequence[str]) -> set[str]:
    """Those of these that wait; theirs until the commit."""
    return set(connection.execute(_LOCK[database.kind], {"ids": database.listing(sorted(set(ids)))}).scalars())


def _ended(connection: sa.Connection, ids: Sequence[str]) -> dict[str, str]:
    found = dict.fromkeys(ids, NONE)
    for id_ in ids:
        disposition = connection.execute(_DISPOSITION, {"id": id_}).scalar()
        if disposition is not None:
            found[id_] = ENDED.format(disposition=disposition)
    return found


_DISPOSITION = sa.text("SELECT disposition FROM message WHERE id = :id")
_SET = sa.text("UPDATE message SET disposition = :disposition, planned = :planned, why = :why WHERE id = :id")


def _write(database: Database, connection: sa.Connection, going: Sequence[Laid]) -> None:
    """The messages as they stand from now on; none of them waits any more."""
    for laid in going:
        message = laid.message
        given = {"id": message.id, "disposition": message.disposition.value, "planned": len(laid.deliveries), "why": dump(message.why)}
        connection.execute(_SET, given)
    connection.execute(_TAKE[database.kind], {"ids": database.listing([laid.message.id for laid in going])})


def _record(database: Database, connection: sa.Connection, by: str, what: str, ids: Sequence[str], details: dict[str, Json]) -> None:
    """Last: all acts wait for its lock."""
    if ids:
        acts.record(database, connection, by, what, ids[0] if len(ids) == 1 else "", {**details, **acts.named(ids)})


def _is_done(connection: sa.Connection, batch: Sequence[Laid]) -> bool:
    """Whether a commit that nobody saw went through. One of the deliveries stands for all: they are one transaction."""
    planned = next((planned.id for laid in batch for planned in laid.deliveries), None)
    return planned is not None and connection.execute(sa.select(delivery.c.id).where(delivery.c.id == planned)).first() is not None
