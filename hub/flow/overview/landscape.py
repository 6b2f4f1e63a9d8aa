"""The landscape graph: systems and routes with positions, and the throughput of each edge. The pages draw it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from hub.catalog import Catalog
from hub.core.analysis.graph_layout import Drawing, draw
from hub.flow.answers import overview as answers
from hub.flow.hub import Hub
from hub.flow.overview import rates
from hub.flow.overview.backlog import backlog

FAULTY = 0.5  # an edge with this failure ratio is marked faulty, even without dead deliveries


def landscape(hub: Hub) -> answers.Landscape:
    """Nodes with their places, edges with their points and flow; all lengths in steps of one node, x to the right by
    layers, y downwards.

    nodes: id ("system:oms", "route:orders"), kind, name, title, x, y, isFaulty, waiting (dead, held and unknown
    together), backlog.
    edges: from, to, kind ("in": a message of a system that a route takes; "out": a route's target; "reply": a target's
    answer that becomes a message), message, points [[x, y], …], isBackwards, perSecond, failing, backlog (null where
    none is counted), isFaulty.
    """
    catalog = hub.catalogs.active()
    drawing = picture(catalog)
    flow = rates.ways(hub)
    taken = {row["message"].split("@")[0]: row["perSecond"] for row in flow["accepted"]}
    sent: dict[tuple[str, str], Any] = {(row["route"], row["target"]): row for row in flow["ways"]}
    waiting = backlog(hub)
    edges = [_edge(edge, drawing, taken, sent, waiting.ways, waiting.stuck) for edge in _edges(catalog)]
    faulty = {node for edge in edges if edge["isFaulty"] for node in (edge["from"], edge["to"])}
    nodes: list[answers.Node] = []
    for node, kind, name, title in _nodes(catalog):
        spot = drawing.spots[node]
        edges_of_node = [edge for edge in edges if node in (edge["from"], edge["to"]) and edge["kind"] == "out"]
        nodes.append(
            {
                "id": node,
                "kind": kind,
                "name": name,
                "title": title,
                "x": spot.layer,
                "y": spot.y,
                "isFaulty": node in faulty,
                "waiting": sum(edge["waiting"] for edge in edges_of_node),
                "backlog": sum(edge["backlog"] for edge in edges_of_node),
            }
        )
    return {
        "at": flow["at"],
        "revision": catalog.revision,
        "width": drawing.width,
        "height": drawing.height,
        "nodes": nodes,
        "edges": edges,
    }


def picture(catalog: Catalog) -> Drawing:
    """The layout of a configuration's graph. Reply edges are ignored for the layers, because they go backwards."""
    edges = _edges(catalog)
    drawn = [(edge["from"], edge["to"]) for edge in edges if edge["kind"] != "reply"]
    return _drawn(tuple(node for node, *_ in _nodes(catalog)), tuple(drawn))


_drawn = lru_cache(maxsize=4)(draw)  # cached: pages request it every second


def _nodes(catalog: Catalog) -> list[tuple[str, str, str, str]]:
    used = {part for edge in _edges(catalog) for part in (edge["from"], edge["to"])}
    systems = [(f"system:{name}", "system", name, system.title) for name, system in sorted(catalog.systems.items())]
    routes = [(f"route:{route.name}", "route", route.name, route.about) for route in catalog.routes]
    return [node for node in (*systems, *routes) if node[0] in used or node[1] == "system"]


def _edges(catalog: Catalog) -> list[dict[str, Any]]:
    edges: list[dict[str, Any]] = []
    for route in catalog.routes:
        node = f"route:{route.name}"
        edges.append(
            {"from": f"system:{route.source.split('/')[0]}", "to": node, "kind": "in", "message": route.source}
        )
        for to in route.to:
            target = f"system:{to.ref.system}"
            edges.append({"from": node, "to": target, "kind": "out", "message": str(to.ref), "route": route.name})
            if to.reply is not None:
                edges.append(
                    {"from": target, "to": f"system:{to.reply.split('/')[0]}", "kind": "reply", "message": to.reply}
                )
    return edges


def _edge(
    edge: dict[str, Any],
    drawing: Drawing,
    taken: Mapping[str, float | None],
    sent: Mapping[tuple[str, str], dict[str, Any]],
    pending: Mapping[tuple[str, str], int],
    stuck: Mapping[tuple[str, str], int],
) -> Any:
    points = drawing.edges.get((edge["from"], edge["to"])) or (drawing.spots[edge["from"]], drawing.spots[edge["to"]])
    shape = {
        **{name: edge[name] for name in ("from", "to", "kind", "message")},
        "points": [[spot.layer, spot.y] for spot in points],
        "isBackwards": (edge["from"], edge["to"]) in drawing.backwards,
    }
    if edge["kind"] != "out":
        return {
            **shape,
            "perSecond": taken.get(edge["message"], 0.0),
            "failing": None,
            "backlog": None,
            "waiting": 0,
            "isFaulty": False,
        }
    way = (edge["route"], edge["message"])
    row = sent.get(way, {})
    waiting = stuck.get(way, 0)
    failing = row.get("failing")
    is_faulty = bool(waiting) or (failing or 0.0) >= FAULTY
    return {
        **shape,
        "perSecond": row.get("perSecond", 0.0),
        "failing": failing,
        "backlog": pending.get(way, 0),
        "waiting": waiting,
        "isFaulty": is_faulty,
    }
