"""The Flask app: partners' status, operators' calls, health and metrics; and partners' posts too, for any other WSGI
server.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from io import BytesIO
from urllib.parse import quote

from flask import Flask, Response, g, request
from flask_smorest import Api
from werkzeug.exceptions import HTTPException

from hub.core.errors import Code, Fault, Refused, StoreBusy
from hub.core.message import Request
from hub.flow import accept
from hub.flow.hub import Hub
from hub.http.common import bodies, request_checks
from hub.http.common.fault_answers import success
from hub.http.common.flask_responses import respond
from hub.http.monitoring import health, metrics
from hub.http.ops import blueprint, operator_auth
from hub.http.partner import cloudevents, hooks, ingress, interface_documents
from hub.http.partner.commit_waiters import outcome

COMMIT_S = 10.0


def make_app(
    hub: Hub, *, ticked_at: Callable[[], float] | None = None, pages: Callable[[Flask, Hub], None] | None = None
) -> Flask:
    """The app. `ticked_at`: when this process's worker loop last swept (monotonic seconds); None where it has none.
    `pages` adds the console.
    """
    app = Flask("crossdock", static_folder=None)
    app.config.update(
        API_TITLE="Crossdock operations",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/ops/v1",
        OPENAPI_JSON_PATH="openapi.json",
        MAX_CONTENT_LENGTH=hub.limits.max_bytes,
        MAX_FORM_PARTS=1_000,
        PROVIDE_AUTOMATIC_OPTIONS=False,  # OPTIONS is a wrong method like any other: 405 with Allow
    )
    # No route is taken for another: nothing is merged, completed or redirected.
    app.url_map.merge_slashes = False
    app.url_map.redirect_defaults = False
    _hold_to_rules(app, hub)
    _add_partners(app, hub)
    _add_hooks(app, hub)
    _add_health(app, hub, ticked_at)
    api = _Api(app)
    api.register_blueprint(blueprint.blueprint(hub))
    app.register_blueprint(interface_documents.blueprint(hub))

    exposition = metrics.Exposition(hub)

    @app.get("/metrics")
    def measured() -> Response:
        return Response(exposition.text(), content_type=metrics.CONTENT_TYPE)

    if pages is not None:
        pages(app, hub)
    return app


def _hold_to_rules(app: Flask, hub: Hub) -> None:
    """What holds for every request and answer of the app, whichever server it runs under."""

    @app.before_request
    def _begin() -> None:
        known: Request | None = request.environ.get("crossdock.request")
        g.incoming = known or _head()
        g.trace_id = ingress.trace_of(hub, g.incoming)
        if known is None:
            request_checks.check_line(g.incoming)
        if request.path.startswith("/ops/") or request.path == "/metrics":
            g.session = operator_auth.enter(hub, g.incoming)
            if request.method not in ("GET", "HEAD"):
                bodies.check_type(g.incoming)
        if known is None:
            g.incoming = _read(g.incoming, hub.limits.max_bytes)

    @app.after_request
    def _always(response: Response) -> Response:
        response.headers.setdefault("x-content-type-options", "nosniff")
        response.headers.setdefault("cache-control", "no-store")
        return response

    @app.errorhandler(Exception)
    def _failed(error: Exception) -> Response | HTTPException:
        if isinstance(error, HTTPException) and (error.code or 500) < 400:
            return error  # a redirect is no fault
        incoming = g.get("incoming") or _head()
        return respond(ingress.refusal(hub, _known(error), incoming, g.get("trace_id", "")))


def _add_partners(app: Flask, hub: Hub) -> None:
    @app.get("/api/messages/<uuid:message_id>")
    def own_message(message_id: object) -> Response:
        """The caller's own message; somebody else's is not told apart from one that does not exist."""
        return respond(success(accept.own_message(hub, g.incoming, str(message_id)).as_json(), g.trace_id))

    @app.route("/api/<path:_rest>", methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
    def message(_rest: str) -> Response:
        """A partner's post or question under a WSGI server: the same steps as in the front, but this thread waits for
        the commit.
        """
        if request.method == "GET":
            return respond(ingress.question(hub, g.incoming, time.monotonic()))
        if request.method != "POST":
            raise ingress.wrong_method(hub, g.incoming)
        head = ingress.read_head(g.incoming)
        began = time.monotonic()
        prepared = ingress.prepare(hub, g.incoming, head)
        if ingress.waits(prepared):
            return respond(ingress.exchange(hub, prepared, began, g.incoming))
        committed = [outcome(future, COMMIT_S) for future in ingress.submit(hub, head, prepared)]
        return respond(ingress.answer(hub, head, prepared, committed, g.incoming))


def _add_hooks(app: Flask, hub: Hub) -> None:
    @app.post(cloudevents.PATH)
    def events() -> Response:
        """CloudEvents under a WSGI server."""
        began = time.monotonic()
        made, prepared = cloudevents.prepare(hub, g.incoming)
        if ingress.waits(prepared):
            return respond(ingress.exchange(hub, prepared, began, g.incoming))
        committed = [outcome(future, COMMIT_S) for future in ingress.submit(hub, made, prepared)]
        return respond(ingress.answer(hub, made, prepared, committed, g.incoming))

    @app.route("/in/<system>/<hook>", methods=[*hooks.METHODS])
    def hook(system: str, hook: str) -> Response:
        """A foreign system's webhook under a WSGI server, by the same steps as in the front."""
        taken = hooks.take(hub, g.incoming)
        try:
            committed = [outcome(future, COMMIT_S) for future in hooks.submit(hub, taken)]
        except StoreBusy as error:
            return respond(hooks.sorry(taken, error))
        return respond(hooks.answer(hub, taken, committed))


