"""Now, the front page: what needs a person, how everything flows, and the landscape as a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, request

from hub.console.common.page_context import Desk
from hub.console.drawing.landscape import picture
from hub.console.waiting.needs import lines_of
from hub.flow.answers.overview import Kind
from hub.flow.hub import Hub
from hub.flow.overview import backlog, landscape, now, rates, sparklines

SPANS = {"60": (60, 1), "360": (360, 5), "1440": (1440, 15)}  # minutes back → minutes, and minutes of one point
EVERY_S = 5
MOST = 200  # lines of what needs a person; more is no list any more


def add(pages: Blueprint, desk: Desk) -> None:
    desk.nav("now", "now", under=("one_flow",))

    @pages.get("/now", endpoint="now")
    def front() -> Response:
        return _page(desk)


def _page(desk: Desk) -> Response:
    hub = desk.hub
    told: Any = now.now(hub)
    hour = sparklines.lines(hub)
    span = request.args.get("span", "60")
    needs = lines_of(told["needs"][:MOST], hour, desk.words, hub.clock())
    return desk.render(
        "now.html",
        every=EVERY_S,
        needs=needs,
        more=max(0, len(told["needs"]) - MOST),
        told=told,
        due=min(
            (lane for lane in told["lanes"] if lane["oldestDueAt"]), key=lambda lane: lane["oldestDueAt"], default=None
        ),
        hour=hour,
        targets=targets(hub, told),
        routes=routes(hub, told),
        drawing=picture(landscape.landscape(hub)),
        marks=marks(told["needs"]),
        span=span if span in SPANS else "60",
        spans=SPANS,
        curves=curves(hub, span),
        at=datetime.fromisoformat,
    )


def targets(hub: Hub, told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row per target: what flowed lately beside what waits; `stuck`: for a person."""
    flowed = {row["system"]: row for row in told["rates"]["targets"]}
    stuck = Counter[str]()
    for (_, target), number in backlog.backlog(hub).stuck.items():
        stuck[target.split("/")[0]] += number
    return [{**lane, "flow": flowed.get(lane["system"]), "stuck": stuck[lane["system"]]} for lane in told["lanes"]]


def routes(hub: Hub, told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row per route and target, in the configuration's order: what flowed lately beside what waits."""
    flowed = {(row["route"], row["target"]): row for row in told["rates"]["ways"]}
    waits = {(way["route"], way["target"]): way for lane in told["lanes"] for way in lane["ways"]}
    found = []
    for route in hub.catalogs.active().routes:
        for to in route.to:
            way = (route.name, str(to.ref))
            found.append(
                {
                    "route": route.name,
                    "about": route.about,
                    "target": way[1],
                    "flow": flowed.get(way),
                    "waits": waits.get(way),
                }
            )
    return found


def marks(needs: list[Mapping[str, Any]]) -> dict[tuple[str, str], str]:
    """The state of a route or target that stands out, by ("route" or "target", name): paused, open (its breaker),
    half_open.
    """
    found: dict[tuple[str, str], str] = {}
    for one in needs:
        subject = one["subject"]
        if one["kind"] == Kind.BREAKER:
            found.setdefault(("target", subject["system"]), str(subject["state"]))
        elif one["kind"] == Kind.PAUSED:
            found[subject["of"], subject["name"]] = "paused"
    return found


def curves(hub: Hub, span: str, **narrowed: str) -> dict[str, list[Any]]:
    """What the graphs draw, per point: when (seconds since 1970), accepted, delivered, failed (per minute), p50, p99
    (ms).
    """
    minutes, step = SPANS.get(span, SPANS["60"])
    told: Any = rates.series(hub, minutes=minutes, step=step, **narrowed)
    points = told["points"]
    failed = [sum(point[word] for word in rates.ATTEMPTED) - point["delivered"] for point in points]
    return {
        "at": [int(datetime.fromisoformat(point["at"]).timestamp()) for point in points],
        "accepted": [round(point["accepted"] / step, 2) for point in points],
        "delivered": [round(point["delivered"] / step, 2) for point in points],
        "failed": [round(number / step, 2) for number in failed],
        "p50": [point["p50Ms"] for point in points],
        "p99": [point["p99Ms"] for point in points],
    }
