"""Routes: all of them with how they stand; and what the page of one flow shows of a route besides: its graph, its
treatment, its text, its tests.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from hub.console.building import treatment
from hub.console.common.links import contract_link, mapping_link
from hub.console.common.page_context import SOON_S, Desk
from hub.console.drawing.graph import graph, narrow
from hub.flow.overview import routes as flow
from hub.flow.overview import sparklines

EVERY_S = 5


def add(pages: Blueprint, desk: Desk) -> None:
    desk.nav("routes", "routes")

    @pages.get("/routes")
    def routes() -> Response:
        return desk.render(
            "routes.html", every=EVERY_S, rows=flow.routes(desk.hub)["items"], hour=sparklines.lines(desk.hub)
        )


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
        "treatments": treatment.together(
            [(one["target"], treatment.of_target(one, words)) for one in told["treatment"]["targets"]]
        ),
        "mapping_link": mapping_link,
        "contract_link": contract_link,
    }
