"""`/ops/v1` about running the hub: pauses, people and their record, callers' keys, processes, the store."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response
from flask.views import MethodView
from flask_smorest import Blueprint

from hub.core.errors import Code, Refused
from hub.flow.accounts import keys, people
from hub.flow.answers import administration as answers
from hub.flow.answers.fields import fill
from hub.flow.hub import Hub
from hub.flow.overview import running as facts
from hub.flow.repairs import pauses
from hub.http.common.flask_responses import acting, envelope, operators_only, tagged
from hub.http.ops.request_schemas import Number, Text
from hub.store.engine.people_tables import ROLES

_KIND = ma.validate.OneOf(pauses.KINDS)
_BY = {"description": "Who does it; whoever is signed in is it anyhow."}


class By(ma.Schema):
    by = Text(load_default="", validate=ma.validate.Length(0, 100), metadata=_BY)


class PauseIt(By):
    kind = ma.fields.String(required=True, validate=_KIND)
    name = Text(required=True, validate=ma.validate.Length(1, 190))
    why = Text(load_default="", validate=ma.validate.Length(0, 500))


class ResumeIt(By):
    kind = ma.fields.String(required=True, validate=_KIND)
    name = Text(required=True, validate=ma.validate.Length(1, 190))


class Which(ma.Schema):
    limit = Number(load_default=50, validate=ma.validate.Range(1, 500))
    before = Number(metadata={"description": "`next` of the page before."})
    by = Text(validate=ma.validate.Length(1, 255))
    what = Text(
        validate=ma.validate.Length(1, 64),
        metadata={"description": "A word such as key.made; or key. for all of keys."},
    )
    object = Text(validate=ma.validate.Length(1, 255))


class Anchored(ma.Schema):
    anchor = Text(
        validate=ma.validate.Length(3, 100), metadata={"description": "NUMBER:HASH, as an earlier check gave it."}
    )


class NewPerson(By):
    name = Text(required=True, validate=ma.validate.Length(1, 63))
    password = ma.fields.String(required=True, load_only=True, validate=ma.validate.Length(1, 1_000))
    role = ma.fields.String(load_default=people.VIEWER, validate=ma.validate.OneOf(ROLES))


class ChangeIt(By):
    what = ma.fields.String(required=True, validate=ma.validate.OneOf(list(people.CHANGES)))


class NewKey(By):
    name = Text(required=True, validate=ma.validate.Length(1, 100))
    systems = ma.fields.List(Text(), required=True, validate=ma.validate.Length(1, 100))
    form = ma.fields.String(load_default="default", validate=ma.validate.OneOf(keys.FORMS))
    days = ma.fields.Float(validate=ma.validate.Range(0, 36_500, min_inclusive=False))
    pins = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.Integer(strict=True, validate=ma.validate.Range(1, 10_000)),
        load_default=dict,
    )


def add(ops: Blueprint, hub: Hub) -> None:
    """Its calls, on the operator's blueprint."""
    _add_pauses(ops, hub)
    _add_record(ops, hub)
    _add_keys(ops, hub)
    _add_facts(ops, hub)


def _add_pauses(ops: Blueprint, hub: Hub) -> None:
    @ops.route("/pauses")
    class Pauses(MethodView):
        @ops.response(200, answers.PausedList)
        def get(self) -> Response:
            """What is paused, and how many wait because of it."""
            return tagged({"items": list(pauses.paused(hub.store))})

        @ops.arguments(PauseIt, error_status_code=400)
        @ops.response(200, answers.Changed)
        def post(self, given: dict[str, Any]) -> Response:
            """Pauses a route or a target. What is under way is finished; what waits, waits."""
            done = pauses.pause(
                hub.store, hub.catalogs.active(), given["kind"], given["name"], by=acting(given), why=given["why"]
            )
            return envelope({"changed": done, "waiting": hub.store.waiting_behind(given["kind"], given["name"])})

    @ops.route("/pauses/resume")
    class Resume(MethodView):
        @ops.arguments(ResumeIt, error_status_code=400)
        @ops.response(200, answers.Changed)
        def post(self, given: dict[str, Any]) -> Response:
            """Lets it go on, at its target's pace. `waiting`: how many go on with it."""
            waiting = hub.store.waiting_behind(given["kind"], given["name"])
            done = pauses.resume(hub.store, given["kind"], given["name"], by=acting(given), notify=hub.notifier.notify)
            return envelope({"changed": done, "waiting": waiting})


