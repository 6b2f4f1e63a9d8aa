"""People: who may sign in, as what. For operators."""

from __future__ import annotations

from flask import Blueprint, Response, request, url_for

from hub.console.common.page_context import Desk
from hub.core.errors import Code, Refused
from hub.flow.accounts import people as accounts
from hub.flow.accounts.people import OPERATOR


def add(pages: Blueprint, desk: Desk) -> None:
    desk.nav("people", "people", only=OPERATOR)

    @pages.get("/people")
    @desk.operators
    def people() -> Response:
        return _page(desk)

    @pages.post("/people")
    def add_person() -> Response:
        try:
            accounts.add(
                desk.hub.store,
                desk.field("name", 100),
                request.form.get("password", ""),
                desk.field("role", 20),
                by=desk.by,
            )
        except ValueError as error:
            return _page(desk, failed=str(error))
        return desk.go(url_for("console.people"))

    @pages.post("/people/<name>/change")
    def change_person(name: str) -> Response:
        """Disabled, enabled, or given another role. Nobody does it to themselves: the last operator would be shut
        out.
        """
        what = desk.field("what", 20)
        if name == desk.by:
            raise Refused(Code.FORBIDDEN, desk.words("people.not_oneself"))
        if what not in accounts.CHANGES:
            raise Refused(Code.BAD_REQUEST, f"what: {', '.join(accounts.CHANGES)}.")
        accounts.change(desk.hub.store, name, what, by=desk.by)
        return desk.go(url_for("console.people"))


def _page(desk: Desk, failed: str = "") -> Response:
    return desk.render(
        "people.html", status=400 if failed else 200, rows=desk.hub.store.users(), failed=failed, given=request.form
    )
