"""A hub at an operator's desk: it accepts by the active configuration, over the same store, and neither serves,
delivers nor proves anybody.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from hub.flow.context.callers import Callers
from hub.flow.context.counts import Counts
from hub.flow.context.revisions import Revisions
from hub.flow.delivery.counted_notifier import CountedNotifier
from hub.flow.hub import Hub
from hub.main.opening import remote_notifier
from hub.main.wiring import wire
from hub.settings import Settings
from hub.store import GroupCommit, Store
from hub.transport.notifier import LocalNotifier
from hub.vault import Vault


@contextmanager
def at_desk(settings: Settings, store: Store) -> Iterator[Hub]:
    """No secret is asked for: the keys of callers are not opened here, and the vault's own key is a throwaway. Raises
    NoRevision, BadWorkspace.

    Workers behind a broker hear its notifications; without one nobody does, and a running hub finds what was done
    within a sweep.
    """
    counts = Counts()
    far = remote_notifier(settings, counts)
    notifier = CountedNotifier(LocalNotifier() if far is None else far, counts)
    commit = GroupCommit(store, notifier.notify)
    try:
        callers, worker = Callers(store, Vault(os.urandom(32))), f"desk-{socket.gethostname()}-{os.getpid()}"
        hub = wire(
            settings,
            store,
            catalogs=Revisions(store),
            callers=callers,
            commit=commit,
            notifier=notifier,
            counts=counts,
            worker=worker,
            role="desk",
        )
        yield hub
        hub.noting.drain(settings.grace)
        hub.refusals.drain(settings.grace)
        hub.usage.flush(store)
        hub.pins.flush(store)
        hub.minutes.flush(store)
    finally:
        commit.drain(settings.grace)
        if far is not None:
            far.close()
