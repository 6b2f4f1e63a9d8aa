"""Commands that run processes: the whole hub, one of its parts, or a migration."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import NoReturn

import click

from hub import catalog, logs, main
from hub.cli.administrators import demo
from hub.cli.common.output import as_json, console, hub_command, report_errors, say
from hub.cli.engineers.watch import Watch
from hub.core.errors import StoreBusy
from hub.core.model.addresses import in_url
from hub.flow.configuration.plan import apply
from hub.kit.http.address_rules import judge_url
from hub.main import serving
from hub.main.machine import unmet
from hub.main.port import check as check_port
from hub.settings import Settings, read


@click.command()
@click.option(
    "--demo",
    "is_demo",
    is_flag=True,
    help="Start sandbox systems and place orders continuously. Targets may have loopback addresses.",
)
@click.option("--once", is_flag=True, help="Implies --demo: process the orders to their end, print a table, and exit.")
@click.option(
    "--orders", type=click.IntRange(1, 100_000), default=20, show_default=True, help="Number of orders with --once."
)
@click.option("--watch", is_flag=True, help="Check the workspace on each save, and activate it if it has no errors.")
@click.pass_obj
@report_errors
def up(settings: Settings, is_demo: bool, once: bool, orders: int, watch: bool) -> None:
    """Run the whole hub in one process: web, worker and scheduler. Applies the workspace first. SIGTERM stops it within
    HUB_GRACE.
    """
    if is_demo or once:
        _leave(demo.run(settings, once=once, orders=orders))
    known = catalog.read(settings.workspace)
    # Refused before anything is made active: where another hub runs on this store or port, it must not get this
    # workspace.
    check_port(settings.host, settings.port)
    check_port(settings.host, settings.metrics_port, "HUB_METRICS_PORT")
    with main.open_serving(settings, writer=True) as store:
        made = apply(store, known, by="hub up", unmet=lambda catalog: unmet(catalog, settings))
        has_accounts = bool(store.users())
    console.print(f"Configuration {made.revision[:12]}: {len(made.systems)} systems, {len(made.routes)} routes.")
    _tell(settings, made, has_accounts=has_accounts)
    serving.serve(
        settings,
        web=True,
        work=True,
        schedule=True,
        ready=lambda running: _watched(settings, running, known if watch else None),
    )
    _leave()


def _tell(settings: Settings, made: catalog.Catalog, *, has_accounts: bool) -> None:
    """Where the console is, and which targets would be refused: whoever starts a hub for the first time need not look
    it up.
    """
    hub = hub_command(settings)
    sign_in = "" if has_accounts else f"   (no user exists yet; add one: {hub} user add NAME --role operator)"
    console.print(
        f"Console: http://{in_url(settings.host)}:{settings.port}/console{sign_in}", markup=False, soft_wrap=True
    )
    for system in made.systems.values():
        setting = system.settings.get("url")
        url = (
            (settings.system(system.name, "url") or setting.default)
            if setting is not None and not setting.secret and system.accepts
            else ""
        )
        wrong = judge_url(url, settings.allow_cidrs) if url.startswith("http") else None
        if wrong and "HUB_ALLOW_CIDRS" in wrong:
            console.print(
                f"{system.name}: calls to {url} will be blocked: {wrong}.", style="yellow", markup=False, soft_wrap=True
            )


def _watched(settings: Settings, running: main.RunningHub, known: catalog.WorkspaceFiles | None) -> None:
    if known is not None:
        Watch(
            running.hub.store,
            settings.workspace,
            lambda _: _follow(running),
            known=known,
            unmet=running.hub.catalogs.unmet,
        )
    _ready(settings, "hub")


def _follow(running: main.RunningHub) -> None:
    with contextlib.suppress(StoreBusy):  # the tick follows in a moment; the watch goes on
        running.hub.catalogs.refresh()


@click.command()
@click.pass_obj
@report_errors
def web(settings: Settings) -> None:
    """Run a web process: it accepts messages and serves the console. Several can run on PostgreSQL or MariaDB. It
    follows the active configuration (`hub apply`).
    """
    serving.serve(settings, web=True, ready=lambda _: _ready(settings, "web"))
    _leave()


@click.command()
@click.option(
    "--lanes", help="Systems that this worker delivers to, separated by commas (HUB_LANES). Default: all systems."
)
@click.pass_obj
@report_errors
def worker(settings: Settings, lanes: str | None) -> None:
    """Run a worker process: it delivers messages. Several can run on PostgreSQL or MariaDB. It follows the active
    configuration (`hub apply`).
    """
    if lanes is not None:
        settings = read({**settings.environment, "HUB_LANES": lanes})
    serving.serve(settings, work=True, ready=lambda _: _ready(settings, "worker"))
    _leave()


@click.command()
@click.pass_obj
@report_errors
def scheduler(settings: Settings) -> None:
    """Run a scheduler process. It recovers expired leases, releases scheduled deliveries and expires old ones. Run two
    or more: one is the leader, the others stand by.
    """
    serving.serve(settings, schedule=True, ready=lambda _: _ready(settings, "scheduler"))
    _leave()


def _leave(code: int = 0) -> NoReturn:
    """Ends a process that has stopped in order. A thread that a target still holds would be torn down by this one, and
    what it computes expressions with complains when another thread drops it; nothing is left to tidy up: store and log
    are closed.
    """
    logs.drain()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _ready(settings: Settings, role: str) -> None:
    """One line that a supervisor can wait for."""
    where = f" on http://{in_url(settings.host)}:{settings.port}" if role not in ("worker", "scheduler") else ""
    sys.stdout.write(f"{role} is ready{where}\n")
    sys.stdout.flush()


@click.command()
@as_json
@click.pass_obj
@report_errors
def migrate(settings: Settings, as_json: bool) -> None:
    """Migrate the database schema to this version of the hub. Safe to run on several machines at once."""
    with main.open_serving(settings, writer=False) as store:
        revision = store.schema_revision()
    say({"schema": revision}) if as_json else console.print(f"Schema {revision}.")
