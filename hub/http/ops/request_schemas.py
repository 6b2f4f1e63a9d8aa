"""What operators may ask `/ops/v1` with: the schemas of its parameters and bodies. Named fields only; anything else is
refused.
"""

from __future__ import annotations

import re
import uuid
from datetime import datetime
from typing import Any

import marshmallow as ma

from hub.core.documents.times import is_date_time
from hub.core.message import Disposition
from hub.core.model.delivery import Status

MAX_IDS = 10_000

_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


class Text(ma.fields.String):
    """Text of whole, printable characters: no controls, which one of the two databases cannot look for."""

    def _deserialize(self, value: Any, *args: Any, **named: Any) -> str:
        text: str = super()._deserialize(value, *args, **named)
        if not text.isprintable():
            raise ma.ValidationError("Send text without control characters.")
        return text


class Number(ma.fields.Integer):
    """Decimal digits. The library's own field takes `１２`, `1_0` and blanks."""

    def _deserialize(self, value: Any, *args: Any, **named: Any) -> int:
        if not isinstance(value, str) or not _NUMBER.fullmatch(value):
            raise ma.ValidationError("Send a whole number, in digits.")
        return super()._deserialize(value, *args, **named)


class Yes(ma.fields.Boolean):
    """`true` or `false`; not 1, "yes" or "on"."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool:
        if not isinstance(value, bool):
            raise ma.ValidationError("Send true or false.")
        return value


class Id(ma.fields.UUID):
    """An id in its usual spelling of 36 characters; gives it as text, in lower case."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        if not isinstance(value, str) or not _UUID.fullmatch(value):
            raise ma.ValidationError("Send an id of 36 characters, as the hub gave it.")
        return str(uuid.UUID(value))


class Instant(ma.fields.AwareDateTime):
    """RFC 3339 with an offset. The library's own field takes week dates and blanks for the T."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> datetime:
        if not isinstance(value, str) or not is_date_time(value):
            raise ma.ValidationError("Send RFC 3339 with an offset, such as 2026-05-01T08:00:00Z; write + as %2B.")
        return datetime.fromisoformat(value)


class Page(ma.Schema):
    """Pages go by the last id of the page before, so that they neither skip nor repeat while messages come in."""

    limit = Number(load_default=50, validate=ma.validate.Range(1, 500))
    before = Id(metadata={"description": "The last id of the page before."})


class Find(Page):
    """What messages can be searched by. All parts must hold."""

    key = Text(
        validate=ma.validate.Length(1, 255),
        metadata={"description": "A business key's value, such as an order number."},
    )
    name = Text(
        validate=ma.validate.Length(1, 64), metadata={"description": "The business key's name, such as orderNo."}
    )
    id = Id(metadata={"description": "A message's id."})
    type = Text(validate=ma.validate.Length(1, 150), metadata={"description": "Such as oms/order.created."})
    status = ma.fields.Enum(Status, by_value=True, metadata={"description": "Messages with a delivery in this state."})
    disposition = ma.fields.Enum(Disposition, by_value=True)
    since = Instant(metadata={"description": "Received at this time or later."})
    until = Instant(metadata={"description": "Received before this time."})


class OfField(ma.Schema):
    """Of which field the lineage is asked."""

    field = Text(
        validate=ma.validate.Length(1, 500),
        metadata={"description": "This field of the target and what is below it, such as /items/*/sku."},
    )
    source = Text(
        validate=ma.validate.Length(1, 500), metadata={"description": "What this place of the source reaches."}
    )


class Reveal(ma.Schema):
    """Who wants to see what is personal, and why: both are kept for ever."""

    by = Text(required=True, validate=ma.validate.Length(1, 100))
    why = Text(required=True, validate=ma.validate.Length(1, 500))


class Act(ma.Schema):
    """Which deliveries, and who says so. Each id gets its own result."""

    ids = ma.fields.List(Id(), required=True, validate=ma.validate.Length(1, MAX_IDS))
    by = Text(required=True, validate=ma.validate.Length(1, 100), metadata={"description": "Who does it."})


class Replay(Act):
    force = Yes(load_default=False, metadata={"description": "Even behind a later one on the same key."})


class Cancel(Act):
    why = Text(required=True, validate=ma.validate.Length(1, 500))


class Used(ma.Schema):
    """What usage is asked for."""

    type = Text(metadata={"description": "A message such as oms/order.created."})
    version = Number(validate=ma.validate.Range(1, 9_999))
    days = Number(load_default=30, validate=ma.validate.Range(0, 3_650), metadata={"description": "How far back."})
    by = ma.fields.String(load_default="caller", validate=ma.validate.OneOf(["caller", "field"]))


class OneVersion(ma.Schema):
    """Which version may go."""

    type = Text(required=True, validate=ma.validate.Regexp(r"[a-z0-9-]+/[a-z0-9.-]+\Z"))
    version = Number(required=True, validate=ma.validate.Range(1, 9_999))
    days = Number(
        load_default=30,
        validate=ma.validate.Range(0, 3_650),
        metadata={"description": "Nobody may have used it for so long."},
    )
