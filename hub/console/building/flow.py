"""The flow of one target or one route: how it goes, what waits, and the button that stops it or lets it go on."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint, Response, request, url_for

from hub.console.building.routes import made_of
from hub.console.common.links import system_link
from hub.console.common.page_context import Desk
from hub.console.waiting.now import EVERY_S, SPANS, curves, marks, routes
from hub.core.errors import Code, Refused
from hub.flow.hub import Hub
from hub.flow.overview import backlog, now, sparklines
from hub.flow.repairs import pauses
from hub.store.messages.pauses import ROUTE, TARGET

SHOWN = 50


def add(pages: Blueprint, desk: Desk) -> None:
    kinds = ",".join(pauses.KINDS)

    @pages.get(f"/flow/<any({kinds}):kind>/<name>")
    def one_flow(kind: str, name: str) -> Response:
        return _page(desk, kind, name)

    @pages.post(f"/flow/<any({kinds}):kind>/<name>/pause")
    def pause(kind: str, name: str) -> Response:
        hub = desk.hub
        pauses.pause(hub.store, hub.catalogs.active(), kind, name, by=desk.by, why=desk.field("why", 500))
        return _done(desk, kind, name)

    @pages.post(f"/flow/<any({kinds}):kind>/<name>/resume")
    def resume(kind: str, name: str) -> Response:
        pauses.resume(desk.hub.store, kind, name, by=desk.by, notify=desk.hub.notifier.notify)
        return _done(desk, kind, name)


def _done(desk: Desk, kind: str, name: str) -> Response:
    return desk.go(url_for("console.one_flow", kind=kind, name=name))


def _page(desk: Desk, kind: str, name: str) -> Response:
    hub = desk.hub
    about = _about(hub, kind, name)
    behind = backlog.behind(hub, kind, name, limit=SHOWN)
    if about is None and behind.stopped is None and not behind.rows:
        raise Refused(Code.NOT_FOUND, desk.words("error.404"))
    told: Any = now.now(hub)
    hour = sparklines.lines(hub)
    span = request.args.get("span", "60")
    ways = [
        row for row in routes(hub, told) if name == (row["target"].split("/")[0] if kind == TARGET else row["route"])
    ]
    messages = {row.id: row for row in hub.store.messages(*dict.fromkeys(row.message_id for row in behind.rows))}
    return desk.render(
        "flow.html",
        every=EVERY_S,
        kind=kind,
        name=name,
        about=about,
        behind=behind,
        rows=behind.rows,
        keys={id_: ", ".join(text for _, text in row.keys) for id_, row in messages.items()},
        ways=ways,
        hour=hour,
        flow=_flow(told, kind, name),
        waiting=sum(_number(way, hub) for way in ways),
        marks=marks(told["needs"]),
        span=span if span in SPANS else "60",
        spans=SPANS,
        curves=curves(hub, span, **({"lane": name} if kind == TARGET else {"route": name})),
        at=datetime.fromisoformat,
        here="console.systems" if kind == TARGET else "console.routes",
        system=system_link(name) if kind == TARGET else None,
        **(made_of(desk, name) if kind == ROUTE else {"told": None}),
    )


def _about(hub: Hub, kind: str, name: str) -> dict[str, Any] | None:
    """What the configuration says of it; None: it has none of this name (any more)."""
    catalog = hub.catalogs.active()
    if kind == TARGET:
        system = catalog.systems.get(name)
        return None if system is None else {"text": system.title, "owner": system.owner, "source": "", "to": []}
    route = next((one for one in catalog.routes if one.name == name), None)
    return (
        None
        if route is None
        else {"text": route.about, "owner": route.owner, "source": route.source, "to": [str(to.ref) for to in route.to]}
    )


def _flow(told: Any, kind: str, name: str) -> Any:
    """What flowed lately of it; None: nothing."""
    rows, key = (told["rates"]["targets"], "system") if kind == TARGET else (told["rates"]["routes"], "route")
    return next((row for row in rows if row[key] == name), None)


def _number(way: dict[str, Any], hub: Hub) -> int:
    return backlog.backlog(hub).stuck.get((way["route"], way["target"]), 0)