def _add_record(ops: Blueprint, hub: Hub) -> None:
    @ops.route("/audit")
    class Audit(MethodView):
        @ops.arguments(Which, location="query", error_status_code=400)
        @ops.response(200, answers.Acts)
        def get(self, given: dict[str, Any]) -> Response:
            """What people did, newest first."""
            limit = given["limit"]
            rows = hub.store.acts(
                limit=limit,
                before=given.get("before"),
                by=given.get("by"),
                what=given.get("what"),
                object_=given.get("object"),
            )
            items = [people.act_json(row) for row in rows]
            return envelope({"items": items, "next": rows[-1].sequence if len(rows) == limit else None})

    @ops.route("/audit/verify")
    class Verify(MethodView):
        @ops.arguments(Anchored, location="query", error_status_code=400)
        @ops.response(200, answers.Verdict)
        def get(self, given: dict[str, Any]) -> Response:
            """Checks the whole chain. `broken`: the first record that is wrong; null: all of it stands."""
            try:
                found = hub.store.verify_acts(anchor=given.get("anchor"))
            except ValueError as error:
                raise Refused(Code.BAD_REQUEST, str(error)) from error
            return envelope(fill(answers.Verdict, found))

    @ops.route("/users")
    class Users(MethodView):
        @ops.response(200, answers.Persons)
        def get(self) -> Response:
            """Who may sign in. For operators, as the page People is."""
            operators_only()
            items = [people.as_json(row) for row in hub.store.users()]
            return envelope({"items": items})

        @ops.arguments(NewPerson, error_status_code=400)
        @ops.response(200, answers.Named)
        def post(self, given: dict[str, Any]) -> Response:
            """Makes an account. The password is kept as its hash, and stands in no answer and no record."""
            try:
                people.add(hub.store, given["name"], given["password"], given["role"], by=acting(given))
            except ValueError as error:
                raise Refused(Code.BAD_REQUEST, str(error)) from error
            return envelope({"name": given["name"], "role": given["role"]})

    @ops.route("/users/<string:name>/change")
    class ChangePerson(MethodView):
        @ops.arguments(ChangeIt, error_status_code=400)
        @ops.response(200, answers.ChangedPerson)
        def post(self, given: dict[str, Any], name: str) -> Response:
            """Shuts an account out, lets it in again, or gives it another role; whoever is signed in under it is signed
            in no more.
            """
            people.change(hub.store, name, given["what"], by=acting(given))
            return envelope({"name": name, "changed": given["what"]})


def _add_keys(ops: Blueprint, hub: Hub) -> None:
    @ops.route("/keys")
    class KeysView(MethodView):
        @ops.response(200, answers.Keys)
        def get(self) -> Response:
            """Callers' keys, without what proves them."""
            now = hub.clock()
            items = [keys.as_json(row, now) for row in hub.store.keys()]  # noqa: SIM118  no mapping
            return envelope({"items": items})

        @ops.arguments(NewKey, error_status_code=400)
        @ops.response(200, answers.MadeKey)
        def post(self, given: dict[str, Any]) -> Response:
            """Makes a key. Key and secret are in this answer, and nowhere else."""
            made = keys.make_for(
                hub,
                name=given["name"],
                systems=tuple(given["systems"]),
                form=given["form"],
                days=given.get("days"),
                pins=given["pins"],
                by=acting(given),
            )
            return envelope(fill(answers.MadeKey, made))

    @ops.route("/keys/<key_id>/revoke")
    class Revoke(MethodView):
        @ops.arguments(By, error_status_code=400)
        @ops.response(200, answers.Revoked)
        def post(self, given: dict[str, Any], key_id: str) -> Response:
            """Ends a key; running processes refuse it within two seconds."""
            keys.revoke(hub.store, key_id, hub.clock(), by=acting(given))
            return envelope({"revoked": True})


def _add_facts(ops: Blueprint, hub: Hub) -> None:
    @ops.route("/processes")
    class ProcessesView(MethodView):
        @ops.response(200, answers.Processes)
        def get(self) -> Response:
            """Which processes run, as what, and who leads."""
            return tagged({"items": facts.processes(hub.store)})

    @ops.route("/store")
    class StoreView(MethodView):
        @ops.response(200, answers.Stored)
        def get(self) -> Response:
            """How large the store is, and how long things are kept."""
            return tagged(facts.stored(hub.store, hub.settings))
