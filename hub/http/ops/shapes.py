"""What answers are made of: fields that are always there, as they stand in the OpenAPI document."""

from __future__ import annotations

from typing import Any

import marshmallow as ma


def text(**named: Any) -> ma.fields.String:
    return ma.fields.String(required=True, **named)


def number(**named: Any) -> ma.fields.Integer:
    return ma.fields.Integer(required=True, strict=True, **named)


def rate(**named: Any) -> ma.fields.Float:
    """A number with a fraction, or null where there is nothing to tell of."""
    return ma.fields.Float(required=True, allow_none=True, **named)


def yes(**named: Any) -> ma.fields.Boolean:
    return ma.fields.Boolean(required=True, **named)


def time(*, allow_none: bool = False) -> ma.fields.AwareDateTime:
    return ma.fields.AwareDateTime(required=True, format="iso", allow_none=allow_none)


def anything() -> ma.fields.Raw:
    return ma.fields.Raw(required=True, allow_none=True)


def some(of: type[ma.Schema] | ma.fields.Field[Any], **named: Any) -> ma.fields.List[Any]:
    """A list of `of`."""
    return ma.fields.List(of if isinstance(of, ma.fields.Field) else ma.fields.Nested(of), required=True, **named)


def one(of: type[ma.Schema], **named: Any) -> ma.fields.Nested:
    return ma.fields.Nested(of, required=True, **named)
