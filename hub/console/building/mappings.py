"""Mappings: what carries which message on to which; one as a picture of its two trees; and a trial on a message, of
which nothing is sent or stored.
"""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, Response, request

from hub.console.common.page_context import Desk
from hub.console.drawing.document_lines import shown
from hub.console.drawing.mapping_picture import pictures, written
from hub.core import json
from hub.core.errors import Code, Refused
from hub.flow.dry_run import mapping
from hub.flow.dry_run.mapping import TrialInput
from hub.flow.interfaces import mappings
from hub.flow.interfaces.mappings import NamedMapping

LEAST_S = 2.0
MAX_PASTED = 1_000_000  # characters of what somebody pastes
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


def add(pages: Blueprint, desk: Desk) -> None:
    desk.nav("mappings", "all_mappings", under=("one_mapping", "try_mapping"))

    @pages.get("/mappings")
    def all_mappings() -> Response:
        hub = desk.hub
        told: Any = hub.shelf.at(
            "mappings", lambda: mappings.mappings(hub.store, hub.catalogs.active()), least_s=LEAST_S
        ).get()
        words = request.args.get("words", "").strip()[:100]
        rows = [one for one in told["items"] if _fits(one, words)]
        return desk.render("mappings.html", told=told, rows=rows, words=words)

    @pages.get("/mappings/<name>")
    def one_mapping(name: str) -> Response:
        """With `case`, what it makes of a sample."""
        case = request.args.get("case", "")[:200]
        one = mapping.one_named(desk.hub.catalogs.active(), name)
        return _page(
            desk, name, mapping.of_case(desk.hub.store, desk.hub.settings.workspace, one, case) if case else None
        )

    @pages.post("/mappings/<name>/try")
    def try_mapping(name: str) -> Response:
        """On a message that somebody pastes, or on a stored one. Operators only, as for all forms; nothing is sent or
        stored.
        """
        one = mapping.one_named(desk.hub.catalogs.active(), name)
        pasted, id_ = request.form.get("pasted", "").strip(), desk.field("message", 100)
        try:
            response = _page(desk, name, _given(desk, one, pasted, id_), pasted=pasted, id_=id_)
        except Refused as error:
            return _page(desk, name, None, pasted=pasted, id_=id_, wrong=error.text, faults=error.faults)
        response.headers["cache-control"] = "no-store"
        return response


def _given(desk: Desk, one: NamedMapping, pasted: str, id_: str) -> TrialInput:
    """What the form brings: a stored message's id before what is pasted. Raises Refused."""
    hub = desk.hub
    if id_:
        if not _ID.fullmatch(id_.lower()):
            raise Refused(Code.BAD_REQUEST, desk.words("try.no_message"))
        return mapping.of_message(
            hub.store, hub.catalogs.active(), one, id_.lower(), by=desk.by, why=desk.field("why", 500)
        )
    if not pasted or len(pasted) > MAX_PASTED:
        raise Refused(Code.BAD_REQUEST, desk.words("try.nothing"))
    return mapping.brought(hub.store, json.decode(pasted.encode()))


def _fits(one: dict[str, Any], words: str) -> bool:
    text = " ".join((one["from"], one["to"], *one["routes"], *one["hooks"])).casefold()
    return all(word in text for word in words.casefold().split())


def _page(
    desk: Desk,
    name: str,
    given: TrialInput | None,
    *,
    pasted: str = "",
    id_: str = "",
    wrong: str = "",
    faults: Any = (),
) -> Response:
    hub = desk.hub
    catalog = hub.catalogs.active()
    one = mapping.one_named(catalog, name)
    told: Any = mappings.mapping(hub.store, catalog, name)
    drawn = pictures(told)
    tried: Any = mapping.try_on(catalog, one, given) if given is not None else None
    return desk.render(
        "mapping.html",
        told=told,
        drawn=drawn,
        written=written,
        choices=[(case, case) for case in mapping.cases(catalog, hub.settings.workspace, one)],
        case=given.of if given is not None else "",
        tried=tried,
        source=shown(tried["source"], None) if tried is not None else None,
        result=shown(tried["result"], tried["changes"]) if tried is not None else None,
        pasted=pasted,
        id=id_,
        wrong=wrong,
        faults=faults,
    )
