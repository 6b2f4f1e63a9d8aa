"""`/ops/v1/find`, `/ops/v1/views` and `/ops/v1/objects`: what is looked for among all messages, and the questions that
people keep.
"""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response
from flask.views import MethodView
from flask_smorest import Blueprint

from hub.core.errors import Code, Reason, Refused
from hub.core.message import Disposition
from hub.core.model.delivery import Status
from hub.flow.answers import messages as answers
from hub.flow.answers.fields import AnyMembers, fill
from hub.flow.hub import Hub
from hub.flow.views import find, story
from hub.http.common.flask_responses import envelope, tagged
from hub.http.ops.request_schemas import Instant, Number, Text
from hub.store import View

_NAMES = {"minBytes": "min_bytes", "maxBytes": "max_bytes", "attempts": "min_attempts", "cluster": "clusters"}
_NAME = ma.validate.Length(1, 100)


class Asked(ma.Schema):
    """What is looked for. All parts must hold."""

    q = Text(
        validate=ma.validate.Length(1, 500),
        metadata={"description": "Numbers of any kind, several at once; or words of an error's text."},
    )
    system = Text(validate=ma.validate.Length(1, 64), metadata={"description": "Whose messages."})
    type = Text(validate=ma.validate.Length(1, 150), metadata={"description": "Such as oms/order.created."})
    version = Number(validate=ma.validate.Range(1, 9_999))
    route = Text(validate=ma.validate.Length(1, 150))
    target = Text(
        validate=ma.validate.Length(1, 150),
        metadata={"description": "A system, or one of its messages such as wms/outbound.create@1."},
    )
    status = ma.fields.Enum(Status, by_value=True, metadata={"description": "Messages with a delivery in this state."})
    disposition = ma.fields.Enum(Disposition, by_value=True)
    reason = ma.fields.Enum(
        Reason, by_value=True, metadata={"description": "The class of error of what waits for a person."}
    )
    cluster = Text(
        validate=ma.validate.Regexp(r"[0-9a-f]{16}\Z"),
        metadata={"description": "One cause of what waits for a person."},
    )
    caller = Text(validate=ma.validate.Length(1, 150))
    since = Instant(metadata={"description": "Received at this time or later."})
    until = Instant(metadata={"description": "Received before this time."})
    attempts = Number(validate=ma.validate.Range(0, 10_000), metadata={"description": "Tried at least so often."})
    minBytes = Number(metadata={"description": "At least so large."})  # noqa: N815  as in all answers
    maxBytes = Number()  # noqa: N815


class AskedPage(Asked):
    limit = Number(load_default=50, validate=ma.validate.Range(1, 500))
    place = Text(validate=ma.validate.Length(1, 300), metadata={"description": "`next` or `previous` of another page."})


class SavedView(ma.Schema):
    name = Text(required=True, validate=_NAME)
    owner = Text(
        load_default="", validate=ma.validate.Length(0, 100), metadata={"description": "Whose; empty: everybody's."}
    )
    question = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.String(),
        required=True,
        metadata={"description": "The parameters of /find."},
    )
    by = Text(required=True, validate=_NAME)


class Owner(ma.Schema):
    owner = Text(load_default="", validate=ma.validate.Length(0, 100))


def add(ops: Blueprint, hub: Hub) -> None:
    """Adds the calls to the operator's."""
    _add_find(ops, hub)
    _add_views(ops, hub)

    @ops.route("/objects/<path:value>")
    class OneObject(MethodView):
        @ops.response(200, answers.Object)
        def get(self, value: str) -> Response:
            """The whole life behind a number, on one line: which systems, in which order, what is under way, and what
            is missing.
            """
            found = story.story(hub, value)
            if found is None:
                raise Refused(Code.NOT_FOUND, "No message bears this number.")
            return tagged(found)


def _add_find(ops: Blueprint, hub: Hub) -> None:
    @ops.route("/find")
    class Find(MethodView):
        @ops.arguments(AskedPage, location="query", error_status_code=400)
        @ops.response(200, answers.FoundMessages)
        def get(self, given: dict[str, Any]) -> Response:
            """Messages by numbers of any kind, by words of an error's text, and by what they are; newest first."""
            limit, place = given.pop("limit"), given.pop("place", None)
            try:
                return envelope(find.find(hub.store, question(given), limit=limit, place=place))
            except ValueError as error:
                raise Refused(Code.BAD_REQUEST, str(error)) from error

    @ops.route("/find/count")
    class Counted(MethodView):
        @ops.arguments(Asked, location="query", error_status_code=400)
        @ops.response(200, answers.Count)
        def get(self, given: dict[str, Any]) -> Response:
            """How many that would be, before anybody acts on them."""
            return envelope(find.counted(hub, question(given)))


def question(given: dict[str, Any]) -> find.Question:
    """The parameters of a search as the flow takes them."""
    named = {_NAMES.get(name, name): value for name, value in given.items() if name != "q"}
    if "clusters" in named:
        named["clusters"] = (named["clusters"],)
    return find.Question(given.get("q", ""), find.filters(**named))


def _add_views(ops: Blueprint, hub: Hub) -> None:
    @ops.route("/views")
    class Views(MethodView):
        @ops.arguments(Owner, location="query", error_status_code=400)
        @ops.response(200, answers.ViewsAnswer)
        def get(self, given: dict[str, Any]) -> Response:
            """Saved questions: everybody's, and those of `owner`."""
            return envelope({"items": [_view(one) for one in hub.store.views(given["owner"])]})

        @ops.arguments(SavedView, error_status_code=400)
        @ops.response(200, answers.ViewAnswer)
        def post(self, given: dict[str, Any]) -> Response:
            """Keeps a question under a name; the same owner's of this name is replaced."""
            wrong = Asked().validate(given["question"])
            if wrong:
                raise Refused(Code.BAD_REQUEST, f"The question is none: {next(iter(wrong))} does not fit.")
            id_ = find.save_view(
                hub, name=given["name"], owner=given["owner"], question=given["question"], by=given["by"]
            )
            return envelope(next(_view(one) for one in hub.store.views(given["owner"]) if one.id == id_))

    @ops.route("/views/<string:view_id>/delete")
    class OneView(MethodView):
        @ops.arguments(Owner, error_status_code=400)
        @ops.response(200, AnyMembers, name="Deleted")
        def post(self, given: dict[str, Any], view_id: str) -> Response:
            """Deletes a saved question: everybody's, or one of `owner`'s."""
            find.delete_view(hub, view_id, owner=given["owner"])
            return envelope({"id": view_id})


def _view(one: View) -> answers.ViewAnswer:
    return fill(answers.ViewAnswer, one)
