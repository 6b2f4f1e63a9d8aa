"""`/ops/v1`: all that an operator can ask and do, as JSON. The console and the command line can do nothing that is not
here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from flask import Response, g
from flask.views import MethodView
from flask_smorest import Blueprint
from marshmallow import RAISE
from webargs.flaskparser import FlaskParser

from hub.core import json
from hub.core.errors import Code, Refused
from hub.core.message import Json, Ref
from hub.core.model.delivery import Status
from hub.flow.answers import contracts as contract_answers
from hub.flow.answers import messages as message_answers
from hub.flow.answers import overview as overview_answers
from hub.flow.answers.fields import fill
from hub.flow.dry_run import message
from hub.flow.hub import Hub
from hub.flow.interfaces import retire
from hub.flow.repairs import replay
from hub.flow.views import explain, lineage, stages, trace
from hub.http.common import bodies
from hub.http.common.flask_responses import acting, envelope
from hub.http.ops import (
    administration,
    answer_schemas,
    building,
    finding,
    mappings,
    overview,
    refused,
    repairs,
    unrouted,
)
from hub.http.ops.request_schemas import Cancel, Find, OfField, OneVersion, Page, Replay, Reveal, Used
from hub.store import DeliveryRow, MessageRow

MAX_BODY = 1 << 20


class _Parser(FlaskParser):
    """Arguments by the one strict decoder. A parameter that nobody knows is a fault: it was meant for something."""

    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, str | None] = {"json": RAISE, "query": RAISE}  # noqa: RUF012  as the library declares it

    def load_json(self, _req: Any, _schema: Any) -> Json:
        return json.decode(bodies.inflate(g.incoming, bodies.check_type(g.incoming), MAX_BODY).body)


class _Calls(Blueprint):  # type: ignore[misc]  # the library has no types
    """Calls whose answers are declared in hub.flow.answers; their schemas are in the document under their names."""

    ARGUMENTS_PARSER = _Parser()

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._components: dict[str, answer_schemas.Schema] = {}

    def response(self, status_code: int, answer: Any, *, name: str = "", **named: Any) -> Any:
        """`answer`: its declaration, or a schema where it is no JSON. `name`: of a declaration that has none."""
        if not isinstance(answer, dict):
            answer = answer_schemas.envelope(answer, name or answer.__name__, self._components)
        return super().response(status_code, answer, **named)

    def register_views_in_doc(self, api: Any, app: Any, spec: Any, **named: Any) -> None:
        super().register_views_in_doc(api, app, spec, **named)
        for name, schema in self._components.items():
            spec.components.schema(name, schema)


def blueprint(hub: Hub) -> Blueprint:
    """The operator's calls. Each is a method view; who may call them was decided before."""
    ops = _Calls("ops", __name__, url_prefix="/ops/v1", description="What operators ask and do.")
    _add_messages(ops, hub)
    _add_deliveries(ops, hub)
    refused.add(ops, hub)
    unrouted.add(ops, hub)
    repairs.add(ops, hub)
    administration.add(ops, hub)
    overview.add(ops, hub)
    finding.add(ops, hub)
    building.add(ops, hub)
    mappings.add(ops, hub)
    _add_landscape(ops, hub)
    return ops


