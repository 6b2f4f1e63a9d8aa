"""Names of posts: by what a repeat is known, and what its sender is told of the message that came first.

A post has the ids that it was sent under, and the natural key of its message (`dedupe_by`). Names belong to a caller; a natural key may belong to
all callers of its system (`dedupe_scope: system`), and then nobody learns the id of another one's message by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import sqlalchemy as sa

from hub.core.documents import json
from hub.core.errors import Code, Fault, Refused
from hub.core.message import Receipt, Ref
from hub.core.model.delivery import EVERYBODY, Laid, Seen
from hub.core.schemas import content
from hub.store.engine import tables
from hub.store.engine.database import CLOCK, Database, Insert, Stamp
from hub.store.engine.dialects import MARIADB_BEGUN

Answer: TypeAlias = Receipt | Refused
Name: TypeAlias = tuple[str, str, str]  # caller, message type, key

# A row whose time is over is replaced; a living one stays, and is not counted: so one number says whether all were new.
_CLAIM_KEYS = Insert(
    tables.idempotency,
    "ON CONFLICT (caller, type, key) DO UPDATE SET message_id = excluded.message_id, fingerprint = excluded.fingerprint, "
    f"expires_at = excluded.expires_at WHERE idempotency.expires_at <= {CLOCK}",
    # The time last: those before it ask for it.
    mariadb="ON DUPLICATE KEY UPDATE "
    + ", ".join(f"{name} = IF(expires_at <= {MARIADB_BEGUN}, VALUES({name}), {name})" for name in ("message_id", "fingerprint", "expires_at")),
)


@dataclass(frozen=True, slots=True)
class _First:
    """What a name leads to: the message that came first under it, and the fingerprint of what it was."""

    message_id: str
    fingerprint: str


def answer_repeats(database: Database, connection: sa.Connection, batch: Sequence[Laid], answers: list[Answer | None], now: Stamp) -> None:
    """Fills in the answers of those that are known by one of their names: in the store, or earlier in this batch."""
    waiting = [place for place, laid in enumerate(batch) if answers[place] is None and laid.seen]
    for place, answer in _answers_of_old(connection, [(place, batch[place]) for place in waiting], now):
        answers[place] = answer
    waiting = [place for place in waiting if answers[place] is None]
    while waiting:
        # Those that share no name go first; the rest then meet their rows, in the batch's order.
        taken: set[Name] = set()
        first: list[int] = []
        rest: list[int] = []
        for place in waiting:
            names = _names(batch[place])
            (rest if names & taken else first).append(place)
            taken |= names
        known = _write(database, connection, [batch[place] for place in first], now)
        repeated = [place for place in first if _is_known(batch[place], known)]
        for place in repeated:
            answers[place] = _answer(batch[place], known)
        _hand_over(connection, [(batch[place], answers[place]) for place in repeated])
        if rest:
            known = _find(connection, {name for place in rest for name in _names(batch[place])})
            for place in rest:
                if _is_known(batch[place], known):
                    answers[place] = _answer(batch[place], known)
        waiting = [place for place in rest if answers[place] is None]


def _name(seen: Seen) -> Name:
    return seen.caller, seen.type, seen.key


def _names(laid: Laid) -> set[Name]:
    return {_name(seen) for seen in laid.seen}


def _is_known(laid: Laid, known: Mapping[Name, _First]) -> bool:
    return not known.keys().isdisjoint(_names(laid))


def _answer(laid: Laid, known: Mapping[Name, _First]) -> Answer:
    """A repeat gets the first message's id. What goes under a known name and is something else is refused: which of the two is meant, we cannot know.

    The ids that it was sent under count first: the same post again is a repeat, also where the fields of its natural key are others by now.
    """
    for is_natural in (False, True):
        met = [(seen, known[_name(seen)]) for seen in laid.seen if bool(seen.fields) is is_natural and _name(seen) in known]
        for seen, first in met:
            if not seen.is_repeat_of(first.fingerprint):
                # Where a natural key is shared, the id may be a receipt's alone, under which there is nothing to be looked at.
                is_shared = any(one.caller == EVERYBODY for one in laid.seen)
                return _mismatch(seen, first.message_id if seen.caller != EVERYBODY else "", may_look=not is_shared)
        for seen, first in met:
            if seen.caller != EVERYBODY:
                return Receipt(first.message_id, duplicate=True)
        if met:
            return _known_elsewhere(laid)
    raise ValueError(f"message {laid.message.id} is known by none of its names")


def _known_elsewhere(laid: Laid) -> Receipt:
    """Another caller of the system brought the same: the sender keeps its own message's id, which is its receipt's alone, and its names lead to that."""
    return Receipt(laid.message.id, duplicate=True)


def _mismatch(seen: Seen, message_id: str, *, may_look: bool = True) -> Refused:
    """`message_id`: of the first message; empty where it is another caller's. `may_look`: it is found under that id, for certain."""
    headers = [("x-crossdock-message", message_id)] if message_id else []
    first = f"message {message_id}" if message_id else "a message of another caller"
    look = f"GET /api/messages/{message_id} says where that is; " if message_id and may_look else ""
    if seen.fields:
        fields = ", ".join(seen.fields)
        text = f"Another content was accepted with the same {fields}, as {first}. This one was not accepted."
        fault = Fault(
            seen.pointer, f"other content than {first}", f"the same content, or another {fields}", f"{look}send what is new under a {fields} of its own"
        )
        return Refused(Code.IDEMPOTENCY_MISMATCH, text, [fault], headers=headers)
    what = "other content" if seen.by_content else "another body, method or path"
    text = f"The key {seen.key} was used for {what}, by {first}. Send this one under a new key."
    fault = Fault("", "a key that is known, with other content", "one key per message", f"{look}send a changed message under a new key")
    return Refused(Code.IDEMPOTENCY_MISMATCH, text, [fault], headers=headers)


