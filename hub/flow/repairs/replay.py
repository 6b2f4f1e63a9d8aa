"""Replays or cancels waiting deliveries, as a person decides. A replay keeps the delivery, its key and its place in the
order.
"""

from __future__ import annotations

from collections.abc import Sequence

from hub.flow.hub import Hub
from hub.logs import event


def replay(hub: Hub, ids: Sequence[str], *, by: str, force: bool = False) -> dict[str, str]:
    """Makes dead, unknown and held deliveries pending again with a new retry budget. Gives per id `reopened`, or why
    not. A second call changes nothing.
    """
    done = hub.store.reopen(ids, by=by, force=force)
    hub.counts.add("reopened", by=sum(result == "reopened" for result in done.values()))
    _tell(hub, "deliveries.reopened", done, by)
    hub.notifier.notify(hub.store.due_lanes())
    return done


def cancel(hub: Hub, ids: Sequence[str], *, by: str, why: str) -> dict[str, str]:
    """Cancels deliveries, with a person's name and reason. Gives per id `cancelled`, or why not."""
    done = hub.store.cancel(ids, by=by, why=why)
    hub.counts.add("cancelled", "person", by=sum(result == "cancelled" for result in done.values()))
    _tell(hub, "deliveries.cancelled", done, by)
    hub.notifier.notify(hub.store.due_lanes())  # what waited behind them may go now
    return done


def _tell(hub: Hub, key: str, done: dict[str, str], by: str) -> None:
    event(key, f"{len(done)} asked for", by=by, deliveries=list(done)[:20], number=len(done), worker=hub.worker)
