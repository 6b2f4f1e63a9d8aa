"""One message: its way, its bodies at each stage with what each step changed, why it was routed so, and what today's
configuration would make of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, request, url_for

from hub.console.common.page_context import Desk
from hub.console.drawing.document_lines import DocumentView, shown, text_of
from hub.core.errors import BadWorkspace, Code, Refused
from hub.core.message import Disposition, Json
from hub.core.model.delivery import ENDED
from hub.core.model.fate import message_stands
from hub.flow.context.revisions import NoRevision
from hub.flow.dry_run import message
from hub.flow.views import explain, lineage, stages
from hub.store import MessageRow

TABS = ("way", "content", "routing", "today")


def add(pages: Blueprint, desk: Desk) -> None:
    @pages.get("/messages/<uuid:message_id>")
    def one_message(message_id: UUID) -> Response:
        row = _row(desk, message_id)
        tab = request.args.get("tab", "way")
        told: dict[str, Any] = {}
        if tab == "content":
            told = _content(
                desk, _told(stages.stages(desk.hub.store, desk.hub.catalogs, row.id)), request.args.get("delivery", "")
            )
            told["traced"] = _traced(desk, row, told["line"])
        elif tab == "routing":
            told = _routing(desk, row, request.args.get("target", "").strip()[:150])
        elif tab == "today":
            told = _today(desk, row)
        else:
            tab, told = "way", _way(desk, row)
        return _page(desk, row, tab, every=5 if tab == "way" and not told["is_over"] else 0, **told)

    @pages.post("/messages/<uuid:message_id>/reveal")
    def reveal(message_id: UUID) -> Response:
        """The content with all that is personal, once: the next look masks it again."""
        row = _row(desk, message_id)
        found = stages.reveal(desk.hub.store, desk.hub.catalogs, row.id, by=desk.by, why=_why(desk))
        response = _page(
            desk, row, "content", **_content(desk, _told(found), desk.field("delivery")), traced=None, is_revealed=True
        )
        response.headers["cache-control"] = "no-store"
        return response

    @pages.post("/messages/<uuid:message_id>/raw")
    def raw(message_id: UUID) -> Response:
        """The bytes as they were signed and stored."""
        row = _row(desk, message_id)
        body = stages.download(desk.hub.store, row.id, by=desk.by, why=_why(desk)) or b""
        named = {
            "content-disposition": f'attachment; filename="{row.id}.json"',
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
        }
        return Response(body, content_type="application/octet-stream", headers=named)


def _page(desk: Desk, row: MessageRow, tab: str, *, every: int = 0, is_revealed: bool = False, **told: Any) -> Response:
    tabs = [
        (desk.words(f"message.tab.{one}"), url_for("console.one_message", message_id=row.id, tab=one), one == tab)
        for one in TABS
    ]
    path = url_for("console.one_message", message_id=row.id, tab=tab)
    given = {
        **told,
        "row": row,
        "tab": tab,
        "tabs": tabs,
        "is_revealed": is_revealed,
        "at": datetime.fromisoformat,
        "text_of": text_of,
    }
    return desk.render("message.html", every=every, path=path, **given)


def _row(desk: Desk, message_id: UUID) -> MessageRow:
    row = desk.hub.store.message(str(message_id))
    if row is None:
        raise Refused(Code.NOT_FOUND, desk.words("message.gone"))
    return row


def _why(desk: Desk) -> str:
    why = desk.field("why", 500)
    if not why:
        raise Refused(Code.BAD_REQUEST, desk.words("message.why.missing"))
    return why


def _told(found: Any) -> dict[str, Any]:
    assert isinstance(found, dict)  # the message is there: it was just read
    return found


def _way(desk: Desk, row: MessageRow) -> dict[str, Any]:
    told = _told(stages.stages(desk.hub.store, desk.hub.catalogs, row.id))
    rows = {line.id: line for line in desk.hub.store.deliveries(row.id)}
    for line in told["deliveries"]:
        for attempt in line["attempts"]:
            attempt["bars"] = _bars(attempt["phases"], attempt["ms"])
    stands = message_stands(row.ref, row.disposition, row.why, [line.status for line in rows.values()])
    return {
        "told": told,
        "rows": rows,
        "stands": stands,
        "is_over": row.disposition is not Disposition.UNROUTED and all(line.status in ENDED for line in rows.values()),
    }


def _bars(phases: list[dict[str, Any]], ms: int) -> list[dict[str, Any]]:
    """The parts of a call as shares of its time, side by side."""
    whole, left = max(ms, sum(int(one["ms"]) for one in phases), 1), 0.0
    found = []
    for one in phases:
        width = 100 * int(one["ms"]) / whole
        found.append({**one, "x": round(left, 2), "width": round(width, 2)})
        left += width
    return found


def _content(desk: Desk, told: dict[str, Any], wanted: str) -> dict[str, Any]:
    lines = told["deliveries"]
    line = next((one for one in lines if one["deliveryId"] == wanted), lines[0] if lines else None)
    chain = [*told["stages"], *(line["stages"] if line is not None else ())]
    documents: list[DocumentView] = [shown(stage["body"], stage["changes"]) for stage in chain]
    reply = line["attempts"][-1] if line is not None and line["attempts"] else None
    answered = shown(reply["reply"]["body"], None) if reply is not None and reply["reply"]["body"] is not None else None
    return {
        "told": told,
        "line": line,
        "chain": list(zip(chain, documents, strict=True)),
        "reply": reply,
        "answered": answered,
    }


def _traced(desk: Desk, row: MessageRow, line: dict[str, Any] | None) -> dict[str, Any] | None:
    """Where the field that was clicked came from, or where it went."""
    field, side = request.args.get("field", ""), request.args.get("side", "target")
    if line is None or not field or len(field) > 500:
        return None
    asked = {"field": field} if side == "target" else {"source": field}
    try:
        found: Any = lineage.of_message(desk.hub.store, desk.hub.catalogs, row.id, **asked)
    except (NoRevision, BadWorkspace, ValueError, Refused):
        return {"field": field, "side": side, "fields": []}
    mine = (
        next((one for one in found["deliveries"] if one["deliveryId"] == line["deliveryId"]), None) if found else None
    )
    fields = [one for one in mine["fields"] if side != "target" or one["field"] == field] if mine is not None else []
    return {"field": field, "side": side, "fields": fields}


def _routing(desk: Desk, row: MessageRow, target: str) -> dict[str, Any]:
    hub = desk.hub
    raw = hub.store.body(row.id) or b""
    found: Mapping[str, Json] | None = None
    problem = ""
    try:
        catalog = hub.catalogs.pinned(row.routed_with)
        found = explain.explain_message(catalog, row.ref, raw, row.received_at, hops=row.routed_hops)
        # A target that somebody misses is one of all that there are, not only of those that a route of this message
        # leads to.
        targets = sorted(
            f"{side.type}@{number}"
            for system in catalog.systems.values()
            for side in system.accepts.values()
            for number in side.versions
        )
        led = {str(to.ref) for route in catalog.routes_from(row.type) for to in route.to}
    except (NoRevision, BadWorkspace, Refused) as error:
        problem, targets, led = str(error), [], set()
    lines = hub.store.deliveries(row.id)
    got = {str(line.ref): line for line in lines}
    return {
        "found": found,
        "problem": problem,
        "targets": [(one, one) for one in targets],
        "led": led,
        "wanted": target,
        "got": got,
    }


def _today(desk: Desk, row: MessageRow) -> dict[str, Any]:
    try:
        told = _told(message.afresh(desk.hub.store, desk.hub.catalogs, row.id))
    except (NoRevision, BadWorkspace, Refused) as error:
        return {"told": None, "problem": str(error), "documents": []}
    return {
        "told": told,
        "problem": "",
        "documents": [(one, shown(one["body"], one["changes"])) for one in told["deliveries"]],
    }
