"""Renders a claimed delivery as the parcel for its target, and turns a target's reply into a new message. Used by
deliveries and by probes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub.catalog import Catalog
from hub.core import json
from hub.core.adapter import Parcel, Reply
from hub.core.config.routing import Destination, Route
from hub.core.errors import Code, Refused
from hub.core.expressions.cost_terms import Cost
from hub.core.message import Incoming, Json, Ref
from hub.core.model.delivery import AcceptedMessage, Claim
from hub.flow.accept import prepare_message
from hub.flow.hub import Hub
from hub.flow.render import render
from hub.kit.http.call import Call
from hub.store import DeliveryRow

VALUE = 12  # estimated bytes per JSON value of a message


@dataclass(frozen=True, slots=True)
class OutboundDelivery:
    """A claim that is mapped and validated, with its destination as the active revision has it."""

    claim: Claim
    destination: Destination
    parcel: Parcel


def destination_for(catalog: Catalog, claim: Claim | DeliveryRow) -> Destination | None:
    """The destination of the route in this catalog. Retry, timeout and endpoint are live; only contract and mapping are
    pinned (promise P16).
    """
    route: Route | None = next((route for route in catalog.routes if route.name == claim.route), None)
    return next((to for to in route.to if to.ref == claim.ref), None) if route else None


def render_delivery(hub: Hub, claim: Claim, way: Destination, lookups: Mapping[str, Json]) -> OutboundDelivery:
    """Maps and validates by the pinned revision, the one of acceptance or of a repair. Later changes of the files have
    no effect. Raises GiveUp.
    """
    message = claim.message
    catalog = hub.catalogs.pinned(claim.content_revision)
    at, part = message.received_at, claim.part
    payload = render(
        catalog,
        message.raw,
        message.ref,
        claim.ref,
        route=claim.route,
        part=part,
        at=at,
        limits=hub.limits,
        lookups=lookups,
    )
    parcel = Parcel(
        key=claim.id,  # never changes, also not at a replay: the target recognises a repeat by it
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
    return OutboundDelivery(claim, way, parcel)


def costly_deliveries(hub: Hub, ways: Sequence[tuple[Claim, Destination]]) -> set[str]:
    """The ids of the deliveries whose mapping needs an evaluator process, estimated from their sizes."""
    costs: dict[tuple[str, Ref, Ref], list[Cost]] = {}
    heavy: set[str] = set()
    for claim, _ in ways:
        key = (claim.content_revision, claim.message.ref, claim.ref)
        if key not in costs:
            costs[key] = [step.cost for step in hub.catalogs.pinned(key[0]).way(key[1], key[2]) or ()]
        if any(cost.is_heavy(len(claim.message.raw) // VALUE) for cost in costs[key]):
            heavy.add(claim.id)
    return heavy


def reply_message(hub: Hub, outbound: OutboundDelivery, answer: Reply) -> AcceptedMessage:
    """Turns the answer into a message, matched like any other. It is stored in the transaction that settles the
    delivery, so no crash can separate the two.
    """
    message = outbound.claim.message
    ref = Ref.parse(outbound.destination.reply or "")
    if answer.payload is None:
        raise Refused(Code.CONTRACT_VIOLATION, "The answer has no JSON body.")
    incoming = Incoming(
        ref,
        answer.payload,
        json.encode(answer.payload),
        "hub",
        outbound.claim.id,
        message.trace_id,
        message.id,
        message.hops + 1,
    )
    return prepare_message(hub, incoming, source="reply", now=hub.clock())


@dataclass(frozen=True, slots=True)
class PreparedCall:
    """One call and its deliveries: one, or several of a bundle. `parcel`: the content for the target; an array if the
    destination batches.
    """

    deliveries: tuple[OutboundDelivery, ...]
    parcel: Parcel
    call: Call | None  # None: the target is a BatchTarget and sends by itself
