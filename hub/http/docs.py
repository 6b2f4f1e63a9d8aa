"""Interface documents: `/openapi.json` and `/asyncapi.json` of what a caller may use, `/docs` to read, and `/docs/errors`, open to everybody."""

from __future__ import annotations

from html import escape

from flask import Blueprint, Response, g

from hub import __version__
from hub.core import json
from hub.core.interface import asyncapi, openapi
from hub.core.message import Json
from hub.core.system import LIVE, System
from hub.core.types import MISSING, Shape, field_of, item_of, names_of, of_schema, required_of
from hub.flow.hub import Hub
from hub.http import auth
from hub.http.codes import MEANINGS

TITLE = "Crossdock"
MAX_DEPTH = 8
_POLICY = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}"
    "table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ccc;vertical-align:top}"
    "code,pre{font:14px/1.5 ui-monospace,monospace}pre{background:#f4f4f4;padding:.8rem;overflow-x:auto}.old{color:#8a4b00}h2{margin-top:2.5rem}"
)


def blueprint(hub: Hub) -> Blueprint:
    pages = Blueprint("docs", __name__)

    def mine() -> list[System]:
        """The systems that whoever asks may speak for: by a caller's signature; all of them for an operator."""
        systems = hub.catalogs.active().systems
        if any(name == "authorization" and value.startswith("ApiKey ") for name, value in g.incoming.headers):
            caller = hub.callers.authenticate(g.incoming, now=hub.clock())
            return [systems[name] for name in sorted(caller.systems) if name in systems]
        auth.admit(g.incoming, hub.settings.ops_token)
        return [systems[name] for name in sorted(systems)]

    @pages.get("/openapi.json")
    def openapi_document() -> Response:
        """OpenAPI 3.1 of what the caller may post, and of what the hub calls on its systems."""
        return _document(openapi(mine(), title=TITLE, version=__version__))

    @pages.get("/asyncapi.json")
    def asyncapi_document() -> Response:
        """AsyncAPI 3.0 of the same messages."""
        return _document(asyncapi(mine(), title=TITLE, version=__version__))

    @pages.get("/docs")
    def reading() -> Response:
        """The same for people."""
        return Response(_page(mine()), content_type="text/html; charset=utf-8", headers=_POLICY)

    @pages.get("/docs/errors")
    def errors() -> Response:
        rows = "".join(
            f'<tr id="{int(code)}"><td>{code.status}</td><td>{int(code)}</td><td><code>{code.label}</code></td>'
            f"<td>{escape(meaning.title)}</td><td>{escape(meaning.do)}</td></tr>\n"
            for code, meaning in MEANINGS.items()
        )
        head = "<tr><th>status</th><th>code</th><th>name</th><th>means</th><th>what to do</th></tr>\n"
        text = f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>Codes of refusals</title>\n<table>\n{head}{rows}</table></html>\n'
        return Response(text, content_type="text/html; charset=utf-8", headers={"content-security-policy": "default-src 'none'"})

    return pages


def _document(document: Json) -> Response:
    return Response(json.encode(document), content_type="application/json")


def _page(systems: list[System]) -> str:
    parts = [f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{TITLE}: messages</title><style>{_STYLE}</style></head><body>']
    parts.append(f"<h1>{TITLE}: messages</h1><p>For programs: <a href=/openapi.json>OpenAPI</a>, <a href=/asyncapi.json>AsyncAPI</a>. ")
    parts.append("<a href=/docs/errors>What each code means</a>.</p>")
    for system in systems:
        parts.append(f"<h2>{escape(system.title)} <code>{escape(system.name)}</code></h2>")
        sides = [(f"POST /api/v{{N}}/{system.name}/{name}", one.about, one.versions, one.contracts) for name, one in system.emits.items()]
        sides += [(f"the hub calls {one.method} {one.path} ({name})", one.about, one.versions, one.contracts) for name, one in system.accepts.items()]
        for title, about, versions, contracts in sides:
            parts.append(f"<h3><code>{escape(title)}</code></h3><p>{escape(about)}</p>")
            for number, version in sorted(versions.items()):
                if version.state in LIVE and number in contracts:
                    until = f", until {version.sunset}" if version.sunset else ""
                    parts.append(f'<h4 class="{"old" if version.sunset else ""}">Version {number}: {version.state.value}{escape(until)}</h4>')
                    rows = "".join(_rows(of_schema(contracts[number].schema), "", 0))
                    parts.append(
                        f"<table><thead><tr><th>field</th><th>kind</th><th>required</th><th>values and limits</th></tr></thead><tbody>{rows}</tbody></table>"
                    )
    return "".join(parts) + "</body></html>\n"


def _rows(shape: Shape, under: str, depth: int) -> list[str]:
    if depth > MAX_DEPTH:
        return []
    rows: list[str] = []
    required = required_of(shape)
    for name in sorted(names_of(shape), key=lambda one: (one not in required, one)):
        found = field_of(shape, name)
        limits = ", ".join(sorted(map(str, found.values))) if found.values else f"up to {found.longest} characters" if found.longest is not None else ""
        notes = [limits, *sorted(found.formats), "personal" if found.personal else ""]
        kinds = " or ".join(sorted((found.kinds or frozenset({"anything"})) - {MISSING}))
        cells = (f"{under}{name}", kinds, "yes" if name in required else "", "; ".join(note for note in notes if note))
        rows.append(
            "<tr>" + "".join(f"<td>{f'<code>{escape(cell)}</code>' if index == 0 else escape(cell)}</td>" for index, cell in enumerate(cells)) + "</tr>"
        )
        inner = item_of(found) if found.may("array") else found
        if inner.may("object"):
            rows += _rows(inner, f"{under}{name}{'[]' if found.may('array') else ''}.", depth + 1)
    return rows
