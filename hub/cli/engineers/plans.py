"""Commands that plan and change the configuration: plan, apply, rollback, revisions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click
from rich.progress import Progress

from hub.cli.common.durations import Span
from hub.cli.common.output import FAULTS, as_json, console, errors, report_errors, say, show_findings, table, user, when
from hub.core.message import Json
from hub.flow.configuration import changes
from hub.flow.configuration.plan import Plan, plan_back
from hub.flow.configuration.plan import apply as apply_
from hub.flow.configuration.plan import plan as make_plan
from hub.flow.context import revisions
from hub.flow.context.revisions import nothing_unmet
from hub.flow.dry_run.whatif import Kind
from hub.main import open_serving
from hub.main.desk import at_desk
from hub.main.machine import unmet
from hub.settings import Settings

DEFAULT_MESSAGES = 1_000
_why = click.option("--why", default="", help="Reason, for the audit log.")
_WORDS = {
    "refused": "accepted before, refused now",
    "accepted": "refused before, accepted now",
    "target_gained": "goes to one more target",
    "target_lost": "goes to one target less",
    "fault_gained": "mapping succeeded before, fails now",
    "fault_mended": "mapping failed before, succeeds now",
    "field": "another value",
}


@click.command()
@click.option("--last", type=Span(), help="Try the change on the messages of this period, such as 24h.")
@click.option(
    "--messages",
    type=click.IntRange(0, 1_000_000),
    help=f"Try the change on this number of recent messages. Default: {DEFAULT_MESSAGES}.",
)
@click.option("--to", metavar="HASH", help="Plan a rollback to this configuration, instead of the workspace.")
@as_json
@click.pass_obj
@report_errors
def plan(settings: Settings, last: timedelta | None, messages: int | None, to: str | None, as_json: bool) -> None:
    """Show what the workspace would change. Covers the configuration, waiting deliveries, and recent messages
    (what-if). Nothing changes. Exits with 1 on errors.
    """
    with open_serving(settings, writer=False) as store:
        since = store.now() - last if last is not None else None
        most = messages if messages is not None else (None if last is not None else DEFAULT_MESSAGES)
        with Progress(console=errors, transient=True, disable=as_json) as progress:
            task = progress.add_task("what-if", total=most)
            if to is not None:
                made = plan_back(
                    store, changes.find(store, to), since=since, most=most, step=lambda: progress.advance(task)
                )
            else:
                made = make_plan(store, settings.workspace, since=since, most=most, step=lambda: progress.advance(task))
    if as_json:
        say(made.as_json())
    else:
        _show(made, back=to is not None)
    if made.errors:
        raise SystemExit(FAULTS)


def _show(made: Plan, *, back: bool) -> None:
    if made.onto is None:
        console.print("No configuration is active yet. `hub apply` makes this the first configuration.")
    elif not made.changes:
        console.print(f"Nothing changes: the active configuration {made.onto[:12]} is equivalent.")
    for change in made.changes:
        console.print(
            change.text, markup=False, style={"+": "green", "-": "red"}.get(change.text[0], "yellow"), soft_wrap=True
        )
    show_findings([dict(finding.as_json()) for finding in made.findings])
    if made.waiting:
        rows = [
            (
                one.route,
                one.target,
                one.status,
                one.number,
                "will be held: no route any more" if one.is_orphaned else "",
            )
            for one in made.waiting
        ]
        table("Affected waiting deliveries", ["route", "target", "state", "deliveries", ""], rows)
    for one in made.defaults:
        console.print(one.text, markup=False, soft_wrap=True)
    report = made.report
    if report.messages:
        console.print(f"What if: {report.messages} messages, {report.unchanged} unchanged.")
        groups = sorted(report.groups.items())
        table(
            "",
            ["what", "where", "messages", "such as"],
            [(_WORDS[kind.what], _where(kind), group.number, _example(group.examples)) for kind, group in groups],
        )
    if made.onto is not None and made.changes and not made.errors:
        how = f"hub rollback {made.revision[:12]}" if back else f"hub apply --onto {made.onto[:12]}"
        console.print(f"To apply it: {how}", style="dim")


def _where(kind: Kind) -> str:
    return " ".join(part for part in (kind.route, kind.target, kind.pointer) if part)


def _example(examples: list[tuple[str, Json, Json]]) -> str:
    id_, before, after = examples[0]
    return f"{id_}: {before!r} → {after!r}"[:160]


@click.command()
@click.option(
    "--despite",
    multiple=True,
    metavar="CODE:FILE:LINE",
    help="Apply despite this error. It is stored in the audit log with the acting user. Repeatable.",
)
@click.option(
    "--onto",
    metavar="HASH",
    help="Apply only if this configuration is still active: the one that the change was planned for.",
)
@click.option(
    "--elsewhere", is_flag=True, help="Do not check secrets on this machine: only the processes of the hub have them."
)
@click.option(
    "--by", default=user, help="Acting user, for the audit log. Default: the current user.", show_default=False
)
@_why
@as_json
@click.pass_obj
@report_errors
def apply(
    settings: Settings, despite: tuple[str, ...], onto: str | None, elsewhere: bool, by: str, why: str, as_json: bool
) -> None:
    """Check the whole workspace and make it the active configuration. Running processes use it within a second."""
    with open_serving(settings, writer=False) as store:
        active = store.active()
        whole = active if onto and active and active.startswith(onto) else onto
        wanted = nothing_unmet if elsewhere else lambda catalog: unmet(catalog, settings)
        made = apply_(store, settings.workspace, by=by, why=why, despite=despite, onto=whole, unmet=wanted)
    if as_json:
        say({"revision": made.revision, "despite": list(despite)})
    else:
        console.print(f"Active: {made.revision[:12]} ({len(made.systems)} systems, {len(made.routes)} routes).")


@click.command()
@click.argument("hash_", metavar="[HASH]", required=False)
@click.option(
    "--by", default=user, help="Acting user, for the audit log. Default: the current user.", show_default=False
)
@_why
@as_json
@click.pass_obj
@report_errors
def rollback(settings: Settings, hash_: str | None, by: str, why: str, as_json: bool) -> None:
    """Make an older configuration active again: HASH, or the previous one. Messages that were accepted keep their own
    configuration.
    """
    with open_serving(settings, writer=False) as store:
        made = revisions.roll_back(store, hash_, by=by, why=why)
    say({"revision": made.revision}) if as_json else console.print(f"Active: {made.revision[:12]}.")


@click.command("revisions")
@click.argument("hash_", metavar="[HASH]", required=False)
@click.option(
    "--limit", type=click.IntRange(1, 1_000), default=20, show_default=True, help="Maximum number of configurations."
)
@as_json
@click.pass_obj
@report_errors
def revisions_(settings: Settings, hash_: str | None, limit: int, as_json: bool) -> None:
    """List the active configurations, newest first, with the acting user. With HASH, show what it changed."""
    with open_serving(settings, writer=False) as store:
        if hash_ is not None:
            with at_desk(settings, store) as hub:
                _show_one(changes.one(hub, hash_), as_json=as_json)
            return
        rows = store.activations(limit)
    if as_json:
        say(
            [
                {
                    "revision": row.hash,
                    "at": row.at.isoformat(),
                    "by": row.by,
                    "before": row.before,
                    "despite": list(row.despite),
                }
                for row in rows
            ]
        )
        return
    cells = [(row.hash[:12], when(row.at), row.by, (row.before or "")[:12], ", ".join(row.despite)) for row in rows]
    table("", ["configuration", "active since (UTC)", "by", "replaced", "despite"], cells)


def _show_one(told_: Any, *, as_json: bool) -> None:
    if as_json:
        say(told_)
        return
    console.print(
        f"{told_['revision'][:12]}{' (active)' if told_['isActive'] else ''}, replaced {(told_['before'] or 'none')[:12]}",
        markup=False,
    )
    for change in told_["changes"] or ():
        console.print(
            change["text"],
            markup=False,
            style={"+": "green", "-": "red"}.get(change["text"][0], "yellow"),
            soft_wrap=True,
        )
    for file in told_["files"]:
        console.print(
            f"{file['what']}: {file['file']} (+{file['added']} -{file['removed']})", markup=False, soft_wrap=True
        )
