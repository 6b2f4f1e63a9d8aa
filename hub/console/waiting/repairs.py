"""Repairs: one is chosen from a cause or a delivery, looked at, started with its first few, let go on, stopped; each
delivery with its result.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request, url_for

from hub.console.common.page_context import Desk
from hub.console.waiting.dead import tabs
from hub.core import json
from hub.core.errors import Code, Refused
from hub.core.message import Json
from hub.core.model.delivery import Status
from hub.core.model.repair import MOST, Act, Order, Result, Selection, State, With
from hub.flow.dry_run import preview as previewing
from hub.flow.repairs import repair as acts
from hub.store import RepairRow

PAGE = 25
FIRST_LOOK = 20  # deliveries that are computed before anybody asks for more: the page must be there at once
MOST_VALUE = 200  # characters
SHOWN = 10  # of them one by one
ENDED = (Result.DELIVERED, Result.FAILED, Result.ENDED, Result.SKIPPED, Result.DISCARDED)
LOOKED_AT = (State.READY, State.WAITING, State.STOPPED)
STEPS = {"start": acts.start, "continue": acts.go_on, "stop": acts.stop}


def add(pages: Blueprint, desk: Desk) -> None:
    @pages.get("/repairs")
    def repairs() -> Response:
        state, before = request.args.get("state", ""), request.args.get("before", "")[:36]
        rows = desk.hub.store.repairs(
            state=State(state) if state in set(State) else None, limit=PAGE + 1, before=before or None
        )
        given: dict[str, Any] = {
            "rows": rows[:PAGE],
            "next": rows[PAGE - 1].id if len(rows) > PAGE else "",
            "is_first": not before,
        }
        return desk.render(
            "repairs.html", every=0 if before else 5, tabs=tabs(desk), state=state, states=list(State), **given, **_TOLD
        )

    @pages.post("/repairs")
    def new_repair() -> Response:
        made, _ = acts.create(
            desk.hub.store, _order(desk), id_=desk.hub.new_id(), request_key=desk.field("key", 64) or None
        )
        return desk.go(url_for("console.one_repair", repair_id=made.id))

    @pages.get("/repairs/<uuid:repair_id>")
    def one_repair(repair_id: object) -> Response:
        row = acts.find(desk.hub.store, str(repair_id))
        result, after = request.args.get("result", ""), _whole(request.args.get("after", "0"), 0, MOST)
        rows = desk.hub.store.repaired(
            row.id, result=Result(result) if result in set(Result) else None, limit=PAGE + 1, after=after
        )
        given: dict[str, Any] = {
            "rows": rows[:PAGE],
            "next": rows[PAGE - 1].place if len(rows) > PAGE else 0,
            "after": after,
            "result": result,
        }
        is_part = request.headers.get("HX-Request") == "true"
        return desk.render(
            "repair.html",
            every=2 if row.state is not State.DONE else 0,
            one=row,
            look=None if is_part else _look(desk, row),
            shown=SHOWN,
            **given,
            **_TOLD,
        )

    @pages.post("/repairs/<uuid:repair_id>/<any(start, continue, stop):step>")
    def steer(repair_id: object, step: str) -> Response:
        row = STEPS[step](desk.hub.store, str(repair_id), by=desk.by)
        return desk.go(url_for("console.one_repair", repair_id=row.id))


def _order(desk: Desk) -> Order:
    """What the form says is to be done, and with which deliveries. Who does it is who is signed in. Raises Refused."""
    why, act = desk.field("why", 500), Act.DISCARD if desk.field("act") == Act.DISCARD else Act.REPLAY
    if not why:
        raise Refused(Code.BAD_REQUEST, desk.words("repair.why") + ": 1–500")
    with_, _, revision = desk.field("with").partition(":")
    go_on = desk.field("go_on")
    return Order(
        _selection(desk),
        desk.by,
        why,
        act,
        With(with_) if with_ in set(With) else With.PINNED,
        revision or None,
        bool(desk.field("force")),
        _whole(desk.field("canary") or "0", 0, MOST),
        _whole(go_on, 1, 100) if go_on else None,
        _whole(desk.field("rate") or "50", 1, 10_000),
    )


def _selection(desk: Desk) -> Selection:
    """Those that were ticked, else all of the cause."""
    ids = tuple(dict.fromkeys(request.form.getlist("ids")))
    status = desk.field("status")
    if status not in (Status.DEAD, Status.HELD, Status.UNKNOWN):
        raise Refused(Code.BAD_REQUEST, f"status: {status!r}")
    if ids:
        if len(ids) > MOST or any(len(one) != 36 for one in ids):
            raise Refused(Code.BAD_REQUEST, f"ids: 1–{MOST}")
        return Selection(ids=ids, status=Status(status))
    cluster = desk.field("cluster", 16)
    if not cluster:
        raise Refused(Code.BAD_REQUEST, "ids")
    return Selection(status=Status(status), cluster=cluster)


def _look(desk: Desk, row: RepairRow) -> previewing.Preview | None:
    """What would be sent: while nothing was sent yet, or where somebody asks for it."""
    asked = request.args.get("preview", "")
    if row.state not in LOOKED_AT or not (asked or row.state is State.READY):
        return None
    return previewing.preview(
        desk.hub.store,
        desk.hub.catalogs,
        row.id,
        limit=_whole(asked, 1, previewing.MOST) if asked else FIRST_LOOK,
        limits=desk.hub.limits,
    )


def _whole(text: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 7 and least <= int(text) <= most):
        raise Refused(Code.BAD_REQUEST, f"{text[:20]!r}: {least}–{most}")
    return int(text)


def _done(row: RepairRow) -> int:
    return sum(row.results.get(result, 0) for result in ENDED)


def _bar(row: RepairRow) -> list[tuple[str, float, float]]:
    """The parts of the progress bar: tone, from, width, in hundredths."""
    found, at = [], 0.0
    for result in (
        Result.DELIVERED,
        Result.DISCARDED,
        Result.FAILED,
        Result.SKIPPED,
        Result.ENDED,
        Result.PARKED,
        Result.GOING,
    ):
        width = 100 * row.results.get(result, 0) / max(row.number, 1)
        if width:
            found.append((result.value, round(at, 2), round(width, 2)))
            at += width
    return found


def _value(value: Json) -> str:
    """A value of a difference on one line."""
    text = json.encode(value).decode()
    return text if len(text) <= MOST_VALUE else f"{text[:MOST_VALUE]}…"


def _chosen(row: RepairRow) -> dict[str, Any]:
    return {name: value for name, value in row.selection.items() if name not in ("most", "ids")}


_TOLD: dict[str, Any] = {
    "done": _done,
    "bar": _bar,
    "chosen": _chosen,
    "results": list(Result),
    "pretty": json.readable,
    "shown_value": _value,
}
