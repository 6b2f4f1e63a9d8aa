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
from hub.core.message import Json
from hub.flow.dry_run import mapping as dry_run
from hub.flow.hub import Hub
from hub.flow.interfaces import contracts, mappings
from hub.http.common.flask_responses import acting, envelope, tagged
from hub.http.ops import answers, shapes
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


class OldVersion(ma.Schema):
    version = shapes.text()
    sunset = shapes.text(allow_none=True)
    daysLeft = shapes.number(allow_none=True)
    callers = shapes.some(ma.fields.Dict())


class ContractVersion(OldVersion):
    number = shapes.number()
    state = shapes.text()
    since = shapes.text(allow_none=True)
    messages = shapes.number()
    delivered = shapes.some(ma.fields.Dict())


class ContractHead(ma.Schema):
    type = shapes.text()
    system = shapes.text()
    name = shapes.text()
    about = shapes.text()
    side = shapes.text(validate=ma.validate.OneOf(["emits", "accepts"]))


class ContractLine(ContractHead):
    versions = shapes.some(ContractVersion)


class ContractList(ma.Schema):
    revision = shapes.text()
    since = shapes.text()
    items = shapes.some(ContractLine)
    old = shapes.some(OldVersion)


class ContractField(ma.Schema):
    place = shapes.text()
    kind = shapes.text()
    required = shapes.yes()
    about = shapes.text()
    values = shapes.some(ma.fields.String())
    limits = shapes.some(ma.fields.String())
    isPersonal = shapes.yes()
    isKnown = shapes.yes()
    used = shapes.some(ma.fields.Dict())


class WholeVersion(ContractVersion):
    fields_ = shapes.some(ContractField, data_key="fields")
    schema = ma.fields.Dict(required=True, allow_none=True)
    samples = shapes.some(ma.fields.String())
    retirement = ma.fields.Nested(answers.Retirement, required=True, allow_none=True)
    shadow = ma.fields.Dict(required=True, allow_none=True)


class WholeContract(ContractHead):
    """One message with all its versions (see flow.interfaces.contracts)."""

    revision = shapes.text()
    since = shapes.text()
    versions = shapes.some(WholeVersion)
    steps = shapes.some(ma.fields.Dict())
    routes = shapes.some(ma.fields.Dict())
    mappings = shapes.some(ma.fields.Dict())


class MappingHead(ma.Schema):
    name = shapes.text()
    file = shapes.text()
    from_ = shapes.text(data_key="from")
    to = shapes.text()
    isForeign = shapes.yes()
    isUpgrade = shapes.yes()
    routes = shapes.some(ma.fields.String())
    hooks = shapes.some(ma.fields.String())
    examples = shapes.number()
    coverage = ma.fields.Dict(required=True)


class MappingList(ma.Schema):
    revision = shapes.text()
    since = shapes.text()
    items = shapes.some(MappingHead)


class WholeMapping(MappingHead):
    """One mapping, field by field (see flow.interfaces.mappings)."""

    revision = shapes.text()
    since = shapes.text()
    source = shapes.some(ma.fields.Dict())
    target = shapes.some(ma.fields.Dict())
    leaves = shapes.some(ma.fields.Dict())
    lookups = shapes.some(ma.fields.String())
    cases = shapes.some(ma.fields.String())


class MappingTrial(ma.Schema):
    """What came out (see flow.dry_run.mapping)."""

    mapping = shapes.text()
    from_ = shapes.text(data_key="from")
    to = shapes.text()
    of = shapes.text()
    source = shapes.anything()
    result = shapes.anything()
    changes = shapes.some(ma.fields.Dict())
    fault = ma.fields.Nested(answers.Why, required=True, allow_none=True)
    sourceFaults = shapes.some(ma.fields.Dict())
    targetFaults = shapes.some(ma.fields.Dict())
    isMasked = shapes.yes()


def add(ops: Blueprint, hub: Hub) -> None:
    """Adds the calls to the operator's."""
    _add_contracts(ops, hub)
    _add_mappings(ops, hub)


def _add_contracts(ops: Blueprint, hub: Hub) -> None:
    @ops.route("/contracts")
    class Contracts(MethodView):
        @ops.response(200, answers.envelope(ContractList))
        def get(self) -> Response:
            """All messages with their versions, and who used each within 30 days."""
            return tagged(contracts.contracts(hub.store, hub.catalogs.active()))

    @ops.route("/contracts/<string:system>/<string:message>")
    class OneContract(MethodView):
        @ops.response(200, answers.envelope(WholeContract))
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
        @ops.response(200, answers.envelope(MappingList))
        def get(self) -> Response:
            """All mappings: which routes use them, and how much of what came within 30 days they carry on."""
            return tagged(mappings.mappings(hub.store, hub.catalogs.active()))

    @ops.route("/mappings/<string:name>")
    class OneMapping(MethodView):
        @ops.response(200, answers.envelope(WholeMapping))
        def get(self, name: str) -> Response:
            """One mapping, by its file's name without .yaml: how each field is made, what is left behind, what is
            lacking, and the cases to try.
            """
            catalog = hub.catalogs.active()
            one = dry_run.one_named(catalog, name)
            cases: list[Json] = [*dry_run.cases(catalog, hub.settings.workspace, one)]
            return tagged({**(mappings.mapping(hub.store, catalog, name) or {}), "cases": cases})

    @ops.route("/mappings/<string:name>/try")
    class TryMapping(MethodView):
        @ops.arguments(Tryout, error_status_code=400)
        @ops.response(200, answers.envelope(MappingTrial))
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
