"""The record of acts: what people did, one record each, written in the transaction of the act itself (promise I12).

Each record bears the hash of the one before it, so that one that was altered, taken out or put in between shows, and
the head shows one that was cut off. Whoever may write to all tables can write the whole chain anew: keep a head that
was printed (`hub audit verify`) elsewhere, and check that it still stands (`--anchor`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from hub.core.message import Json
from hub.store.columns import to_micros
from hub.store.engine.database import Database
from hub.store.engine.dialects import for_update, texts
from hub.store.engine.people_tables import act, act_head

MAX_PAGE = 1_000
MOST_IDS = 500  # named in one record; of more their number and the hash of all of them
_MAX_TEXT = 255

_HEAD = texts(lambda kind: f"SELECT sequence, hash FROM act_head WHERE id = 1{for_update(kind)}")


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody did: `what` is a word such as `key.revoked`, `object` names what it was done to, `details` tells
    the rest.
    """

    sequence: int
    at: datetime
    by: str
    what: str
    object: str
    details: Mapping[str, Json]
    before: str
    hash: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the chain's check found. `broken` is the first record that is wrong, `text` says how; None: all of it
    stands.
    """

    records: int
    head: str  # SEQUENCE:HASH of the last one, to be kept elsewhere
    broken: int | None = None
    text: str = ""


def record(
    database: Database, connection: sa.Connection, by: str, what: str, object_: str, details: Mapping[str, object]
) -> int:
    """Writes one act into the caller's transaction, and gives its number. Call it last: its lock is held until the
    commit, and all acts wait for it.

    `details` holds no secret and nothing of a person but the names of those who act: it is kept for ever.
    """
    head = connection.execute(_HEAD[database.kind]).one()
    at = database.instant(database.clock(connection))
    sequence: int = head.sequence + 1
    object_ = _fitting(object_)
    text = json.dumps(details, sort_keys=True, separators=(",", ":"))
    by = _fitting(by)
    hash_ = _hash(sequence, at, by, what, object_, text, head.hash)
    row = {
        "sequence": sequence,
        "at": at,
        "by": by,
        "what": what,
        "object": object_,
        "details": text,
        "before": head.hash,
        "hash": hash_,
    }
    connection.execute(sa.insert(act).values(row))
    connection.execute(sa.update(act_head).where(act_head.c.id == 1).values(sequence=sequence, hash=hash_))
    return sequence


def named(ids: Sequence[str]) -> dict[str, Json]:
    """Many ids as a record keeps them: all of a few; of more the first ones, how many, and the SHA-256 of all, sorted,
    a line each.
    """
    told: dict[str, Json] = {"number": len(ids), "ids": list(ids[:MOST_IDS])}
    if len(ids) > MOST_IDS:
        told["sha256"] = hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()
    return told


def _fitting(text: str) -> str:
    # NUL and lone surrogates cannot be kept as text everywhere; they come from no name of ours.
    return "".join(char if char.isprintable() else "?" for char in text)[:_MAX_TEXT]


def _hash(sequence: int, at: datetime, by: str, what: str, object_: str, details: str, before: str) -> str:
    told = json.dumps([sequence, to_micros(at), by, what, object_, details, before], separators=(",", ":"))
    return hashlib.sha256(told.encode()).hexdigest()


_COLUMNS = [act.c[name] for name in ("sequence", "at", "by", "what", "object", "details", "before", "hash")]


def acts(
    database: Database,
    *,
    limit: int = 50,
    before: int | None = None,
    by: str | None = None,
    what: str | None = None,
    object_: str | None = None,
) -> list[Act]:
    """Newest first. `before`: the last number of the page before. `what` is a whole word, or its beginning up to a dot
    (`key.`).
    """
    query = sa.select(*_COLUMNS).order_by(act.c.sequence.desc()).limit(max(1, min(limit, MAX_PAGE)))
    if before is not None:
        query = query.where(act.c.sequence < before)
    if by is not None:
        query = query.where(act.c.by == by)
    if what is not None:
        query = query.where(act.c.what.startswith(what, autoescape=True) if what.endswith(".") else act.c.what == what)
    if object_ is not None:
        query = query.where(act.c.object == object_)
    rows = database.read(lambda connection: connection.execute(query).all())
    return [Act(row[0], row[1], row[2], row[3], row[4], json.loads(row[5]), row[6], row[7]) for row in rows]


def verify(database: Database, *, anchor: str | None = None) -> Verdict:
    """Reads the whole chain. `anchor`: SEQUENCE:HASH as an earlier check told it; that record must still be there as it
    was.
    """
    wanted = anchor.partition(":") if anchor else None
    if wanted is not None and (not wanted[0].isdigit() or not wanted[2]):
        raise ValueError(f"{anchor!r} is not an anchor. Write NUMBER:HASH, as hub audit verify printed it.")

    # The head first: what is written meanwhile stands behind it, and is the next check's.
    head = database.read(
        lambda connection: connection.execute(
            sa.select(act_head.c.sequence, act_head.c.hash).where(act_head.c.id == 1)
        ).first()
    )
    last, hash_ = (head.sequence, head.hash) if head is not None else (0, "")
    found, before = 0, ""
    while rows := database.read(lambda connection, after=found: connection.execute(_after(after, last)).all()):  # type: ignore[misc]
        for row in rows:
            wrong = _wrong(row, found, before, wanted)
            if wrong:
                return Verdict(found, f"{found}:{before}", found + 1, wrong)
            found, before = row.sequence, row.hash
    if found != last or before != hash_:
        return Verdict(found, f"{found}:{before}", found + 1, f"The records end at {found}; the head says {last}.")
    if wanted is not None and int(wanted[0]) > found:
        return Verdict(found, f"{found}:{before}", found + 1, f"The records end at {found}; the anchor is {wanted[0]}.")
    return Verdict(found, f"{found}:{before}")


def _after(sequence: int, last: int) -> sa.Select[Any]:
    return (
        sa.select(*_COLUMNS)
        .where(act.c.sequence > sequence, act.c.sequence <= last)
        .order_by(act.c.sequence)
        .limit(MAX_PAGE)
    )


def _wrong(row: Any, found: int, before: str, wanted: tuple[str, str, str] | None) -> str:
    if row.sequence != found + 1:
        return f"Record {found + 1} is missing."
    if row.before != before or row.hash != _hash(
        row.sequence, row.at, row.by, row.what, row.object, row.details, before
    ):
        return f"Record {row.sequence} was altered, or the one before it was."
    if wanted is not None and str(row.sequence) == wanted[0] and row.hash != wanted[2]:
        return f"Record {row.sequence} is not the one of the anchor: the chain was written anew."
    return ""
