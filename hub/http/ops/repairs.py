"""`/ops/v1/repairs`: deliveries that wait for a person, put right many at a time. As `hub repair` does."""

from __future__ import annotations

from typing import Any

from flask import Response, g
from flask.views import MethodView
from flask_smorest import Blueprint

from hub.core.model.repair import Order, Selection
from hub.flow.accept import idempotency_key
from hub.flow.answers import repairs as answers
from hub.flow.dry_run import preview as previewing
from hub.flow.hub import Hub
from hub.flow.repairs import edit as editing
from hub.flow.repairs import repair as acts
from hub.http.common.flask_responses import acting, envelope
from hub.http.ops import repair_schemas as schemas


def add(ops: Blueprint, hub: Hub) -> None:
    """Adds the calls to the operator's."""
    _add_repairs(ops, hub)
    _add_looks(ops, hub)
    _add_steering(ops, hub)

    @ops.route("/deliveries/<uuid:delivery_id>/edit")
    class EditView(MethodView):
        @ops.arguments(schemas.Edit, error_status_code=400)
        @ops.response(200, answers.Edited)
        def post(self, given: dict[str, Any], delivery_id: object) -> Response:
            """Sends the message with another body in this delivery's place, which ends. The same call again changes
            nothing.
            """
            body = given["body"].encode("utf-8", "surrogatepass")
            return envelope(
                editing.edit(
                    hub, str(delivery_id), body, by=acting(given), why=given["why"], force=given["force"]
                ).as_json()
            )


def _add_repairs(ops: Blueprint, hub: Hub) -> None:
    @ops.route("/repairs")
    class Repairs(MethodView):
        @ops.arguments(schemas.FindRepairs, location="query", error_status_code=400)
        @ops.response(200, answers.Repairs)
        def get(self, given: dict[str, Any]) -> Response:
            """Repairs, newest first, with how far they are."""
            limit = given["limit"]
            rows = hub.store.repairs(
                state=given.get("state"), delivery_id=given.get("delivery"), limit=limit, before=given.get("before")
            )
            return envelope(
                {"items": [acts.as_json(row) for row in rows], "next": rows[-1].id if len(rows) == limit else None}
            )

        @ops.arguments(schemas.NewRepair, error_status_code=400)
        @ops.response(200, answers.Repair)
        def post(self, given: dict[str, Any]) -> Response:
            """Chooses the deliveries. Nothing is done to them before it is started. Under one Idempotency-Key it is
            made once.
            """
            chosen = given["selection"]
            selection = Selection(**{**chosen, "ids": tuple(chosen.get("ids", ()))})
            order = Order(
                selection,
                acting(given),
                given["why"],
                given["act"],
                given["with_"],
                given.get("revision"),
                given["force"],
                given["canary"],
                given["goOnAt"],
                given["rate"],
            )
            made, _ = acts.create(hub.store, order, id_=hub.new_id(), request_key=idempotency_key(g.incoming))
            return envelope(acts.as_json(made))

    @ops.route("/repairs/candidates")
    class Candidates(MethodView):
        @ops.response(200, answers.Candidates)
        def get(self) -> Response:
            """Configurations that are kept and were never active, newest first: `hub repair candidate` keeps one."""
            return envelope(
                {"items": [{"revision": hash_, "createdAt": at.isoformat()} for hash_, at in hub.store.candidates()]}
            )


def _add_looks(ops: Blueprint, hub: Hub) -> None:
    @ops.route("/repairs/<uuid:repair_id>")
    class OneRepair(MethodView):
        @ops.response(200, answers.Repair)
        def get(self, repair_id: object) -> Response:
            """One repair, with how many of its deliveries have come to which result."""
            return envelope(acts.as_json(acts.find(hub.store, str(repair_id))))

    @ops.route("/repairs/<uuid:repair_id>/rows")
    class Rows(MethodView):
        @ops.arguments(schemas.Rows, location="query", error_status_code=400)
        @ops.response(200, answers.RowPage)
        def get(self, given: dict[str, Any], repair_id: object) -> Response:
            """Its deliveries in the order in which they go, each with its result."""
            limit = given["limit"]
            row = acts.find(hub.store, str(repair_id))
            rows = hub.store.repaired(row.id, result=given.get("result"), limit=limit, after=given["after"])
            return envelope(
                {"items": [acts.row_json(one) for one in rows], "next": rows[-1].place if len(rows) == limit else None}
            )

    @ops.route("/repairs/<uuid:repair_id>/preview")
    class Preview(MethodView):
        @ops.arguments(schemas.Look, location="query", error_status_code=400)
        @ops.response(200, answers.Preview)
        def get(self, given: dict[str, Any], repair_id: object) -> Response:
            """What would be sent now, and in what it differs from what was sent. Changes nothing."""
            seen = previewing.preview(
                hub.store, hub.catalogs, str(repair_id), limit=given["limit"], after=given["after"], limits=hub.limits
            )
            return envelope(seen.as_json())


def _add_steering(ops: Blueprint, hub: Hub) -> None:
    verbs = {"start": acts.start, "continue": acts.go_on, "stop": acts.stop}

    @ops.route("/repairs/<uuid:repair_id>/<any(start, continue, stop):verb>")
    class Steering(MethodView):
        @ops.arguments(schemas.Steer, error_status_code=400)
        @ops.response(200, answers.Repair)
        def post(self, given: dict[str, Any], repair_id: object, verb: str) -> Response:
            """`start`: its canary goes, or it goes on where it was stopped. `continue`: the rest goes. `stop`: nothing
            more goes. Twice changes nothing.
            """
            return envelope(acts.as_json(verbs[verb](hub.store, str(repair_id), by=acting(given))))
