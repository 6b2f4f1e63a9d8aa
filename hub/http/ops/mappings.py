# ruff: noqa: N815  names are as they stand in the answers
"""`/ops/v1/contracts` and `/ops/v1/mappings`: which versions there are and who uses them, what each mapping makes of
what, and a trial.
"""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response
from flask.views import MethodView
from flask_smorest import Blueprint

from hub.core.errors import Code, Fault, Refused
from hub.flow.answers import contracts as answers
from hub.flow.dry_run import mapping as dry_run
from hub.flow.hub import Hub
from hub.flow.interfaces import contracts, mappings
from hub.http.common.flask_responses import acting, envelope, tagged
from hub.http.ops.request_schemas import Id, Text


class Tryout(ma.Schema):
    """What a mapping is tried on: one of `payload`, `case` and `messageId`."""

    payload = ma.fields.Raw(allow_none=True, metadata={"description": "A message that you bring along."})
    case = Text(
        validate=ma.validate.Length(1, 200),
        metadata={"description": "A sample of the workspace, or an example of the mapping, by its name in `cases`."},
    )
    messageId = Id(metadata={"description": "A stored message; its personal values are masked."})
    why = Text(
        validate=ma.validate.Length(1, 500),
        metadata={"description": "Reveals what is personal in the stored message; on record, with `by`."},
    )
    by = Text(validate=ma.validate.Length(1, 100))


def add(ops: Blueprint, hub: Hub) -> None:
    """Adds the calls to the operator's."""
    _add_contracts(ops, hub)
    _add_mappings(ops, hub)


def _add_contracts(ops: Blueprint, hub: Hub) -> None:
    @ops.route("/contracts")
    class Contracts(MethodView):
        @ops.response(200, answers.ContractList)
        def get(self) -> Response:
            """All messages with their versions, and who used each within 30 days."""
            return tagged(contracts.contracts(hub.store, hub.catalogs.active()))

    @ops.route("/contracts/<string:system>/<string:message>")
    class OneContract(MethodView):
        @ops.response(200, answers.WholeContract)
        def get(self, system: str, message: str) -> Response:
            """One message: its versions field by field and who sent which, what changes between them, whether each may
            go, who relies on it.
            """
            return tagged(
                contracts.one_named(
                    hub.store,
                    hub.catalogs.active(),
                    f"{system}/{message}",
                    folder=hub.settings.workspace,
                    count_open=contracts.opened(hub).get,
                )
            )


def _add_mappings(ops: Blueprint, hub: Hub) -> None:
    @ops.route("/mappings")
    class Mappings(MethodView):
        @ops.response(200, answers.MappingList)
        def get(self) -> Response:
            """All mappings: which routes use them, and how much of what came within 30 days they carry on."""
            return tagged(mappings.mappings(hub.store, hub.catalogs.active()))

    @ops.route("/mappings/<string:name>")
    class OneMapping(MethodView):
        @ops.response(200, answers.WholeMapping)
        def get(self, name: str) -> Response:
            """One mapping, by its file's name without .yaml: how each field is made, what is left behind, what is
            lacking, and the cases to try.
            """
            catalog = hub.catalogs.active()
            one = dry_run.one_named(catalog, name)
            cases = dry_run.cases(catalog, hub.settings.workspace, one)
            return tagged({**(mappings.mapping(hub.store, catalog, name) or {}), "cases": cases})

    @ops.route("/mappings/<string:name>/try")
    class TryMapping(MethodView):
        @ops.arguments(Tryout, error_status_code=400)
        @ops.response(200, answers.MappingTrial)
        def post(self, given: dict[str, Any], name: str) -> Response:
            """What the mapping makes of a message that you send, of a sample, or of a stored message. Nothing is sent,
            and nothing is stored.
            """
            catalog = hub.catalogs.active()
            one = dry_run.one_named(catalog, name)
            if len(given.keys() & {"payload", "case", "messageId"}) != 1:
                raise Refused(
                    Code.BAD_REQUEST,
                    "Say what to try it on.",
                    [Fault("", "none of them, or several", "one of payload, case, messageId", "send one")],
                )
            if "case" in given:
                tried = dry_run.of_case(hub.store, hub.settings.workspace, one, given["case"])
            elif "messageId" in given:
                why = given.get("why", "")
                tried = dry_run.of_message(
                    hub.store, catalog, one, given["messageId"], by=acting(given) if why else "", why=why
                )
            else:
                tried = dry_run.brought(hub.store, given["payload"])
            return envelope(dry_run.try_on(catalog, one, tried))
