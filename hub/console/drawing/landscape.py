"""The landscape as a picture in three columns: who sends, the routes, who receives. Where everything stands, in pixels.
Pure.

A system that sends and receives stands on both sides: what flows always flows to the right, and no line runs back under
the others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from hub.core.analysis.graph_layout import draw

WIDTH = 960
ROW = 34  # from one route to the next
TALL = 46  # of a system's box; a route's is SHORT
SHORT = 26
GAP = 12  # between two systems, at least
TOP = 8
SENDS, ROUTES, TAKES = "sends", "route", "takes"
COLUMNS = {SENDS: (0, 170), ROUTES: (390, 172), TAKES: (780, 180)}  # left edge and width


@dataclass(frozen=True, slots=True)
class Box:
    """A node. `side`: sends, route or takes; `told` is what the flow tells of it (see flow.overview.landscape), with
    rates added up.
    """

    side: str
    name: str
    x: int
    y: float
    width: int
    height: int
    told: Mapping[str, Any]

    @property
    def middle(self) -> float:
        return self.y + self.height / 2


@dataclass(frozen=True, slots=True)
class Flow:
    """A line from a sender to a route, or on to a target. `path` as SVG has it; `x`, `y`: where a sign stands on it."""

    path: str
    x: float
    y: float
    width: float
    told: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Picture:
    width: int
    height: int
    boxes: tuple[Box, ...]
    flows: tuple[Flow, ...]


def picture(told: Mapping[str, Any]) -> Picture:
    """Draws what flow.overview.landscape tells. The same configuration is always the same picture, whatever flows."""
    edges = [edge for edge in told["edges"] if edge["kind"] != "reply"]
    ends = tuple((_end(edge["from"], SENDS), _end(edge["to"], TAKES)) for edge in edges)
    middles, height = _placed(ends)
    known = {node["id"]: node for node in told["nodes"]}
    boxes = {key: _box(key, middle, known, edges) for key, middle in middles.items()}
    flows = tuple(_flow(boxes[tail], boxes[head], edge) for (tail, head), edge in zip(ends, edges, strict=True))
    # faults above the rest
    return Picture(
        WIDTH, height, tuple(boxes.values()), tuple(sorted(flows, key=lambda one: bool(one.told["isFaulty"])))
    )


def width(per_second: float) -> float:
    """How thick a line is: a step per tenfold of what flows, so that one order a minute is seen beside a thousand a
    second.
    """
    return 1.25 if per_second <= 0 else round(min(8.0, 1.75 + 1.5 * math.log10(1 + per_second * 20)), 2)


def _end(node: str, side: str) -> tuple[str, str]:
    kind, name = node.split(":", 1)
    return (ROUTES, name) if kind == "route" else (side, name)


Key = tuple[str, str]


@lru_cache(maxsize=4)  # a configuration is laid out once, and asked for every few seconds
def _placed(ends: tuple[tuple[Key, Key], ...]) -> tuple[dict[Key, float], int]:
    """The middle of each node's box from the top, and the picture's height. Routes in the order with the fewest
    crossings, systems beside their routes.
    """
    keys = list(
        dict.fromkeys(key for side in (SENDS, ROUTES, TAKES) for pair in ends for key in pair if key[0] == side)
    )
    names = {key: "\0".join(key) for key in keys}
    drawing = draw([names[key] for key in keys], [(names[tail], names[head]) for tail, head in ends])
    order = {
        side: sorted((key for key in keys if key[0] == side), key=lambda key: drawing.spots[names[key]].y)
        for side in COLUMNS
    }
    tallest = max(len(order[ROUTES]) * ROW, *(len(order[side]) * (TALL + GAP) for side in (SENDS, TAKES)), 1)
    middles: dict[Key, float] = {}
    lead = (tallest - len(order[ROUTES]) * ROW) / 2
    for place, key in enumerate(order[ROUTES]):
        middles[key] = TOP + lead + (place + 0.5) * ROW
    for side in (SENDS, TAKES):
        wanted = {
            key: _mean([middles[other] for pair in ends for other in pair if key in pair and other != key])
            for key in order[side]
        }
        middles.update(_apart(wanted, TOP + tallest))
    return middles, int(tallest + 2 * TOP)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _apart(wanted: Mapping[Key, float], bottom: float) -> dict[Key, float]:
    """Each as near as may be to where it is wanted, none on another: pushed down from the top, then up from the
    bottom.
    """
    step = TALL + GAP
    keys = sorted(wanted, key=lambda key: (wanted[key], key))
    found: dict[Key, float] = {}
    least = TOP + TALL / 2
    for key in keys:
        found[key] = max(least, wanted[key])
        least = found[key] + step
    most = bottom - TALL / 2
    for key in reversed(keys):
        found[key] = min(found[key], most)
        most = found[key] - step
    return found


def _box(key: Key, middle: float, known: Mapping[str, Any], edges: Sequence[Mapping[str, Any]]) -> Box:
    side, name = key
    node = known[f"{'route' if side == ROUTES else 'system'}:{name}"]
    kind, end = ("out", "to") if side == TAKES else ("in", "from" if side == SENDS else "to")
    # A message that several routes take is one message.
    rates = {
        (edge["message"], edge["from"] if kind == "out" else ""): edge["perSecond"]
        for edge in edges
        if edge["kind"] == kind and edge[end] == node["id"]
    }
    mine = [
        edge
        for edge in edges
        if edge["kind"] == "out" and node["id"] in ((edge["to"],) if side == TAKES else (edge["from"],))
    ]
    told = {
        "title": node["title"],
        "perSecond": round(sum(rates.values()), 3),
        "waiting": sum(edge["waiting"] for edge in mine) if side != SENDS else 0,
        "backlog": sum(edge["backlog"] or 0 for edge in mine) if side != SENDS else 0,
        "isFaulty": any(edge["isFaulty"] for edge in mine) if side != SENDS else False,
    }
    x, wide = COLUMNS[side]
    tall = SHORT if side == ROUTES else TALL
    return Box(side, name, x, round(middle - tall / 2, 1), wide, tall, told)


def _flow(tail: Box, head: Box, edge: Mapping[str, Any]) -> Flow:
    left, right = tail.x + tail.width, head.x
    bend = (left + right) / 2
    path = f"M{left},{tail.middle:.1f} C{bend},{tail.middle:.1f} {bend},{head.middle:.1f} {right},{head.middle:.1f}"
    return Flow(path, bend, round((tail.middle + head.middle) / 2, 1), width(edge["perSecond"]), edge)
