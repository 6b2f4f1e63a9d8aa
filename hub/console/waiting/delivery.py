"""One delivery that waits: its tries, the repairs it was in, a repair of it alone; and a message with another body in
its place.
"""

from __future__ import annotations

from flask import Blueprint, Response, request, url_for

from hub.console.common.page_context import Desk
from hub.console.waiting.dead import WAITS, choices, suggested
from hub.core.documents.json_positions import line_of
from hub.core.errors import Code, Fault, Refused
from hub.core.model.remedies import MENDS
from hub.core.model.repair import With
from hub.flow.repairs import edit as editing
from hub.flow.views.editable_body import EditableBody, opened

MOST_TEXT = 150_000  # bytes of a body that a form takes: each may be three characters on its way
REPAIRS = 10


def add(pages: Blueprint, desk: Desk) -> None:
    @pages.get("/dead/deliveries/<uuid:delivery_id>")
    def one_delivery(delivery_id: object) -> Response:
        store = desk.hub.store
        line = store.delivery(str(delivery_id))
        message = store.message(line.message_id) if line is not None else None
        if line is None or message is None:
            raise Refused(Code.NOT_FOUND, desk.words("error.404"))
        mend = MENDS[line.why.reason] if line.why is not None else None
        return desk.render(
            "delivery.html",
            every=5,
            line=line,
            message=message,
            attempts=store.attempts(line.id),
            repairs=store.repairs(delivery_id=line.id, limit=REPAIRS),
            waits=line.status in WAITS,
            mend=mend,
            suggested=suggested(line.why.reason) if line.why is not None else With.PINNED,
            edited=request.args.get("edited", "")[:36],
            was_known=bool(request.args.get("known")),
            **choices(desk),
        )

    @pages.get("/dead/deliveries/<uuid:delivery_id>/edit")
    @desk.operators
    def edit(delivery_id: object) -> Response:
        return _form(desk, opened(desk.hub, str(delivery_id), by=desk.by))

    @pages.post("/dead/deliveries/<uuid:delivery_id>/open")
    def open_body(delivery_id: object) -> Response:
        why = _why(desk)
        return _form(desk, opened(desk.hub, str(delivery_id), by=desk.by, why=why), why=why)

    @pages.post("/dead/deliveries/<uuid:delivery_id>/edit")
    def send_edited(delivery_id: object) -> Response:
        # Forms send lines with CR LF; the text that was shown had none.
        text, why = request.form.get("body", "").replace("\r\n", "\n"), _why(desk)
        try:
            done = editing.edit(
                desk.hub,
                str(delivery_id),
                text.encode("utf-8", "surrogatepass"),
                by=desk.by,
                why=why,
                force=bool(desk.field("force")),
            )
        except Refused as error:
            if error.code in (Code.NOT_FOUND, Code.CONFLICT, Code.IDEMPOTENCY_MISMATCH):
                raise
            # Not opened again: what is shown is what was typed.
            line = desk.hub.store.delivery(str(delivery_id))
            message = desk.hub.store.message(line.message_id) if line is not None else None
            if line is None or message is None:
                raise
            return _form(desk, EditableBody(line, message, text, True, len(text)), why=why, error=error)
        return desk.go(
            url_for(
                "console.one_delivery",
                delivery_id=str(delivery_id),
                edited=done.message_id,
                known=1 if done.is_known else None,
            )
        )


def _why(desk: Desk) -> str:
    why = desk.field("why", 500)
    if not why:
        raise Refused(Code.BAD_REQUEST, desk.words("edit.why") + ": 1–500")
    return why


def _form(desk: Desk, body: EditableBody, *, why: str = "", error: Refused | None = None) -> Response:
    faults: list[tuple[Fault, int | None]] = (
        [(fault, line_of(body.text or "", fault.pointer)) for fault in error.faults] if error is not None else []
    )
    return desk.render(
        "edit.html",
        status=error.code.status if error is not None else 200,
        body=body,
        why=why,
        error=error,
        faults=faults,
        waits=body.line.status in WAITS,
        is_large=body.size > MOST_TEXT,
    )
