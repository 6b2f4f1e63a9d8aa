"""Callers and their keys: made, shown once, ended."""

from __future__ import annotations

from flask import Blueprint, Response, request, url_for

from hub.console.common.page_context import Desk
from hub.core.errors import Refused
from hub.flow.accounts import keys


def add(pages: Blueprint, desk: Desk) -> None:
    desk.nav("callers", "callers", under=("new_key", "make_key"))

    @pages.get("/callers")
    def callers() -> Response:
        now = desk.hub.clock()
        rows = [(row, keys.state_of(row, now)) for row in reversed(desk.hub.store.keys())]
        shows_ended = bool(request.args.get("ended"))
        shown = [(row, state) for row, state in rows if shows_ended or state in ("valid", "ending")]
        return desk.render("callers.html", rows=shown, ended=len(rows) - len(shown), shows_ended=shows_ended)

    @pages.get("/callers/new")
    @desk.operators
    def new_key() -> Response:
        return _form(desk)

    @pages.post("/callers/new")
    def make_key() -> Response:
        """The one page that shows a secret; it is kept nowhere, so going back to it shows the empty form again."""
        days = desk.field("days", 10)
        if days and not (days.isdecimal() and 0 < int(days) <= 36_500):
            return _form(desk, failed=desk.words("callers.bad_days"))
        pins = [line.strip() for line in desk.field("pins", 4_000).replace(",", "\n").split("\n") if line.strip()]
        try:
            made = keys.make_for(
                desk.hub,
                name=desk.field("name", 100),
                systems=tuple(request.form.getlist("system")),
                form=desk.field("form", 20),
                by=desk.by,
                days=float(days) if days else None,
                pins=dict(keys.read_pin(line) for line in pins),
            )
        except (Refused, ValueError) as error:
            return _form(desk, failed=str(error))
        return desk.render("key_made.html", made=made, form=desk.field("form", 20), url=desk.hub.settings.public_url)

    @pages.post("/callers/<key_id>/revoke")
    def revoke_key(key_id: str) -> Response:
        keys.revoke(desk.hub.store, key_id, desk.hub.clock(), by=desk.by)
        return desk.go(url_for("console.callers"))


def _form(desk: Desk, failed: str = "") -> Response:
    systems = [
        (name, system.title) for name, system in sorted(desk.hub.catalogs.active().systems.items()) if system.emits
    ]
    return desk.render(
        "key_new.html",
        status=400 if failed else 200,
        failed=failed,
        systems=systems,
        forms=keys.FORMS,
        given=request.form,
    )
