"""Commands that tell of routes: all of them, and one step by step. Beside those that pause and resume."""

from __future__ import annotations

from typing import Any

import click

from hub.cli.common.output import as_json, console, say, table, told
from hub.cli.operators.pauses import route
from hub.flow.overview import routes as flow
from hub.flow.views.explain import untold
from hub.main import open_serving
from hub.main.desk import at_desk
from hub.settings import Settings


@route.command("list")
@as_json
@click.pass_obj
@told
def list_(settings: Settings, as_json: bool) -> None:
    """All routes: from where, over which steps, to where, and how each stands."""
    with open_serving(settings, writer=False) as store, at_desk(settings, store) as hub:
        found: Any = flow.routes(hub)
    if as_json:
        say(found)
        return
    rows = [
        (one["name"], one["state"], one["source"], ", ".join(one["steps"]), " ".join(one["targets"]), f"{one['perSecond']:g}", one["backlog"], one["waiting"])
        for one in found["items"]
    ]
    table("", ["route", "state", "takes", "steps", "targets", "delivered/s", "backlog", "for a person"], rows)


@route.command()
@click.argument("name")
@as_json
@click.pass_obj
@told
def show(settings: Settings, name: str, as_json: bool) -> None:
    """Route NAME step by step, with how many of the last messages go on behind each; its tests, and where it is written."""
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
    table(f"Of the last {drawn['messages']} messages", ["step", "", "go on"], [(one["kind"], one["text"], one["out"]) for one in drawn["steps"]])
    rows = [
        (
            one["target"],
            one["condition"]["text"] if one["condition"] else "",
            " → ".join(step["name"] for step in one["mappings"]) if one["mappings"] is not None else "no way",
            one["out"],
            one["backlog"],
            one["waiting"],
        )
        for one in drawn["branches"]
    ]
    table("", ["target", "where", "mapping", "get it", "backlog", "for a person"], rows)
    for case in found["tests"]:
        console.print(f"{case['verdict']}: {case['about']} (routes.yaml:{case['line']})", markup=False, style="red" if case["verdict"] == "failed" else None)
