"""Commands that show systems: a list, one system with its settings, and a connection check."""

from __future__ import annotations

from typing import Any

import click

from hub.cli.common.output import FAULTS, as_json, console, report_errors, say, table, user
from hub.flow.overview import systems as flow
from hub.main import open_serving
from hub.main.desk import at_desk
from hub.settings import Settings


@click.group()
def system() -> None:
    """Show systems: health, settings without secrets, and connection checks."""


@system.command("list")
@as_json
@click.pass_obj
@report_errors
def list_(settings: Settings, as_json: bool) -> None:
    """List all systems: health, number of messages sent and accepted, calls in flight, and backlog."""
    with open_serving(settings, writer=False) as store, at_desk(settings, store) as hub:
        found: Any = flow.systems(hub)
    if as_json:
        say(found)
        return
    rows = [
        (
            one["name"],
            one["health"],
            len(one["emits"]),
            len(one["accepts"]),
            "" if one["success"] is None else f"{one['success']:.1%}",
            "" if one["cap"] is None else f"{one['inFlight']} / {one['cap']}",
            one["backlog"],
        )
        for one in found["items"]
    ]
    table("", ["system", "health", "sends", "accepts", "success", "in flight / limit", "backlog"], rows)


@system.command()
@click.argument("name")
@as_json
@click.pass_obj
@report_errors
def show(settings: Settings, name: str, as_json: bool) -> None:
    """Show the system NAME: addresses, settings, and names of its secrets."""
    with open_serving(settings, writer=False) as store, at_desk(settings, store) as hub:
        found: Any = flow.system(hub, name)
    if as_json:
        say(found)
        return
    console.print(f"{found['name']}: {found['title']} ({found['health']})", markup=False)
    for one in found["addresses"]:
        console.print(f"{one['name']}: {one['url']}", markup=False)
    rows = [
        (
            one["variable"],
            ("a secret, set" if one["isSet"] else "a secret, not set") if one["isSecret"] else one["value"],
            one["from"],
        )
        for one in found["settings"]
    ]
    rows += [(one["name"], one["reference"], "set" if one["isSet"] else "not set") for one in found["secrets"]]
    table("", ["setting", "value", "from"], rows)


@system.command()
@click.argument("name")
@click.option(
    "--by", default=user, help="Acting user, for the audit log. Default: the current user.", show_default=False
)
@as_json
@click.pass_obj
@report_errors
def check(settings: Settings, name: str, by: str, as_json: bool) -> None:
    """Check the addresses of the system NAME: DNS name, connection, TLS. No request is sent. The check is in the audit
    log. Exits with 1 if an address fails.
    """
    with open_serving(settings, writer=False) as store, at_desk(settings, store) as hub:
        found: Any = flow.check(hub, name, by=by)
    if as_json:
        say(found)
    else:
        rows = [
            (
                one["name"],
                step["step"],
                "ok" if step["ok"] else "failed",
                step["text"] + (f", until {step['until'][:10]}" if step["until"] else ""),
                step["ms"],
            )
            for one in found["addresses"]
            for step in one["steps"]
        ]
        table("", ["address", "step", "", "found", "ms"], rows)
    if not found["ok"]:
        raise SystemExit(FAULTS)
