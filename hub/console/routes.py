"""Routes: all of them with how they stand; and what the page of one flow shows of a route besides: its graph, its treatment, its text, its tests."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from hub.console import treatment
from hub.console.desk import SOON_S, Desk
from hub.console.graph import graph, narrow
from hub.console.links import contract_link, mapping_link
from hub.flow import lines
from hub.flow import routes as flow

EVERY_S = 5


def add(pages: Blueprint, desk: Desk) -> None:
    desk.nav("routes", "routes")

    @pages.get("/routes")
    def routes() -> Response:
        return desk.render("routes.html", every=EVERY_S, rows=flow.routes(desk.hub)["items"], hour=lines.lines(desk.hub))


def made_of(desk: Desk, name: str) -> dict[str, Any]:
    """What the page of a route's flow is given besides; for a name that no route bears (any more): nothing."""
    if all(one.name != name for one in desk.hub.catalogs.active().routes):
        return {"told": None}
    told: Any = flow.route(desk.hub, name, wait_s=SOON_S)
    words = desk.words
    return {
        "told": told,
        "drawings": (("wide", graph(told["graph"])), ("narrow", narrow(told["graph"]))),
        "treated": treatment.of_route(told["treatment"], words),
        "treatments": treatment.together([(one["target"], treatment.of_target(one, words)) for one in told["treatment"]["targets"]]),
        "mapping_link": mapping_link,
        "contract_link": contract_link,
    }
