"""Unrouted messages as people see them: by cause, one by one, and a preview of routing them again. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hub.catalog import Catalog
from hub.core.errors import GiveUp
from hub.core.message import Disposition, Json
from hub.core.model.delivery import AcceptedMessage
from hub.core.model.unrouted import as_rows
from hub.flow.hub import Hub
from hub.flow.overview.clusters import trend
from hub.flow.render import found, render
from hub.flow.repairs.unrouted import made_again
from hub.store import UnroutedLine, UnroutedRow
from hub.store.messages.rerouting import ENDED

MOST = 500  # maximum number of messages per preview
LEAST_S = 1.0


def counted(hub: Hub) -> list[UnroutedLine]:
    """The unrouted messages by cause, the largest first. Cached for one second."""
    return hub.shelf.at("unrouted", hub.store.unrouted_causes, least_s=LEAST_S).get()


def line_json(line: UnroutedLine) -> dict[str, Json]:
    """One cause. `misses`: why each route did not match, as route, target, condition, why. `wish`: a person's request
    for all of them that is under way.
    """
    wished, cause = line.wished, line.cause
    misses: list[Json] = []
    if cause is not None:
        misses = [dict(zip(("route", "target", "condition", "why"), row, strict=True)) for row in as_rows(cause.misses)]
    return {
        "id": line.id,
        "message": str(cause.source) if cause is not None else None,
        "text": cause.text if cause is not None else "Nobody has looked for the cause yet.",
        "misses": misses,
        "number": line.number,
        "oldestAt": line.oldest_at.isoformat(),
        "newestAt": line.newest_at.isoformat(),
        "trend": trend(line.last_hour, line.hour_before, line.number),
        "lastHour": line.last_hour,
        "hourBefore": line.hour_before,
        "wish": {
            "act": wished.wish.value,
            "at": wished.at.isoformat(),
            "by": wished.by,
            "why": wished.why,
            "left": wished.left,
        }
        if wished is not None
        else None,
    }


def row_json(row: UnroutedRow) -> dict[str, Json]:
    """One unrouted message."""
    message = row.message
    return {
        "messageId": message.id,
        "type": message.type,
        "version": message.version,
        "receivedAt": message.received_at.isoformat(),
        "source": message.source,
        "caller": message.caller,
        "keys": dict(message.keys),
        "revision": message.revision,
        "cause": row.cause_id,
        "note": row.note,
    }


def preview(
    hub: Hub, *, ids: Sequence[str] = (), cause: str | None = None, force: bool = False, limit: int = 50
) -> dict[str, Json]:
    """Previews routing unrouted messages with the active configuration: `ids`, or the newest `limit` of a cause.
    Changes nothing.

    counts by what would become of them (routed, filtered, stays); `ways`: per route and target how many deliveries, how
    many of these the mapping cannot make (they would be dead at once), and the first fault; `items`: each message with
    its deliveries, or with why it stays.
    """
    rows = hub.store.unrouted(cause=cause, ids=list(ids) if ids else None, limit=min(limit, MOST))
    waiting = {row.message.id: row for row in rows}
    catalog = hub.catalogs.active()
    routable, stays = made_again(hub, catalog, list(waiting), by="")
    notes = stays if force else {**stays, **hub.store.later_of(list(routable.values()))}
    notes |= _ended(hub, [id_ for id_ in ids if id_ not in waiting])
    items: list[Json] = []
    counts = {Disposition.ROUTED.value: 0, Disposition.FILTERED.value: 0, "stays": 0}
    ways: dict[tuple[str, str], dict[str, Any]] = {}
    for id_ in [*waiting, *(id_ for id_ in notes if id_ not in waiting)]:
        accepted = routable[id_] if id_ not in notes else None
        becomes = accepted.message.disposition.value if accepted is not None else "stays"
        counts[becomes] += 1
        lines = _lines(hub, catalog, accepted) if accepted is not None else []
        for line in lines:
            way = ways.setdefault((str(line["route"]), str(line["target"])), {"number": 0, "faults": 0, "fault": None})
            way["number"] += 1
            way["faults"] += line["fault"] is not None
            way["fault"] = way["fault"] or line["fault"]
        item = row_json(waiting[id_]) if id_ in waiting else {"messageId": id_}
        items.append({**item, "becomes": becomes, "note": notes.get(id_), "deliveries": list(lines)})
    number = (
        len(notes.keys() | waiting.keys())
        if ids
        else sum(line.number for line in hub.store.unrouted_causes() if line.id == cause)
    )
    told_ways: list[Json] = [{"route": route, "target": target, **way} for (route, target), way in sorted(ways.items())]
    counts_: dict[str, Json] = dict(counts)
    return {
        "revision": catalog.revision,
        "number": number,
        "looked": len(items),
        "counts": counts_,
        "ways": told_ways,
        "items": items,
    }


def _ended(hub: Hub, ids: Sequence[str]) -> dict[str, str]:
    known = {row.id: ENDED.format(disposition=row.disposition.value) for row in hub.store.messages(*ids)}
    return {id_: known.get(id_, "There is no such message.") for id_ in ids}


def _lines(hub: Hub, catalog: Catalog, accepted: AcceptedMessage) -> list[dict[str, Json]]:
    """The deliveries that a message would get. `fault`: why the mapping fails; null also if a look-up is needed that is
    made only at the delivery.
    """
    enriched = {route.name for route in catalog.routes if route.enrich}
    lines: list[dict[str, Json]] = []
    message = accepted.message
    lookups = hub.store.lookups(message.id)
    for planned in accepted.deliveries:
        fault = planned.undecided.text if planned.undecided is not None else None
        seen = found(lookups, planned.route, planned.part)
        try:
            if planned.undecided is None and (planned.route not in enriched or seen):
                render(
                    catalog,
                    message.raw,
                    message.ref,
                    planned.ref,
                    route=planned.route,
                    part=planned.part,
                    at=message.received_at,
                    limits=hub.limits,
                    lookups=seen,
                )
        except GiveUp as error:
            fault = f"{error.why.field} {error.why.text}".strip()
        lines.append(
            {
                "route": planned.route,
                "target": str(planned.ref),
                "part": planned.part,
                "orderKey": planned.order_key,
                "fault": fault,
            }
        )
    return lines
