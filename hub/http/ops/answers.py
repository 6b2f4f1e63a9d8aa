# ruff: noqa: N815  names are as they stand in the answers
"""What `/ops/v1` answers, as it stands in its OpenAPI document. Answers are built by flow.views.trace and hub.http.ops;
tests hold them to this.
"""

from __future__ import annotations

from typing import Any

import marshmallow as ma

from hub.core.message import Disposition
from hub.core.model.delivery import Priority, Status
from hub.http.ops.shapes import number as _number
from hub.http.ops.shapes import text as _text
from hub.http.ops.shapes import time as _time


class Why(ma.Schema):
    reason = _text()
    text = _text()
    field = _text()
    fix = _text()


class Attempt(ma.Schema):
    number = _number()
    startedAt = _time()
    endedAt = _time()
    outcome = _text()
    status = _number(allow_none=True)
    ms = _number()
    timings = ma.fields.Dict(required=True)
    why = ma.fields.Nested(Why, required=True, allow_none=True)
    url = _text()
    worker = _text()
    revision = _text()
    madeWith = _text(allow_none=True)


class Delivery(ma.Schema):
    id = ma.fields.UUID(required=True)
    messageId = ma.fields.UUID(required=True)
    route = _text()
    target = _text()
    part = _number(allow_none=True)
    status = ma.fields.Enum(Status, by_value=True, required=True)
    stands = _text(metadata={"description": "How it stands, as one sentence, with the reason where there is one."})
    orderKey = _text(allow_none=True)
    seq = _number(allow_none=True)
    priority = ma.fields.Enum(Priority, by_value=True, required=True)
    dueAt = _time()
    releaseAt = _time(allow_none=True)
    expiresAt = _time(allow_none=True)
    changedAt = _time()
    afterMs = ma.fields.Integer()
    why = ma.fields.Nested(
        Why,
        required=True,
        allow_none=True,
        metadata={"description": "For which it is in this state; what earlier tries met stands with them."},
    )
    changedBy = _text(allow_none=True)
    madeWith = _text(allow_none=True)
    isUndecided = ma.fields.Boolean(required=True)
    attempts = ma.fields.List(ma.fields.Nested(Attempt), required=True)


class Message(ma.Schema):
    id = ma.fields.UUID(required=True)
    type = _text()
    version = _number()
    receivedAt = _time()
    afterMs = ma.fields.Integer()
    caller = _text()
    source = _text()
    disposition = ma.fields.Enum(Disposition, by_value=True, required=True)
    stands = _text(
        metadata={"description": "How it stands, as one sentence: what its deliveries are, or why it has none."}
    )
    why = ma.fields.Dict(required=True)
    keys = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.String(), required=True)
    orderKey = _text(allow_none=True)
    traceId = _text()
    causeId = _text(allow_none=True)
    revision = _text()
    deliveries = ma.fields.List(ma.fields.Nested(Delivery), required=True)


class Messages(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(Message), required=True)
    next = ma.fields.UUID(
        required=True, allow_none=True, metadata={"description": "Ask again with before= this; null: the last page."}
    )


class Deliveries(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(Delivery), required=True)
    next = ma.fields.UUID(required=True, allow_none=True)


class Key(ma.Schema):
    name = _text()
    value = _text()


class Story(ma.Schema):
    asked = _text()
    began = _time()
    keys = ma.fields.List(ma.fields.Nested(Key), required=True)
    messages = ma.fields.List(ma.fields.Nested(Message), required=True)


class RefusedArrival(ma.Schema):
    id = ma.fields.UUID(required=True)
    source = _text()
    state = _text()
    receivedAt = _time()
    lastAt = _time()
    times = _number()
    messageId = _text()
    topic = _text()
    contentType = _text()
    bytes = _number()
    code = _number()
    text = _text()
    faults = ma.fields.List(ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.String()), required=True)
    revision = _text()
    changedAt = _time()
    changedBy = _text(allow_none=True)
    door = _text(
        metadata={
            "description": "queue, hook, post, batch, event, question, command, or unproven: nobody knows who it was."
        }
    )
    caller = _text()
    traceIds = ma.fields.List(
        ma.fields.String(),
        required=True,
        metadata={"description": "Of the last twenty refusals of it, the newest first."},
    )
    note = _text(allow_none=True, metadata={"description": "Why it was let go."})
    headers = ma.fields.Dict()
    body = ma.fields.String()
    flaw = ma.fields.String()


class RefusedArrivals(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(RefusedArrival), required=True)
    next = ma.fields.UUID(required=True, allow_none=True)


class Books(ma.Schema):
    messages = _number()
    everAccepted = _number(metadata={"description": "With those that were pruned."})
    routed = _number()
    unrouted = _number()
    filtered = _number()
    planned = _number()
    deliveries = ma.fields.Dict(keys=ma.fields.Enum(Status, by_value=True), values=_number(), required=True)
    unaccounted = _number(metadata={"description": "Must be 0."})


class Refusal(ma.Schema):
    revision = _text()
    reason = _text()


class Revision(ma.Schema):
    revision = _text(metadata={"description": "The one that this process goes by."})
    active = _text(metadata={"description": "The one that was made active last."})
    refused = ma.fields.Nested(
        Refusal,
        required=True,
        allow_none=True,
        metadata={"description": "Why this process cannot load the active one, and keeps the one before; else null."},
    )


class UsedBy(ma.Schema):
    version = _text()
    caller = _text()
    field = _text()
    number = _number()
    firstAt = _time()
    lastAt = _time()


class Usage(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(UsedBy), required=True)


class Retirement(ma.Schema):
    version = _text()
    canRetire = ma.fields.Boolean(required=True)
    reasons = ma.fields.List(_text(), required=True)
    because = ma.fields.List(ma.fields.Dict(), required=True)
    used = ma.fields.List(ma.fields.Nested(UsedBy), required=True)
    routes = ma.fields.List(_text(), required=True)
    mappings = ma.fields.List(_text(), required=True)
    openDeliveries = _number()


class Explained(ma.Schema):
    type = _text()
    version = _number()
    disposition = _text()
    faults = ma.fields.List(ma.fields.Dict(), required=True)
    considered = ma.fields.List(ma.fields.Dict(), required=True)
    conditions = ma.fields.List(ma.fields.Dict(), required=True)
    nearest = ma.fields.Dict(required=True, allow_none=True)


class Lineage(ma.Schema):
    messageId = ma.fields.UUID(required=True)
    deliveries = ma.fields.List(ma.fields.Dict(), required=True)


def envelope(data: type[ma.Schema] | ma.fields.Field[Any], name: str = "") -> type[ma.Schema]:
    """The unified envelope (seed 003 §2.2) around `data`."""
    field = data if isinstance(data, ma.fields.Field) else ma.fields.Nested(data, required=True)
    title = name or (data.__name__ if isinstance(data, type) else "Answer")
    parts: dict[str, ma.fields.Field[Any]] = {
        "code": _number(),
        "message": _text(),
        "data": field,
        "traceId": _text(),
        "timestamp": _number(),
    }
    return ma.Schema.from_dict(parts, name=f"{title}Envelope")


# Per id, what became of it.
RESULTS = envelope(ma.fields.Dict(keys=ma.fields.UUID(), values=ma.fields.String(), required=True), "Results")
