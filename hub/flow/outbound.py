"""Making: a claim as what is sent to its target, and a target's answer as the message that it becomes. Shared by delivering and by asking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub.catalog import Catalog
from hub.core.adapter import Parcel, Reply
from hub.core.config.routing import Destination, Route
from hub.core.documents import json
from hub.core.errors import Code, Refused
from hub.core.expressions.cost_terms import Cost
from hub.core.message import Incoming, Json, Ref
from hub.core.model.delivery import Claim, Laid
from hub.flow.accept import lay
from hub.flow.hub import Hub
from hub.flow.render import render
from hub.store import DeliveryRow

VALUE = 12  # bytes of a message, to one value


@dataclass(frozen=True, slots=True)
class Made:
    """A claim that is mapped and checked, and what the active revision says of its way."""

    claim: Claim
    destination: Destination
    parcel: Parcel


def way_of(catalog: Catalog, claim: Claim | DeliveryRow) -> Destination | None:
    """The route's destination as it is now: retry, timeout and endpoint are live, only contract and mapping are pinned (promise P16)."""
    route: Route | None = next((route for route in catalog.routes if route.name == claim.route), None)
    return next((to for to in route.to if to.ref == claim.ref), None) if route else None


def made_of(hub: Hub, claim: Claim, way: Destination, lookups: Mapping[str, Json]) -> Made:
    """By the pinned revision: what was decided at acceptance, or by a repair, is what is sent, however often the files changed since. Raises GiveUp."""
    message = claim.message
    catalog = hub.catalogs.pinned(claim.content_revision)
    at, part = message.received_at, claim.part
    payload = render(catalog, message.raw, message.ref, claim.ref, route=claim.route, part=part, at=at, limits=hub.limits, lookups=lookups)
    parcel = Parcel(
        key=claim.id,  # for ever: the target recognises a repeat by it, replays included
        ref=claim.ref,
        payload=payload,
        body=json.encode(payload),
        message_id=message.id,
        trace_id=message.trace_id,
        attempt=claim.attempt,
        order_key=claim.order_key,
        deadline_s=way.timeout.total_seconds(),
        topic=way.topic,
    )
    return Made(claim, way, parcel)


def heavy_of(hub: Hub, ways: Sequence[tuple[Claim, Destination]]) -> set[str]:
    """The deliveries whose mapping goes to an evaluator, as far as their sizes tell."""
    costs: dict[tuple[str, Ref, Ref], list[Cost]] = {}
    heavy: set[str] = set()
    for claim, _ in ways:
        key = (claim.content_revision, claim.message.ref, claim.ref)
        if key not in costs:
            costs[key] = [step.cost for step in hub.catalogs.pinned(key[0]).way(key[1], key[2]) or ()]
        if any(cost.is_heavy(len(claim.message.raw) // VALUE) for cost in costs[key]):
            heavy.add(claim.id)
    return heavy


def reply_of(hub: Hub, one: Made, answer: Reply) -> Laid:
    """The answer as a message: matched like any other, stored in the transaction that settles its delivery, so that no crash comes between."""
    message = one.claim.message
    ref = Ref.parse(one.destination.reply or "")
    if answer.payload is None:
        raise Refused(Code.CONTRACT_VIOLATION, "The answer has no JSON body.")
    incoming = Incoming(ref, answer.payload, json.encode(answer.payload), "hub", one.claim.id, message.trace_id, message.id, message.hops + 1)
    return lay(hub, incoming, source="reply", now=hub.clock())
