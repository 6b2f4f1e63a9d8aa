"""`/ops/v1` about what the hub is made of: routes, systems, and changes of the configuration. As the pages under Build
show it.
"""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView
from flask_smorest import Blueprint

from hub.flow.answers import building as answers
from hub.flow.answers.fields import fill
from hub.flow.configuration import changes
from hub.flow.hub import Hub
from hub.flow.overview import routes, systems
from hub.http.common.flask_responses import acting, envelope, operators_only, tagged
from hub.http.ops import building_schemas as schemas


def add(ops: Blueprint, hub: Hub) -> None:
    """Its calls, on the operator's blueprint."""
    _add_routes(ops, hub)
    _add_systems(ops, hub)
    _add_revisions(ops, hub)
    _add_plans(ops, hub)


def _add_routes(ops: Blueprint, hub: Hub) -> None:
    @ops.route("/routes")
    class Routes(MethodView):
        @ops.response(200, answers.RouteList)
        def get(self) -> Response:
            """The routes of the active revision, in the order of routes.yaml, each with how it stands and what flowed
            lately.
            """
            return tagged(routes.routes(hub))

    @ops.route("/routes/<string:name>")
    class OneRoute(MethodView):
        @ops.response(200, answers.OneRoute)
        def get(self, name: str) -> Response:
            """One route: step by step, with how many of the last messages go on behind each; its treatment, its text,
            and its tests.
            """
            return tagged(routes.route(hub, name))


def _add_systems(ops: Blueprint, hub: Hub) -> None:
    @ops.route("/systems")
    class Systems(MethodView):
        @ops.response(200, answers.SystemList)
        def get(self) -> Response:
            """The systems of the active revision, with the messages that they send and take, and how each stands."""
            return tagged(systems.systems(hub))

    @ops.route("/systems/<string:name>")
    class OneSystem(MethodView):
        @ops.response(200, answers.OneSystem)
        def get(self, name: str) -> Response:
            """One system: addresses, settings, secrets by their names, caps, breaker, hooks, queues, who calls, and the
            last check.
            """
            return tagged(systems.system(hub, name))

    @ops.route("/systems/<string:name>/check")
    class CheckSystem(MethodView):
        @ops.arguments(schemas.WhoChecks, error_status_code=400)
        @ops.response(200, answers.CheckedNow)
        def post(self, given: dict[str, Any], name: str) -> Response:
            """Tries the addresses that the system declares: name, connection, TLS. No call is made; it is on record as
            `system.checked`.
            """
            return envelope(systems.check(hub, name, by=acting(given)))


def _add_revisions(ops: Blueprint, hub: Hub) -> None:
    @ops.route("/revisions")
    class Revisions(MethodView):
        @ops.arguments(schemas.HowMany, location="query", error_status_code=400)
        @ops.response(200, answers.RevisionHistory)
        def get(self, given: dict[str, Any]) -> Response:
            """Which configuration was made active when, by whom and why, newest first; what each changed; and which
            process goes by which.
            """
            return tagged(changes.history(hub, limit=given["limit"]))

    @ops.route("/revisions/<string:revision>")
    class OneRevision(MethodView):
        @ops.response(200, answers.OneRevision)
        def get(self, revision: str) -> Response:
            """One configuration, by its hash or how that begins, against the one that it was put in place of: in
            meaning, and file by file.
            """
            return envelope(changes.one(hub, revision))


def _add_plans(ops: Blueprint, hub: Hub) -> None:
    @ops.route("/plan")
    class Plan(MethodView):
        @ops.arguments(schemas.HowManyTried, location="query", error_status_code=400)
        @ops.response(200, answers.PlanReport)
        def get(self, given: dict[str, Any]) -> Response:
            """What the files on the hub's machine would change: in meaning, for what waits, and for the last messages.
            For operators.
            """
            operators_only()
            return envelope(changes.planned(hub.store, hub.settings.workspace, most=given["messages"]).as_json())

    @ops.route("/apply")
    class Apply(MethodView):
        @ops.arguments(schemas.ApplyPlan, error_status_code=400)
        @ops.response(200, answers.ActiveNow)
        def post(self, given: dict[str, Any]) -> Response:
            """Makes what was planned active. 409 where the files, or the active configuration, are others by now: plan
            again.
            """
            wanted = {name: given[name] for name in ("revision", "onto", "why", "despite")}
            made = changes.make_active(
                hub.store, hub.settings.workspace, by=acting(given), unmet=hub.catalogs.unmet, **wanted
            )
            return envelope(fill(answers.ActiveNow, made))

    @ops.route("/revisions/<string:revision>/plan")
    class PlanBack(MethodView):
        @ops.arguments(schemas.HowManyTried, location="query", error_status_code=400)
        @ops.response(200, answers.PlanReport)
        def get(self, given: dict[str, Any], revision: str) -> Response:
            """What going back to a configuration would change. For operators."""
            operators_only()
            return envelope(
                changes.planned_back(hub.store, changes.find(hub.store, revision), most=given["messages"]).as_json()
            )

    @ops.route("/revisions/<string:revision>/rollback")
    class RollBack(MethodView):
        @ops.arguments(schemas.PlannedChange, error_status_code=400)
        @ops.response(200, answers.ActiveNow)
        def post(self, given: dict[str, Any], revision: str) -> Response:
            """Makes a configuration that was active once active again. 409 where another one is active than `onto`."""
            made = changes.go_back(
                hub.store, changes.find(hub.store, revision), onto=given["onto"], by=acting(given), why=given["why"]
            )
            return envelope(fill(answers.ActiveNow, made))
