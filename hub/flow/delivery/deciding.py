"""Deciding: what acceptance could not say of a route, said at the claim by the configuration that is active then. Pure but for the ids and the store.

A route that still cannot be decided makes its delivery dead, so that a person sees it; a replay after the mend comes here again. If we die
between, the lease ends and it is decided again: nothing of it was sent.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from hub.catalog import Catalog
from hub.core.config.routing import Destination, Matched, match
from hub.core.documents import json
from hub.core.errors import Busy, GiveUp, Reason, Refused, Why
from hub.core.expressions import evaluation_door
from hub.core.message import Json
from hub.core.model.delivery import Claim, Dead, Ended, Exchange, Planned, Settled
from hub.flow.hub import Hub
from hub.flow.render import upgraded

MAX_S = 0.2  # for what is undecided in one round of a lane; the rest has its turn in the next one


def decide(hub: Hub, lane: str, ways: Sequence[tuple[Claim, Destination]]) -> tuple[list[Settled], set[str]]:
    """What ends here, and the ids of what there was no time for. What became one or several deliveries is due again, and claimed like any other. Raises StoreBusy."""
    ended: list[Settled] = []
    late: set[str] = set()
    end = time.monotonic() + MAX_S
    for claim, to in ways:
        if time.monotonic() > end:
            late.add(claim.id)
            continue
        # A repair says by which configuration; otherwise it is today's, because a mend is what it waits for.
        catalog = hub.catalogs.pinned(claim.made_with) if claim.made_with is not None else hub.catalogs.active()
        try:
            with evaluation_door.on_behalf(claim.message.caller):
                pieces = _pieces(hub, catalog, claim, to)
        except Busy:
            late.add(claim.id)
            continue
        except GiveUp as error:
            ended.append(Settled(claim, Dead(error.why), Exchange(), catalog.revision))
            continue
        if isinstance(pieces, Why):
            ended.append(Settled(claim, Ended(pieces), Exchange(), catalog.revision))
        elif hub.store.decide(claim, pieces, catalog.revision):
            hub.bell.ring({lane})
    return ended, late


def _pieces(hub: Hub, catalog: Catalog, claim: Claim, to: Destination) -> list[Planned] | Why:
    """What the route makes of the message for this target, or why it makes nothing. Raises GiveUp."""
    message = claim.message
    route = next((route for route in catalog.routes if route.name == claim.route), None)
    if route is None:
        raise GiveUp(Why(Reason.ORPHANED, f"There is no route {claim.route} in the configuration that decides it.", fix="Replay it by another one."))
    own = next((own for own in route.to if own.ref == to.ref), to)
    matched = match(
        [replace(route, to=(own,))],
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
        raise GiveUp(Why(Reason.TRANSFORM_ERROR, f"The stored body cannot be read: {error.text}")) from error
    return upgraded(catalog, claim.message.ref, payload, claim.message.received_at)[1]


def _declined(matched: Matched, route: str) -> Why:
    line = matched.considered[0]
    reason = line.get("why") or line.get("canary") or line.get("condition")
    return Why(Reason.DECLINED, f"Route {route} does not take it ({line['result']}): {reason}")
