"""Explains the routing of a message: each condition of each route of its type with its values, and the nearest miss.
Pure.
"""

from __future__ import annotations

from datetime import datetime
from itertools import count

from hub.catalog import Catalog
from hub.core import json
from hub.core.analysis.explaining import Part, explain, outline
from hub.core.config.routing import match
from hub.core.errors import Code, GiveUp, Refused
from hub.core.expressions.expression import Expression
from hub.core.message import Json, Ref
from hub.flow.render import upgraded


def explain_message(
    catalog: Catalog, ref: Ref, raw: bytes, at: datetime, *, target: str | None = None, hops: int = 0
) -> dict[str, Json]:
    """Explains a stored or hypothetical message: the faults by its contract, each route's decision, and the reasons.

    `hops`: the number of messages that led to it. `target`: only what concerns this target, such as
    wms/outbound.create@1. Raises Refused if the message cannot be decoded or upgraded.
    """
    payload = json.decode(raw)
    emit = catalog.emit(ref.type)
    contract = catalog.contract(ref)
    faults = contract.check(payload) if contract is not None else []
    head: dict[str, Json] = {
        "type": ref.type,
        "version": ref.version,
        "faults": [dict[str, Json](fault.as_json()) for fault in faults],
    }
    if emit is None or contract is None:
        return {**head, "disposition": "unknown", "considered": [], "conditions": [], "nearest": None, "notes": []}
    try:
        newest, payload = upgraded(catalog, ref, payload, at)
    except GiveUp as error:
        raise Refused(
            Code.CONTRACT_VIOLATION, f"It cannot be upgraded to the newest version: {error.why.field} {error.why.text}"
        ) from error
    ids = count(1)
    routes = catalog.routes_from(ref.type)
    matched = match(
        routes, payload, targets=catalog.targets, order_key=None, hops=hops, now=at, new_id=lambda: str(next(ids))
    )
    against = catalog.contract(newest)
    conditions: list[dict[str, Json]] = []
    missed: list[tuple[int, dict[str, Json]]] = []
    for route in routes:
        asked: list[tuple[str, str, Expression | None, bool]] = [
            ("drop", "", route.drop.when if route.drop is not None else None, False),
            ("when", "", route.when, True),
        ]
        asked += [("when", str(to.ref), to.when, True) for to in route.to]
        for kind, ref_, condition, wanted in asked:
            if (
                condition is None
                or (target is not None and ref_ not in ("", target))
                or (target is not None and not any(str(to.ref) == target for to in route.to))
            ):
                continue
            parts = explain(condition.text, payload, now=at, contract=against)
            holds = _holds(condition, payload, at)
            line: dict[str, Json] = {
                "route": route.name,
                "target": ref_ or None,
                "kind": kind,
                "text": condition.text,
                "holds": holds,
                "shape": outline(condition.text).shape,
                "parts": [part.as_json() for part in parts],
            }
            conditions.append(line)
            if holds is not wanted:
                missed.append((_failing(parts, wanted=wanted), line))
    considered: list[Json] = [
        dict(line) for line in matched.considered if target is None or line.get("target") in (None, target)
    ]
    nearest = min(missed, key=lambda one: one[0])[1] if missed else None
    notes: list[Json] = [
        untold(route.name, route.alert)
        for route in routes
        if route.alert and (target is None or any(str(to.ref) == target for to in route.to))
    ]
    decision: dict[str, Json] = {
        "disposition": matched.disposition.value,
        "considered": considered,
        "conditions": list(conditions),
        "nearest": nearest,
    }
    return {**head, **decision, "notes": notes}


def untold(route: str, level: str) -> str:
    """The note for a route with an alert level, as long as alerts are not sent."""
    return f"{route}: alert {level} is kept, and nobody is told by it in this version."


def _holds(condition: Expression, payload: Json, at: datetime) -> bool | None:
    """Whether the condition holds; None if it cannot be computed for this message (`considered` says why)."""
    try:
        return condition.holds(payload, now=at)
    except GiveUp:
        return None


def _failing(parts: list[Part], *, wanted: bool) -> int:
    return sum(part.holds is not wanted for part in parts) or 1
