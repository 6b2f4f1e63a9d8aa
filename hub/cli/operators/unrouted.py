"""Commands for messages that no route took: look, preview, route again, let go."""

from __future__ import annotations

from typing import Any

import click

from hub.cli.common.output import FAULTS, as_json, console, say, table, told, when
from hub.core.message import Json
from hub.flow.maintenance.recover import BLOCK
from hub.flow.overview import unrouted_preview as looks
from hub.flow.repairs import unrouted as acts
from hub.main import open_serving
from hub.main.desk import at_desk
from hub.settings import Settings

BY = click.option("--by", default="command line", show_default=True, help="Who does it; kept with the message.")
IDS = click.argument("ids", nargs=-1, metavar="[ID]...")
CAUSE = click.option("--cause", help="All of this cause, by its id: `hub unrouted causes`.")
FORCE = click.option("--force", is_flag=True, help="Even where a later one on the same key is there: the older goes behind the newer.")


@click.group()
def unrouted() -> None:
    """Messages that no route took: causes, list, preview, route, drop."""


@unrouted.command()
@as_json
@click.pass_obj
@told
def causes(settings: Settings, as_json: bool) -> None:
    """What waits, by its cause, the largest first."""
    with open_serving(settings, writer=False) as store:
        while store.name_unrouted(BLOCK) >= BLOCK:
            pass
        lines: list[Any] = [looks.line_json(line) for line in store.unrouted_causes()]
    if as_json:
        say(lines)
        return
    rows = [(line["id"], line["number"], line["trend"], line["message"], when(line["oldestAt"]), line["text"], _wish(line["wish"])) for line in lines]
    table("", ["cause", "how many", "trend", "message", "since", "why", "under way"], rows)
    if rows:
        console.print("Mend the routes, then: hub unrouted preview --cause CAUSE", style="dim", markup=False)


def _wish(wish: Any) -> str:
    return f"{wish['act']} by {wish['by']}, {wish['left']} left" if wish is not None else ""


@unrouted.command("list")
@click.option("--cause", help="Only those of this cause.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@as_json
@click.pass_obj
@told
def list_(settings: Settings, cause: str | None, limit: int, as_json: bool) -> None:
    """Messages that wait, newest first."""
    with open_serving(settings, writer=False) as store:
        lines: list[Any] = [looks.row_json(row) for row in store.unrouted(cause=cause, limit=limit)]
    if as_json:
        say(lines)
        return
    rows = [(one["messageId"], f"{one['type']}@{one['version']}", " ".join(one["keys"].values()), when(one["receivedAt"]), one["note"] or "") for one in lines]
    table("", ["message", "type", "numbers", "received", "stayed because"], rows)
    if rows:
        console.print("Why: hub explain ID. Once the routes are mended: hub unrouted preview ID …", style="dim", markup=False)


@unrouted.command()
@IDS
@CAUSE
@FORCE
@click.option("--limit", type=click.IntRange(1, looks.MOST), default=50, show_default=True, help="So many messages are computed.")
@as_json
@click.pass_obj
@told
def preview(settings: Settings, ids: tuple[str, ...], cause: str | None, force: bool, limit: int, as_json: bool) -> None:
    """Which deliveries they would get by the active configuration. Changes nothing. Exits 1 where some would stay, or be dead at once."""
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
    console.print(f"Of {seen['number']}, {seen['looked']} looked at: {numbers or 'none waits'}. By configuration {seen['revision'][:12]}.", markup=False)
    if seen["ways"]:
        rows = [(way["route"], way["target"], way["number"], way["faults"] or "", way["fault"] or "") for way in seen["ways"]]
        table("deliveries that would be made", ["route", "target", "number", "dead at once", "first fault"], rows)
    lines = [(one["messageId"], one["becomes"], ", ".join(line["target"] for line in one["deliveries"]), one["note"] or "") for one in seen["items"]]
    table("", ["message", "becomes", "deliveries", "why not"], lines)


@unrouted.command()
@IDS
@CAUSE
@FORCE
@click.option("--why", default="", help="The reason; on record.")
@BY
@as_json
@click.pass_obj
@told
def route(settings: Settings, ids: tuple[str, ...], cause: str | None, force: bool, why: str, by: str, as_json: bool) -> None:
    """Route them again, by the active configuration. A running hub delivers them within a sweep, and does the rest of a large cause."""
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
@click.option("--why", required=True, help="The reason; on record, and with the message.")
@BY
@as_json
@click.pass_obj
@told
def drop(settings: Settings, ids: tuple[str, ...], cause: str | None, why: str, by: str, as_json: bool) -> None:
    """Let them go for good: they are filtered, for your reason."""
    with open_serving(settings, writer=False) as store, at_desk(settings, store) as hub:
        acts.check_chosen(ids, cause)
        if cause is not None:
            _show_ordered(acts.drop_cause(hub, cause, by=by, why=why[:500]), as_json)
            return
        done = acts.drop(hub, ids, by=by, why=why[:500])
    _show_done(done, as_json)


def _show_ordered(done: acts.Ordered, as_json: bool) -> None:
    if as_json:
        say(done.as_json())
    else:
        numbers = ", ".join(f"{number} {name}" for name, number in done.results.items()) or "nothing yet"
        console.print(f"Of {done.number}: {numbers}. {f'{done.left} go on in the background.' if done.left else ''}".rstrip(), markup=False)
    if done.results.get(acts.STAYS):
        raise SystemExit(FAULTS)


def _show_done(done: dict[str, str], as_json: bool) -> None:
    answers: dict[str, Json] = dict(done)
    say(answers) if as_json else table("", ["message", "result"], done.items())
    if any(answer not in acts.GONE for answer in done.values()):
        raise SystemExit(FAULTS)
