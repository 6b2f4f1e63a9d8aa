"""The interface documents as HTML: the page around it, open to everybody, and the part with messages, for whoever may
see them. Text in, text out.

The page is under a strict policy: one script of its own, one style that is named by its hash, nothing inline, and the
script cannot turn text into markup but by one named way (Trusted Types), which takes the hub's own fragment alone.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from html import escape
from itertools import groupby

from hub.core import json
from hub.core.apidocs.interface import Offer, called, posted
from hub.core.config.system import Accept, System
from hub.core.model.error_catalogue import MEANINGS
from hub.core.schemas.fields import Field, beyond, fields, takes_others
from hub.core.schemas.specimen import specimen

TITLE = "Crossdock"
_STYLE = (
    "*{box-sizing:border-box}body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}"
    "table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ccc;vertical-align:top}"
    "code,pre{font:14px/1.5 ui-monospace,monospace}td code{overflow-wrap:anywhere}td:first-child code{white-space:nowrap}pre{background:#f4f4f4;padding:.8rem;overflow-x:auto}"
    ".old{color:#8a4b00}h2{margin-top:2.5rem}textarea{font:14px/1.5 ui-monospace,monospace;width:100%}#who label{margin-right:1rem}[hidden]{display:none}"
)
POLICY = (
    f"default-src 'none'; style-src 'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'; script-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types fragment"
)
_HEAD = ("field", "kind", "required", "values and limits", "meaning")


def shell() -> str:
    """The page without any data: a caller's browser signs its own question for the rest. Says the same to everybody."""
    text = "<p>These pages show what a key may use. Key and secret stay in this page: it signs with them, and neither sends nor stores the secret.</p>"
    return _document(f"{TITLE}: messages", text + _who("Show my messages") + '<main id="shown"></main>')


def page(systems: Iterable[System]) -> str:
    """The page with all of it."""
    text = "<p>To try a post, give a key and its secret: they stay in this page, which signs with them, and neither sends nor stores the secret.</p>"
    return _document(f"{TITLE}: messages", text + _who("") + f'<main id="shown">{fragment(systems)}</main>')


def fragment(systems: Iterable[System]) -> str:
    """The messages of some systems: a list of them, then each with its versions and fields, and a form to try it."""
    known = list(systems)
    offers = [*posted(known), *called(known)]
    parts = [
        '<p>For programs: <a class="file" href="/openapi.json" download="openapi.json">OpenAPI</a>, ',
        '<a class="file" href="/asyncapi.json" download="asyncapi.json">AsyncAPI</a>. <a href="/docs/errors">What each code means</a>.</p>',
    ]
    for system in known:
        mine = [
            list(group)
            for _, group in groupby(
                (offer for offer in offers if offer.system is system), key=lambda offer: offer.ref.type
            )
        ]
        parts.append(f"<h2>{escape(system.title)} <code>{escape(system.name)}</code></h2><ul>")
        parts += [
            f'<li><a href="#{_id(one[0])}">{escape(one[0].ref.name)}</a> {escape(one[0].about)}</li>' for one in mine
        ]
        parts.append("</ul>")
        for one in mine:
            parts.append(f'<h3 id="{_id(one[0])}">{_way(one[0])}</h3><p>{escape(one[0].about)}</p>')
            parts += [_version(offer) for offer in one]
    return "".join(parts)


def errors() -> str:
    """What each code means, and what to do."""
    rows = "".join(
        f'<tr id="{int(code)}"><td>{code.status}</td><td>{int(code)}</td><td><code>{code.label}</code></td>'
        f"<td>{escape(meaning.title)}</td><td>{escape(meaning.do)}</td></tr>\n"
        for code, meaning in MEANINGS.items()
    )
    head = "<tr><th>status</th><th>code</th><th>name</th><th>means</th><th>what to do</th></tr>"
    return _document(
        "Codes of refusals", f"<table><thead>{head}</thead>\n<tbody>{rows}</tbody></table>", with_script=False
    )


