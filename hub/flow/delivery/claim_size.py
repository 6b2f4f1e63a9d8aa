"""How many deliveries a lane claims at once: no more than it can send before the lease ends."""

from __future__ import annotations

from hub.core.config.routing import TargetPolicy
from hub.core.model.delivery import InDoubtPolicy
from hub.flow.hub import Hub

MARGIN_S = 1.0  # what a settle may take: a lease must outlast the longest send by it


def claim_size(hub: Hub, lane: str, width: int) -> int:
    """How many to claim at once: no more than can be sent, `width` side by side and each with its whole timeout, before the lease ends.

    Where an unseen outcome parks or is asked about (`in_doubt: park`, `probe`), no more than are sent side by side: few are in doubt if we die.
    """
    catalog = hub.catalogs.active()
    policy = catalog.targets.get(lane, TargetPolicy())
    # A route that looks something up may wait for that as long again.
    timeouts = [to.timeout.total_seconds() * (2 if route.enrich else 1) for route in catalog.routes for to in route.to if to.ref.system == lane]
    rounds = max(1, int((hub.settings.lease - MARGIN_S) / max([*timeouts, 0.1])))
    if policy.in_doubt is not InDoubtPolicy.RESEND:
        rounds = 1
    return min(hub.settings.claim_size, width * rounds)


def has_more(hub: Hub, lane: str, claimed: int) -> bool:
    """Whether more may be waiting than this round took: more than half of its places are filled where one caller of two has much. Raises StoreBusy."""
    width = hub.pace.width(lane, hub.catalogs.active().targets.get(lane, TargetPolicy()))
    return claimed * 2 > claim_size(hub, lane, width) > 0
