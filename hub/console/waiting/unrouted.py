"""Messages that no route took: by cause, what routing them again would make of them, and the two things a person may
do.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, request, url_for

from hub.console.common.page_context import Desk
from hub.core.errors import Code, Refused
from hub.core.message import Json
from hub.flow.overview import unrouted_preview as looks
from hub.flow.repairs import unrouted as acts

PAGE = 50
LOOKED = 50  # messages of a cause that the preview computes
_ID = re.compile(r"[0-9a-f]{16}", re.ASCII)


def add(pages: Blueprint, desk: Desk) -> None:
    desk.nav("unrouted", "unrouted", under=("one_unrouted",))

    @pages.get("/unrouted")
    def unrouted() -> Response:
        lines: list[Any] = [looks.line_json(line) for line in looks.counted(desk.hub)]
        return desk.render("unrouted.html", every=5, lines=lines, at=datetime.fromisoformat)

    @pages.get("/unrouted/<cause_id>")
    def one_unrouted(cause_id: str) -> Response:
        before = request.args.get("before", "")[:36]
        if not _ID.fullmatch(cause_id):
            raise Refused(Code.NOT_FOUND, desk.words("error.404"))
        lines = [looks.line_json(line) for line in looks.counted(desk.hub) if line.id == cause_id]
        rows = desk.hub.store.unrouted(cause=cause_id, limit=PAGE + 1, before=before or None)
        seen: Any = (
            looks.preview(desk.hub, cause=cause_id, limit=LOOKED) if "preview" in request.args and lines else None
        )
        return desk.render(
            "unrouted_cause.html",
            every=0 if before or seen else 5,
            cause_id=cause_id,
            line=lines[0] if lines else None,
            rows=rows[:PAGE],
            next=rows[PAGE - 1].message.id if len(rows) > PAGE else "",
            is_first=not before,
            seen=seen,
            done=request.args.get("done", "")[:200],
            at=datetime.fromisoformat,
        )

    @pages.post("/unrouted/<cause_id>/route")
    def route_unrouted(cause_id: str) -> Response:
        """All of a cause; of many the rest in the background."""
        done = acts.route_cause(
            desk.hub, cause_id, by=desk.by, why=desk.field("why", acts.MAX_WHY), force=bool(desk.field("force"))
        )
        return desk.go(url_for("console.one_unrouted", cause_id=cause_id, done=_ended(desk, done)))

    @pages.post("/unrouted/<cause_id>/drop")
    def drop_unrouted(cause_id: str) -> Response:
        done = acts.drop_cause(desk.hub, cause_id, by=desk.by, why=_why(desk))
        return desk.go(url_for("console.one_unrouted", cause_id=cause_id, done=_ended(desk, done)))

    @pages.post("/messages/<uuid:message_id>/route")
    def route_message(message_id: object) -> Response:
        """One message alone."""
        id_ = str(message_id)
        _answered(desk, acts.route(desk.hub, [id_], by=desk.by, force=bool(desk.field("force")))[id_])
        return desk.go(url_for("console.one_message", message_id=id_))

    @pages.post("/messages/<uuid:message_id>/drop")
    def drop_message(message_id: object) -> Response:
        id_ = str(message_id)
        _answered(desk, acts.drop(desk.hub, [id_], by=desk.by, why=_why(desk))[id_])
        return desk.go(url_for("console.one_message", message_id=id_))


def _why(desk: Desk) -> str:
    why = desk.field("why", acts.MAX_WHY)
    if not why:
        raise Refused(Code.BAD_REQUEST, f"why: 1–{acts.MAX_WHY}")
    return why


def _ended(desk: Desk, done: acts.UnroutedResult) -> str:
    """What became of a cause, on one line."""
    numbers: dict[str, Json] = {
        desk.words(f"unrouted.end.{name}"): number
        for name, number in {**done.results, "left": done.left}.items()
        if number
    }
    return desk.told(numbers)


def _answered(desk: Desk, answer: str) -> None:
    """Raises Refused with the reason for which it stays."""
    if answer not in acts.GONE:
        raise Refused(Code.CONFLICT, desk.words.sentence(answer))
