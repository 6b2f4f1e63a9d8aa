"""Commands for messages that no route accepted: list, preview, route again, drop."""

from __future__ import annotations

from typing import Any

import click

from hub.cli.common.output import FAULTS, as_json, console, report_errors, say, table, when
from hub.core.message import Json
from hub.flow.maintenance.recover import BLOCK
from hub.flow.overview import unrouted_preview as looks
from hub.flow.repairs import unrouted as acts
from hub.main import open_serving
from hub.main.desk import at_desk
from hub.settings import Settings

BY = click.option("--by", default="command line", show_default=True, help="Acting user; stored with the message.")
IDS = click.argument("ids", nargs=-1, metavar="[ID]...")
CAUSE = click.option("--cause", help="All messages of this cause id (hub unrouted causes).")
FORCE = click.option(
    "--force",
    is_flag=True,
    help="Route even if a later delivery on the same business key exists. The target then gets the older message last.",
)


@click.group()
def unrouted() -> None:
    """Manage unrouted messages, which no route accepted: causes, list, preview, route, drop."""


@unrouted.command()
@as_json
@click.pass_obj
@report_errors
def causes(settings: Settings, as_json: bool) -> None:
    """Group the unrouted messages by cause, the largest group first."""
    with open_serving(settings, writer=False) as store:
        while store.name_unrouted(BLOCK) >= BLOCK:
            pass
        lines: list[Any] = [looks.line_json(line) for line in store.unrouted_causes()]
    if as_json:
        say(lines)
        return
    rows = [
        (
            line["id"],
            line["number"],
            line["trend"],
            line["message"],
            when(line["oldestAt"]),
            line["text"],
            _wish(line["wish"]),
        )
        for line in lines
    ]
    table("", ["cause", "messages", "trend", "type", "since", "why", "in progress"], rows)
    if rows:
        console.print("Correct the routes, then: hub unrouted preview --cause CAUSE", style="dim", markup=False)


def _wish(wish: Any) -> str:
    return f"{wish['act']} by {wish['by']}, {wish['left']} left" if wish is not None else ""


@unrouted.command("list")
@click.option("--cause", help="Filter by cause id (hub unrouted causes).")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Maximum number of messages."
)
@as_json
@click.pass_obj
@report_errors
def list_(settings: Settings, cause: str | None, limit: int, as_json: bool) -> None:
    """List the unrouted messages, newest first."""
    with open_serving(settings, writer=False) as store:
        lines: list[Any] = [looks.row_json(row) for row in store.unrouted(cause=cause, limit=limit)]
    if as_json:
        say(lines)
        return
    rows = [
        (
            one["messageId"],
            f"{one['type']}@{one['version']}",
            " ".join(one["keys"].values()),
            when(one["receivedAt"]),
            one["note"] or "",
        )
        for one in lines
    ]
    table("", ["message", "type", "numbers", "received", "reason for staying"], rows)
    if rows:
        console.print(
            "Reason: hub explain ID. After you correct the routes: hub unrouted preview ID …", style="dim", markup=False
        )


@unrouted.command()
@IDS
@CAUSE
@FORCE
@click.option(
    "--limit",
    type=click.IntRange(1, looks.MOST),
    default=50,
    show_default=True,
    help="Maximum number of messages to compute.",
)
@as_json
@click.pass_obj
@report_errors
def preview(
    settings: Settings, ids: tuple[str, ...], cause: str | None, force: bool, limit: int, as_json: bool
) -> None:
    """Preview the deliveries that the active configuration would make. Nothing changes. Exits with 1 if some messages
    would stay unrouted, or would become dead letters immediately.
    """
    with open_serving(settings, writer=False) as store, at_desk(settings, store) as hub:
        acts.check_chosen(ids, cause)
        seen: Any = looks.preview(hub, ids=ids, cause=cause, force=force, limit=max(limit, min(len(ids), looks.MOST)))
    if as_json:
        say(seen)
    else:
        _show_preview(seen)
    if seen["counts"]["stays"] or any(way["faults"] for way in seen["ways"]) or not seen["items"]:
        raise SystemExit(FAULTS)


def _show_preview(seen: dict[str, Any]) -> None:
    numbers = ", ".join(f"{number} {name}" for name, number in seen["counts"].items() if number)
    console.print(
        f"Of {seen['number']}, {seen['looked']} looked at: {numbers or 'no message waits'}. Configuration: {seen['revision'][:12]}.",
        markup=False,
    )
    if seen["ways"]:
        rows = [
            (way["route"], way["target"], way["number"], way["faults"] or "", way["fault"] or "")
            for way in seen["ways"]
        ]
        table("deliveries that would be made", ["route", "target", "number", "dead at once", "first fault"], rows)
    lines = [
        (one["messageId"], one["becomes"], ", ".join(line["target"] for line in one["deliveries"]), one["note"] or "")
        for one in seen["items"]
    ]
    table("", ["message", "becomes", "deliveries", "why not"], lines)


@unrouted.command()
@IDS
@CAUSE
@FORCE
@click.option("--why", default="", help="Reason, for the audit log.")
@BY
@as_json
@click.pass_obj
@report_errors
def route(
    settings: Settings, ids: tuple[str, ...], cause: str | None, force: bool, why: str, by: str, as_json: bool
) -> None:
    """Route messages again with the active configuration. A running hub delivers them within HUB_SWEEP seconds. If a
    cause has many messages, it routes the rest afterwards.
    """
    with open_serving(settings, writer=False) as store, at_desk(settings, store) as hub:
        acts.check_chosen(ids, cause)
        if cause is not None:
            _show_ordered(acts.route_cause(hub, cause, by=by, why=why[:500], force=force), as_json)
            return
        done = acts.route(hub, ids, by=by, why=why[:500], force=force)
    _show_done(done, as_json)


@unrouted.command()
@IDS
@CAUSE
@click.option("--why", required=True, help="Reason, stored in the audit log and with the message.")
@BY
@as_json
@click.pass_obj
@report_errors
def drop(settings: Settings, ids: tuple[str, ...], cause: str | None, why: str, by: str, as_json: bool) -> None:
    """Drop unrouted messages. They become `filtered`, and your reason is stored."""
    with open_serving(settings, writer=False) as store, at_desk(settings, store) as hub:
        acts.check_chosen(ids, cause)
        if cause is not None:
            _show_ordered(acts.drop_cause(hub, cause, by=by, why=why[:500]), as_json)
            return
        done = acts.drop(hub, ids, by=by, why=why[:500])
    _show_done(done, as_json)


def _show_ordered(done: acts.UnroutedResult, as_json: bool) -> None:
    if as_json:
        say(done.as_json())
    else:
        numbers = ", ".join(f"{number} {name}" for name, number in done.results.items()) or "nothing yet"
        console.print(
            f"Of {done.number}: {numbers}. {f'{done.left} continue in the background.' if done.left else ''}".rstrip(),
            markup=False,
        )
    if done.results.get(acts.STAYS):
        raise SystemExit(FAULTS)


def _show_done(done: dict[str, str], as_json: bool) -> None:
    answers: dict[str, Json] = dict(done)
    say(answers) if as_json else table("", ["message", "result"], done.items())
    if any(answer not in acts.GONE for answer in done.values()):
        raise SystemExit(FAULTS)
