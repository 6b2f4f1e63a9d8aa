"""Unrouted messages as people see them: by cause, one by one, and a preview of routing them again. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hub.catalog import Catalog
from hub.core.errors import GiveUp
from hub.core.message import Disposition
from hub.core.model.delivery import AcceptedMessage
from hub.core.model.unrouted import as_rows
from hub.flow.answers import repairs as answers
from hub.flow.answers.fields import fill
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


def line_json(line: UnroutedLine) -> answers.UnroutedCause:
    """One cause. `misses`: why each route did not match, as route, target, condition, why. `wish`: a person's request
    for all of them that is under way.
    """
    wished, cause = line.wished, line.cause
    misses = (
        [dict(zip(("route", "target", "condition", "why"), row, strict=True)) for row in as_rows(cause.misses)]
        if cause is not None
        else []
    )
    return fill(
        answers.UnroutedCause,
        line,
        message=cause.source if cause is not None else None,
        text=cause.text if cause is not None else "Nobody has looked for the cause yet.",
        misses=misses,
        trend=trend(line.last_hour, line.hour_before, line.number),
        wish=fill(answers.UnroutedWish, wished, act=wished.wish) if wished is not None else None,
    )


def row_json(row: UnroutedRow) -> answers.Unrouted:
    """One unrouted message."""
    message = row.message
    keys = dict(message.keys)
    return fill(answers.Unrouted, message, messageId=message.id, keys=keys, cause=row.cause_id, note=row.note)


def preview(
    hub: Hub, *, ids: Sequence[str] = (), cause: str | None = None, force: bool = False, limit: int = 50
) -> answers.UnroutedPreview:
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
    items: list[Any] = []
    counts = dict.fromkeys((Disposition.ROUTED.value, Disposition.FILTERED.value, "stays"), 0)
    ways: dict[tuple[str, str], dict[str, Any]] = {}
    for id_ in [*waiting, *(id_ for id_ in notes if id_ not in waiting)]:
        accepted = routable[id_] if id_ not in notes else None
        becomes = accepted.message.disposition.value if accepted is not None else "stays"
        counts[becomes] += 1
        lines = _lines(hub, catalog, accepted) if accepted is not None else []
        for line in lines:
            way = ways.setdefault((line["route"], line["target"]), {"number": 0, "faults": 0, "fault": None})
            way["number"] += 1
            way["faults"] += line["fault"] is not None
            way["fault"] = way["fault"] or line["fault"]
        item: Any = row_json(waiting[id_]) if id_ in waiting else {"messageId": id_}
        items.append({**item, "becomes": becomes, "note": notes.get(id_), "deliveries": lines})
    number = (
        len(notes.keys() | waiting.keys())
        if ids
        else sum(line.number for line in hub.store.unrouted_causes() if line.id == cause)
    )
    told_ways: list[Any] = [{"route": route, "target": target, **way} for (route, target), way in sorted(ways.items())]
    counted_by_fate: Any = counts
    return {
        "revision": catalog.revision,
        "number": number,
        "looked": len(items),
        "counts": counted_by_fate,
        "ways": told_ways,
        "items": items,
    }


def _ended(hub: Hub, ids: Sequence[str]) -> dict[str, str]:
    known = {row.id: ENDED.format(disposition=row.disposition.value) for row in hub.store.messages(*ids)}
    return {id_: known.get(id_, "There is no such message.") for id_ in ids}


def _lines(hub: Hub, catalog: Catalog, accepted: AcceptedMessage) -> list[answers.UnroutedMade]:
    """The deliveries that a message would get. `fault`: why the mapping fails; null also if a look-up is needed that is
    made only at the delivery.
    """
    enriched = {route.name for route in catalog.routes if route.enrich}
    lines: list[answers.UnroutedMade] = []
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
        lines.append(fill(answers.UnroutedMade, planned, target=planned.ref, fault=fault))
    return lines
