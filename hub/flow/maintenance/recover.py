"""Recover: what nobody rang for, what waited for its hour, and what a dead worker left. Run by the ticks; running it twice, or on two machines, changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from hub.flow.hub import Hub
from hub.flow.repairs import repair, unrouted
from hub.logs import event

BLOCK, BLOCKS = 500, 20  # deliveries that are named in one transaction, and in one round: what is beyond that waits for the next


def rescue(hub: Hub) -> None:
    """Ends leases that have run out and what has expired, releases what was held until now, puts off what waits behind dead letters, forgets
    windows that are over, names the cause of what waits for a person, moves repairs on, and what people want of what no route took.

    If we die in the midst, the next one does the rest: each is one guarded change. One process leads in this; any may do it where none does.
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
    hub.store.free_paused()
    hub.store.step_aside(hub.store.due_lanes())
    for _ in range(BLOCKS):
        if hub.store.name_clusters(BLOCK) < BLOCK:
            break
    for _ in range(BLOCKS):
        if hub.store.name_unrouted(BLOCK) < BLOCK:
            break
    hub.store.prune_windows()
    repair.advance(hub)
    unrouted.advance(hub)


def look(hub: Hub, ring: Callable[[Iterable[str]], None]) -> set[str]:
    """Finds lanes with due work, or with doubts to ask about, and rings them; gives the lanes. Whoever works looks for itself: it needs no broker to find work."""
    lanes = {*hub.store.due_lanes(), *hub.store.doubtful_lanes()}
    if lanes:
        ring(lanes)
    return lanes
