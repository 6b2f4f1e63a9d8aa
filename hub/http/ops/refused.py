"""`/ops/v1/refused`: what came by any door and the hub could not accept. Looked at, retried, dropped; as `hub refused`
does.
"""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response
from flask.views import MethodView
from flask_smorest import Blueprint

from hub.core.errors import Code, Refused
from hub.flow.answers import repairs as answers
from hub.flow.hub import Hub
from hub.flow.repairs import refused as acts
from hub.http.common.flask_responses import acting, envelope
from hub.http.ops.request_schemas import Act, Id, Instant, Number, Page, Reveal, Text
from hub.store import ArrivalFilter
from hub.store.repairs.arrivals import STATES, WAITING

MOST = 500

ANY = "any"


class List(Page):
    state = ma.fields.String(
        load_default="",
        validate=ma.validate.OneOf((*STATES, ANY)),
        metadata={"description": "Default: waiting; with trace, any."},
    )
    source = Text(
        load_default="", metadata={"description": "Such as hook:tms/push, queue:wms/stock or post:shop/order.placed."}
    )
    caller = Text(load_default="", metadata={"description": "Whose."})
    code = Number(
        load_default=None,
        validate=ma.validate.Range(40_000, 59_999),
        metadata={"description": "The five digits of the refusal."},
    )
    trace = Text(
        load_default="",
        validate=ma.validate.Length(0, 32),
        metadata={"description": "The traceId that the sender was given."},
    )
    q = Text(
        load_default="",
        validate=ma.validate.Length(0, 100),
        metadata={"description": "A part of the source, or of the reason's words."},
    )
    since = Instant(load_default=None, metadata={"description": "Refused then or later."})
    until = Instant(load_default=None, metadata={"description": "Refused first before."})


class Retry(ma.Schema):
    """Fewer at once than of deliveries: each is read, checked and stored before the answer."""

    ids = ma.fields.List(Id(), required=True, validate=ma.validate.Length(1, MOST))
    by = Text(required=True, validate=ma.validate.Length(1, 100), metadata={"description": "Who does it."})


class Drop(Act):
    why = Text(
        load_default="",
        validate=ma.validate.Length(0, 500),
        metadata={"description": "Why they are let go; on record."},
    )


def wanted(given: dict[str, Any]) -> ArrivalFilter:
    """The question as the store takes it. Somebody who has a trace id wants what became of it, whatever that is."""
    named = given["state"] or (ANY if given["trace"] else WAITING)
    return ArrivalFilter(
        None if named == ANY else named,
        given["source"],
        given["caller"],
        given["code"],
        given["trace"].lower(),
        given["q"],
        given["since"],
        given["until"],
    )


def add(ops: Blueprint, hub: Hub) -> None:
    """Adds the calls to the operator's."""

    @ops.route("/refused")
    class RefusedList(MethodView):
        @ops.arguments(List, location="query", error_status_code=400)
        @ops.response(200, answers.RefusedArrivals)
        def get(self, given: dict[str, Any]) -> Response:
            """What was refused, newest first, without the bodies."""
            rows = hub.store.refused(limit=given["limit"], before=given.get("before"), wanted=wanted(given))
            return envelope(
                {
                    "items": [acts.as_json(row) for row in rows],
                    "next": rows[-1].id if len(rows) == given["limit"] else None,
                }
            )

    @ops.route("/refused/<uuid:refused_id>")
    class OneRefused(MethodView):
        @ops.response(200, answers.RefusedArrival)
        def get(self, refused_id: object) -> Response:
            """One of them with each fault; of what a queue brought its headers and body too. For other bodies see
            reveal.
            """
            rows = hub.store.refused_ones(str(refused_id))
            if not rows:
                raise Refused(Code.NOT_FOUND, "There is no such refused arrival.")
            return envelope(acts.as_json(rows[0]))

    @ops.route("/refused/<uuid:refused_id>/reveal")
    class RevealRefused(MethodView):
        @ops.arguments(Reveal, error_status_code=400)
        @ops.response(200, answers.RefusedArrival)
        def post(self, given: dict[str, Any], refused_id: object) -> Response:
            """The same with headers and body as they came. Who asked, and why, is on record before the answer
            leaves.
            """
            rows = hub.store.refused_ones(str(refused_id))
            if not rows:
                raise Refused(Code.NOT_FOUND, "There is no such refused arrival.")
            return envelope(acts.revealed(hub.store, rows[0], by=acting(given), why=given["why"]))

    @ops.route("/refused/retry")
    class RetryView(MethodView):
        @ops.arguments(Retry, error_status_code=400)
        @ops.response(200, dict[str, str], name="Results")
        def post(self, given: dict[str, Any]) -> Response:
            """Reads them again by the active configuration. A result per id."""
            return envelope(dict(acts.retry(hub, given["ids"], by=acting(given))))

    @ops.route("/refused/drop")
    class DropView(MethodView):
        @ops.arguments(Drop, error_status_code=400)
        @ops.response(200, dict[str, str], name="Results")
        def post(self, given: dict[str, Any]) -> Response:
            """Lets them go for good. A result per id."""
            return envelope(dict(acts.drop(hub.store, given["ids"], by=acting(given), why=given["why"])))
