"""Language and appearance: each browser's own, in two cookies that hold nothing else."""

from __future__ import annotations

from flask import Blueprint, Response, request

from hub.console.common.page_context import Desk, own_path
from hub.console.words import LANGUAGES

YEAR_S = 31_536_000


def add(pages: Blueprint, desk: Desk) -> None:
    desk.open_endpoints.add("console.preferences")
    desk.free_endpoints.add("console.preferences")

    @pages.post("/preferences")
    def preferences() -> Response:
        response = desk.go(own_path(request.form.get("next", "")))
        for name, known in (("language", LANGUAGES), ("theme", ("auto", "light", "dark"))):
            chosen = request.form.get(name, "")
            if chosen in known:
                response.set_cookie(f"crossdock_{name}", chosen, samesite="Lax", path="/console", max_age=YEAR_S)
        return response
