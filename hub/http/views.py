"""What views answer with, in the terms of Flask."""

from __future__ import annotations

from flask import Response, g

from hub.core.message import Json
from hub.http.faults import Answer, success


def respond(answer: Answer) -> Response:
    response = Response(answer.body, answer.status)
    response.headers.clear()
    for name, value in answer.headers:
        if name != "connection":  # hop by hop: the server's business, and forbidden to a WSGI application (PEP 3333)
            response.headers.add(name, value)
    return response


def envelope(data: Json) -> Response:
    return respond(success(data, g.trace_id))