def _document(title: str, body: str, *, with_script: bool = True) -> str:
    script = '<script src="/docs/try.js"></script>' if with_script else ""
    viewport = '<meta name="viewport" content="width=device-width,initial-scale=1">'
    head = f'<head><meta charset="utf-8">{viewport}<title>{title}</title><style>{_STYLE}</style></head>'
    return f'<!doctype html>\n<html lang="en">{head}<body><h1>{title}</h1>{body}{script}</body></html>\n'


def _who(button: str) -> str:
    """Where a key is put in. No field has a name: whatever a browser would submit, nothing of it would go along. Shown
    by the script alone.
    """
    submit = f'<button type="submit">{escape(button)}</button>' if button else ""
    return (
        '<p id="noscript">Trying and signing need scripts. Without them, ask for /openapi.json or /docs/mine with a signed request.</p>'
        '<form id="who" autocomplete="off" hidden><p><label>Key <input id="key" autocomplete="off" spellcheck="false" size="40"></label> '
        '<label>Secret <input id="secret" type="password" autocomplete="off" size="40"></label> '
        '<label>Form <select id="form"><option value="default">default</option><option value="legacy">legacy</option></select></label> '
        f'{submit}</p></form><p id="said" role="status" aria-live="polite" hidden></p>'
    )


def _id(offer: Offer) -> str:
    return escape(f"{offer.ref.system}.{offer.ref.name}")


def _way(offer: Offer) -> str:
    message = offer.message
    if isinstance(message, Accept):
        return f"<code>{escape(f'the hub calls {message.method} {message.path}')}</code> {escape(offer.ref.name)}"
    return f"<code>{escape(f'POST /api/v{{N}}/{offer.ref.type}')}</code>"


def _version(offer: Offer) -> str:
    known = fields(offer.contract)
    head = f'<h4 class="{"old" if offer.is_deprecated else "live"}">Version {offer.ref.version}: {escape(offer.lifetime)}</h4>'
    wide = any(one.about for one in known)
    names = "".join(f"<th>{name}</th>" for name in (_HEAD if wide else _HEAD[:-1]))
    rows = "".join(
        f"<tr>{''.join(f'<td>{cell}</td>' for cell in _cells(one)[: len(_HEAD) if wide else -1])}</tr>" for one in known
    )
    others = "Other fields are let through." if takes_others(offer.contract) else "Other fields are refused."
    if beyond(offer.contract):
        others += f" The schema binds the whole message besides, by its {escape(', '.join(beyond(offer.contract)))}."
    rules = "".join(
        f"<li>{escape(sentence)}: <code>{escape(rule.text)}</code></li>" for rule, sentence in offer.contract.rules
    )
    told = f"<p>{others}{' What must hold between fields:</p><ul>' + rules + '</ul>' if rules else '</p>'}"
    return f"{head}<table><thead><tr>{names}</tr></thead><tbody>{rows}</tbody></table>{told}" + (
        "" if isinstance(offer.message, Accept) else _form(offer)
    )


def _cells(one: Field) -> tuple[str, ...]:
    values = ", ".join(f"<code>{escape(value)}</code>" for value in one.values)
    patterns = [f"of the form <code>{escape(pattern)}</code>" for pattern in one.patterns]
    limits = "; ".join([*([values] if values else []), *patterns, *map(escape, one.limits)])
    return (
        f"<code>{escape(one.path)}</code>",
        escape(one.kind),
        "yes" if one.is_required else "",
        limits,
        escape(one.about),
    )


def _form(offer: Offer) -> str:
    """Try it: the post is signed in the browser and sent to this hub. Without scripts it is not shown."""
    example = next(iter(offer.samples.values()), specimen(offer.contract.schema))
    path = escape(f"/api/v{offer.ref.version}/{offer.ref.type}")
    return (
        f'<form class="try" data-path="{path}" hidden>'
        f'<p><label>Message<br><textarea rows="8" cols="90" spellcheck="false">\n{escape(json.readable(example))}</textarea></label></p>'
        '<p><button type="submit">Sign and post</button></p><div class="answer" role="status" aria-live="polite" hidden></div></form>'
    )
