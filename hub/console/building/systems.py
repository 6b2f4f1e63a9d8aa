"""Systems: all neighbours with how they stand; one with its addresses, settings without secrets, caps and breaker, and
a check that it can be reached.
"""

from __future__ import annotations

from datetime import datetime

from flask import Blueprint, Response, url_for

from hub.console.common.links import contract_link
from hub.console.common.page_context import Desk
from hub.flow.overview import sparklines
from hub.flow.overview import systems as flow

EVERY_S = 5
# Health as a badge has it.
MARKS = {
    "ok": "ok",
    "paused": "paused",
    "open": "open",
    "half_open": "half_open",
    "failing": "broken",
    "stuck": "dead",
    "none": "disabled",
}


def add(pages: Blueprint, desk: Desk) -> None:
    desk.nav("systems", "systems", under=("one_system",))

    @pages.get("/systems")
    def systems() -> Response:
        return desk.render(
            "systems.html",
            every=EVERY_S,
            rows=flow.systems(desk.hub)["items"],
            hour=sparklines.lines(desk.hub),
            at=datetime.fromisoformat,
            marks=MARKS,
        )

    @pages.get("/systems/<name>")
    def one_system(name: str) -> Response:
        told = flow.system(desk.hub, name)
        return desk.render(
            "system.html", every=EVERY_S, told=told, contract_link=contract_link, at=datetime.fromisoformat, marks=MARKS
        )

    @pages.post("/systems/<name>/check")
    def check_system(name: str) -> Response:
        flow.check(desk.hub, name, by=desk.by)
        return desk.go(url_for("console.one_system", name=name) + "#check")
