"""Decides routes at the claim that acceptance could not decide, with the configuration that is active now. Pure, except
for the ids and the store.

If a route still cannot be decided, its delivery is dead, so that a person sees it; a replay after the repair decides it
again. If we die in between, the lease ends and it is decided again: nothing was sent.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from hub.catalog import Catalog
from hub.core import json
from hub.core.config.routing import Destination, RoutingResult, match
from hub.core.errors import Busy, Cause, GiveUp, Reason, Refused
from hub.core.expressions import evaluation_door
from hub.core.message import Json
from hub.core.model.delivery import Claim, Dead, Ended, Exchange, NewDelivery, Settlement
from hub.flow.hub import Hub
from hub.flow.render import upgraded

MAX_S = 0.2  # time limit for undecided deliveries per round of a lane; the rest is decided in the next round


def decide(hub: Hub, lane: str, ways: Sequence[tuple[Claim, Destination]]) -> tuple[list[Settlement], set[str]]:
    """Decides the undecided deliveries of a round. Gives those that ended, and the ids for which there was no time.

    A decided delivery is replaced by one or several that are due and are claimed like any other. Raises StoreBusy.
    """
    ended: list[Settlement] = []
    late: set[str] = set()
    end = time.monotonic() + MAX_S
    for claim, to in ways:
        if time.monotonic() > end:
            late.add(claim.id)
            continue
        # A repair names its configuration. Otherwise the active one counts, because the delivery waits for a corrected
        # route.
        catalog = hub.catalogs.pinned(claim.made_with) if claim.made_with is not None else hub.catalogs.active()
        try:
            with evaluation_door.on_behalf(claim.message.caller):
                pieces = _pieces(hub, catalog, claim, to)
        except Busy:
            late.add(claim.id)
            continue
        except GiveUp as error:
            ended.append(Settlement(claim, Dead(error.why), Exchange(), catalog.revision))
            continue
        if isinstance(pieces, Cause):
            ended.append(Settlement(claim, Ended(pieces), Exchange(), catalog.revision))
        elif hub.store.decide(claim, pieces, catalog.revision):
            hub.notifier.notify({lane})
    return ended, late


def _pieces(hub: Hub, catalog: Catalog, claim: Claim, to: Destination) -> list[NewDelivery] | Cause:
    """The deliveries that the route makes of the message for this target, or the cause why it makes none. Raises
    GiveUp.
    """
    message = claim.message
    route = next((route for route in catalog.routes if route.name == claim.route), None)
    if route is None:
        raise GiveUp(
            Cause(
                Reason.ORPHANED,
                f"There is no route {claim.route} in the configuration that decides it.",
                fix="Replay it by another one.",
            )
        )
    destination = next((destination for destination in route.to if destination.ref == to.ref), to)
    matched = match(
        [replace(route, to=(destination,))],
        _payload(hub, catalog, claim),
        targets=catalog.targets,
        order_key=message.order_key,
        hops=0,
        now=message.received_at,
        new_id=hub.new_id,
    )
    for planned in matched.planned:
        if planned.undecided is not None:
            raise (Busy if planned.is_busy else GiveUp)(planned.undecided)
    return [replace(planned, fresh=claim.fresh) for planned in matched.planned] or _declined(matched, claim.route)


def _payload(hub: Hub, catalog: Catalog, claim: Claim) -> Json:
    try:
        payload = json.decode(claim.message.raw, hub.limits)
    except Refused as error:
        raise GiveUp(Cause(Reason.TRANSFORM_ERROR, f"The stored body cannot be read: {error.text}")) from error
    return upgraded(catalog, claim.message.ref, payload, claim.message.received_at)[1]


def _declined(matched: RoutingResult, route: str) -> Cause:
    line = matched.considered[0]
    reason = line.get("why") or line.get("canary") or line.get("condition")
    return Cause(Reason.DECLINED, f"Route {route} does not take it ({line['result']}): {reason}")
