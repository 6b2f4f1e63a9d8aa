"""Trace: all messages, deliveries and attempts of one business object across all systems. Reads only."""

from __future__ import annotations

from datetime import datetime

from hub.core.message import Json
from hub.core.model.delivery import RANKS
from hub.core.model.fate import message_stands
from hub.store import AttemptRow, DeliveryRow, MessageRow, Store


def trace(store: Store, value: str) -> dict[str, Json] | None:
    """The story that `value` (a business key, or a message's id) belongs to: its messages, oldest first, each with
    deliveries and attempts.

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
    messages = [
        message_json(row, [line for line in deliveries if line.message_id == row.id], attempts, began) for row in rows
    ]
    return {
        "asked": value,
        "began": began.isoformat(),
        "keys": [{"name": name, "value": text} for name, text in keys],
        "messages": list(messages),
    }


def message_json(
    row: MessageRow, deliveries: list[DeliveryRow], attempts: list[AttemptRow], began: datetime | None = None
) -> dict[str, Json]:
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
        "stands": message_stands(row.ref, row.disposition, row.why, [line.status for line in deliveries]),
        "why": row.why,
        "keys": dict(row.keys),
        "orderKey": row.order_key,
        "traceId": row.trace_id,
        "causeId": row.cause_id,
        "revision": row.revision,
        "deliveries": [
            delivery_json(line, [attempt for attempt in attempts if attempt.delivery_id == line.id], began)
            for line in deliveries
        ],
    }


def delivery_json(row: DeliveryRow, attempts: list[AttemptRow], began: datetime | None = None) -> dict[str, Json]:
    return {
        "id": row.id,
        "messageId": row.message_id,
        "route": row.route,
        "target": str(row.ref),
        "part": row.part,
        "status": row.status.value,
        "stands": row.stands,
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
        "madeWith": row.made_with,
        "isUndecided": row.undecided,
        "attempts": [_attempt_json(attempt) for attempt in attempts],
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
        "madeWith": row.made_with,
    }


def _ms(at: datetime, began: datetime | None) -> int:
    return int((at - began).total_seconds() * 1000) if began is not None else 0
