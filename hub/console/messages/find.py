"""Find: one box for numbers of every kind and words of error texts, beside filters; counted, in pages that go both
ways, kept as views.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import marshmallow as ma
from flask import Blueprint, Response, request, url_for

from hub.console.common.page_context import Desk
from hub.core.errors import Code, Reason, Refused
from hub.core.message import Disposition
from hub.core.model.delivery import Status
from hub.flow.repairs import refused as acts
from hub.flow.views import find as finding
from hub.http.ops.finding import Asked, question
from hub.store.queries.views import EVERYBODY

NAMES = (
    *(
        "q",
        "system",
        "type",
        "version",
        "route",
        "target",
        "status",
        "disposition",
        "reason",
        "cluster",
        "caller",
        "since",
        "until",
        "attempts",
    ),
    *("minBytes", "maxBytes"),
)
PAGE = 50


def add(pages: Blueprint, desk: Desk) -> None:
    desk.nav("find", "find", under=("one_message", "reveal", "one_object", "any_object"))

    @pages.get("/find")
    def find() -> Response:
        wanted = _wanted(request.args)
        asked, wrong = _asked(desk, wanted)
        place = request.args.get("place", "")
        found: Any = {}
        # A sender's traceId of something that was refused: it is no message, and it is there; of a batch beside those
        # that are.
        refused = acts.of_trace(desk.hub.store, wanted.get("q", ""))
        if asked is not None:
            try:
                found = finding.find(desk.hub.store, question(asked), limit=PAGE, place=place or None)
            except ValueError as error:
                raise Refused(Code.BAD_REQUEST, str(error)) from error
            if (
                not refused
                and found["by"] == "number"
                and len(found["items"]) == 1
                and set(asked) == {"q"}
                and "key" not in found["words"].values()
            ):
                return desk.go(url_for("console.one_message", message_id=found["items"][0]["id"]))
        given: dict[str, Any] = {
            "wanted": wanted,
            "wrong": wrong,
            "found": found,
            "views": desk.hub.store.views(desk.by),
            "choices": _choices(desk),
        }
        given["refused"] = refused
        given["times"] = {name: _local(wanted.get(name, ""), desk.hub.settings.zone) for name in ("since", "until")}
        return desk.render("find.html", place=place, at=datetime.fromisoformat, **given)

    @pages.get("/find/count")
    def find_count() -> Response:
        asked, wrong = _asked(desk, _wanted(request.args))
        counted = finding.counted(desk.hub, question(asked)) if asked is not None else None
        return desk.render("find_count.html", counted=counted, wrong=wrong, at=datetime.fromisoformat)

    @pages.post("/find/views")
    def save_view() -> Response:
        """Keeps the question under a name, for oneself or for everybody."""
        name, wanted = desk.field("name", 100), _wanted(request.form)
        _, wrong = _asked(desk, wanted)
        if not name or wrong or not wanted:
            raise Refused(Code.BAD_REQUEST, desk.words("find.view.wrong"))
        owner = EVERYBODY if desk.field("for") == "all" else desk.by
        finding.save_view(desk.hub, name=name, owner=owner, question=dict(wanted), by=desk.by)
        return desk.go(url_for("console.find", **dict[str, Any](wanted)))

    @pages.post("/find/views/<view_id>/delete")
    def delete_view(view_id: str) -> Response:
        finding.delete_view(desk.hub, view_id, owner=desk.by)
        return desk.go(url_for("console.find"))


def _wanted(given: Mapping[str, str]) -> dict[str, str]:
    """What is asked for, as it was typed; empty fields left out."""
    found = {name: given.get(name, "").strip()[:500] for name in NAMES}
    return {name: value for name, value in found.items() if value}


def _asked(desk: Desk, wanted: Mapping[str, str]) -> tuple[dict[str, Any] | None, list[str]]:
    """The same as `/ops/v1/find` reads it; or the names of the fields that are wrong."""
    given = {
        **wanted,
        **{name: _instant(wanted[name], desk.hub.settings.zone) for name in ("since", "until") if name in wanted},
    }
    try:
        loaded: dict[str, Any] = Asked().load(given)
    except ma.ValidationError as error:
        return None, sorted(str(name) for name in error.messages_dict)
    return loaded, []


def _instant(text: str, zone: str) -> str:
    """A time as a browser's field has it, without a zone, is one of the hub's."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return text
    return (at if at.tzinfo is not None else at.replace(tzinfo=ZoneInfo(zone))).isoformat()


def _local(text: str, zone: str) -> str:
    """The other way round: what a browser's field can hold; nothing where it is no time."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return ""
    return f"{at.astimezone(ZoneInfo(zone)) if at.tzinfo is not None else at:%Y-%m-%dT%H:%M}"


def _choices(desk: Desk) -> dict[str, list[str]]:
    """What filters offer: the names of the active configuration."""
    catalog = desk.hub.catalogs.active()
    return {
        "systems": sorted(catalog.systems),
        "types": sorted(side.type for system in catalog.systems.values() for side in system.emits.values()),
        "routes": [route.name for route in catalog.routes],
        "targets": sorted({one for route in catalog.routes for to in route.to for one in (to.ref.system, str(to.ref))}),
        "states": [one.value for one in Status],
        "dispositions": [one.value for one in Disposition],
        "reasons": [one.value for one in Reason],
    }
