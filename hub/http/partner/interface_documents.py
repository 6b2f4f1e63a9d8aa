"""Interface documents: `/openapi.json` and `/asyncapi.json` of what a caller may use, `/docs` to read and to try,
`/docs/errors`.

A browser that opens `/docs` cannot sign the question for it. So everybody gets the page without data; there the partner
puts in key and secret, and the page's script signs its own question for the rest (`/docs/mine`). Whoever proves
something at once gets it at once.
"""

from __future__ import annotations

import re
from pathlib import Path

from flask import Blueprint, Response, g

from hub import __version__
from hub.core import json
from hub.core.apidocs.asyncapi import asyncapi
from hub.core.apidocs.openapi import openapi
from hub.core.config.system import System
from hub.core.errors import Refused
from hub.core.message import Json
from hub.flow.hub import Hub
from hub.flow.intake import authentication
from hub.http.common import bodies
from hub.http.ops import operator_auth
from hub.http.partner import interface_pages

# a caller's key, or an access token; an operator's has no dots
_CALLERS = re.compile(r"apikey |bearer [^.\s]+\.[^.\s]+\.[^.\s]*$", re.IGNORECASE)
SCRIPT = Path(__file__).parent / "try.js"


def blueprint(hub: Hub) -> Blueprint:  # noqa: C901  # one function per path
    pages = Blueprint("docs", __name__)

    def mine() -> list[System]:
        """The systems that whoever asks may speak for: by a caller's signature; all of them for an operator, or for
        whoever is signed in. Raises Refused.
        """
        systems = hub.catalogs.active().systems
        if any(_CALLERS.match(value) for value in bodies.values(g.incoming, "authorization")):
            caller = authentication.authenticate_any(hub, g.incoming)
            return [systems[name] for name in sorted(caller.systems) if name in systems]
        operator_auth.enter(hub, g.incoming)
        return [systems[name] for name in sorted(systems)]

    @pages.get("/openapi.json")
    def openapi_document() -> Response:
        """OpenAPI 3.1 of what the caller may post, and of what the hub calls on its systems."""
        return _document(
            openapi(mine(), title=interface_pages.TITLE, version=__version__, max_batch=hub.settings.max_batch)
        )

    @pages.get("/asyncapi.json")
    def asyncapi_document() -> Response:
        """AsyncAPI 3.0 of the same messages."""
        return _document(asyncapi(mine(), title=interface_pages.TITLE, version=__version__))

    @pages.get("/docs")
    def whole() -> Response:
        """The same for people. Who says nothing of itself, and is no operator, gets the page without data; who says
        something false is told so.
        """
        try:
            systems = mine()
        except Refused:
            if bodies.values(g.incoming, "authorization"):
                raise
            return _html(interface_pages.shell())
        return _html(interface_pages.page(systems))

    @pages.get("/docs/mine")
    def part() -> Response:
        """What the page's script puts into it."""
        return _html(interface_pages.fragment(mine()))

    @pages.get("/docs/try.js")
    def script() -> Response:
        """The one script of the page: it signs, asks and posts. Open to everybody: there is nothing in it."""
        return Response(SCRIPT.read_bytes(), content_type="text/javascript; charset=utf-8")

    @pages.get("/docs/errors")
    def errors() -> Response:
        """What each code means: open to everybody."""
        return _html(interface_pages.errors())

    return pages


def _document(document: Json) -> Response:
    return Response(json.encode(document), content_type="application/json")


def _html(text: str) -> Response:
    headers = {"content-security-policy": interface_pages.POLICY, "referrer-policy": "no-referrer"}
    return Response(text, content_type="text/html; charset=utf-8", headers=headers)
