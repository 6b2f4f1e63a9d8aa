"""Commands for dead letters: list, analyse, replay."""

from __future__ import annotations

from typing import Any

import click

from hub.cli.common.output import FAULTS, as_json, console, fail, report_errors, say, table, when
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
    """Manage dead letters and other deliveries that wait for a person."""


@dead.command("list")
@click.option(
    "--status",
    type=click.Choice(["dead", "held", "unknown"]),
    default="dead",
    show_default=True,
    help="Filter by state.",
)
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Maximum number of deliveries."
)
@as_json
@click.pass_obj
@report_errors
def list_(settings: Settings, status: str, limit: int, as_json: bool) -> None:
    """List deliveries that wait for a person, newest first, with the reason."""
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
        console.print("Replay them: hub dead replay ID … (or --all)", style="dim", markup=False)


@dead.command()
@click.option(
    "--status",
    type=click.Choice(["dead", "held", "unknown"]),
    help="Filter by state. Default: all deliveries that wait for a person.",
)
@as_json
@click.pass_obj
@report_errors
def clusters(settings: Settings, status: str | None, as_json: bool) -> None:
    """Group the deliveries that wait for a person by cause, the largest group first."""
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
        [
            (
                one["id"],
                one["count"],
                one["status"],
                one["trend"],
                one["route"],
                one["target"],
                one["reason"],
                one["text"],
            )
            for one in lines
            if one["id"]
        ],
    )


@dead.command()
@click.argument("id_", metavar="CAUSE")
@as_json
@click.pass_obj
@report_errors
def cluster(settings: Settings, id_: str, as_json: bool) -> None:
    """Show the cause ID. Lists the number of deliveries, examples, changes at the time when it began, and the
    remedy.
    """
    with open_serving(settings, writer=False) as store:
        found: Any = causes.found(store, id_, store.clusters())
    if found is None:
        fail(f"There is no cause {id_}. List the causes: hub dead clusters", FAULTS)
    if as_json:
        say(found)
        return
    console.print(
        f"{found['count']} × {found['route']} → {found['target']}  {found['reason']} {found['field']}\n{found['text']}\n{found['mend']['text']}",
        markup=False,
    )
    for sign in found["changed"]:
        console.print(
            "  " + "  ".join(f"{name} {value}" for name, value in sign.items() if value is not None),
            style="dim",
            markup=False,
        )
    rows = [
        (one["deliveryId"], one["status"], " ".join(one["keys"].values()), when(one["changedAt"]), one["attempts"])
        for one in found["examples"]
    ]
    table("", ["delivery", "state", "numbers", "since", "attempts"], rows)


@dead.command()
@click.argument("id_", metavar="ID")
@as_json
@click.pass_obj
@report_errors
def show(settings: Settings, id_: str, as_json: bool) -> None:
    """Show the delivery ID with its attempts."""
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
        [
            (
                one.number,
                when(one.started_at, "%Y-%m-%d %H:%M:%S.%f"),
                one.outcome,
                one.http_status,
                one.ms,
                one.why.text if one.why else "",
            )
            for one in attempts
        ],
    )


@dead.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--all", "all_", is_flag=True, help="Replay all dead letters, up to 10 000.")
@click.option(
    "--force",
    is_flag=True,
    help="Replay even if a later delivery on the same business key was delivered. The target then gets the older state last.",
)
@click.option("--by", default="command line", show_default=True, help="Acting user; stored with the delivery.")
@as_json
@click.pass_obj
@report_errors
def replay(settings: Settings, ids: tuple[str, ...], all_: bool, force: bool, by: str, as_json: bool) -> None:
    """Replay dead letters: send them again with the same Idempotency-Key, in their original order. A running hub sends
    them within HUB_SWEEP seconds.
    """
    with open_serving(settings, writer=False) as store:
        wanted = [row.id for row in store.waiting(Status.DEAD, limit=10_000)] if all_ else list(ids)
        if not wanted and not all_:
            fail("Write delivery ids, or use --all. List them: hub dead list", FAULTS)
        with at_desk(settings, store) as hub:
            done = replaying.replay(hub, wanted, by=by, force=force)
    if as_json:
        answers: dict[str, Json] = dict(done)
        say(answers)
    else:
        table("", ["delivery", "result"], done.items())
    if any(answer != "reopened" for answer in done.values()):
        raise SystemExit(FAULTS)
