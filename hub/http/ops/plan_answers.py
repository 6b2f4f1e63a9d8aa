# ruff: noqa: N815  names are as they stand in the answers
"""Answers about a planned change: what it means for posts that say no version."""

from __future__ import annotations

import marshmallow as ma

from hub.http.ops import shapes


class StayingCaller(ma.Schema):
    caller = shapes.text()
    name = shapes.text(metadata={"description": "Of its key; empty where it has none."})
    version = shapes.number()
    isTaken = shapes.yes(
        metadata={"description": "false: its version is not taken any more, and each such post is refused."}
    )


class NewDefault(ma.Schema):
    message = shapes.text()
    before = shapes.number(allow_none=True)
    after = shapes.number(allow_none=True)
    stay = shapes.some(StayingCaller, metadata={"description": "Callers with a pin: their posts stay in its version."})
    free = shapes.some(
        ma.fields.String(),
        metadata={"description": "Others that post it: in the version that they say, or in the new one."},
    )
