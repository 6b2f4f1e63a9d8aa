"""Deduplication (idempotency): recognises a repeated post by its dedupe keys, and answers it with the first message's
id.

The dedupe keys are the ids of the post, and the natural key of its message (`dedupe_by`). A key belongs to one caller.
A natural key may belong to all callers of its system (`dedupe_scope: system`); then the answer does not reveal the id
of another caller's message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import sqlalchemy as sa

from hub.core import json
from hub.core.errors import Code, Fault, Refused
from hub.core.message import Receipt, Ref
from hub.core.model.delivery import EVERYBODY, AcceptedMessage, DedupeKey
from hub.core.schemas import content
from hub.store import tables
from hub.store.engine.database import CLOCK, Database, Insert, Stamp
from hub.store.engine.dialects import MARIADB_BEGUN

Answer: TypeAlias = Receipt | Refused
Name: TypeAlias = tuple[str, str, str]  # caller, message type, key

# An expired row is replaced. A valid row stays and is not counted, so the row count tells whether all keys were new.
_CLAIM_KEYS = Insert(
    tables.idempotency,
    "ON CONFLICT (caller, type, key) DO UPDATE SET message_id = excluded.message_id, fingerprint = excluded.fingerprint, "
    f"expires_at = excluded.expires_at WHERE idempotency.expires_at <= {CLOCK}",
    # `expires_at` comes last, because the assignments before it read the old value.
    mariadb="ON DUPLICATE KEY UPDATE "
    + ", ".join(
        f"{name} = IF(expires_at <= {MARIADB_BEGUN}, VALUES({name}), {name})"
        for name in ("message_id", "fingerprint", "expires_at")
    ),
)


@dataclass(frozen=True, slots=True)
class _First:
    """The first message of a dedupe key, and the fingerprint of its content."""

    message_id: str
    fingerprint: str


def answer_repeats(
    database: Database,
    connection: sa.Connection,
    batch: Sequence[AcceptedMessage],
    answers: list[Answer | None],
    now: Stamp,
) -> None:
    """Fills in the answers of repeats: messages with a dedupe key that is in the store, or earlier in this batch."""
    waiting = [place for place, accepted in enumerate(batch) if answers[place] is None and accepted.dedupe_keys]
    for place, answer in _answers_of_old(connection, [(place, batch[place]) for place in waiting], now):
        answers[place] = answer
    waiting = [place for place in waiting if answers[place] is None]
    while waiting:
        # Messages without a common key are written first. The others then find those rows, in the batch's order.
        taken_names: set[Name] = set()
        now_written: list[int] = []
        later: list[int] = []
        for place in waiting:
            names = _names(batch[place])
            (later if names & taken_names else now_written).append(place)
            taken_names |= names
        known = _write(database, connection, [batch[place] for place in now_written], now)
        repeated = [place for place in now_written if _is_known(batch[place], known)]
        for place in repeated:
            answers[place] = _answer(batch[place], known)
        _hand_over(connection, [(batch[place], answers[place]) for place in repeated])
        if later:
            known = _find(connection, {name for place in later for name in _names(batch[place])})
            for place in later:
                if _is_known(batch[place], known):
                    answers[place] = _answer(batch[place], known)
        waiting = [place for place in later if answers[place] is None]


def _name(key: DedupeKey) -> Name:
    return key.caller, key.type, key.key


def _names(accepted: AcceptedMessage) -> set[Name]:
    return {_name(key) for key in accepted.dedupe_keys}


def _is_known(accepted: AcceptedMessage, known: Mapping[Name, _First]) -> bool:
    return not known.keys().isdisjoint(_names(accepted))


def _answer(accepted: AcceptedMessage, known: Mapping[Name, _First]) -> Answer:
    """Answers a repeat with the first message's id. Other content under a known key is refused, because the hub cannot
    know which one is meant.

    The ids of the post are compared first: the same post is a repeat, even if `dedupe_by` has changed since.
    """
    for is_natural in (False, True):
        met = [
            (dedupe_key, known[_name(dedupe_key)])
            for dedupe_key in accepted.dedupe_keys
            if bool(dedupe_key.fields) is is_natural and _name(dedupe_key) in known
        ]
        for dedupe_key, first in met:
            if not dedupe_key.is_repeat_of(first.fingerprint):
                # With a shared natural key, the id may exist only in a receipt, without a message to look at.
                is_shared = any(key.caller == EVERYBODY for key in accepted.dedupe_keys)
                return _mismatch(
                    dedupe_key, first.message_id if dedupe_key.caller != EVERYBODY else "", may_look=not is_shared
                )
        for dedupe_key, first in met:
            if dedupe_key.caller != EVERYBODY:
                return Receipt(first.message_id, duplicate=True)
        if met:
            return _known_elsewhere(accepted)
    raise ValueError(f"message {accepted.message.id} is known by none of its names")


def _known_elsewhere(accepted: AcceptedMessage) -> Receipt:
    """The receipt if another caller of the system sent the same content before: it has this message's own id, which is
    not stored as a message.
    """
    return Receipt(accepted.message.id, duplicate=True)


def _mismatch(key: DedupeKey, message_id: str, *, may_look: bool = True) -> Refused:
    """The refusal for other content under a known key. `message_id`: the first message; empty if it is another
    caller's. `may_look`: that message exists.
    """
    headers = [("x-crossdock-message", message_id)] if message_id else []
    first = f"message {message_id}" if message_id else "a message of another caller"
    look = f"GET /api/messages/{message_id} says where that is; " if message_id and may_look else ""
    if key.fields:
        fields = ", ".join(key.fields)
        text = f"Another content was accepted with the same {fields}, as {first}. This one was not accepted."
        fault = Fault(
            key.pointer,
            f"other content than {first}",
            f"the same content, or another {fields}",
            f"{look}send what is new under a {fields} of its own",
        )
        return Refused(Code.IDEMPOTENCY_MISMATCH, text, [fault], headers=headers)
    what = "other content" if key.by_content else "another body, method or path"
    text = f"The key {key.key} was used for {what}, by {first}. Send this one under a new key."
    fault = Fault(
        "",
        "a key that is known, with other content",
        "one key per message",
        f"{look}send a changed message under a new key",
    )
    return Refused(Code.IDEMPOTENCY_MISMATCH, text, [fault], headers=headers)


def _write(
    database: Database, connection: sa.Connection, batch: Sequence[AcceptedMessage], now: Stamp
) -> dict[Name, _First]:
    """Writes the new keys; gives the first message of each key that was known."""
    # Sorted: two batches with the same keys take the locks in the same order, so they cannot deadlock.
    lines = sorted(
        (*_name(key), accepted.message.id, key.fingerprint, database.stamp(database.instant(now) + key.keep_for))
        for accepted in batch
        for key in accepted.dedupe_keys
    )
    written = _CLAIM_KEYS.run(connection, lines)
    # MariaDB counts unchanged rows like new ones, so the rows are read
    if written == len(lines) and database.kind != "mariadb":
        return {}
    ours = {accepted.message.id for accepted in batch}
    firsts = _find(connection, {line[:3] for line in lines})
    return {name: first for name, first in firsts.items() if first.message_id not in ours}


def _find(connection: sa.Connection, names: set[Name], alive_at: Stamp | None = None) -> dict[Name, _First]:
    columns = tables.idempotency.c
    firsts: dict[Name, _First] = {}
    sorted_names = sorted(names)
    for start in range(0, len(sorted_names), 500):
        among = sa.tuple_(columns.caller, columns.type, columns.key).in_(sorted_names[start : start + 500])
        query = sa.select(columns.caller, columns.type, columns.key, columns.message_id, columns.fingerprint).where(
            among
        )
        if alive_at is not None:
            query = query.where(sa.literal_column("expires_at") > alive_at)
        firsts |= {
            (caller, type_, key): _First(message_id, fingerprint)
            for caller, type_, key, message_id, fingerprint in connection.execute(query)
        }
    return firsts


def _hand_over(connection: sa.Connection, repeated: Sequence[tuple[AcceptedMessage, Answer | None]]) -> None:
    """Repoints the other keys of a repeat to the first message; deletes them if the repeat was refused."""
    columns = tables.idempotency.c
    for accepted, answer in repeated:
        if len(accepted.dedupe_keys) < 2:
            continue
        own_rows = sa.and_(
            sa.tuple_(columns.caller, columns.type, columns.key).in_(sorted(_names(accepted))),
            columns.message_id == accepted.message.id,
        )
        if isinstance(answer, Receipt):
            connection.execute(sa.update(tables.idempotency).where(own_rows).values(message_id=answer.message_id))
        else:
            connection.execute(sa.delete(tables.idempotency).where(own_rows))


# An older version of the hub stored natural keys for all callers of a system together, without a caller and a
# fingerprint. They are valid until they expire, for the caller of the first message; they are queried while any exist.
_OLD = sa.text("SELECT 1 FROM idempotency WHERE caller = '' LIMIT 1")


def _answers_of_old(
    connection: sa.Connection, batch: Sequence[tuple[int, AcceptedMessage]], now: Stamp
) -> list[tuple[int, Answer]]:
    natural = {place: key for place, accepted in batch for key in accepted.dedupe_keys if key.fields}
    if not natural or connection.execute(_OLD).first() is None:
        return []
    known = _find(connection, {_old_name(key) for key in natural.values()}, alive_at=now)
    firsts = _contents(connection, {first.message_id for first in known.values()})
    answers: list[tuple[int, Answer]] = []
    for place, accepted in batch:
        key = natural.get(place)
        first = firsts.get(known[_old_name(key)].message_id) if key is not None and _old_name(key) in known else None
        if key is None or first is None:
            continue
        is_own = first.caller == accepted.message.caller
        if not is_own and key.caller != EVERYBODY:
            continue  # keys are per caller now
        if not key.is_repeat_of(first.fingerprint):
            answers.append((place, _mismatch(key, first.message_id if is_own else "")))
        else:
            answers.append((place, Receipt(first.message_id, duplicate=True) if is_own else _known_elsewhere(accepted)))
    return answers


def _old_name(key: DedupeKey) -> Name:
    return "", key.type, key.key.removeprefix(DedupeKey.NATURAL)


@dataclass(frozen=True, slots=True)
class _Content:
    message_id: str
    caller: str
    fingerprint: str


def _contents(connection: sa.Connection, ids: set[str]) -> dict[str, _Content]:
    """The content fingerprints of these messages, as far as they are stored."""
    if not ids:
        return {}
    message, body = tables.message, tables.body
    columns = (message.c.id, message.c.caller, message.c.type, message.c.version, body.c.raw)
    query = sa.select(*columns).join(body, body.c.message_id == message.c.id).where(message.c.id.in_(sorted(ids)))
    contents: dict[str, _Content] = {}
    for id_, caller, type_, version, raw in connection.execute(query):
        try:
            fingerprint = content.fingerprint((Ref.parse(f"{type_}@{version}"), json.decode(bytes(raw))))
        except Refused:  # accepted under wider limits: it cannot be decoded now, so it is not compared
            fingerprint = ""
        contents[id_] = _Content(id_, caller, fingerprint)
    return contents
