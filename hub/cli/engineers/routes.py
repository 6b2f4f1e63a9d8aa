"""Commands that show routes: a list, and one route step by step. The commands that pause and resume are in
operators/pauses.py.
"""

from __future__ import annotations

from typing import Any

import click

from hub.cli.common.output import as_json, console, report_errors, say, table
from hub.cli.operators.pauses import route
from hub.flow.overview import routes as flow
from hub.flow.views.explain import untold
from hub.main import open_serving
from hub.main.desk import at_desk
from hub.settings import Settings


@route.command("list")
@as_json
@click.pass_obj
@report_errors
def list_(settings: Settings, as_json: bool) -> None:
    """List all routes: source, steps, targets and state."""
    with open_serving(settings, writer=False) as store, at_desk(settings, store) as hub:
        found: Any = flow.routes(hub)
    if as_json:
        say(found)
        return
    rows = [
        (
            one["name"],
            one["state"],
            one["source"],
            ", ".join(one["steps"]),
            " ".join(one["targets"]),
            f"{one['perSecond']:g}",
            one["backlog"],
            one["waiting"],
        )
        for one in found["items"]
    ]
    table("", ["route", "state", "source", "steps", "targets", "delivered/s", "backlog", "for a person"], rows)


@route.command()
@click.argument("name")
@as_json
@click.pass_obj
@report_errors
def show(settings: Settings, name: str, as_json: bool) -> None:
    """Show the route NAME step by step. Lists the number of recent messages that pass each step, the tests, and the
    place in the file.
    """
    with open_serving(settings, writer=False) as store, at_desk(settings, store) as hub:
        found: Any = flow.route(hub, name)
    if as_json:
        say(found)
        return
    drawn, written, alert = found["graph"], found["written"], found["treatment"]["alert"]
    console.print(f"{found['name']}: {found['about']} ({found['state']})", markup=False)
    if written is not None:
        console.print(f"{written['file']}:{written['line']}", style="dim", markup=False)
    if alert and not found["treatment"]["alertIsTold"]:
        console.print(untold(found["name"], alert), style="yellow", markup=False)
    table(
        f"Of the last {drawn['messages']} messages",
        ["step", "", "pass"],
        [(one["kind"], one["text"], one["out"]) for one in drawn["steps"]],
    )
    rows = [
        (
            one["target"],
            one["condition"]["text"] if one["condition"] else "",
            " → ".join(step["name"] for step in one["mappings"]) if one["mappings"] is not None else "no mapping",
            one["out"],
            one["backlog"],
            one["waiting"],
        )
        for one in drawn["branches"]
    ]
    table("", ["target", "condition", "mapping", "messages", "backlog", "for a person"], rows)
    for case in found["tests"]:
        console.print(
            f"{case['verdict']}: {case['about']} (routes.yaml:{case['line']})",
            markup=False,
            style="red" if case["verdict"] == "failed" else None,
        )
