"""Recovery by polling: finds due work without a notification, releases held deliveries, ends leases of dead workers.
Idempotent, on any number of machines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from hub.flow.hub import Hub
from hub.flow.repairs import repair, unrouted
from hub.logs import event

BLOCK, BLOCKS = 500, 20  # deliveries per transaction, and transactions per round, when causes are assigned


def rescue(hub: Hub) -> None:
    """Ends expired leases and expired deliveries, releases held deliveries whose time has come, defers those behind
    dead letters, assigns causes (clusters), prunes capacity windows, and advances repairs and the routing of unrouted
    messages.

    If we die in between, the next round does the rest: each step is one guarded change. The scheduler's leader runs
    this; without one, every worker.
    """
    ended = hub.store.expire()
    if ended:
        event(
            "leases.expired",
            "outcome not seen; each goes by its target's in_doubt",
            level="warning",
            lanes=sorted(set(ended)),
        )
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
    """Polls for lanes with due work or deliveries to probe, and notifies them; gives the lanes. Each worker polls, so
    it needs no broker to find work.
    """
    lanes = {*hub.store.due_lanes(), *hub.store.doubtful_lanes()}
    if lanes:
        ring(lanes)
    return lanes
