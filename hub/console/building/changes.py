"""Changes: which configuration was active when, what each changed, what the files on the hub's machine would change,
and the change itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from flask import Blueprint, Response, request, url_for

from hub.console.common.page_context import SOON_S, Desk
from hub.core import json
from hub.core.errors import Code, Refused
from hub.core.message import Json
from hub.flow.configuration import changes as flow
from hub.flow.configuration.plan import Plan
from hub.flow.context.query_cache import BackgroundResult

EVERY_S = 10
SHOWN = 4  # names of what changed that a line of the list has room for
PAGE = 50
CHOICES = (200, 1_000, flow.MOST)  # messages of a what-if
MOST_VALUE = 300  # characters


def add(pages: Blueprint, desk: Desk) -> None:
    desk.nav("changes", "changes", under=("plan", "one_change", "plan_back"))

    @pages.get("/changes")
    def changes() -> Response:
        told: Any = flow.history(desk.hub, limit=PAGE)
        return desk.render(
            "changes.html",
            every=EVERY_S,
            told=told,
            shown=SHOWN,
            done=request.args.get("done", ""),
            at=datetime.fromisoformat,
        )

    @pages.get("/changes/plan")
    @desk.operators
    def plan() -> Response:
        most = _most()
        return _planned(
            desk, flow.watched(desk.hub, most=most), most, folder=str(desk.hub.settings.workspace.absolute())
        )

    @pages.post("/changes/apply")
    def apply_plan() -> Response:
        given = {"revision": desk.field("revision", 64), "onto": desk.field("onto", 64)}
        made = flow.make_active(
            desk.hub.store,
            desk.hub.settings.workspace,
            **given,
            by=desk.by,
            why=_why(desk),
            unmet=desk.hub.catalogs.unmet,
        )
        return _done(desk, made)

    @pages.get("/changes/<revision>")
    def one_change(revision: str) -> Response:
        return desk.render(
            "change.html", told=flow.one(desk.hub, revision), grouped=_grouped, at=datetime.fromisoformat
        )

    @pages.get("/changes/<revision>/back")
    @desk.operators
    def plan_back(revision: str) -> Response:
        most = _most()
        return _planned(
            desk, flow.watched_back(desk.hub, flow.find(desk.hub.store, revision), most=most), most, folder=""
        )

    @pages.post("/changes/<revision>/back")
    def go_back(revision: str) -> Response:
        made = flow.go_back(
            desk.hub.store, flow.find(desk.hub.store, revision), onto=desk.field("onto", 64), by=desk.by, why=_why(desk)
        )
        return _done(desk, made)


def _planned(desk: Desk, making: BackgroundResult[Plan], most: int, *, folder: str) -> Response:
    """The plan, if it is made soon; else how far it is, and the page comes again by itself."""
    is_poll = request.headers.get("HX-Request") == "true"
    # what polls is the page before: the plan has its buttons outside the part that does, and an error has no such part
    if is_poll and making.is_ended:
        return Response(status=200, headers={"HX-Refresh": "true"})
    plan = None if is_poll else making.wait(SOON_S)
    if plan is None:
        return desk.render("planning.html", steps=making.steps, most=most, folder=folder)
    made: Any = plan.as_json()
    errors = [one for one in made["findings"] if one["level"] == "error"]
    return desk.render(
        "plan.html", made=made, errors=errors, most=most, choices=CHOICES, folder=folder, value=_value, grouped=_grouped
    )


def _done(desk: Desk, made: flow.Activation) -> Response:
    return desk.go(url_for("console.changes", done="changed" if made.changed else "same"))


def _most() -> int:
    text = request.args.get("messages", "")
    if not text:
        return CHOICES[0]
    if not (text.isascii() and text.isdecimal() and len(text) < 7 and int(text) <= flow.MOST):
        raise Refused(Code.BAD_REQUEST, f"messages: 0–{flow.MOST}")
    return int(text)


def _why(desk: Desk) -> str:
    why = desk.field("why", 500)
    if not why:
        raise Refused(Code.BAD_REQUEST, desk.words("plan.why") + ": 1–500")
    return why


def _grouped(changes: Sequence[dict[str, Any]]) -> list[tuple[str, str, list[dict[str, Any]]]]:
    """Changes by the thing that they are about: its kind, its name, and its changes."""
    parts = groupby(changes, key=lambda one: (one["place"][0], one["place"][1]))
    return [
        (kind, name, [{**one, **_narrowed(one["before"], one["after"])} for one in rows])
        for (kind, name), rows in parts
    ]


def _narrowed(before: str | None, after: str | None) -> dict[str, str | None]:
    """Of two values that are lists of the same names (`attempts 24, first 1 s`) only what differs."""
    one, other = (before or "").split(", "), (after or "").split(", ")
    if (
        before is None
        or after is None
        or [part.split(" ")[0] for part in one] != [part.split(" ")[0] for part in other]
    ):
        return {"before": before, "after": after}
    pairs = [(part, another) for part, another in zip(one, other, strict=True) if part != another]
    return {"before": ", ".join(part for part, _ in pairs), "after": ", ".join(another for _, another in pairs)}


def _value(value: Json) -> str:
    """A value of an example on one line."""
    text = value if isinstance(value, str) else json.encode(value).decode()
    return text if len(text) <= MOST_VALUE else f"{text[:MOST_VALUE]}…"
