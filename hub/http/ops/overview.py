"""`/ops/v1` about the whole: what needs a person, what flows, the landscape as a picture, and what waits by its
cause.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import marshmallow as ma
from flask import Response
from flask.views import MethodView
from flask_smorest import Blueprint

from hub.core.errors import Code, Refused
from hub.core.model.delivery import Status
from hub.flow.answers import overview as answers
from hub.flow.answers.fields import fill
from hub.flow.hub import Hub
from hub.flow.overview import backlog, clusters, landscape, now, rates, sparklines
from hub.flow.repairs import pauses
from hub.flow.views import trace
from hub.http.common.flask_responses import envelope, tagged
from hub.http.ops.request_schemas import Number, Text

_ID = re.compile(r"[0-9a-f]{16}", re.ASCII)
_WAITS = ma.validate.OneOf(["dead", "held", "unknown"])
_PLACE = re.compile(r"([0-9T:.+-]{20,40})_([0-9a-f-]{36})", re.ASCII)


class Curve(ma.Schema):
    """Which curve."""

    minutes = Number(load_default=60, validate=ma.validate.Range(1, 2_880), metadata={"description": "How far back."})
    step = Number(load_default=1, validate=ma.validate.Range(1, 240), metadata={"description": "Minutes of one point."})
    route = Text(validate=ma.validate.Length(1, 150), metadata={"description": "Of this route alone."})
    target = Text(
        validate=ma.validate.Length(1, 150),
        metadata={"description": "Of this target alone, such as wms/outbound.create@1."},
    )
    system = Text(validate=ma.validate.Length(1, 64), metadata={"description": "Of this target system alone."})
    message = Text(
        validate=ma.validate.Length(1, 150),
        metadata={"description": "What was accepted of this message, such as oms/order.created@1."},
    )


class Behind(ma.Schema):
    """At which target, or on which route. One of both."""

    target = Text(validate=ma.validate.Length(1, 64), metadata={"description": "A system."})
    route = Text(validate=ma.validate.Length(1, 150))
    limit = Number(load_default=50, validate=ma.validate.Range(1, 500))


class OfState(ma.Schema):
    status = ma.fields.String(validate=_WAITS, metadata={"description": "dead, held or unknown; default: all three."})


class MembersPage(ma.Schema):
    status = ma.fields.String(load_default="dead", validate=_WAITS)
    limit = Number(load_default=50, validate=ma.validate.Range(1, 500))
    before = Text(validate=ma.validate.Length(1, 100), metadata={"description": "`next` of the page before."})


def add(ops: Blueprint, hub: Hub) -> None:
    """Its calls, on the operator's blueprint."""
    _add_whole(ops, hub)
    _add_clusters(ops, hub)


