"""Commands for dead letters: look, understand, replay."""

from __future__ import annotations

from typing import Any

import click

from hub.cli.common.output import FAULTS, as_json, console, fail, say, table, told, when
from hub.core.message import Json
from hub.core.model.delivery import Status
from hub.flow.maintenance.recover import BLOCK
from hub.flow.overview import clusters as causes
from hub.flow.repairs import replay as replaying
from hub.flow.views import trace
from hub.main import open_serving
from hub.main.desk import at_desk
from hub.settings import Settings


@click.group()
def dead() -> None:
    """Deliveries that wait for a person: list, show, replay."""


@dead.command("list")
@click.option("--status", type=click.Choice(["dead", "held", "unknown"]), default="dead", show_default=True)
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@as_json
@click.pass_obj
@told
def list_(settings: Settings, status: str, limit: int, as_json: bool) -> None:
    """Newest first, with why."""
    with open_serving(settings, writer=False) as store:
        rows = store.waiting(Status(status), limit=limit)
    if as_json:
        say([trace.delivery_json(row, []) for row in rows])
        return
    table(
        "",
        ["delivery", "target", "key", "attempts", "since", "why"],
        [(row.id, row.ref, row.order_key, row.attempts, when(row.changed_at), row.stands) for row in rows],
    )
    if rows:
        console.print("Replay: hub dead replay ID … (or --all)", style="dim", markup=False)


@dead.command()
@click.option("--status", type=click.Choice(["dead", "held", "unknown"]), help="Only these; default: all that waits for a person.")
@as_json
@click.pass_obj
@told
def clusters(settings: Settings, status: str | None, as_json: bool) -> None:
    """What waits for a person, by its cause, the largest first."""
    with open_serving(settings, writer=False) as store:
        while store.name_clusters(BLOCK) >= BLOCK:
            pass
        lines: list[Any] = causes.listed(store.clusters(), status=Status(status) if status else None)
    if as_json:
        say(lines)
        return
    table(
        "",
        ["cause", "how many", "state", "trend", "route", "target", "class", "why"],
        [(one["id"], one["count"], one["status"], one["trend"], one["route"], one["target"], one["reason"], one["text"]) for one in lines if one["id"]],
    )


@dead.command()
@click.argument("id_", metavar="CAUSE")
@as_json
@click.pass_obj
@told
def cluster(settings: Settings, id_: str, as_json: bool) -> None:
    """One cause: how many wait, examples, what changed when it came up, and what would mend it."""
    with open_serving(settings, writer=False) as store:
        found: dict[str, Any] | None = causes.found(store, id_, store.clusters())
    if found is None:
        fail(f"There is no cause {id_}; see: hub dead clusters", FAULTS)
    if as_json:
        say(found)
        return
    console.print(
        f"{found['count']} × {found['route']} → {found['target']}  {found['reason']} {found['field']}\n{found['text']}\n{found['mend']['text']}", markup=False
    )
    for sign in found["changed"]:
        console.print("  " + "  ".join(f"{name} {value}" for name, value in sign.items() if value is not None), style="dim", markup=False)
    rows = [(one["deliveryId"], one["status"], " ".join(one["keys"].values()), when(one["changedAt"]), one["attempts"]) for one in found["examples"]]
    table("", ["delivery", "state", "numbers", "since", "attempts"], rows)


@dead.command()
@click.argument("id_", metavar="ID")
@as_json
@click.pass_obj
@told
def show(settings: Settings, id_: str, as_json: bool) -> None:
    """One delivery with its attempts."""
    with open_serving(settings, writer=False) as store:
        row = store.delivery(id_)
        attempts = store.attempts(id_)
    if row is None:
        fail(f"There is no delivery {id_}.", FAULTS)
    if as_json:
        say(trace.delivery_json(row, attempts))
        return
    console.print(f"{row.ref}  {row.status.value}  message {row.message_id}\n{row.stands}", markup=False)
    if row.why is not None:
        console.print(f"{row.why.reason.value}  {row.why.fix}", markup=False)
    table(
        "",
        ["attempt", "at", "outcome", "status", "ms", "why"],
        [(one.number, when(one.started_at, "%Y-%m-%d %H:%M:%S.%f"), one.outcome, one.http_status, one.ms, one.why.text if one.why else "") for one in attempts],
    )


@dead.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--all", "all_", is_flag=True, help="All that are dead, up to 10 000.")
@click.option("--force", is_flag=True, help="Even where a later one on the same key is delivered: the older state goes behind the newer.")
@click.option("--by", default="command line", show_default=True, help="Who does it; kept with the delivery.")
@as_json
@click.pass_obj
@told
def replay(settings: Settings, ids: tuple[str, ...], all_: bool, force: bool, by: str, as_json: bool) -> None:
    """Send again, under the same Idempotency-Key and in the same place of the order. A running hub takes it up within a sweep."""
    with open_serving(settings, writer=False) as store:
        wanted = [row.id for row in store.waiting(Status.DEAD, limit=10_000)] if all_ else list(ids)
        if not wanted and not all_:
            fail("Name deliveries, or use --all; see: hub dead list", FAULTS)
        with at_desk(settings, store) as hub:
            done = replaying.replay(hub, wanted, by=by, force=force)
    if as_json:
        answers: dict[str, Json] = dict(done)
        say(answers)
    else:
        table("", ["delivery", "result"], done.items())
    if any(answer != "reopened" for answer in done.values()):
        raise SystemExit(FAULTS)
