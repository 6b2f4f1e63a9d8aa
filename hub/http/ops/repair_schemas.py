# ruff: noqa: N815  names are as they stand in the questions and answers
"""What `/ops/v1/repairs` is asked with, and what it answers: schemas. Answers are built by flow.repairs.repair,
flow.dry_run.preview and flow.repairs.edit.
"""

from __future__ import annotations

from typing import Any

import marshmallow as ma

from hub.core.errors import Reason
from hub.core.model.delivery import Status
from hub.core.model.repair import MOST, Act, Result, State, With
from hub.flow.dry_run import preview
from hub.http.ops.request_schemas import Id, Instant, Number, Page, Text, Yes

_BY = {"description": "Who does it."}


class Whole(ma.fields.Integer):
    """A whole number in a JSON body: neither text nor a fraction."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise ma.ValidationError("Send a whole number.")
        return value


class Selection(ma.Schema):
    """Which deliveries: `ids`, or all that wait of one cause. All parts must hold."""

    ids = ma.fields.List(Id(), validate=ma.validate.Length(1, MOST))
    status = ma.fields.Enum(
        Status,
        by_value=True,
        load_default=Status.DEAD,
        validate=ma.validate.OneOf([Status.DEAD, Status.HELD, Status.UNKNOWN], error="dead, held or unknown"),
    )
    route = Text(validate=ma.validate.Length(1, 191))
    cluster = ma.fields.String(
        validate=ma.validate.Regexp(r"[0-9a-f]{16}\Z"),
        metadata={"description": "Of this cause, as /ops/v1/clusters names it."},
    )
    lane = Text(validate=ma.validate.Length(1, 64), metadata={"description": "A target system."})
    target = Text(validate=ma.validate.Length(1, 255), metadata={"description": "Such as wms/outbound.create@1."})
    reason = ma.fields.Enum(Reason, by_value=True)
    field = Text(
        validate=ma.validate.Length(1, 255),
        metadata={"description": "The target's field that is to blame, as a JSON pointer."},
    )
    text = Text(validate=ma.validate.Length(1, 255), metadata={"description": "Words of the cause's sentence."})
    since = Instant(metadata={"description": "Waits since this time or later."})
    until = Instant(metadata={"description": "Waits since before this time."})
    most = Whole(
        load_default=MOST,
        validate=ma.validate.Range(1, MOST),
        metadata={"description": "No more than so many, the oldest first."},
    )

    @ma.validates_schema
    def _one_way(self, given: dict[str, Any], **_: Any) -> None:
        if "ids" in given and given.keys() - {"ids", "status", "most"}:
            raise ma.ValidationError("Name ids, or a cause; not both.", "ids")


class NewRepair(ma.Schema):
    """What is to be done with them. Nothing is done before it is started."""

    selection = ma.fields.Nested(Selection, required=True)
    by = Text(required=True, validate=ma.validate.Length(1, 100), metadata=_BY)
    why = Text(required=True, validate=ma.validate.Length(1, 500))
    act = ma.fields.Enum(Act, by_value=True, load_default=Act.REPLAY)
    with_ = ma.fields.Enum(
        With,
        by_value=True,
        load_default=With.PINNED,
        data_key="with",
        metadata={"description": "By which configuration their content is made."},
    )
    revision = ma.fields.String(
        validate=ma.validate.Regexp(r"[0-9a-f]{64}\Z"), metadata={"description": "The candidate's content hash."}
    )
    force = Yes(load_default=False, metadata={"description": "Even behind a later one on the same key."})
    canary = Whole(
        load_default=0,
        validate=ma.validate.Range(0, MOST),
        metadata={"description": "So many first, then a person is waited for."},
    )
    goOnAt = Whole(
        load_default=None,
        allow_none=True,
        validate=ma.validate.Range(1, 100),
        metadata={"description": "Per cent of the canary delivered from which the rest goes by itself."},
    )
    rate = Whole(
        load_default=50, validate=ma.validate.Range(1, 10_000), metadata={"description": "Deliveries per second."}
    )

    @ma.validates_schema
    def _one_candidate(self, given: dict[str, Any], **_: Any) -> None:
        if (given["with_"] is With.CANDIDATE) != ("revision" in given):
            raise ma.ValidationError("A candidate has a revision, and nothing else has one.", "revision")


class Steer(ma.Schema):
    by = Text(required=True, validate=ma.validate.Length(1, 100), metadata=_BY)


class FindRepairs(Page):
    state = ma.fields.Enum(State, by_value=True)
    delivery = Id(metadata={"description": "Repairs that this delivery is in."})


class Rows(ma.Schema):
    """Pages go by the last place of the page before."""

    result = ma.fields.Enum(Result, by_value=True)
    limit = Number(load_default=50, validate=ma.validate.Range(1, 1_000))
    after = Number(load_default=0, validate=ma.validate.Range(0, MOST))


class Look(ma.Schema):
    """How many of those that wait are computed, and after which place."""

    limit = Number(load_default=50, validate=ma.validate.Range(1, preview.MOST))
    after = Number(load_default=0, validate=ma.validate.Range(0, MOST))


class Edit(ma.Schema):
    """The message as it should have been: its whole body, as text."""

    body = ma.fields.String(required=True, validate=ma.validate.Length(1))
    by = Text(required=True, validate=ma.validate.Length(1, 100), metadata=_BY)
    why = Text(required=True, validate=ma.validate.Length(1, 500))
    force = Yes(load_default=False, metadata={"description": "Even behind a later one on the same key."})
