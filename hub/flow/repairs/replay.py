"""Replay and cancel: the two things a person may do with a delivery that waits. The same delivery, key and place in the order; never a new one."""

from __future__ import annotations

from collections.abc import Sequence

from hub.flow.hub import Hub
from hub.logs import event


def replay(hub: Hub, ids: Sequence[str], *, by: str, force: bool = False) -> dict[str, str]:
    """Re-arms dead, unknown and held deliveries with a fresh attempt budget. Per id: `reopened`, or why not. A second call changes nothing."""
    done = hub.store.reopen(ids, by=by, force=force)
    hub.counts.add("reopened", by=sum(result == "reopened" for result in done.values()))
    _tell(hub, "deliveries.reopened", done, by)
    hub.bell.ring(hub.store.due_lanes())
    return done


def cancel(hub: Hub, ids: Sequence[str], *, by: str, why: str) -> dict[str, str]:
    """Ends deliveries that shall not be sent, with a person's name and reason. Per id: `cancelled`, or why not."""
    done = hub.store.cancel(ids, by=by, why=why)
    hub.counts.add("cancelled", "person", by=sum(result == "cancelled" for result in done.values()))
    _tell(hub, "deliveries.cancelled", done, by)
    hub.bell.ring(hub.store.due_lanes())  # what waited behind them may go now
    return done


def _tell(hub: Hub, key: str, done: dict[str, str], by: str) -> None:
    event(key, f"{len(done)} asked for", by=by, deliveries=list(done)[:20], number=len(done), worker=hub.worker)
