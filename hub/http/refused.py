"""`/ops/v1/refused`: what queues brought and the hub could not accept. Looked at, retried, dropped; as `hub refused` does."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response
from flask.views import MethodView
from flask_smorest import Blueprint

from hub.core.errors import Code, Refused
from hub.flow import refused as acts
from hub.flow.hub import Hub
from hub.http import answers
from hub.http.queries import Act, Id, Page, Text
from hub.http.views import acting, envelope
from hub.store.arrivals import STATES, WAITING

MOST = 500


class List(Page):
    state = ma.fields.String(load_default=WAITING, validate=ma.validate.OneOf(STATES), metadata={"description": "Which of them."})


class Retry(ma.Schema):
    """Fewer at once than of deliveries: each is read, checked and stored before the answer."""

    ids = ma.fields.List(Id(), required=True, validate=ma.validate.Length(1, MOST))
    by = Text(required=True, validate=ma.validate.Length(1, 100), metadata={"description": "Who does it."})


class Drop(Act):
    why = Text(load_default="", validate=ma.validate.Length(0, 500), metadata={"description": "Why they are let go; on record."})


def add(ops: Blueprint, hub: Hub) -> None:
    """Adds the calls to the operator's."""

    @ops.route("/refused")
    class RefusedList(MethodView):
        @ops.arguments(List, location="query", error_status_code=400)
        @ops.response(200, answers.envelope(answers.RefusedArrivals))
        def get(self, given: dict[str, Any]) -> Response:
            """What queues brought and was refused, newest first, without the bodies."""
            rows = hub.store.refused(state=given["state"], limit=given["limit"], before=given.get("before"))
            return envelope({"items": [acts.as_json(row) for row in rows], "next": rows[-1].id if len(rows) == given["limit"] else None})

    @ops.route("/refused/<uuid:refused_id>")
    class OneRefused(MethodView):
        @ops.response(200, answers.envelope(answers.RefusedArrival))
        def get(self, refused_id: object) -> Response:
            """One of them, with its headers, its body and each fault."""
            rows = hub.store.refused_ones(str(refused_id))
            if not rows:
                raise Refused(Code.NOT_FOUND, "There is no such refused arrival.")
            return envelope(acts.as_json(rows[0]))

    @ops.route("/refused/retry")
    class RetryView(MethodView):
        @ops.arguments(Retry, error_status_code=400)
        @ops.response(200, answers.RESULTS)
        def post(self, given: dict[str, Any]) -> Response:
            """Reads them again by the active configuration. A result per id."""
            return envelope(dict(acts.retry(hub, given["ids"], by=acting(given))))

    @ops.route("/refused/drop")
    class DropView(MethodView):
        @ops.arguments(Drop, error_status_code=400)
        @ops.response(200, answers.RESULTS)
        def post(self, given: dict[str, Any]) -> Response:
            """Lets them go for good. A result per id."""
            return envelope(dict(acts.drop(hub.store, given["ids"], by=acting(given), why=given["why"])))
