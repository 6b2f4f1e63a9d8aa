"""`/ops/v1/unrouted`: messages that no route took. Looked at, routed again, let go; as `hub unrouted` does."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response
from flask.views import MethodView
from flask_smorest import Blueprint

from hub.flow.answers import repairs as answers
from hub.flow.hub import Hub
from hub.flow.overview import unrouted_preview as looks
from hub.flow.repairs import unrouted as acts
from hub.http.common.flask_responses import acting, envelope, tagged
from hub.http.ops.request_schemas import Id, Number, Page, Text, Yes

_BY = {"description": "Who does it."}
_FORCE = {"description": "Even behind a later one on the same key."}


class UnroutedFind(Page):
    cause = Text(validate=ma.validate.Length(1, 64), metadata={"description": "Only messages of this cause."})


class UnroutedLook(ma.Schema):
    """One message, or one cause."""

    id = Id(metadata={"description": "A message."})
    cause = Text(validate=ma.validate.Length(1, 64), metadata={"description": "A cause, as /unrouted/causes tells it."})
    force = Number(
        load_default=0,
        validate=ma.validate.Range(0, 1),
        metadata={"description": "1: as with `force`, even behind a later one on the same key."},
    )
    limit = Number(
        load_default=50,
        validate=ma.validate.Range(1, looks.MOST),
        metadata={"description": "Of a cause, so many are computed."},
    )


class UnroutedRouteCause(ma.Schema):
    by = Text(load_default="", validate=ma.validate.Length(0, 100), metadata=_BY)
    why = Text(
        load_default="", validate=ma.validate.Length(0, acts.MAX_WHY), metadata={"description": "Why; on record."}
    )
    force = Yes(load_default=False, metadata=_FORCE)


class UnroutedDropCause(ma.Schema):
    by = Text(load_default="", validate=ma.validate.Length(0, 100), metadata=_BY)
    why = Text(
        required=True,
        validate=ma.validate.Length(1, acts.MAX_WHY),
        metadata={"description": "Why; on record, and with each message."},
    )


class UnroutedRoute(UnroutedRouteCause):
    ids = ma.fields.List(Id(), required=True, validate=ma.validate.Length(1, acts.MOST_IDS))


class UnroutedDrop(UnroutedDropCause):
    ids = ma.fields.List(Id(), required=True, validate=ma.validate.Length(1, acts.MOST_IDS))


def add(ops: Blueprint, hub: Hub) -> None:
    """Adds the calls to the operator's."""
    _add_looks(ops, hub)
    _add_causes(ops, hub)

    @ops.route("/unrouted/route")
    class RouteView(MethodView):
        @ops.arguments(UnroutedRoute, error_status_code=400)
        @ops.response(200, dict[str, str], name="Results")
        def post(self, given: dict[str, Any]) -> Response:
            """Routes messages again by the active configuration. Per id routed, filtered, or why it stays. Twice makes
            no second delivery.
            """
            return envelope(
                dict(acts.route(hub, given["ids"], by=acting(given), why=given["why"], force=given["force"]))
            )

    @ops.route("/unrouted/drop")
    class DropView(MethodView):
        @ops.arguments(UnroutedDrop, error_status_code=400)
        @ops.response(200, dict[str, str], name="Results")
        def post(self, given: dict[str, Any]) -> Response:
            """Lets messages go for good: they are filtered, for the reason that is given. Per id filtered, or why
            not.
            """
            return envelope(dict(acts.drop(hub, given["ids"], by=acting(given), why=given["why"])))


def _add_causes(ops: Blueprint, hub: Hub) -> None:
    @ops.route("/unrouted/causes")
    class CausesView(MethodView):
        @ops.response(200, answers.UnroutedCauses)
        def get(self) -> Response:
            """What waits by cause, the largest first: which version of which message, and what each route said."""
            items = [looks.line_json(line) for line in looks.counted(hub)]
            return tagged({"items": items})

    @ops.route("/unrouted/causes/<string:cause>/route")
    class RouteCauseView(MethodView):
        @ops.arguments(UnroutedRouteCause, error_status_code=400)
        @ops.response(200, answers.UnroutedOrdered)
        def post(self, given: dict[str, Any], cause: str) -> Response:
            """The same for all of a cause that have come by now; of many the rest in the background."""
            return envelope(
                acts.route_cause(hub, cause, by=acting(given), why=given["why"], force=given["force"]).as_json()
            )

    @ops.route("/unrouted/causes/<string:cause>/drop")
    class DropCauseView(MethodView):
        @ops.arguments(UnroutedDropCause, error_status_code=400)
        @ops.response(200, answers.UnroutedOrdered)
        def post(self, given: dict[str, Any], cause: str) -> Response:
            """Lets all of a cause go that have come by now."""
            return envelope(acts.drop_cause(hub, cause, by=acting(given), why=given["why"]).as_json())


def _add_looks(ops: Blueprint, hub: Hub) -> None:
    @ops.route("/unrouted")
    class UnroutedList(MethodView):
        @ops.arguments(UnroutedFind, location="query", error_status_code=400)
        @ops.response(200, answers.UnroutedPage)
        def get(self, given: dict[str, Any]) -> Response:
            """Messages that no route took, newest first."""
            rows = hub.store.unrouted(cause=given.get("cause"), limit=given["limit"], before=given.get("before"))
            items = [looks.row_json(row) for row in rows]
            return envelope({"items": items, "next": rows[-1].message.id if len(rows) == given["limit"] else None})

    @ops.route("/unrouted/preview")
    class PreviewView(MethodView):
        @ops.arguments(UnroutedLook, location="query", error_status_code=400)
        @ops.response(200, answers.UnroutedPreview)
        def get(self, given: dict[str, Any]) -> Response:
            """Which deliveries they would get by the active configuration, per message and in all. Changes nothing."""
            ids, cause = [given["id"]] if "id" in given else [], given.get("cause")
            acts.check_chosen(ids, cause)
            return envelope(looks.preview(hub, ids=ids, cause=cause, force=bool(given["force"]), limit=given["limit"]))