def _add_whole(ops: Blueprint, hub: Hub) -> None:  # noqa: C901  # one function per path
    @ops.route("/now")
    class Now(MethodView):
        @ops.response(200, answers.Now)
        def get(self) -> Response:
            """What needs a person, the most urgent first; and how everything flows."""
            return tagged(now.now(hub))

    @ops.route("/rates")
    class Rates(MethodView):
        @ops.response(200, answers.Rates)
        def get(self) -> Response:
            """What flowed in the last minutes, on each way."""
            return tagged(rates.ways(hub))

    @ops.route("/rates/series")
    class Series(MethodView):
        @ops.arguments(Curve, location="query", error_status_code=400)
        @ops.response(200, answers.Series)
        def get(self, given: dict[str, Any]) -> Response:
            """The same as a curve."""
            route, way = given.get("route"), given.get("target")
            if "message" in given:
                route, way = "", given["message"]
            try:
                return tagged(
                    rates.series(
                        hub,
                        minutes=given["minutes"],
                        step=given["step"],
                        route=route,
                        way=way,
                        lane=given.get("system"),
                    )
                )
            except ValueError as error:
                raise Refused(Code.BAD_REQUEST, str(error)) from error

    @ops.route("/rates/lines")
    class OneHour(MethodView):
        @ops.response(200, answers.Lines)
        def get(self) -> Response:
            """The last hour by the minute, for all routes and targets at once."""
            return tagged(sparklines.lines(hub).as_json())

    @ops.route("/waiting")
    class WaitingBehind(MethodView):
        @ops.arguments(Behind, location="query", error_status_code=400)
        @ops.response(200, answers.Behind)
        def get(self, given: dict[str, Any]) -> Response:
            """What waits to be sent to a target, or on a route: how many, whether a pause keeps them, and the next to
            go.
            """
            wanted = [(kind, given[kind]) for kind in pauses.KINDS if kind in given]
            if len(wanted) != 1:
                raise Refused(Code.BAD_REQUEST, "Say a target or a route, not both.")
            return tagged(backlog.behind_json(backlog.behind(hub, *wanted[0], limit=given["limit"])))

    @ops.route("/landscape")
    class Landscape(MethodView):
        @ops.response(200, answers.Landscape)
        def get(self) -> Response:
            """Systems and routes with their places in a picture, and what flows along each edge."""
            return tagged(landscape.landscape(hub))

    @ops.route("/parked")
    class Parked(MethodView):
        @ops.response(200, answers.ParkedKeys)
        def get(self) -> Response:
            """Business keys whose later deliveries wait behind a dead one, the oldest first."""
            found, is_whole = backlog.parked(hub)
            items = [fill(answers.ParkedKey, one, system=one.lane) for one in found]
            return tagged({"items": items, "isWhole": is_whole})


def _add_clusters(ops: Blueprint, hub: Hub) -> None:
    @ops.route("/clusters")
    class Clusters(MethodView):
        @ops.arguments(OfState, location="query", error_status_code=400)
        @ops.response(200, answers.Clusters)
        def get(self, given: dict[str, Any]) -> Response:
            """What waits for a person, by its cause, the largest first."""
            return tagged(
                {
                    "items": clusters.listed(
                        clusters.counted(hub), status=Status(given["status"]) if "status" in given else None
                    )
                }
            )

    @ops.route("/clusters/<string:cluster_id>")
    class OneCluster(MethodView):
        @ops.response(200, answers.Cluster)
        def get(self, cluster_id: str) -> Response:
            """One cause: examples, what changed when it came up, and what would mend it."""
            found = clusters.found(hub.store, cluster_id, clusters.counted(hub)) if _ID.fullmatch(cluster_id) else None
            if found is None:
                raise Refused(Code.NOT_FOUND, "There is no such cause.")
            return tagged(found)

    @ops.route("/clusters/<string:cluster_id>/deliveries")
    class Members(MethodView):
        @ops.arguments(MembersPage, location="query", error_status_code=400)
        @ops.response(200, answers.Members)
        def get(self, given: dict[str, Any], cluster_id: str) -> Response:
            """The deliveries that wait for one cause, the latest first."""
            rows = hub.store.cluster_members(
                cluster_id, Status(given["status"]), limit=given["limit"], before=_place(given.get("before"))
            )
            attempts = hub.store.attempts(*(row.id for row in rows))
            items = [trace.delivery_json(row, [one for one in attempts if one.delivery_id == row.id]) for row in rows]
            return envelope(
                {
                    "items": items,
                    "next": f"{rows[-1].changed_at.isoformat()}_{rows[-1].id}" if len(rows) == given["limit"] else None,
                }
            )


def _place(text: str | None) -> tuple[datetime, str] | None:
    if text is None:
        return None
    found = _PLACE.fullmatch(text)
    try:
        at = datetime.fromisoformat(found[1]) if found is not None else None
    except ValueError:
        at = None
    if found is None or at is None or at.tzinfo is None:
        raise Refused(
            Code.BAD_REQUEST, "`before` is no place in this list; send `next` of the page before, with + as %2B."
        )
    return at, found[2]
