"""A hub at an operator's desk: it accepts by the active configuration, over the same store, and neither serves, delivers nor proves anybody."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from hub.core.json import Limits
from hub.flow.callers import Callers
from hub.flow.counts import Counts
from hub.flow.hub import Hub
from hub.flow.pace import Pace
from hub.flow.revisions import Revisions
from hub.kit.http import Sender
from hub.main.clock import new_id, now
from hub.main.neighbours import Neighbours
from hub.settings import Settings
from hub.store import GroupCommit, Store
from hub.transport.bell import EmbeddedBell
from hub.vault import Vault
from hub.vault.tokens import Authorities


@contextmanager
def at_desk(settings: Settings, store: Store) -> Iterator[Hub]:
    """No secret is asked for: the keys of callers are not opened here, and the vault's own key is a throwaway. Raises NoRevision, BadWorkspace.

    Its bell is heard by nobody; a running hub finds what was accepted within a sweep.
    """
    catalogs = Revisions(store)
    bell = EmbeddedBell()
    commit = GroupCommit(store, bell.ring)
    neighbours = Neighbours(settings, catalogs.active)
    hub = Hub(
        settings=settings,
        store=store,
        commit=commit,
        bell=bell,
        catalogs=catalogs,
        callers=Callers(store, Vault(os.urandom(32))),
        authorities=Authorities(lambda: Sender(settings.allow_cidrs)),
        counts=Counts(),
        pace=Pace(store, now),
        limits=Limits(settings.max_body, settings.max_depth, settings.max_values),
        targets=neighbours.target,
        values=neighbours.values,
        sources=neighbours.source,
        clock=now,
        random=random.random,
        new_id=new_id,
        worker=f"desk-{socket.gethostname()}-{os.getpid()}",
    )
    try:
        yield hub
        hub.noting.drain(settings.grace)
        hub.usage.flush(store)
    finally:
        commit.drain(settings.grace)
