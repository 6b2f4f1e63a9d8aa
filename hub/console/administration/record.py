"""The record of acts: who did what, to what, when; and whether the chain stands."""

from __future__ import annotations

from flask import Blueprint, Response, request

from hub.console.common.page_context import Desk

PAGE = 50


def add(pages: Blueprint, desk: Desk) -> None:
    desk.nav("record", "record", under=("record_check",))

    @pages.get("/record")
    def record() -> Response:
        wanted = {name: request.args.get(name, "").strip()[:255] for name in ("by", "what", "object")}
        before = request.args.get("before", "")
        rows = desk.hub.store.acts(
            limit=PAGE + 1,
            before=int(before) if before.isdecimal() and len(before) < 18 else None,
            by=wanted["by"] or None,
            what=wanted["what"] or None,
            object_=wanted["object"] or None,
        )
        return desk.render(
            "record.html",
            every=0 if before else 10,
            rows=rows[:PAGE],
            next=rows[PAGE - 1].sequence if len(rows) > PAGE else None,
            wanted=wanted,
            is_first=not before,
        )

    @pages.get("/record/check")
    def record_check() -> Response:
        return desk.render("record_check.html", verdict=desk.hub.store.verify_acts())
