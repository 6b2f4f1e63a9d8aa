"""How values become columns and back: small JSON documents, and the message that a claim carries."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from hub.core.errors import Cause
from hub.core.message import Disposition, Message, Ref
from hub.store.engine.database import Database, Stamp

MESSAGE = "m.id, m.type, m.version, m.received_at, m.caller, m.source, m.trace_id, m.revision, m.disposition, m.planned, m.keys, m.order_key, m.idempotency_key, m.cause_id, m.hops, m.why"


def dump(document: Any) -> str:
    """ASCII, with escapes: NUL and odd surrogates can be kept on both databases."""
    return json.dumps(document, separators=(",", ":"), default=str) if document else "{}"


def dump_why(why: Cause | None) -> str | None:
    return None if why is None else dump(why.as_json())


def load_why(text: str | None) -> Cause | None:
    return None if text is None else Cause.from_json(json.loads(text))


@lru_cache(maxsize=4_096)
def ref_of(type_: str, version: int) -> Ref:
    system, name = type_.split("/", 1)
    return Ref(system, name, version)


parse_ref = lru_cache(maxsize=4_096)(Ref.parse)


def dump_text(text: str) -> str:
    """A stranger's text as both databases can keep it: NUL and odd surrogates as escapes."""
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()


def dump_keys(keys: tuple[tuple[str, str], ...]) -> str:
    return json.dumps(keys, separators=(",", ":")) if keys else "[]"


def load_keys(text: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in json.loads(text)) if text != "[]" else ()


def message_row(message: Message, planned: int, stamp: Stamp) -> tuple[Any, ...]:
    """The row of table `message`; `stamp` is `received_at` as the driver takes it."""
    return (
        message.id,
        message.ref.type,
        message.ref.version,
        stamp,
        message.caller,
        message.source,
        message.trace_id,
        message.revision,
        message.disposition.value,
        planned,
        dump_keys(message.keys),
        message.order_key,
        message.idempotency_key,
        message.cause_id,
        message.hops,
        dump(message.why),
    )


def message_of(database: Database, row: Any, raw: bytes) -> Message:
    """The message of a row that begins with `MESSAGE`."""
    return Message(
        id=row[0],
        ref=ref_of(row[1], row[2]),
        received_at=database.instant(row[3]),
        caller=row[4],
        source=row[5],
        raw=raw,
        trace_id=row[6],
        revision=row[7],
        disposition=Disposition(row[8]),
        planned=row[9],
        keys=load_keys(row[10]),
        order_key=row[11],
        idempotency_key=row[12],
        cause_id=row[13],
        hops=row[14],
        why={} if row[15] == "{}" else json.loads(row[15]),
    )
