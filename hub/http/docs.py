"""Interface documents: `/openapi.json` and `/asyncapi.json` of what a caller may use, `/docs` to read, and `/docs/errors`, open to everybody."""

from __future__ import annotations

from html import escape
from pathlib import Path

from flask import Blueprint, Response, g

from hub import __version__
from hub.core import json
from hub.core.asyncapi import asyncapi
from hub.core.codes import MEANINGS
from hub.core.contract import Contract
from hub.core.handbook import rows
from hub.core.message import Json
from hub.core.openapi import openapi
from hub.core.specimen import specimen
from hub.core.system import LIVE, Accept, Emit, System, Version
from hub.core.types import of_schema
from hub.flow.hub import Hub
from hub.http import auth

TITLE = "Crossdock"
_POLICY = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'"
}
SCRIPT = Path(__file__).parent / "try.js"
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
        return _document(openapi(mine(), title=TITLE, version=__version__, max_batch=hub.settings.max_batch))

    @pages.get("/asyncapi.json")
    def asyncapi_document() -> Response:
        """AsyncAPI 3.0 of the same messages."""
        return _document(asyncapi(mine(), title=TITLE, version=__version__))

    @pages.get("/docs")
    def reading() -> Response:
        """The same for people."""
        return Response(_page(mine()), content_type="text/html; charset=utf-8", headers=_POLICY)

    @pages.get("/docs/try.js")
    def script() -> Response:
        """The one script of the page: it signs and posts. Open to everybody: there is nothing in it."""
        return Response(SCRIPT.read_bytes(), content_type="text/javascript; charset=utf-8")

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
        for name, emit in system.emits.items():
            parts.append(f"<h3><code>{escape(f'POST /api/v{{N}}/{system.name}/{name}')}</code></h3><p>{escape(emit.about)}</p>")
            parts += [_version(number, version, emit.contracts[number], f"/api/v{number}/{system.name}/{name}") for number, version in _live(emit)]
        for name, accept in system.accepts.items():
            parts.append(f"<h3><code>{escape(f'the hub calls {accept.method} {accept.path}')}</code> {escape(name)}</h3><p>{escape(accept.about)}</p>")
            parts += [_version(number, version, accept.contracts[number], None) for number, version in _live(accept)]
    return "".join(parts) + '<script src="/docs/try.js"></script></body></html>\n'


def _live(message: Emit | Accept) -> list[tuple[int, Version]]:
    return [(number, version) for number, version in sorted(message.versions.items()) if version.state in LIVE and number in message.contracts]


def _version(number: int, version: Version, contract: Contract, path: str | None) -> str:
    until = f", until {version.sunset}" if version.sunset else ""
    head = f'<h4 class="{"old" if version.sunset else ""}">Version {number}: {version.state.value}{escape(until)}</h4>'
    cells = rows(of_schema(contract.schema))
    lines = "".join(f"<tr><td><code>{escape(a)}</code></td><td>{b}</td><td>{'yes' if c else ''}</td><td>{escape(d)}</td></tr>" for a, b, c, d in cells)
    table = f"<table><thead><tr><th>field</th><th>kind</th><th>required</th><th>values and limits</th></tr></thead><tbody>{lines}</tbody></table>"
    return head + table + (_form(path, specimen(contract.schema)) if path is not None else "")


def _form(path: str, example: Json) -> str:
    """Try it: the post is signed in the browser and sent to this hub; key and secret stay in the page. Without scripts it is not shown."""
    text = escape(json.encode(example).decode())
    return (
        f'<form class="try" data-path="{escape(path)}" hidden><p><label>Key <input name="key" autocomplete="off" size="40"></label> '
        '<label>Secret <input name="secret" type="password" autocomplete="off" size="40"></label></p>'
        f'<p><label>Message<br><textarea name="body" rows="8" cols="90" spellcheck="false">{text}</textarea></label></p>'
        '<p><button type="submit">Sign and post</button></p><pre role="status" aria-live="polite" hidden></pre></form>'
    )
