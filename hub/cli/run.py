"""Commands that run processes: the hub whole or in parts, a migration."""

from __future__ import annotations

import contextlib
import sys

import click

from hub import catalog, main
from hub.cli import demo
from hub.cli.output import as_json, console, say, told
from hub.cli.watch import Watch
from hub.core.addresses import in_url
from hub.core.errors import StoreBusy
from hub.flow.plan import apply
from hub.main import serving
from hub.main.machine import unmet
from hub.main.port import check as check_port
from hub.settings import Settings, read


@click.command()
@click.option("--demo", "is_demo", is_flag=True, help="With sandbox systems and a trickle of orders; loopback is allowed for targets.")
@click.option("--once", is_flag=True, help="With --demo: 20 orders to their end, a table, and an exit code.")
@click.option("--orders", type=click.IntRange(1, 100_000), default=20, show_default=True, help="With --once: how many.")
@click.option("--watch", is_flag=True, help="Check the workspace on each save, and make it active if it is clean.")
@click.pass_obj
@told
def up(settings: Settings, is_demo: bool, once: bool, orders: int, watch: bool) -> None:
    """Run everything in one process: apply the workspace, take posts, deliver. SIGTERM stops it within its grace."""
    if is_demo or once:
        raise SystemExit(demo.run(settings, once=once, orders=orders))
    known = catalog.read(settings.workspace)
    # Refused before anything is made active: where another hub runs on this store or port, it must not get this workspace.
    check_port(settings.host, settings.port)
    with main.open_serving(settings, writer=True) as store:
        made = apply(store, known, by="hub up", unmet=lambda catalog: unmet(catalog, settings))
    console.print(f"Configuration {made.revision[:12]}: {len(made.systems)} systems, {len(made.routes)} routes.")
    serving.serve(settings, web=True, work=True, schedule=True, ready=lambda running: _watched(settings, running, known if watch else None))


def _watched(settings: Settings, running: main.Running, known: catalog.Read | None) -> None:
    if known is not None:
        Watch(running.hub.store, settings.workspace, lambda _: _follow(running), known=known, unmet=running.hub.catalogs.unmet)
    _ready(settings, "hub")


def _follow(running: main.Running) -> None:
    with contextlib.suppress(StoreBusy):  # the tick follows in a moment; the watch goes on
        running.hub.catalogs.refresh()


@click.command()
@click.pass_obj
@told
def web(settings: Settings) -> None:
    """Take posts, without delivering: one of several on PostgreSQL or MariaDB. Follows the active configuration (`hub apply`)."""
    serving.serve(settings, web=True, ready=lambda _: _ready(settings, "web"))


@click.command()
@click.option("--lanes", help="Systems that it delivers to, separated by commas (HUB_LANES); without it, to all.")
@click.pass_obj
@told
def worker(settings: Settings, lanes: str | None) -> None:
    """Deliver, without taking posts: one of several on PostgreSQL or MariaDB. Follows the active configuration (`hub apply`)."""
    if lanes is not None:
        settings = read({**settings.environment, "HUB_LANES": lanes})
    serving.serve(settings, work=True, ready=lambda _: _ready(settings, "worker"))


@click.command()
@click.pass_obj
@told
def scheduler(settings: Settings) -> None:
    """Do what must be done once: rescue, release, expire. Run two or more; one leads, the others take over when it ends."""
    serving.serve(settings, schedule=True, ready=lambda _: _ready(settings, "scheduler"))


def _ready(settings: Settings, role: str) -> None:
    """One line that a supervisor can wait for."""
    where = f" on http://{in_url(settings.host)}:{settings.port}" if role not in ("worker", "scheduler") else ""
    sys.stdout.write(f"{role} is ready{where}\n")
    sys.stdout.flush()


@click.command()
@as_json
@click.pass_obj
@told
def migrate(settings: Settings, as_json: bool) -> None:
    """Bring the store's schema up to this hub's. All or nothing; safe to run from several machines at once."""
    with main.open_serving(settings, writer=False) as store:
        revision = store.schema_revision()
    say({"schema": revision}) if as_json else console.print(f"Schema {revision}.")
