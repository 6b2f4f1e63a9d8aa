"""`/docs/errors`: what each code means, for people who followed the `type` of a problem (RFC 9457). Open to everybody."""

from __future__ import annotations

from html import escape

from flask import Blueprint, Response

from hub.http.codes import MEANINGS


def blueprint() -> Blueprint:
    pages = Blueprint("docs", __name__, url_prefix="/docs")

    @pages.get("/errors")
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