def _add_messages(ops: Blueprint, hub: Hub) -> None:  # noqa: C901  # one function per path
    @ops.route("/messages")
    class Messages(MethodView):
        @ops.arguments(Find, location="query", error_status_code=400)
        @ops.response(200, message_answers.Messages)
        def get(self, given: dict[str, Any]) -> Response:
            """Messages, newest first."""
            limit = given.pop("limit")
            rows = (
                _one(hub, given["id"])
                if "id" in given
                else hub.store.search(limit=limit, **_renamed(given, type="type_"))
            )
            lines = hub.store.deliveries(*(row.id for row in rows))
            return _page(
                [trace.message_json(row, [line for line in lines if line.message_id == row.id], []) for row in rows],
                rows,
                limit,
            )

    @ops.route("/messages/<uuid:message_id>")
    class OneMessage(MethodView):
        @ops.response(200, message_answers.Message)
        def get(self, message_id: Any) -> Response:
            """One message with its deliveries and attempts."""
            [row] = _one(hub, str(message_id)) or _nothing("There is no such message.")
            lines = hub.store.deliveries(row.id)
            return envelope(trace.message_json(row, lines, hub.store.attempts(*(line.id for line in lines))))

    @ops.route("/messages/<uuid:message_id>/stages")
    class Stages(MethodView):
        @ops.response(200, message_answers.Stages)
        def get(self, message_id: Any) -> Response:
            """Its bodies at each stage, and what each stage changed: raw, decoded, upgraded, mapped, sent, answered.
            Personal values are masked.
            """
            return envelope(
                stages.stages(hub.store, hub.catalogs, str(message_id)) or _nothing("There is no such message.")
            )

    @ops.route("/messages/<uuid:message_id>/reveal")
    class RevealView(MethodView):
        @ops.arguments(Reveal, error_status_code=400)
        @ops.response(200, message_answers.Stages)
        def post(self, given: dict[str, Any], message_id: Any) -> Response:
            """The same stages with all that is personal. Who asked, and why, is on record before the answer leaves."""
            return envelope(
                stages.reveal(hub.store, hub.catalogs, str(message_id), by=acting(given), why=given["why"])
                or _nothing("There is no such message.")
            )

    @ops.route("/messages/<uuid:message_id>/raw")
    class Raw(MethodView):
        @ops.arguments(Reveal, error_status_code=400)
        @ops.response(200, {"type": "string", "format": "binary"}, content_type="application/octet-stream")
        def post(self, given: dict[str, Any], message_id: Any) -> Response:
            """The bytes as they were signed and stored, with all that is personal. Who asked, and why, is on record
            before the answer leaves.
            """
            body = stages.download(hub.store, str(message_id), by=acting(given), why=given["why"])
            if body is None:
                return _nothing("There is no such message.")  # type: ignore[no-any-return]
            return Response(body, content_type="application/octet-stream", headers={"cache-control": "no-store"})

    @ops.route("/messages/<uuid:message_id>/afresh")
    class Afresh(MethodView):
        @ops.response(200, message_answers.Afresh)
        def get(self, message_id: Any) -> Response:
            """What the active configuration would make of it, beside what was made. Nothing is sent."""
            return envelope(
                message.afresh(hub.store, hub.catalogs, str(message_id)) or _nothing("There is no such message.")
            )

    @ops.route("/messages/<uuid:message_id>/explain")
    class Explain(MethodView):
        @ops.response(200, message_answers.Explained)
        def get(self, message_id: object) -> Response:
            """Why it went where it went: every condition with its values, by the configuration that decided it."""
            row, raw = hub.store.message(str(message_id)), hub.store.body(str(message_id))
            if row is None or raw is None:
                return _nothing("There is no such message.")  # type: ignore[no-any-return]
            return envelope(
                explain.explain_message(
                    hub.catalogs.pinned(row.routed_with), row.ref, raw, row.received_at, hops=row.routed_hops
                )
            )

    @ops.route("/messages/<uuid:message_id>/lineage")
    class Lineage(MethodView):
        @ops.arguments(OfField, location="query", error_status_code=400)
        @ops.response(200, message_answers.Lineage)
        def get(self, given: dict[str, Any], message_id: object) -> Response:
            """Where each field that its targets got came from; or where a field of the source went. Personal values are
            masked.
            """
            return envelope(
                lineage.of_message(hub.store, hub.catalogs, str(message_id), **given)
                or _nothing("There is no such message.")
            )

    @ops.route("/trace/<path:value>")
    class Trace(MethodView):
        @ops.response(200, message_answers.Story)
        def get(self, value: str) -> Response:
            """The whole story that a business key or a message id belongs to."""
            return envelope(trace.trace(hub.store, value) or _nothing("No message bears this number."))


