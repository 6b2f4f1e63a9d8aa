"""The console as a part of the app: who may come in, what holds for each answer, and the pages."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import Blueprint, Flask, Response, g, redirect, request, url_for
from jinja2 import StrictUndefined

from hub import __version__
from hub.console.administration import callers, people, processes, record, sign_in, store
from hub.console.building import changes, contracts, flow, mappings, routes, systems
from hub.console.common import formatting, preferences
from hub.console.common.page_context import GROUPS, Desk, quoted
from hub.console.messages import find, message, objects
from hub.console.waiting import dead, delivery, now, refused, repairs, unrouted
from hub.console.words import LANGUAGES, NAMES, Words, choose
from hub.core.errors import Code, Refused, StoreBusy
from hub.flow.accounts.people import OPERATOR, csrf_of
from hub.flow.hub import Hub
from hub.http.ops import operator_auth
from hub.logs import event, told

# `same-origin`, not `no-referrer`: under that browsers would send `Origin: null` with our own forms.
# All scripts and styles are files of ours; nothing is framed, and nothing is sent elsewhere.
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
FORM = "application/x-www-form-urlencoded"
PAGES = (
    sign_in,
    preferences,
    now,
    flow,
    find,
    message,
    objects,
    dead,
    delivery,
    repairs,
    refused,
    unrouted,
    routes,
    systems,
    changes,
    mappings,
    contracts,
    callers,
    record,
    people,
    processes,
    store,
)
THEMES = ("auto", "light", "dark")


def attach(app: Flask, hub: Hub) -> None:
    """Adds the console to the app, before it serves."""
    desk = Desk(hub)
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    pages = Blueprint("console", __name__, url_prefix="/console", template_folder="pages")
    _guard(pages, desk)
    _add_static(pages, desk)
    for page in PAGES:
        page.add(pages, desk)
    _add_front(pages, desk)
    app.register_blueprint(pages)


def _guard(pages: Blueprint, desk: Desk) -> None:
    @pages.before_request
    def come_in() -> Any:
        g.words = Words(
            choose(request.cookies.get("crossdock_language", ""), request.headers.get("Accept-Language", "")),
            desk.texts,
        )
        g.session, g.csrf = None, ""
        if request.endpoint == "console.static":
            return None
        token = operator_auth.session_token(desk.hub, g.incoming)
        g.session = operator_auth.session(desk.hub, g.incoming)
        g.csrf = csrf_of(token) if g.session is not None else ""
        if request.endpoint in desk.open_endpoints and request.method in ("GET", "HEAD"):
            return None
        if g.session is None and request.endpoint not in desk.open_endpoints:
            if request.endpoint is None or request.method not in ("GET", "HEAD"):
                raise Refused(Code.UNAUTHENTICATED, desk.words("sign_in.ended"), headers=[("www-authenticate", "Form")])
            return _to_sign_in(was_in=bool(token))
        if request.method not in ("GET", "HEAD"):
            _may_change(desk)
        return None

    @pages.after_request
    def always(response: Response) -> Response:
        response.headers.setdefault("content-security-policy", POLICY)
        response.headers.setdefault("referrer-policy", "same-origin")
        response.headers.setdefault("cross-origin-opener-policy", "same-origin")
        response.headers.setdefault("vary", "Accept-Language, Cookie, HX-Request")
        return response

    @pages.errorhandler(Exception)
    def failed(error: Exception) -> Response:
        return _told(desk, error)

    @pages.app_context_processor
    def given() -> dict[str, Any]:
        return _given(desk) if request.blueprint == "console" else {}


def _to_sign_in(*, was_in: bool) -> Response:
    """A poll of a page whose session is over leads the whole page there, not a part of it."""
    path = request.full_path.rstrip("?") if request.query_string else request.path
    if request.headers.get("HX-Request") == "true":
        return Response("", 401, headers={"HX-Redirect": "/console/sign-in?ended=1"})
    to = f"/console/sign-in?next={quoted(path)}" + ("&ended=1" if was_in else "")
    answer = redirect(to, 303)
    assert isinstance(answer, Response)
    return answer


def _may_change(desk: Desk) -> None:
    """Raises Refused for a change that was not asked for here, or not by somebody who may. Nothing was changed then."""
    if (request.mimetype or FORM) != FORM:
        raise Refused(Code.UNSUPPORTED_MEDIA_TYPE, f"Forms are sent as {FORM}.")
    operator_auth.check_origin(g.incoming)
    if g.session is None:
        return
    operator_auth.check_csrf(desk.hub, g.incoming, request.form.get("csrf", ""), desk.words("error.csrf"))
    if desk.session.role != OPERATOR and request.endpoint not in desk.free_endpoints:
        event(
            "request.denied", "a viewer asked for a change", level="warning", user=desk.session.name, path=request.path
        )
        raise Refused(Code.FORBIDDEN, desk.words("error.403"))


def _add_static(pages: Blueprint, desk: Desk) -> None:
    by_name = {asset.name: asset for asset in desk.assets.values()}

    @pages.get("/static/<name>")
    def static(name: str) -> Response:
        """Files under names that hold their hash: kept by browsers for ever."""
        asset = by_name.get(name)
        if asset is None:
            raise Refused(Code.NOT_FOUND, desk.words("error.404"))
        return Response(
            asset.content, content_type=asset.kind, headers={"cache-control": "public, max-age=31536000, immutable"}
        )


def _add_front(pages: Blueprint, desk: Desk) -> None:
    @pages.get("")
    def front() -> Response:
        """The first page that there is."""
        first = next(entry for entries in desk.links().values() for entry in entries)
        return desk.go(url_for(first.endpoint))

    @pages.get("/<path:_rest>")
    def nowhere(_rest: str) -> Response:
        raise Refused(Code.NOT_FOUND, desk.words("error.404"))


def _given(desk: Desk) -> dict[str, Any]:
    """What every template has: the words, who asks, and how values are shown."""
    words, now, zone = desk.words, desk.hub.clock(), desk.hub.settings.zone
    theme = request.cookies.get("crossdock_theme", "")
    filters: dict[str, Callable[..., Any]] = {
        "ago": lambda instant: formatting.ago(instant, now, words),
        "exact": lambda instant: formatting.exact(instant, zone),
        "length": formatting.length,
        "size": formatting.size,
        "count": formatting.count,
        "short": formatting.short,
        "spark": formatting.spark,
        "as_json": lambda value: json.dumps(value, ensure_ascii=False, default=_plain),
        "seg": quoted,
    }
    return {
        "t": words,
        "language": words.language,
        "languages": [(one, NAMES[one]) for one in LANGUAGES],
        "zone": zone,
        "theme": theme if theme in THEMES else "auto",
        "themes": THEMES,
        "desk": desk,
        "session": g.get("session"),
        "csrf": g.get("csrf", ""),
        "links": desk.links(),
        "groups": GROUPS,
        "here": request.endpoint,
        "path": request.full_path.rstrip("?"),
        "version": __version__,
        "now": now,
        "every": 0,
        "f": filters,
    }


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _told(desk: Desk, error: Exception) -> Response:
    """An error as a page, or as a box where a poll or a button of a page asked: what went wrong, and what to do."""
    words = desk.words
    status, text, key = 500, words("error.500"), "500"
    headers: tuple[tuple[str, str], ...] = ()
    if isinstance(error, Refused):
        status, text, headers = error.code.status, error.text, error.headers
        key = {404: "404", 403: "403", 409: "409"}.get(status, "400")
        key = "csrf" if text == words("error.csrf") else key
    elif isinstance(error, StoreBusy):
        status, text, key = 503, words("error.503"), "503"
    elif isinstance(error, ValueError):
        status, text, key = 400, str(error), "400"
    else:
        event("page.failed", told(error), level="error", trace_id=g.get("trace_id", ""), path=request.path)
    given = {"text": text, "mend": words(f"error.{key}.mend"), "trace_id": g.get("trace_id", "")}
    response = desk.render("error.html", status=status, **given)
    response.headers.extend(headers)
    return response
