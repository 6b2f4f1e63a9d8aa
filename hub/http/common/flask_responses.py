"""What views answer with, in the terms of Flask."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from flask import Response, g, request

from hub.core import json
from hub.core.errors import Code, Fault, Refused
from hub.core.message import Writable
from hub.flow.accounts.people import OPERATOR
from hub.http.common.fault_answers import Answer, success


def respond(answer: Answer) -> Response:
    response = Response(answer.body, answer.status)
    response.headers.clear()
    for name, value in answer.headers:
        if name != "connection":  # hop by hop: the server's business, and forbidden to a WSGI application (PEP 3333)
            response.headers.add(name, value)
    return response


def acting(given: Mapping[str, Any]) -> str:
    """Who does it, for the record: whoever is signed in, whatever the call says; else who the call says it is. Raises
    Refused.
    """
    name = g.session.name if g.get("session") is not None else str(given.get("by", ""))
    if not name:
        raise Refused(Code.BAD_REQUEST, "Say who does it.", [Fault("/by", "nothing", "a name", "send by")])
    return name


def operators_only() -> None:
    """For what is looked at, and costs or shows more than a look: a viewer who is signed in is refused. Raises
    Refused.
    """
    session = g.get("session")
    if session is not None and session.role != OPERATOR:
        raise Refused(Code.FORBIDDEN, "This is for operators.")


def envelope(data: Writable) -> Response:
    return respond(success(data, g.trace_id))


def tagged(data: Mapping[str, object], *, but: tuple[str, ...] = ("at",)) -> Response:
    """The same for what is asked for again and again: 304 without a body, where the asker has it already. `but`: what
    does not count as a change.
    """
    counted = {name: value for name, value in data.items() if name not in but}
    tag = hashlib.sha256(json.encode(counted)).hexdigest()[:32]
    answer = Response(status=304) if request.if_none_match.contains_weak(tag) else envelope(data)
    answer.set_etag(tag, weak=True)
    answer.headers["cache-control"] = "no-cache, private"
    return answer
