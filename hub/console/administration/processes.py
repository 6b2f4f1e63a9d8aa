"""Processes: who runs, as what, since when, and who leads."""

from __future__ import annotations

from flask import Blueprint, Response

from hub.console.common.page_context import Desk


def add(pages: Blueprint, desk: Desk) -> None:
    desk.nav("processes", "processes")

    @pages.get("/processes")
    def processes() -> Response:
        return desk.render(
            "processes.html", every=5, processes=desk.hub.store.processes(), active=desk.hub.store.active() or ""
        )
