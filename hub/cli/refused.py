"""Commands for what came out of a queue and was refused: look, understand, retry, let go."""

from __future__ import annotations

import click

from hub.cli.output import FAULTS, as_json, console, fail, say, table, told, when
from hub.core.message import Json
from hub.flow import refused as acts
from hub.main import open_serving
from hub.main.desk import at_desk
from hub.settings import Settings
from hub.store.arrivals import STATES, WAITING

BY = click.option("--by", default="command line", show_default=True, help="Who does it; kept with the row.")
MOST = 10_000


@click.group()
def refused() -> None:
    """What queues brought and the hub could not accept: list, show, retry, drop."""


@refused.command("list")
@click.option("--state", type=click.Choice(list(STATES)), default=WAITING, show_default=True)
@click.option("--limit", type=click.IntRange(1, MOST), default=50, show_default=True)
@as_json
@click.pass_obj
@told
def list_(settings: Settings, state: str, limit: int, as_json: bool) -> None:
    """Newest first, with why."""
    with open_serving(settings, writer=False) as store:
        rows = store.refused(state=state, limit=limit)
    if as_json:
        say([acts.as_json(row) for row in rows])
        return
    table(
        "",
        ["refused", "queue", "message id", "times", "since", "bytes", "why"],
        [(row.id, row.source.removeprefix("queue:"), row.message_id, row.times, when(row.received_at), row.size, row.text) for row in rows],
    )
    if rows and state == WAITING:
        console.print("Retry, once its cause is mended: hub refused retry ID … (or --all)", style="dim", markup=False)


@refused.command()
@click.argument("id_", metavar="ID")
@as_json
@click.pass_obj
@told
def show(settings: Settings, id_: str, as_json: bool) -> None:
    """One of them: its headers, its body, and each fault."""
    with open_serving(settings, writer=False) as store:
        row = next(iter(store.refused_ones(id_)), None)
    if row is None:
        fail(f"There is no refused arrival {id_}.", FAULTS)
    shown = acts.as_json(row)
    if as_json:
        say(shown)
        return
    console.print(f"{row.source}  {row.state}  {row.times} times, last {when(row.last_at)}", markup=False)
    console.print(f"{row.code}: {row.text}\n{shown['flaw']}".rstrip(), markup=False)
    table("", ["place", "got", "wanted", "fix"], [(one["pointer"] or "/", one["got"], one["want"], one["fix"]) for one in row.faults])
    table("", ["header", "value"], [("topic", row.topic), *((row.arrival.headers if row.arrival is not None else {}).items())])
    table("", [f"body, {row.size} bytes"], [(shown["body"],)])


@refused.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--all", "all_", is_flag=True, help="All that wait, up to 10 000, oldest first.")
@BY
@as_json
@click.pass_obj
@told
def retry(settings: Settings, ids: tuple[str, ...], all_: bool, by: str, as_json: bool) -> None:
    """Read again, by the active configuration. What is accepted is delivered by a running hub within a sweep."""
    with open_serving(settings, writer=False) as store:
        wanted = [row.id for row in store.refused(limit=MOST)] if all_ else list(ids)
        if not wanted and not all_:
            fail("Name refused arrivals, or use --all; see: hub refused list", FAULTS)
        with at_desk(settings, store) as hub:
            done = acts.retry(hub, wanted, by=by)
    _tell(done, acts.TAKEN, as_json)


@refused.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option("--why", default="", help="The reason; on record.")
@BY
@as_json
@click.pass_obj
@told
def drop(settings: Settings, ids: tuple[str, ...], why: str, by: str, as_json: bool) -> None:
    """Let them go for good. The rows stay, with who did it; the reason is on record."""
    with open_serving(settings, writer=False) as store:
        done = acts.drop(store, list(ids), by=by, why=why[:500])
    _tell(done, acts.GONE, as_json)


def _tell(done: dict[str, str], good: str, as_json: bool) -> None:
    answers: dict[str, Json] = dict(done)
    say(answers) if as_json else table("", ["refused", "result"], done.items())
    if any(answer != good for answer in done.values()):
        raise SystemExit(FAULTS)
