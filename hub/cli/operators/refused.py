"""Commands for refused arrivals from any door: list, show, retry, drop."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from hub.cli.common.output import FAULTS, as_json, console, fail, report_errors, say, table, user, when
from hub.core.config.identified_request import QUESTION, UNPROVEN
from hub.core.message import Json
from hub.flow.repairs import refused as acts
from hub.main import open_serving
from hub.main.desk import at_desk
from hub.settings import Settings
from hub.store import ArrivalFilter
from hub.store.repairs.arrivals import STATES, WAITING

BY = click.option(
    "--by", default="command line", show_default=True, help="Acting user; stored with the refused arrival."
)
MOST = 10_000
ANY = "any"


@click.group()
def refused() -> None:
    """Manage refused arrivals: messages that the hub could not accept, from posts, hooks or queues."""


@refused.command("list")
@click.option(
    "--state", type=click.Choice([*STATES, ANY]), help="Filter by state. Default: waiting; with --trace: any."
)
@click.option(
    "--source", default="", help="Filter by source, such as hook:tms/push, queue:wms/stock or post:shop/order.placed."
)
@click.option("--caller", default="", help="Filter by caller.")
@click.option("--code", type=click.IntRange(40_000, 59_999), help="Filter by error code, five digits (docs/errors.md).")
@click.option("--trace", default="", help="Filter by the traceId of the answer to the sender.")
@click.option("--text", default="", help="Filter by a part of the source or of the reason.")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"]),
    help="Refused at this time or later, in UTC.",
)
@click.option(
    "--limit", type=click.IntRange(1, MOST), default=50, show_default=True, help="Maximum number of refused arrivals."
)
@as_json
@click.pass_obj
@report_errors
def list_(settings: Settings, /, state: str | None, limit: int, as_json: bool, **given: Any) -> None:
    """List refused arrivals, newest first, with the reason."""
    state = state or (ANY if given["trace"] else WAITING)
    since: datetime | None = given["since"]
    if since is not None and since.tzinfo is None:
        since = since.replace(tzinfo=UTC)
    wanted = ArrivalFilter(
        None if state == ANY else state,
        given["source"],
        given["caller"],
        given["code"],
        given["trace"].lower(),
        given["text"],
        since,
    )
    with open_serving(settings, writer=False) as store:
        rows = store.refused(limit=limit, wanted=wanted)
    if as_json:
        say([acts.as_json(row) for row in rows])
        return
    table(
        "",
        ["refused", "source", "message id", "times", "since", "bytes", "why"],
        [
            (
                row.id,
                row.source.removeprefix("queue:"),
                row.message_id,
                row.times,
                when(row.received_at),
                row.size,
                row.text,
            )
            for row in rows
        ],
    )
    if rows and state == WAITING:
        console.print("Correct the cause, then retry: hub refused retry ID … (or --all)", style="dim", markup=False)


@refused.command()
@click.argument("id_", metavar="ID")
@click.option("--why", default="", help="Show the body of a post or a hook. The reason is stored in the audit log.")
@click.option(
    "--by", default=user, help="Acting user, for the audit log. Default: the current user.", show_default=False
)
@as_json
@click.pass_obj
@report_errors
def show(settings: Settings, id_: str, why: str, by: str, as_json: bool) -> None:
    """Show the refused arrival ID with each fault. Shows headers and body for queues. For other sources, give --why to
    see them.
    """
    with open_serving(settings, writer=False) as store:
        row = next(iter(store.refused_ones(id_)), None)
        if row is None:
            fail(f"There is no refused arrival {id_}.", FAULTS)
        shown = acts.revealed(store, row, by=by, why=why[:500]) if why else acts.as_json(row)
    if as_json:
        say(shown)
        return
    console.print(f"{row.source}  {row.state}  {row.times} times, last {when(row.last_at)}", markup=False)
    console.print(f"{row.code}: {row.text}\n{shown.get('flaw', '')}".rstrip(), markup=False)
    if row.trace_ids:
        console.print(f"caller {row.caller}  traces {' '.join(row.trace_ids)}", markup=False)
    if row.note:
        console.print(f"dropped: {row.note}", markup=False)
    table(
        "",
        ["place", "got", "wanted", "fix"],
        [(one["pointer"] or "/", one["got"], one["want"], one["fix"]) for one in row.faults],
    )
    if "body" not in shown:
        console.print(
            f"The body of {row.size} bytes may contain personal data. To see it: hub refused show {row.id} --why …",
            style="dim",
            markup=False,
        )
        return
    table(
        "",
        ["header", "value"],
        [("topic", row.topic), *((row.arrival.headers if row.arrival is not None else {}).items())],
    )
    table("", [f"body, {row.size} bytes"], [(shown["body"],)])


@refused.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--all", "all_", is_flag=True, help="Retry all that wait, up to 10 000, oldest first.")
@BY
@as_json
@click.pass_obj
@report_errors
def retry(settings: Settings, ids: tuple[str, ...], all_: bool, by: str, as_json: bool) -> None:
    """Retry refused arrivals with the active configuration. A running hub delivers what is accepted within HUB_SWEEP
    seconds.
    """
    with open_serving(settings, writer=False) as store:
        wanted = (
            [row.id for row in store.refused(limit=MOST) if row.door not in (QUESTION, UNPROVEN)] if all_ else list(ids)
        )
        if not wanted and not all_:
            fail("Write ids of refused arrivals, or use --all. List them: hub refused list", FAULTS)
        with at_desk(settings, store) as hub:
            done = acts.retry(hub, wanted, by=by)
    _tell(done, acts.TAKEN, as_json)


@refused.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option("--why", default="", help="Reason, for the audit log.")
@BY
@as_json
@click.pass_obj
@report_errors
def drop(settings: Settings, ids: tuple[str, ...], why: str, by: str, as_json: bool) -> None:
    """Drop refused arrivals: they will not be retried. The rows stay, with the acting user. The reason is in the audit
    log.
    """
    with open_serving(settings, writer=False) as store:
        done = acts.drop(store, list(ids), by=by, why=why[:500])
    _tell(done, acts.GONE, as_json)


def _tell(done: dict[str, str], good: str, as_json: bool) -> None:
    answers: dict[str, Json] = dict(done)
    say(answers) if as_json else table("", ["refused", "result"], done.items())
    if any(answer != good for answer in done.values()):
        raise SystemExit(FAULTS)
