"""Commands for repairs: many deliveries that wait for a person are corrected together, with a canary first."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
from rich.progress import Progress

from hub.cli.common.durations import Span
from hub.cli.common.output import FAULTS, as_json, console, errors, fail, report_errors, say, table, when
from hub.core.errors import Reason, Refused
from hub.core.message import Json
from hub.core.model.delivery import Status
from hub.core.model.repair import LIVE, MOST, OPEN, Act, Order, Result, Selection, State, With
from hub.flow.configuration.plan import keep
from hub.flow.context.revisions import Revisions
from hub.flow.dry_run import preview as previewing
from hub.flow.dry_run.preview import Preview
from hub.flow.repairs import edit as editing
from hub.flow.repairs import repair as acts
from hub.main import new_id, open_serving
from hub.main.desk import at_desk
from hub.settings import Settings
from hub.store import RepairRow

BY = click.option("--by", default="command line", show_default=True, help="Acting user; stored with the action.")
LOOK_S = 0.5  # between two looks of `watch`


@click.group()
def repair() -> None:
    """Repair many deliveries that wait for a person: choose, preview, start, continue, stop, watch. Or edit one."""


@repair.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option(
    "--status",
    type=click.Choice(["dead", "held", "unknown"]),
    default="dead",
    show_default=True,
    help="Filter by state of the deliveries.",
)
@click.option("--cluster", help="Filter by cause id (hub dead clusters).")
@click.option("--route", help="Filter by route.")
@click.option("--lane", help="Filter by target system.")
@click.option("--target", metavar="MESSAGE", help="Filter by target message, such as wms/outbound.create@1.")
@click.option("--reason", type=click.Choice([reason.value for reason in Reason]), help="Filter by reason.")
@click.option("--field", help="Filter by the target field that caused the fault, as a JSON pointer.")
@click.option("--text", help="Filter by words in the text of the cause.")
@click.option("--last", type=Span(), help="Only deliveries that began to wait within this time, such as 24h.")
@click.option(
    "--most",
    type=click.IntRange(1, MOST),
    default=MOST,
    show_default=True,
    help="Maximum number of deliveries. The oldest are chosen first.",
)
@click.option(
    "--with",
    "with_",
    type=click.Choice([one.value for one in With]),
    default="pinned",
    show_default=True,
    help="Configuration: pinned (the one that accepted the message), current (the active one), or candidate (stored, not active).",
)
@click.option(
    "--revision",
    help="Hash of the candidate configuration. Default: the workspace is checked and stored as the candidate.",
)
@click.option(
    "--canary",
    type=click.IntRange(0, MOST),
    default=0,
    show_default=True,
    help="Number of deliveries to send first. The rest waits for `hub repair continue`.",
)
@click.option(
    "--go-on-at",
    type=click.IntRange(1, 100),
    help="The rest starts automatically when this percentage of the canary is delivered.",
)
@click.option("--rate", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Deliveries per second.")
@click.option(
    "--force",
    is_flag=True,
    help="Replay even if a later delivery on the same business key was delivered. The target then gets the older state last.",
)
@click.option("--discard", is_flag=True, help="Discard the deliveries instead of sending them.")
@click.option("--why", required=True, help="Reason, stored with the repair.")
@click.option("--start", "is_started", is_flag=True, help="Start it at once, without a preview.")
@click.option("--key", help="Idempotency key of this call: a repeat makes no second repair.")
@BY
@as_json
@click.pass_obj
@report_errors
def new(
    settings: Settings, /, ids: tuple[str, ...], is_started: bool, key: str | None, as_json: bool, **given: Any
) -> None:
    """Make a repair: choose deliveries by id or by filter. Nothing is sent before the repair is started."""
    with open_serving(settings, writer=False) as store:
        if given["with_"] == With.CANDIDATE.value and given["revision"] is None:
            given["revision"] = keep(store, settings.workspace).revision
        last: timedelta | None = given["last"]
        selection = Selection(
            ids=ids,
            status=Status(given["status"]),
            **{name: given[name] for name in ("cluster", "route", "lane", "target", "field", "text", "most")},
            reason=Reason(given["reason"]) if given["reason"] is not None else None,
            since=store.now() - last if last is not None else None,
        )
        order = Order(
            selection,
            given["by"],
            given["why"],
            Act.DISCARD if given["discard"] else Act.REPLAY,
            With(given["with_"]),
            given["revision"],
            given["force"],
            given["canary"],
            given["go_on_at"],
            given["rate"],
        )
        row, _ = acts.create(store, order, id_=new_id(), request_key=key)
        if is_started:
            row = acts.start(store, row.id, by=given["by"])
    _show(row, as_json=as_json)


@repair.command("list")
@click.option("--state", type=click.Choice([state.value for state in State]), help="Filter by state of the repair.")
@click.option(
    "--limit", type=click.IntRange(1, 1_000), default=50, show_default=True, help="Maximum number of repairs."
)
@as_json
@click.pass_obj
@report_errors
def list_(settings: Settings, state: str | None, limit: int, as_json: bool) -> None:
    """List repairs, newest first, with their progress."""
    with open_serving(settings, writer=False) as store:
        rows = store.repairs(state=State(state) if state is not None else None, limit=limit)
    if as_json:
        say([acts.as_json(row) for row in rows])
        return
    lines = [
        (row.id, row.act, row.state, row.number, _numbers(row), row.created_by, when(row.created_at), row.why)
        for row in rows
    ]
    table("", ["repair", "act", "state", "of", "results", "by", "since", "why"], lines)


@repair.command()
@click.argument("id_", metavar="ID")
@click.option("--result", type=click.Choice([result.value for result in Result]), help="Filter by result.")
@click.option(
    "--rows", type=click.IntRange(0, 1_000), default=50, show_default=True, help="Maximum number of deliveries."
)
@click.option("--after", type=click.IntRange(0, MOST), default=0, help="Show deliveries after this position.")
@as_json
@click.pass_obj
@report_errors
def show(settings: Settings, id_: str, result: str | None, rows: int, after: int, as_json: bool) -> None:
    """Show the repair ID, with the result of each delivery."""
    with open_serving(settings, writer=False) as store:
        row = acts.find(store, id_)
        lines = (
            store.repaired(id_, result=Result(result) if result is not None else None, limit=rows, after=after)
            if rows
            else []
        )
    if as_json:
        say({**acts.as_json(row), "rows": [acts.row_json(line) for line in lines]})
        return
    _show(row, as_json=False)
    table(
        "",
        ["place", "delivery", "target", "key", "result", "why"],
        [
            (
                one.place,
                one.delivery_id,
                one.ref,
                one.order_key,
                one.result,
                one.note or (one.why.text if one.why else ""),
            )
            for one in lines
        ],
    )


@repair.command()
@click.argument("id_", metavar="ID")
@click.option(
    "--limit",
    type=click.IntRange(1, MOST),
    default=50,
    show_default=True,
    help="Maximum number of deliveries to compute.",
)
@as_json
@click.pass_obj
@report_errors
def preview(settings: Settings, id_: str, limit: int, as_json: bool) -> None:
    """Preview what would be sent, and how it differs from what was sent. Nothing changes. Exits with 1 if some
    deliveries would be dead again.
    """
    with open_serving(settings, writer=False) as store:
        catalogs, seen = Revisions(store), Preview()
        with Progress(console=errors, transient=True, disable=as_json) as progress:
            task = progress.add_task("preview", total=min(limit, acts.find(store, id_).number))
            while seen.next is not None or not seen.items:
                left = min(previewing.MOST, limit - len(seen.items))
                previewing.preview(
                    store,
                    catalogs,
                    id_,
                    limit=left,
                    after=seen.next or 0,
                    into=seen,
                    step=lambda: progress.advance(task),
                )
                if len(seen.items) >= limit or not seen.items:
                    break
    say(seen.as_json()) if as_json else _show_preview(seen)
    if seen.counts["fault"]:
        raise SystemExit(FAULTS)


def _show_preview(seen: Preview) -> None:
    numbers = ", ".join(f"{number} {name}" for name, number in seen.counts.items() if number)
    console.print(f"Of {len(seen.items)}: {numbers or 'no delivery waits'}.", markup=False)
    told_ = seen.as_json()
    for title, names in (
        ("would be dead again", ("number", "reason", "field")),
        ("would differ from what was sent", ("number", "pointer")),
    ):
        groups: Any = told_["faults" if "dead" in title else "changes"]
        if groups:
            lines = [
                (*(one[name] for name in names), one["example"].get("text", _change(one["example"]))) for one in groups
            ]
            table(title, [*names, "example"], lines)
    notes = {str(item["note"]) for item in seen.items if item["verdict"] == "skipped"}
    for note in sorted(notes)[:5]:
        console.print(f"skipped: {note}", style="yellow", markup=False)


def _change(example: dict[str, Json]) -> str:
    return f"{example.get('old')!r} → {example.get('new')!r}"


@repair.command()
@click.argument("id_", metavar="ID")
@BY
@as_json
@click.pass_obj
@report_errors
def start(settings: Settings, id_: str, by: str, as_json: bool) -> None:
    """Start the repair ID, or resume a stopped one. The canary is sent first. A running hub executes it."""
    with open_serving(settings, writer=False) as store:
        _show(acts.start(store, id_, by=by), as_json=as_json)


@repair.command("continue")
@click.argument("id_", metavar="ID")
@BY
@as_json
@click.pass_obj
@report_errors
def continue_(settings: Settings, id_: str, by: str, as_json: bool) -> None:
    """Send the rest of the repair ID, even if the canary failed."""
    with open_serving(settings, writer=False) as store:
        _show(acts.go_on(store, id_, by=by), as_json=as_json)


@repair.command()
@click.argument("id_", metavar="ID")
@BY
@as_json
@click.pass_obj
@report_errors
def stop(settings: Settings, id_: str, by: str, as_json: bool) -> None:
    """Stop the repair ID. Deliveries that were already sent again continue."""
    with open_serving(settings, writer=False) as store:
        _show(acts.stop(store, id_, by=by), as_json=as_json)


@repair.command()
@click.argument("id_", metavar="ID")
@as_json
@click.pass_obj
@report_errors
def watch(settings: Settings, id_: str, as_json: bool) -> None:
    """Follow the repair ID until it waits for a person, is stopped, or is done. Exits with 1 if a delivery did not
    succeed.
    """
    with open_serving(settings, writer=False) as store, Progress(console=errors, disable=as_json) as progress:
        row = acts.find(store, id_)
        task = progress.add_task(row.state.value, total=row.number)
        while True:
            ended = row.number - sum(row.results.get(result, 0) for result in OPEN)
            progress.update(task, completed=ended, description=f"{row.state.value}: {_numbers(row)}")
            if row.state not in LIVE:
                break
            time.sleep(LOOK_S)
            row = acts.find(store, id_)
    _show(row, as_json=as_json)
    good = row.results.get(Result.DELIVERED, 0) + row.results.get(Result.DISCARDED, 0)
    if row.state is not State.DONE or good < row.number:
        raise SystemExit(FAULTS)


@repair.command()
@as_json
@click.pass_obj
@report_errors
def candidate(settings: Settings, as_json: bool) -> None:
    """Check and store the workspace as a candidate configuration for repairs, without activating it. Prints its
    hash.
    """
    with open_serving(settings, writer=False) as store:
        made = keep(store, settings.workspace)
    say({"revision": made.revision}) if as_json else console.print(made.revision, markup=False)


@repair.command()
@click.argument("id_", metavar="DELIVERY")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--why", required=True, help="Reason, stored with the delivery.")
@click.option("--force", is_flag=True, help="Send even if a later delivery on the same business key was delivered.")
@BY
@as_json
@click.pass_obj
@report_errors
def edit(settings: Settings, id_: str, file: Path, why: str, force: bool, by: str, as_json: bool) -> None:
    """Cancel DELIVERY, and send its message with FILE as the body. FILE is checked like a post. A repeat
    changes nothing.
    """
    try:
        with open_serving(settings, writer=False) as store, at_desk(settings, store) as hub:
            made = editing.edit(hub, id_, file.read_bytes(), by=by, why=why, force=force)
    except Refused as refused:
        table(
            "",
            ["place", "got", "wanted", "fix"],
            [(one.pointer or "/", one.got, one.want, one.fix) for one in refused.faults],
        )
        fail(f"{int(refused.code)}: {refused.text}", FAULTS)
    if as_json:
        say(made.as_json())
    else:
        console.print(
            f"Message {made.message_id} replaces it." + (" It did already." if made.is_known else ""), markup=False
        )


def _numbers(row: RepairRow) -> str:
    return ", ".join(f"{row.results[result]} {result.value}" for result in Result if row.results.get(result))


def _show(row: RepairRow, *, as_json: bool) -> None:
    if as_json:
        say(acts.as_json(row))
        return
    console.print(
        f"{row.id}  {row.act.value}  {row.state.value}  {row.number} deliveries: {_numbers(row)}",
        markup=False,
        soft_wrap=True,
    )
    hints = {
        State.READY: f"Preview: hub repair preview {row.id}   Start: hub repair start {row.id}",
        State.CANARY: f"Follow: hub repair watch {row.id}",
        State.WAITING: f"Send the rest: hub repair continue {row.id}",
        State.RUNNING: f"Follow: hub repair watch {row.id}   Stop: hub repair stop {row.id}",
        State.STOPPED: f"Resume: hub repair start {row.id}",
    }
    if row.state in hints:
        console.print(hints[row.state], style="dim", markup=False, soft_wrap=True)
