# ruff: noqa: N815  names are as they stand in the answers
"""What `/ops/v1/messages/{id}/…` answers: one message at each stage of its way, and as the present configuration would
make it.
"""

from __future__ import annotations

import marshmallow as ma

from hub.core.documents.difference import Kind
from hub.core.model.delivery import Status
from hub.http.ops import shapes
from hub.http.ops.answers import Why, envelope


class Change(ma.Schema):
    """One difference; `from` where it stood before, if elsewhere."""

    kind = ma.fields.Enum(Kind, by_value=True, required=True)
    pointer = shapes.text()
    old = ma.fields.Raw(allow_none=True)
    new = ma.fields.Raw(allow_none=True)
    origin = ma.fields.String(data_key="from")


class Stage(ma.Schema):
    stage = shapes.text(validate=ma.validate.OneOf(["decoded", "upgraded", "part", "mapped"]))
    message = shapes.text(allow_none=True)
    body = shapes.anything()
    changes = shapes.some(
        Change, allow_none=True, metadata={"description": "Against the stage before; null: it is the first."}
    )


class Request(ma.Schema):
    method = shapes.text()
    url = shapes.text()
    bytes = shapes.number()
    sent = shapes.yes()


class Reply(ma.Schema):
    status = shapes.number(allow_none=True)
    bytes = shapes.number()
    text = shapes.text()
    body = shapes.anything()


class Phase(ma.Schema):
    name = shapes.text()
    ms = shapes.number()


class Next(ma.Schema):
    at = shapes.time()
    afterMs = shapes.number()
    why = shapes.one(Why, allow_none=True)


class AttemptInFull(ma.Schema):
    number = shapes.number()
    startedAt = shapes.time()
    endedAt = shapes.time()
    outcome = shapes.text()
    request = shapes.one(Request)
    reply = shapes.one(Reply)
    ms = shapes.number()
    phases = shapes.some(Phase)
    why = shapes.one(Why, allow_none=True)
    next = shapes.one(Next, allow_none=True)
    revision = shapes.text()
    worker = shapes.text()


class Sent(ma.Schema):
    method = shapes.text()
    url = shapes.text()
    bytes = shapes.number()
    curl = shapes.text()


class StagesOfDelivery(ma.Schema):
    deliveryId = ma.fields.UUID(required=True)
    route = shapes.text()
    target = shapes.text()
    part = shapes.number(allow_none=True)
    status = ma.fields.Enum(Status, by_value=True, required=True)
    stages = shapes.some(Stage)
    lookups = ma.fields.Dict(required=True)
    fault = shapes.anything()
    call = shapes.text(metadata={"description": "Method and address, its holes filled; empty where it is not called."})
    sent = shapes.one(Sent, allow_none=True)
    attempts = shapes.some(AttemptInFull)


class Raw(ma.Schema):
    bytes = shapes.number()
    text = shapes.text()
    isCut = shapes.yes()
    curl = shapes.text(allow_none=True)


class Received(ma.Schema):
    source = shapes.text()
    receivedAt = shapes.time()
    method = shapes.text()
    query = shapes.text()
    contentType = shapes.text()
    bytes = shapes.number()
    text = shapes.text()


class Stages(ma.Schema):
    messageId = ma.fields.UUID(required=True)
    received = shapes.one(Received, allow_none=True)
    raw = shapes.one(Raw)
    stages = shapes.some(Stage)
    fault = shapes.anything()
    deliveries = shapes.some(StagesOfDelivery)
    isMasked = shapes.yes()


class Side(ma.Schema):
    revision = shapes.text()
    disposition = shapes.text()
    refused = shapes.text(allow_none=True)


class DeliveryAfresh(ma.Schema):
    route = shapes.text()
    target = shapes.text()
    part = shapes.number(allow_none=True)
    what = shapes.text(
        validate=ma.validate.OneOf(["same", "changed", "gained", "lost", "mended", "broken", "still_broken"])
    )
    changes = shapes.some(Change)
    faultThen = shapes.text(allow_none=True)
    faultNow = shapes.text(allow_none=True)
    body = shapes.anything()


class Afresh(ma.Schema):
    messageId = ma.fields.UUID(required=True)
    made = shapes.one(Side)
    now = shapes.one(Side)
    isSame = shapes.yes()
    deliveries = shapes.some(DeliveryAfresh)
    isMasked = shapes.yes()


ALL_STAGES = envelope(Stages)  # one for all calls that answer so: each made anew would be a schema of its own