def _write(database: Database, connection: sa.Connection, batch: Sequence[Laid], now: Stamp) -> dict[Name, _First]:
    """Writes the names that are new. Of the others: the first message's id and fingerprint."""
    # In one order everywhere: two groups with the same names wait for each other in turn, never crosswise.
    lines = sorted(
        (*_name(seen), laid.message.id, seen.fingerprint, database.stamp(database.instant(now) + seen.keep_for)) for laid in batch for seen in laid.seen
    )
    written = _CLAIM_KEYS.run(connection, lines)
    if written == len(lines) and database.kind != "mariadb":  # there a row that stays counts like a new one: its rows are asked
        return {}
    ours = {laid.message.id for laid in batch}
    found = _find(connection, {line[:3] for line in lines})
    return {name: first for name, first in found.items() if first.message_id not in ours}


def _find(connection: sa.Connection, names: set[Name], alive_at: Stamp | None = None) -> dict[Name, _First]:
    columns = tables.idempotency.c
    found: dict[Name, _First] = {}
    wanted = sorted(names)
    for start in range(0, len(wanted), 500):
        among = sa.tuple_(columns.caller, columns.type, columns.key).in_(wanted[start : start + 500])
        query = sa.select(columns.caller, columns.type, columns.key, columns.message_id, columns.fingerprint).where(among)
        if alive_at is not None:
            query = query.where(sa.literal_column("expires_at") > alive_at)
        found |= {(caller, type_, key): _First(message_id, fingerprint) for caller, type_, key, message_id, fingerprint in connection.execute(query)}
    return found


def _hand_over(connection: sa.Connection, repeated: Sequence[tuple[Laid, Answer | None]]) -> None:
    """Further names that a repeat brought: they lead to the first message, or are given up where the repeat was refused."""
    columns = tables.idempotency.c
    for laid, answer in repeated:
        if len(laid.seen) < 2:
            continue
        mine = sa.and_(sa.tuple_(columns.caller, columns.type, columns.key).in_(sorted(_names(laid))), columns.message_id == laid.message.id)
        if isinstance(answer, Receipt):
            connection.execute(sa.update(tables.idempotency).where(mine).values(message_id=answer.message_id))
        else:
            connection.execute(sa.delete(tables.idempotency).where(mine))


# A hub before this one wrote natural keys down for all callers of a system together, under no caller's name and without a fingerprint. They hold for
# their time, for whoever brought the first one; and are asked for while there are any.
_OLD = sa.text("SELECT 1 FROM idempotency WHERE caller = '' LIMIT 1")


def _answers_of_old(connection: sa.Connection, batch: Sequence[tuple[int, Laid]], now: Stamp) -> list[tuple[int, Answer]]:
    natural = {place: seen for place, laid in batch for seen in laid.seen if seen.fields}
    if not natural or connection.execute(_OLD).first() is None:
        return []
    known = _find(connection, {_old_name(seen) for seen in natural.values()}, alive_at=now)
    firsts = _contents(connection, {first.message_id for first in known.values()})
    answers: list[tuple[int, Answer]] = []
    for place, laid in batch:
        seen = natural.get(place)
        first = firsts.get(known[_old_name(seen)].message_id) if seen is not None and _old_name(seen) in known else None
        if seen is None or first is None:
            continue
        is_own = first.caller == laid.message.caller
        if not is_own and seen.caller != EVERYBODY:
            continue  # keys are per caller now
        if not seen.is_repeat_of(first.fingerprint):
            answers.append((place, _mismatch(seen, first.message_id if is_own else "")))
        else:
            answers.append((place, Receipt(first.message_id, duplicate=True) if is_own else _known_elsewhere(laid)))
    return answers


def _old_name(seen: Seen) -> Name:
    return "", seen.type, seen.key.removeprefix(Seen.NATURAL)


@dataclass(frozen=True, slots=True)
class _Content:
    message_id: str
    caller: str
    fingerprint: str


def _contents(connection: sa.Connection, ids: set[str]) -> dict[str, _Content]:
    """What these messages said, as far as they are there."""
    if not ids:
        return {}
    message, body = tables.message, tables.body
    columns = (message.c.id, message.c.caller, message.c.type, message.c.version, body.c.raw)
    query = sa.select(*columns).join(body, body.c.message_id == message.c.id).where(message.c.id.in_(sorted(ids)))
    found: dict[str, _Content] = {}
    for id_, caller, type_, version, raw in connection.execute(query):
        try:
            said = content.fingerprint((Ref.parse(f"{type_}@{version}"), json.decode(bytes(raw))))
        except Refused:  # it was taken under wider limits: it cannot be compared, and is known as it was
            said = ""
        found[id_] = _Content(id_, caller, said)
    return found
