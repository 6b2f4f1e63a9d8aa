"""A hub that is wired and does not serve yet: what a command works with, and what a server begins with."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from hub.core.config.queue import Queue
from hub.flow.context.callers import Callers
from hub.flow.context.counts import Counts
from hub.flow.context.revisions import Revisions
from hub.flow.delivery.counted_notifier import CountedNotifier
from hub.flow.hub import Hub
from hub.flow.intake.committing import MeasuredAdd
from hub.flow.maintenance.retention import check_keeping
from hub.kit.http.sender import Sender
from hub.kit.queues.brokers import make_queue_source
from hub.kit.queues.source import QueueSource
from hub.main.machine import unmet
from hub.main.neighbours import check_secrets
from hub.main.telemetry import open_spans
from hub.main.wiring import wire
from hub.settings import Settings
from hub.store import GroupCommit, Store, open_store
from hub.store.engine import private_files
from hub.transport.notifier import CombinedNotifier, LocalNotifier, Notifier
from hub.vault import Vault, VaultError, new_master_key, read_master_key, resolve

if TYPE_CHECKING:
    from hub.transport.celery_notifier import CeleryNotifier

KEY_FILE = "master.key"


@contextmanager
def open_serving(settings: Settings, *, writer: bool) -> Iterator[Store]:
    """A store with this hub's schema."""
    store = open_store(settings.store, writer=writer)
    try:
        store.migrate()
        yield store
    finally:
        store.close()


def open_vault(settings: Settings) -> Vault:
    """The vault under the master key of the settings; without one, under a key file beside the embedded store, made on
    first use.

    Raises VaultError. On PostgreSQL and MariaDB there is no file that all processes share, so the key must be set.
    """
    if settings.master_key:
        text = settings.master_key
        return Vault(
            read_master_key(resolve(text, settings.environment) if text.startswith(("env:", "file:")) else text)
        )
    if not settings.store.startswith("sqlite"):
        raise VaultError(
            "HUB_MASTER_KEY is not set. All processes of one store need the same key. Print a new key: hub key master"
        )
    path = Path(settings.store.split("///", 1)[-1]).absolute().parent / KEY_FILE
    private_files.folder(path.parent)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return Vault(read_master_key(resolve(f"file:{path}", {})))
    os.fchmod(handle, private_files.FILE)  # whatever the umask leaves of it
    key = new_master_key()
    with os.fdopen(handle, "w") as file:
        file.write(key)
        file.flush()
        os.fsync(handle)  # what is sealed under it must not outlive it
    return Vault(read_master_key(key))


@dataclass(frozen=True, slots=True)
class RunningHub:
    """A hub with its notifier, before anything serves."""

    hub: Hub
    notifier: LocalNotifier  # what this process itself hears

    def sender(self) -> Sender:
        return Sender(self.hub.settings.allow_cidrs)

    def source(self, queue: Queue) -> QueueSource:
        return make_queue_source(self.hub.values(queue.system).get(queue.broker, ""), queue)


def remote_notifier(settings: Settings, counts: Counts) -> CeleryNotifier | None:
    """The broker's notifier, that other processes hear; None where there is no broker."""
    if not settings.broker:
        return None
    from hub.transport.celery_notifier import CeleryNotifier  # noqa: PLC0415 - who has no broker does not wait for Celery

    return CeleryNotifier(settings.broker, lambda number: counts.add("rings", "failed", by=number))


@contextmanager
def running(settings: Settings, store: Store, role: str = "") -> Iterator[RunningHub]:
    """Wires a hub over a store that is migrated and has an active revision. Closing drains the group commit.

    Raises NoRevision, BadWorkspace, BadSetting, VaultError.
    """
    if settings.ops_token.startswith(("env:", "file:")):
        # Taken as it stands, the place of the token would be the token, and whoever reads the settings would know it.
        settings = replace(settings, ops_token=resolve(settings.ops_token, settings.environment))
    catalogs = Revisions(store, unmet=lambda catalog: unmet(catalog, settings))
    check_secrets(catalogs.active(), settings)
    check_keeping(settings, catalogs.active())
    near = LocalNotifier(settings.lanes)
    counts = Counts()
    far = remote_notifier(settings, counts)
    notifier: Notifier = near if far is None else CombinedNotifier(near, far)
    counted = CountedNotifier(notifier, counts)
    worker = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
    spans = open_spans(settings, role, worker)
    # it adds, and asks for nothing else
    commit = GroupCommit(cast("Store", MeasuredAdd(store, counts, spans)), counted.notify)
    callers = Callers(store, open_vault(settings))
    hub = wire(
        settings,
        store,
        catalogs=catalogs,
        callers=callers,
        commit=commit,
        notifier=counted,
        counts=counts,
        worker=worker,
        role=role,
        spans=spans,
    )
    try:
        yield RunningHub(hub, near)
    finally:
        commit.drain(settings.grace)
        if spans is not None:
            spans.close()
        if far is not None:
            far.close()
