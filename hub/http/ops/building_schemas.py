"""What `/ops/v1` is asked with about what the hub is made of."""

from __future__ import annotations

import marshmallow as ma

from hub.flow.configuration import changes
from hub.http.ops.request_schemas import Number, Text


class WhoChecks(ma.Schema):
    by = Text(
        load_default="",
        validate=ma.validate.Length(0, 100),
        metadata={"description": "Who does it; whoever is signed in is it anyhow."},
    )


class HowMany(ma.Schema):
    limit = Number(load_default=50, validate=ma.validate.Range(1, 500))


class HowManyTried(ma.Schema):
    messages = Number(
        load_default=200,
        validate=ma.validate.Range(0, changes.MOST),
        metadata={"description": "What-if over the last so many."},
    )


class PlannedChange(ma.Schema):
    onto = Text(
        required=True,
        validate=ma.validate.Length(64, 64),
        metadata={"description": "The active configuration that the plan was compared with."},
    )
    why = Text(required=True, validate=ma.validate.Length(1, 500))
    by = Text(
        load_default="",
        validate=ma.validate.Length(0, 100),
        metadata={"description": "Who does it; whoever is signed in is it anyhow."},
    )


class ApplyPlan(PlannedChange):
    revision = Text(
        required=True,
        validate=ma.validate.Length(64, 64),
        metadata={"description": "What the plan said would become active."},
    )
    despite = ma.fields.List(
        Text(),
        load_default=list,
        validate=ma.validate.Length(0, 100),
        metadata={"description": "Errors accepted: CODE:FILE:LINE."},
    )
