"""Commands that show the overall state: what needs a person, search, and the history of one order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click

from hub.cli.common.output import FAULTS, as_json, console, fail, report_errors, say, table, when
from hub.core.errors import Reason
from hub.core.message import Disposition
from hub.core.model.delivery import Status
from hub.flow.overview import now as present
from hub.flow.views import find as finding
from hub.flow.views import story as stories
from hub.main import open_serving
from hub.main.desk import at_desk
from hub.settings import Settings

_TIME = click.DateTime(["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"])


@click.command()
@as_json
@click.pass_obj
@report_errors
def now(settings: Settings, as_json: bool) -> None:
    """Show what needs a person, the most urgent first, and the current throughput. Exits with 1 if something needs a
    person.
    """
    with open_serving(settings, writer=False) as store, at_desk(settings, store) as desk:
        store.name_clusters()
        store.name_unrouted()
        found: Any = present.now(desk)
    if as_json:
        say(found)
    else:
        _show_now(found)
    if found["needs"]:
        raise SystemExit(FAULTS)


def _show_now(found: dict[str, Any]) -> None:
    rows = [
        (
            need["kind"],
            f"{need['count']}{'' if need['isExact'] else '+'}",
            when(need["since"], "%m-%d %H:%M")[:11],
            need["trend"],
            need["text"],
            need["action"]["command"],
        )
        for need in found["needs"]
    ]
    if rows:
        table("", ["what", "how many", f"since ({when(datetime.now(UTC))[-6:]})", "trend", "why", "remedy"], rows)
    else:
        console.print("Nothing needs a person.", style="green")
    told_ = [
        (one["source"], one["caller"], one["code"], one["number"], one["times"], one["newestAt"][:19], one["text"])
        for one in found["refusals"]
    ]
    if told_:
        table(
            "\nRefused; the callers know the reason",
            ["source", "caller", "code", "contents", "times", "last", "why"],
            told_,
        )
    lines = [
        (way["route"], way["target"], way["perSecond"], way["success"], way["p50Ms"], way["p99Ms"])
        for way in found["rates"]["ways"]
    ]
    if lines:
        table(
            "\nThroughput of the last minutes", ["route", "target", "per second", "success", "p50 ms", "p99 ms"], lines
        )
    table(
        "\nWaiting",
        ["target", "backlog", "late by s"],
        [
            (lane["system"], f"{lane['backlog']}{'' if lane['isExact'] else '+'}", lane["lagS"])
            for lane in found["lanes"]
        ],
    )


@click.command()
@click.argument("words", nargs=-1, metavar="[NUMBER | WORD]...")
@click.option("--system", help="Sending system.")
@click.option("--type", "type_", metavar="SYSTEM/MESSAGE", help="Message type, such as oms/order.created.")
@click.option("--version", type=click.IntRange(1, 9_999), help="Contract version.")
@click.option("--route", help="Route of one of its deliveries.")
@click.option("--target", help="Target system, or one of its messages such as wms/outbound.create@1.")
@click.option("--status", type=click.Choice([one.value for one in Status]), help="State of one of its deliveries.")
@click.option(
    "--disposition", type=click.Choice([one.value for one in Disposition]), help="Disposition of the message."
)
@click.option(
    "--reason",
    type=click.Choice([one.value for one in Reason]),
    help="Error class of a delivery that waits for a person.",
)
@click.option("--caller", help="Caller that sent the message.")
@click.option("--since", type=_TIME, help="Received at this time or later. Without an offset: UTC.")
@click.option("--until", type=_TIME, help="Received before this time. Without an offset: UTC.")
@click.option("--attempts", type=click.IntRange(0), help="Minimum number of attempts of a delivery.")
@click.option("--min-bytes", type=click.IntRange(0), help="Minimum size of the message in bytes.")
@click.option("--max-bytes", type=click.IntRange(0), help="Maximum size of the message in bytes.")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="Maximum number of messages.")
@click.option("--count", is_flag=True, help="Print only the number of matching messages.")
@as_json
@click.pass_obj
@report_errors
def find(settings: Settings, /, words: tuple[str, ...], limit: int, count: bool, as_json: bool, **given: Any) -> None:
    """Find messages by number, by words of an error text, and by filters. Numbers are order, waybill, message, delivery
    and trace numbers, and Idempotency-Keys.
    """
    named = {**given, "type": given.pop("type_"), "min_attempts": given.pop("attempts")}
    named |= {name: of(named[name]) for name, of in _READ.items() if named[name] is not None}
    filters = finding.filters(**{name: value for name, value in named.items() if name not in ("type_", "attempts")})
    question = finding.Question(" ".join(f'"{word}"' if " " in word else word for word in words), filters)
    with open_serving(settings, writer=False) as store:
        store.name_clusters()
        found: Any = finding.count(store, question) if count else finding.find(store, question, limit=limit)
    if as_json:
        say(found)
    elif count:
        console.print(f"{found['number']}{'' if found['isExact'] else ' or more'}", markup=False)
    else:
        _show_found(found)
    if not count and not found["items"]:
        raise SystemExit(FAULTS)


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


_READ: dict[str, Callable[[Any], Any]] = {
    "status": Status,
    "disposition": Disposition,
    "reason": Reason,
    "since": _utc,
    "until": _utc,
}


def _show_found(found: dict[str, Any]) -> None:
    rows = [
        (
            item["id"],
            when(item["receivedAt"]),
            f"{item['type']}@{item['version']}",
            "  ".join(item["keys"].values()),
            _stands(item),
        )
        for item in found["items"]
    ]
    table("", ["message", "received", "type", "numbers", "state"], rows)
    for word, kind in found["words"].items():
        if kind is None and found["by"] == "number":
            console.print(f"No message has the number {word}.", style="yellow", markup=False)
    if found["scannedUntil"] is not None:
        console.print(
            f"Searched back to {when(found['scannedUntil'])}. To continue, narrow the search with --since and --until.",
            style="dim",
            markup=False,
        )
    elif found["next"] is not None:
        console.print("There are more messages. Narrow the search, or raise --limit.", style="dim", markup=False)


def _stands(item: dict[str, Any]) -> str:
    if not item["deliveries"]:
        return f"{item['disposition']}: {item['stands']}"
    return ", ".join(f"{line['target'].split('/')[0]} {line['status']}" for line in item["deliveries"])


@click.command("object")
@click.argument("number")
@as_json
@click.pass_obj
@report_errors
def object_(settings: Settings, number: str, as_json: bool) -> None:
    """Show the history of the order that NUMBER belongs to. Lists each system in turn, what is in progress, and what is
    missing.
    """
    with open_serving(settings, writer=False) as store, at_desk(settings, store) as desk:
        found: Any = stories.story(desk, number)
    if found is None:
        fail(f"No message has the number {number}.", FAULTS)
    if as_json:
        say(found)
        return
    console.print("  ".join(f"{key['name']} {key['value']}" for key in found["keys"]), markup=False)
    table("", ["after", "what", "where", "state"], [_step(step) for step in found["steps"]])
    for gap in found["gaps"]:
        console.print(
            f"{'missing' if gap['isLate'] else 'awaited'}: {gap['expected']}. {gap['text']}",
            style="red" if gap["isLate"] else "yellow",
            markup=False,
        )
    if not found["gaps"]:
        console.print("Nothing is missing." if found["isOver"] else "It is in progress.", style="green")


def _step(step: dict[str, Any]) -> tuple[str, ...]:
    after = f"{step['afterMs'] / 1000:.3f} s"
    if step["kind"] == "message":
        return after, step["message"], step["system"], step["disposition"]
    return (
        after,
        f"→ {step['target']}",
        step["to"],
        f"{step['status']}, {step['attempts']} attempt(s): {step['stands']}",
    )
