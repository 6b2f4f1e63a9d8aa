"""Trace: all messages, deliveries and attempts of one business object across all systems. Reads only."""

from __future__ import annotations

from datetime import datetime

from hub.core.model.delivery import RANKS
from hub.core.model.fate import message_stands
from hub.flow.answers import messages as answers
from hub.flow.answers.fields import fill
from hub.store import AttemptRow, DeliveryRow, MessageRow, Store


def trace(store: Store, value: str) -> answers.Story | None:
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
        "messages": messages,
    }


def message_json(
    row: MessageRow, deliveries: list[DeliveryRow], attempts: list[AttemptRow], began: datetime | None = None
) -> answers.Message:
    """One message as operators see it."""
    return fill(
        answers.Message,
        row,
        stands=message_stands(row.ref, row.disposition, row.why, [line.status for line in deliveries]),
        keys=dict(row.keys),
        deliveries=[
            delivery_json(line, [attempt for attempt in attempts if attempt.delivery_id == line.id], began)
            for line in deliveries
        ],
        **_since(row.received_at, began),
    )


def delivery_json(row: DeliveryRow, attempts: list[AttemptRow], began: datetime | None = None) -> answers.Delivery:
    return fill(
        answers.Delivery,
        row,
        target=row.ref,
        priority=RANKS[row.rank],
        isUndecided=row.undecided,
        attempts=[fill(answers.Attempt, attempt, status=attempt.http_status) for attempt in attempts],
        **_since(row.changed_at, began),
    )


def _since(at: datetime, began: datetime | None) -> dict[str, object]:
    return {"afterMs": int((at - began).total_seconds() * 1000)} if began is not None else {}
