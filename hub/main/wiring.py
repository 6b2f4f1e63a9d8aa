"""The hub's ports, put together: the same for a process that serves and for one at a desk."""

from __future__ import annotations

import random

from hub.core.json import Limits
from hub.flow.context.callers import Callers
from hub.flow.context.counts import Counts
from hub.flow.context.pace import Pace
from hub.flow.context.rate_limit import Allowance
from hub.flow.context.revisions import Revisions
from hub.flow.context.spans import Spans
from hub.flow.hub import Hub
from hub.kit.http.sender import Sender
from hub.main.clock import new_id, now
from hub.main.neighbours import Neighbours
from hub.settings import Settings
from hub.store import GroupCommit, Store
from hub.transport.notifier import Notifier
from hub.vault.jwt import Authorities


def wire(
    settings: Settings,
    store: Store,
    *,
    catalogs: Revisions,
    callers: Callers,
    commit: GroupCommit,
    notifier: Notifier,
    counts: Counts,
    worker: str,
    role: str = "",
    spans: Spans | None = None,
) -> Hub:
    """`worker` names this process in leases and signs of life."""
    neighbours = Neighbours(settings, catalogs.active)
    return Hub(
        settings=settings,
        store=store,
        commit=commit,
        notifier=notifier,
        catalogs=catalogs,
        callers=callers,
        allowance=Allowance(settings.caller_rate),
        authorities=Authorities(lambda: Sender(settings.allow_cidrs)),
        counts=counts,
        pace=Pace(store, now, worker=worker),
        limits=Limits(settings.max_body, settings.max_depth, settings.max_values),
        targets=neighbours.target,
        values=neighbours.values,
        sources=neighbours.source,
        clock=now,
        random=random.random,
        new_id=new_id,
        worker=worker,
        role=role,
        spans=spans,
    )
