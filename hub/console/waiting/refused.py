"""Refused arrivals: what came by any door and the hub could not accept; read again, or let go."""

from __future__ import annotations

from flask import Blueprint, Response, request, url_for

from hub.console.common.page_context import Desk
from hub.core.config.identified_request import QUESTION, UNPROVEN
from hub.core.errors import Code, Refused
from hub.flow.repairs import refused as acts
from hub.store import ArrivalFilter, RefusedRow
from hub.store.repairs.arrivals import STATES, WAITING

PAGE = 50
FILTERS = ("source", "caller", "code", "trace", "q")


def add(pages: Blueprint, desk: Desk) -> None:
    desk.nav("refused", "refused", under=("one_refused", "show_refused"))

    @pages.get("/refused")
    def refused() -> Response:
        state = request.args.get("state", WAITING)
        state, before = state if state in STATES else WAITING, request.args.get("before", "")[:36]
        asked = {name: request.args.get(name, "").strip()[:191] for name in FILTERS}
        asked = {name: value for name, value in asked.items() if value}
        code = int(asked["code"]) if _is_number(asked.get("code", "")) else None
        wanted = ArrivalFilter(
            state,
            asked.get("source", ""),
            asked.get("caller", ""),
            code,
            asked.get("trace", "").lower(),
            asked.get("q", ""),
        )
        rows = desk.hub.store.refused(limit=PAGE + 1, before=before or None, wanted=wanted)
        good, of = request.args.get("good", ""), request.args.get("of", "")
        return desk.render(
            "refused.html",
            every=0 if before else 10,
            state=state,
            states=STATES,
            rows=rows[:PAGE],
            asked=asked,
            may_retry=[row.id for row in rows[:PAGE] if row.door not in (QUESTION, UNPROVEN)],
            next=rows[PAGE - 1].id if len(rows) > PAGE else "",
            is_first=not before,
            done=(int(good), int(of)) if _is_number(good) and _is_number(of) else None,
        )

    @pages.get("/refused/<uuid:refused_id>")
    def one_refused(refused_id: object) -> Response:
        return desk.render("refused_one.html", one=_one(desk, str(refused_id)), body=None)

    @pages.post("/refused/<uuid:refused_id>/show")
    def show_refused(refused_id: object) -> Response:
        one = _one(desk, str(refused_id))
        return desk.render(
            "refused_one.html", one=one, body=acts.revealed(desk.hub.store, one, by=desk.by, why=desk.field("why", 500))
        )

    @pages.post("/refused/retry")
    def retry_refused() -> Response:
        ids = _ids()
        done = acts.retry(desk.hub, ids, by=desk.by)
        good = sum(answer == acts.TAKEN for answer in done.values())
        if len(ids) == 1:
            return desk.go(url_for("console.one_refused", refused_id=ids[0]))
        return desk.go(url_for("console.refused", good=good, of=len(done)))

    @pages.post("/refused/drop")
    def drop_refused() -> Response:
        ids = _ids()
        acts.drop(desk.hub.store, ids, by=desk.by, why=desk.field("why", 500))
        return desk.go(
            url_for("console.one_refused", refused_id=ids[0]) if len(ids) == 1 else url_for("console.refused")
        )


def _one(desk: Desk, id_: str) -> RefusedRow:
    rows = desk.hub.store.refused_ones(id_)
    if not rows:
        raise Refused(Code.NOT_FOUND, desk.words("error.404"))
    return rows[0]


def _ids() -> list[str]:
    ids = list(dict.fromkeys(request.form.getlist("ids")))
    if not 1 <= len(ids) <= PAGE or any(len(one) != 36 for one in ids):
        raise Refused(Code.BAD_REQUEST, f"ids: 1–{PAGE}")
    return ids


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 7
