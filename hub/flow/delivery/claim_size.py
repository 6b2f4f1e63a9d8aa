"""Computes the claim size: how many deliveries a lane claims at once. It is limited by what can be sent before the
lease ends.
"""

from __future__ import annotations

from hub.core.config.routing import TargetPolicy
from hub.core.model.delivery import InDoubtPolicy
from hub.flow.hub import Hub

MARGIN_S = 1.0  # time for settling: the lease must outlast the longest send by this


def claim_size(hub: Hub, lane: str, width: int) -> int:
    """The claim size of a lane: what can be sent before the lease ends, with `width` parallel calls that each use their
    full timeout.

    With `in_doubt: park` or `probe`, it is one round of parallel calls: then few deliveries have an unknown outcome if
    we die.
    """
    catalog = hub.catalogs.active()
    policy = catalog.targets.get(lane, TargetPolicy())
    # A route with look-ups may need its timeout twice: for the look-up and for the call.
    timeouts = [
        to.timeout.total_seconds() * (2 if route.enrich else 1)
        for route in catalog.routes
        for to in route.to
        if to.ref.system == lane
    ]
    rounds = max(1, int((hub.settings.lease - MARGIN_S) / max([*timeouts, 0.1])))
    if policy.in_doubt is not InDoubtPolicy.RESEND:
        rounds = 1
    return min(hub.settings.claim_size, width * rounds)


def has_more(hub: Hub, lane: str, claimed: int) -> bool:
    """Whether more may be waiting than this round claimed: more than half of the claim size was used. Raises StoreBusy.

    Half, because that is what one caller with a large backlog gets beside another.
    """
    width = hub.pace.width(lane, hub.catalogs.active().targets.get(lane, TargetPolicy()))
    return claimed * 2 > claim_size(hub, lane, width) > 0
