"""Commands that pause and resume a route or a target, and show its backlog."""

from __future__ import annotations

import click

from hub.cli.common.output import FAULTS, as_json, console, fail, report_errors, say, table, user, when
from hub.flow.context.revisions import Revisions
from hub.flow.overview import backlog
from hub.flow.repairs import pauses
from hub.main import open_serving
from hub.main.desk import at_desk
from hub.settings import Settings
from hub.store.messages.pauses import ROUTE, TARGET

_by = click.option(
    "--by", default=user, help="Acting user, for the audit log. Default: the current user.", show_default=False
)
_why = click.option("--why", default="", help="Reason, shown with the pause and stored in the audit log.")


@click.group()
def route() -> None:
    """Pause, resume and show routes."""


@click.group()
def target() -> None:
    """Pause, resume and show targets, by the name of their system."""


def _pause(kind: str) -> click.Command:
    @click.command(
        "pause",
        help=f"Pause the {kind} NAME: nothing more is sent. Calls in progress finish. Waiting deliveries stay in the backlog.",
    )
    @click.argument("name")
    @_why
    @_by
    @as_json
    @click.pass_obj
    @report_errors
    def command(settings: Settings, name: str, why: str, by: str, as_json: bool) -> None:
        with open_serving(settings, writer=False) as store:
            done = pauses.pause(store, Revisions(store).active(), kind, name, by=by, why=why)
            waiting = store.waiting_behind(kind, name)
        if as_json:
            say({"kind": kind, "name": name, "paused": True, "changed": done, "waiting": waiting})
        else:
            console.print(
                f"{name} {'is paused' if done else 'was paused already'}; {waiting} deliveries wait. To resume: hub {kind} resume {name}",
                markup=False,
            )

    return command


def _resume(kind: str) -> click.Command:
    @click.command(
        "resume",
        help=f"Resume sending of the {kind} NAME. The rate limits of targets still apply. Exits with 1 if it was not paused.",
    )
    @click.argument("name")
    @_by
    @as_json
    @click.pass_obj
    @report_errors
    def command(settings: Settings, name: str, by: str, as_json: bool) -> None:
        with open_serving(settings, writer=False) as store:
            waiting = store.waiting_behind(kind, name)
            done = pauses.resume(store, kind, name, by=by)
        if as_json:
            say({"kind": kind, "name": name, "paused": False, "changed": done, "waiting": waiting})
        elif done:
            console.print(
                f"{name} is resumed. {waiting} deliveries wait. A running hub sends them within HUB_SWEEP seconds.",
                markup=False,
            )
        if not done:
            fail(f"{name} was not paused.", FAULTS)

    return command


def _paused(kind: str) -> click.Command:
    @click.command(
        "paused", help=f"List each paused {kind}: since when, by whom, and the number of waiting deliveries."
    )
    @as_json
    @click.pass_obj
    @report_errors
    def command(settings: Settings, as_json: bool) -> None:
        with open_serving(settings, writer=False) as store:
            rows = [one for one in pauses.paused(store) if one["kind"] == kind]
        if as_json:
            say(list(rows))
            return
        table(
            "",
            [kind, "since", "by", "why", "waiting"],
            [(one["name"], when(str(one["since"])), one["by"], one["why"], one["waiting"]) for one in rows],
        )

    return command


def _waiting(kind: str) -> click.Command:
    @click.command("waiting", help=f"Show the backlog of the {kind} NAME: the number of deliveries, and the next ones.")
    @click.argument("name")
    @click.option(
        "--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="Maximum number of deliveries."
    )
    @as_json
    @click.pass_obj
    @report_errors
    def command(settings: Settings, name: str, limit: int, as_json: bool) -> None:
        with open_serving(settings, writer=False) as store, at_desk(settings, store) as desk:
            found = backlog.behind(desk, kind, name, limit=limit)
        if as_json:
            say(backlog.behind_json(found))
            return
        if found.stopped is not None:
            pause = found.stopped.pause
            console.print(
                f"Paused since {when(pause.at)} by {pause.by}{f': {pause.why}' if pause.why else '.'}",
                style="yellow",
                markup=False,
            )
        console.print(f"{found.number}{'' if found.is_exact else '+'} deliveries wait.", markup=False)
        rows = [(row.id, row.route, row.ref, row.order_key, when(row.due_at), row.attempts) for row in found.rows]
        if rows:
            table("", ["delivery", "route", "target", "key", "due", "tries"], rows)

    return command


for _group, _kind in ((route, ROUTE), (target, TARGET)):
    for _made in (_pause(_kind), _resume(_kind), _paused(_kind), _waiting(_kind)):
        _group.add_command(_made)
