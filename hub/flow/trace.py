"""Trace: the life of one order across all systems, and one message with its bodies at each stage. Reads only; steps are computed again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hub.catalog import Catalog
from hub.core import json
from hub.core.delivery import RANKS
from hub.core.errors import BadWorkspace, GiveUp, Refused
from hub.core.hook import HOOK
from hub.core.json import LIMITS
from hub.core.message import Json
from hub.core.queue import QUEUE
from hub.flow.render import found, render
from hub.flow.revisions import NoRevision, Revisions
from hub.store import AttemptRow, DeliveryRow, MessageRow, Store


def trace(store: Store, value: str) -> dict[str, Json] | None:
    """The story that `value` (a business key, or a message's id) belongs to: its messages, oldest first, each with deliveries and attempts.

    None if nothing bears it. Times are RFC 3339; `after_ms` counts from the story's first message.
    """
    rows = store.story(value)
    if not rows:
        return None
    ids = [row.id for row in rows]
    deliveries = store.deliveries(*ids)
    attempts = store.attempts(*(line.id for line in deliveries))
    began = rows[0].received_at
    keys = sorted({(name, text) for row in rows for name, text in row.keys})
    messages = [message_json(row, [line for line in deliveries if line.message_id == row.id], attempts, began) for row in rows]
    return {"asked": value, "began": began.isoformat(), "keys": [{"name": name, "value": text} for name, text in keys], "messages": list(messages)}


def message_json(row: MessageRow, deliveries: list[DeliveryRow], attempts: list[AttemptRow], began: datetime | None = None) -> dict[str, Json]:
    """One message as operators see it."""
    return {
        "id": row.id,
        "type": row.type,
        "version": row.version,
        "receivedAt": row.received_at.isoformat(),
        **({"afterMs": _ms(row.received_at, began)} if began is not None else {}),
        "caller": row.caller,
        "source": row.source,
        "disposition": row.disposition.value,
        "why": row.why,
        "keys": dict(row.keys),
        "orderKey": row.order_key,
        "traceId": row.trace_id,
        "causeId": row.cause_id,
        "revision": row.revision,
        "deliveries": [delivery_json(line, [one for one in attempts if one.delivery_id == line.id], began) for line in deliveries],
    }


def delivery_json(row: DeliveryRow, attempts: list[AttemptRow], began: datetime | None = None) -> dict[str, Json]:
    return {
        "id": row.id,
        "messageId": row.message_id,
        "route": row.route,
        "target": str(row.ref),
        "part": row.part,
        "status": row.status.value,
        "orderKey": row.order_key,
        "seq": row.seq,
        "priority": RANKS[row.rank].value,
        "dueAt": row.due_at.isoformat(),
        "releaseAt": row.release_at.isoformat() if row.release_at is not None else None,
        "expiresAt": row.expires_at.isoformat() if row.expires_at is not None else None,
        "changedAt": row.changed_at.isoformat(),
        **({"afterMs": _ms(row.changed_at, began)} if began is not None else {}),
        "why": dict(row.why.as_json()) if row.why is not None else None,
        "changedBy": row.changed_by,
        "attempts": [_attempt_json(one) for one in attempts],
    }


def _attempt_json(row: AttemptRow) -> dict[str, Json]:
    return {
        "number": row.number,
        "startedAt": row.started_at.isoformat(),
        "endedAt": row.ended_at.isoformat(),
        "outcome": row.outcome,
        "status": row.http_status,
        "ms": row.ms,
        "timings": dict(row.timings),
        "why": dict(row.why.as_json()) if row.why is not None else None,
        "url": row.url,
        "worker": row.worker,
        "revision": row.revision,
    }


def stages(store: Store, catalogs: Revisions, message_id: str) -> dict[str, Json] | None:
    """One message's bodies at each stage: raw as stored, decoded, and per delivery as mapped (by the pinned revision) and as answered."""
    row = store.message(message_id)
    raw = store.body(message_id)
    if row is None or raw is None:
        return None
    return {
        "messageId": row.id,
        "raw": raw.decode("utf-8", "replace"),
        "decoded": _decoded(raw),
        "origin": _origin(store, row),
        "deliveries": [_stage(store, catalogs, row, raw, line) for line in store.deliveries(message_id)],
    }


def _origin(store: Store, row: MessageRow) -> Json:
    """The foreign request that the message was made of, if it is not its own original."""
    found = store.origin(row.trace_id) if row.source in (HOOK, QUEUE) else None
    if found is None:
        return None
    return {
        "source": found.source,
        "receivedAt": found.received_at.isoformat(),
        "method": found.method,
        "query": found.query,
        "contentType": found.content_type,
        "raw": found.raw.decode("utf-8", "replace"),
    }


def _stage(store: Store, catalogs: Revisions, row: MessageRow, raw: bytes, line: DeliveryRow) -> Json:
    mapped: Json = None
    fault: Json = None
    try:
        catalog: Catalog = catalogs.pinned(row.revision)
        seen = found(store.lookups(row.id), line.route, line.part)
        mapped = render(catalog, raw, row.ref, line.ref, route=line.route, part=line.part, at=row.received_at, limits=LIMITS, lookups=seen)
    except GiveUp as error:
        fault = dict[str, Any](error.why.as_json())
    except (NoRevision, BadWorkspace) as error:
        fault = str(error)
    replies: list[Json] = [{"number": one.number, "status": one.http_status, "body": one.reply.decode("utf-8", "replace")} for one in store.attempts(line.id)]
    return {"deliveryId": line.id, "target": str(line.ref), "status": line.status.value, "mapped": mapped, "fault": fault, "replies": replies}


def _decoded(raw: bytes) -> Json:
    try:
        return json.decode(raw)
    except Refused:
        return None


def _ms(at: datetime, began: datetime | None) -> int:
    return int((at - began).total_seconds() * 1000) if began is not None else 0
