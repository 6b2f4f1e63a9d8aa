"""Recover: what nobody rang for, what waited for its hour, and what a dead worker left. Run by the ticker; running it twice, or on two machines, changes nothing."""

from __future__ import annotations

from hub.flow.hub import Hub
from hub.logs import event


def sweep(hub: Hub) -> set[str]:
    """Ends leases that have run out and what has expired, releases what was held until now, forgets windows that are over, finds lanes with due work, and rings them. Returns the lanes.

    If we die in the midst, the next sweep does the rest: each ended lease is one guarded change, and a ring promises nothing.
    """
    ended = hub.store.expire()
    if ended:
        event("leases.expired", "outcome not seen; each goes by its target's in_doubt", level="warning", lanes=sorted(set(ended)))
        for lane in set(ended):
            hub.counts.add("lost_leases", lane)
    lapsed = hub.store.lapse()
    if lapsed:
        event("deliveries.expired", f"{lapsed} were not delivered before they expired", level="warning", count=lapsed)
        hub.counts.add("cancelled", "expired", by=lapsed)
    hub.store.release()
    hub.store.prune_windows()
    lanes = {*ended, *hub.store.due_lanes(), *hub.store.doubtful_lanes()}
    if lanes:
        hub.bell.ring(lanes)
    return lanes