def _add_deliveries(ops: Blueprint, hub: Hub) -> None:
    @ops.route("/deliveries/<any(dead, held, unknown):status>")
    class Waiting(MethodView):
        @ops.arguments(Page, location="query", error_status_code=400)
        @ops.response(200, message_answers.Deliveries)
        def get(self, given: dict[str, Any], status: str) -> Response:
            """Deliveries that wait for a person, newest first."""
            rows = hub.store.waiting(Status(status), limit=given["limit"], before=given.get("before"))
            attempts = hub.store.attempts(*(row.id for row in rows))
            return _page(
                [trace.delivery_json(row, [one for one in attempts if one.delivery_id == row.id]) for row in rows],
                rows,
                given["limit"],
            )

    @ops.route("/deliveries/replay")
    class ReplayView(MethodView):
        @ops.arguments(Replay, error_status_code=400)
        @ops.response(200, dict[str, str], name="Results")
        def post(self, given: dict[str, Any]) -> Response:
            """Re-arms deliveries under their old keys. A result per id."""
            return envelope(dict(replay.replay(hub, given["ids"], by=acting(given), force=given["force"])))

    @ops.route("/deliveries/cancel")
    class CancelView(MethodView):
        @ops.arguments(Cancel, error_status_code=400)
        @ops.response(200, dict[str, str], name="Results")
        def post(self, given: dict[str, Any]) -> Response:
            """Ends deliveries for good. A result per id."""
            return envelope(dict(replay.cancel(hub, given["ids"], by=acting(given), why=given["why"])))

    @ops.route("/conservation")
    class Books(MethodView):
        @ops.response(200, overview_answers.Books)
        def get(self) -> Response:
            """The books: what was accepted, and where all of it is."""
            books = hub.store.conservation()
            deliveries = {status.value: number for status, number in books.by_status.items()}
            return envelope(fill(overview_answers.Books, books, everAccepted=books.ever, deliveries=deliveries))


def _add_landscape(ops: Blueprint, hub: Hub) -> None:
    @ops.route("/contracts/usage")
    class Usage(MethodView):
        @ops.arguments(Used, location="query", error_status_code=400)
        @ops.response(200, contract_answers.Usage)
        def get(self, given: dict[str, Any]) -> Response:
            """Who sent which version, and which of its fields."""
            since = (hub.store.now() - timedelta(days=given["days"])).date().isoformat()
            rows = hub.store.usage(
                type_=given.get("type"), version=given.get("version"), since=since, fields=given["by"] == "field"
            )
            return envelope({"items": [retire.used_json(row) for row in rows]})

    @ops.route("/contracts/can-retire")
    class CanRetire(MethodView):
        @ops.arguments(OneVersion, location="query", error_status_code=400)
        @ops.response(200, contract_answers.Retirement)
        def get(self, given: dict[str, Any]) -> Response:
            """May a version be retired? Who used it last, and what would break."""
            ref = Ref(given["type"].split("/")[0], given["type"].split("/")[1], given["version"])
            try:
                return envelope(
                    retire.can_retire(
                        hub.store, hub.catalogs.active(), ref, quiet=timedelta(days=given["days"])
                    ).as_json()
                )
            except ValueError as error:
                raise Refused(Code.NOT_FOUND, str(error)) from error

    @ops.route("/revision")
    class OneRevision(MethodView):
        @ops.response(200, overview_answers.Revision)
        def get(self) -> Response:
            """Which configuration this process goes by, which one is active, and why it refused the active one where it
            did.
            """
            refused = hub.catalogs.refused
            told = fill(overview_answers.Refusal, refused) if refused is not None else None
            return envelope({"revision": hub.catalogs.active().revision, "active": hub.store.active(), "refused": told})


def _one(hub: Hub, message_id: str) -> list[MessageRow]:
    row = hub.store.message(message_id)
    return [row] if row is not None else []


def _nothing(text: str) -> Any:
    raise Refused(Code.NOT_FOUND, text)


def _renamed(given: Mapping[str, Any], **names: str) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in given.items()}


def _page(items: Sequence[object], rows: Sequence[MessageRow | DeliveryRow], limit: int) -> Response:
    """A page, and where the next one goes on; a page that is not full is the last."""
    return envelope({"items": list(items), "next": rows[-1].id if len(rows) == limit else None})