def _add_health(app: Flask, hub: Hub, ticked_at: Callable[[], float] | None) -> None:
    @app.get("/health/live")
    def live() -> Response:
        return respond(success(health.live(), g.trace_id))

    @app.get("/health/ready")
    def ready() -> Response:
        return respond(success(health.ready(hub, ticked_at), g.trace_id))


class _Api(Api):  # type: ignore[misc]  # the library has no types
    """flask-smorest would answer errors in a shape of its own."""

    def _register_error_handlers(self) -> None:
        pass


def _head() -> Request:
    """The request under another WSGI server. Its path is as it came where the server keeps that, else escaped anew."""
    environ = request.environ
    raw = (
        environ.get("RAW_URI")
        or environ.get("REQUEST_URI")
        or quote(environ.get("PATH_INFO", "/").encode("latin-1"), safe="/:@!$&'()*+,;=~-._")
    )
    headers = tuple(
        (name.lower(), request_checks.read_value(value.encode("latin-1"))) for name, value in request.headers.items()
    )
    return Request(
        request.method, raw.partition("?")[0], environ.get("QUERY_STRING", ""), headers, b"", request.remote_addr or ""
    )


def _read(head: Request, limit: int) -> Request:
    """The request with its body, measured; Flask is handed the same bytes for whoever asks it for them."""
    declared = bodies.declared_length(head, limit)
    body = bodies.read_stream(request.environ["wsgi.input"], declared, limit)
    request.environ.update({"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))})
    return Request(head.method, head.path, head.query, head.headers, body, head.peer)


_CODES = {int(str(code.value)[:3]): code for code in reversed(Code)}  # per status its first code
_WORDS = {
    Code.NOT_FOUND: "There is nothing here.",
    Code.METHOD_NOT_ALLOWED: "This method is not taken here; see Allow.",
    Code.TOO_LARGE: "The body is too large.",
}


def _known(error: Exception) -> Exception:
    """Flask's own errors in our terms. Arguments that do not fit their schema are a bad request, each told with its
    place.
    """
    if not isinstance(error, HTTPException):
        return error
    status = 400 if error.code == 422 else error.code or 500
    if status >= 500:
        return getattr(error, "original_exception", None) or error
    code = _CODES.get(status, Code.BAD_REQUEST)
    faults = [
        Fault(f"/{place}", "what does not fit", text, f"change {place}, or leave it out")
        for part in (getattr(error, "data", None) or {}).get("messages", {}).values()
        for place, text in _places(part)
    ]
    methods = getattr(error, "valid_methods", None)
    headers = [("allow", ", ".join(sorted(methods)))] if methods else []
    return Refused(code, _WORDS.get(code, "The request cannot be taken as it is."), faults, headers)


def _places(part: object, under: str = "") -> list[tuple[str, str]]:
    """Marshmallow's nested messages as (place, text)."""
    if isinstance(part, dict):
        return [
            found for name, below in part.items() for found in _places(below, f"{under}/{name}" if under else str(name))
        ]
    return [(under, str(text)) for text in part] if isinstance(part, list) else [(under, str(part))]
