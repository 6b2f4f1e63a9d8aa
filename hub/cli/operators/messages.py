"""Commands for single messages: send, trace, explain, print the original bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import click
from rich.tree import Tree

from hub.catalog import from_files, load
from hub.cli.common.output import FAULTS, as_json, console, fail, report_errors, say, user, when
from hub.core import json
from hub.core.errors import Refused
from hub.core.message import Incoming, Json, Receipt, Ref
from hub.core.model.delivery import DedupeKey
from hub.flow import accept
from hub.flow.doors import refusal_records
from hub.flow.intake import refusal_origins
from hub.flow.repairs import refused as acts
from hub.flow.views import stages
from hub.flow.views import trace as tracing
from hub.flow.views.explain import explain_message
from hub.main import new_id, now, open_serving
from hub.main.desk import at_desk
from hub.settings import Settings
from hub.store import Store

MAX_OF_TRACE = 50  # lives that are told of one traceId: a batch may have ten thousand
STYLE = {
    "delivered": "green",
    "pending": "yellow",
    "leased": "yellow",
    "dead": "red",
    "unknown": "red",
    "held": "magenta",
}


@click.command()
@click.argument("type_", metavar="SYSTEM/MESSAGE@VERSION")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--key",
    help="Idempotency-Key. Default: the SHA-256 of the file, so that sending the same file twice makes one message.",
)
@as_json
@click.pass_obj
@report_errors
def send(settings: Settings, type_: str, file: Any, key: str | None, as_json: bool) -> None:
    """Send FILE as a message, as if its system had posted it. Contract, keys and routes apply. A running hub delivers
    it.
    """
    ref, raw = Ref.parse(type_), file.read()
    name = key or hashlib.sha256(raw).hexdigest()
    with open_serving(settings, writer=False) as store, at_desk(settings, store) as hub:
        try:
            incoming = Incoming(ref, json.decode(raw, hub.limits), raw, "command line", name, new_id().replace("-", ""))
            accepted = accept.prepare_message(
                hub,
                incoming,
                source="cli",
                now=now(),
                dedupe_keys=[DedupeKey("command line", ref.type, name, hashlib.sha256(raw).hexdigest())],
            )
            answer = accept.take(hub, accepted)
        except Refused as refused:
            _show_refusal(refused, as_json=as_json)
            refusal_records.keep(hub, refused, refusal_origins.command(ref, raw, name), new_id().replace("-", ""))
            hub.refusals.drain(settings.grace)
            raise SystemExit(FAULTS) from refused
    _show_receipt(answer, as_json=as_json)


def _show_receipt(receipt: Receipt, *, as_json: bool) -> None:
    if as_json:
        say({"messageId": receipt.message_id, "duplicate": receipt.duplicate})
    else:
        console.print(
            f"{receipt.message_id}{'  (duplicate: this message was accepted before)' if receipt.duplicate else ''}",
            markup=False,
        )


def _show_refusal(refused: Refused, *, as_json: bool) -> None:
    if as_json:
        say(
            {
                "code": int(refused.code),
                "message": refused.text,
                "details": [dict[str, Json](fault.as_json()) for fault in refused.faults],
            }
        )
        return
    console.print(f"{int(refused.code)} {refused.text}", style="red", markup=False)
    for fault in refused.faults:
        console.print(f"  {fault.pointer or '/'}: {fault.got}; wanted {fault.want}; {fault.fix}", markup=False)


@click.command()
@click.argument("id_", metavar="ID")
@click.option("--why", required=True, help="Reason, for the audit log.")
@click.option(
    "--by", default=user, help="Acting user, for the audit log. Default: the current user.", show_default=False
)
@click.option("--out", type=click.File("wb"), default="-", help="Output file. Default: standard output.")
@click.pass_obj
@report_errors
def raw(settings: Settings, id_: str, why: str, by: str, out: Any) -> None:
    """Print the original bytes of the message ID, including personal data. The access is in the audit log."""
    with open_serving(settings, writer=False) as store:
        body = stages.download(store, id_, by=by, why=why[:500])
    if body is None:
        fail(f"There is no message {id_}.", FAULTS)
    out.write(body)


@click.command()
@click.argument("number")
@as_json
@click.pass_obj
@report_errors
def trace(settings: Settings, number: str, as_json: bool) -> None:
    """Trace NUMBER through all systems, with times. NUMBER is an order, waybill, outbound or payment number, a message
    id, or a sender's traceId.
    """
    with open_serving(settings, writer=False) as store:
        story = tracing.trace(store, number)
        refused = acts.of_trace(store, number) if story is None else []
        # Of a batch's traceId some items may be messages, and others refused: both are told.
        stories: list[Any] = [story] if story is not None else _lives(store, number)
    if not stories and not refused:
        fail(f"No message has the number {number}.", FAULTS)
    if as_json and story is not None:
        say(story)
    elif as_json:
        say(
            {
                "asked": number,
                "messages": [line for one in stories for line in one["messages"]],
                "refused": [acts.as_json(row) for row in refused],
            }
        )
    else:
        for one in stories:
            console.print(_tree(one))
        for row in refused:
            console.print(
                f"Refused {row.times} time(s), {row.state}: {row.code} {row.text}  hub refused show {row.id}",
                style="yellow",
                markup=False,
            )


def _lives(store: Store, number: str) -> list[dict[str, Any]]:
    """The lives behind the messages of a traceId, each once: two messages of one order are one life."""
    stories: list[dict[str, Any]] = []
    told_of: set[str] = set()
    for message_id in sorted(store.messages_of(number))[:MAX_OF_TRACE]:
        story: Any = tracing.trace(store, message_id) if message_id not in told_of else None
        if story is not None:
            told_of |= {message["id"] for message in story["messages"]}
            stories.append(story)
    return stories


def _tree(story: dict[str, Any]) -> Tree:
    keys = "  ".join(f"{key['name']} {key['value']}" for key in story["keys"])
    root = Tree(
        _safe(f"{story['asked']}  began {when(story['began'], '%Y-%m-%d %H:%M:%S.%f')}  {keys}"), guide_style="dim"
    )
    for message in story["messages"]:
        branch = root.add(
            _safe(
                f"{_offset(message['afterMs'])}  {message['type']}@{message['version']}  {message['id']}  from {message['source']}"
            )
        )
        if message["disposition"] != "routed":
            branch.add(_safe(f"{message['disposition']}: {message['stands']}"))
        for line in message["deliveries"]:
            style = STYLE.get(line["status"], "white")
            took = line["attempts"][-1]["ms"] if line["attempts"] else 0
            text = f"{_offset(line['afterMs'])}  → {line['target']}  [{style}]{line['status']}[/]  {len(line['attempts'])} attempt(s), {took} ms, route {line['route']}"
            leaf = branch.add(text)
            if line["why"] is not None:
                leaf.add(_safe(f"{line['why']['reason']}: {line['stands']} {line['why']['fix']}"))
            for attempt in line["attempts"][:-1]:
                leaf.add(
                    _safe(
                        f"attempt {attempt['number']}: {attempt['outcome']} {attempt['status'] or ''} {attempt['why']['text'] if attempt['why'] else ''}"
                    )
                )
    return root


def _offset(ms: int) -> str:
    return f"+{ms / 1000:8.3f} s"


def _safe(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text).replace("[", r"\[")


@click.command()
@click.argument("id_or_type", metavar="ID | SYSTEM/MESSAGE@VERSION")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--target", metavar="MESSAGE", help="Only this target, such as wms/outbound.create@1.")
@as_json
@click.pass_obj
@report_errors
def explain(settings: Settings, id_or_type: str, file: Path | None, target: str | None, as_json: bool) -> None:
    """Explain the routing of a message: each condition with its values, and the route that came closest. With FILE: of
    a message that was never sent.
    """
    at, hops = now(), 0
    if file is not None:
        catalog, ref, raw = load(settings.workspace), Ref.parse(id_or_type), file.read_bytes()
    else:
        with open_serving(settings, writer=False) as store:
            row, body = store.message(id_or_type), store.body(id_or_type)
            files = store.revision(row.routed_with) if row is not None else None
        if row is None or body is None or files is None:
            fail(f"There is no message {id_or_type}.", FAULTS)
        catalog, ref, raw, at, hops = from_files(files), row.ref, body, row.received_at, row.routed_hops
    try:
        found = explain_message(catalog, ref, raw, at, target=target, hops=hops)
    except Refused as refused:
        _show_refusal(refused, as_json=as_json)
        raise SystemExit(FAULTS) from refused
    say(found) if as_json else _show_explained(ref, found)


def _show_explained(ref: Ref, found: dict[str, Any]) -> None:
    """Shows each comparison once, with its constants and values. Other lines refer to it by route and number."""
    console.print(f"{ref}: {found['disposition']}", markup=False)
    for fault in found["faults"]:
        console.print(
            f"  contract: {fault['pointer'] or '/'} is {fault['got']}, wanted {fault['want']}",
            style="red",
            markup=False,
        )
    listed = {one["route"] for one in found["conditions"]}
    for line in found["considered"]:
        names = ("route", "target", "result", *(() if line["route"] in listed else ("condition",)), "why", "canary")
        words = [str(line[name]) for name in names if line.get(name)]
        console.print("  " + "  ".join(words), markup=False)
    for one in found["conditions"]:
        console.print(
            f"  {_place(one)}: {one['shape'] + ' ' if len(one['parts']) > 1 else ''}{'holds' if one['holds'] else 'does not hold'}",
            markup=False,
        )
        for number, part in enumerate(one["parts"], 1):
            values = ", ".join(f"{name} = {value!r}" for name, value in part["values"].items())
            line = f"      {number}  {'yes' if part['holds'] else 'no '}  {part['text']}   {values}"
            console.print(line.rstrip(), style="green" if part["holds"] else "yellow", markup=False)
    nearest = found["nearest"]
    if nearest is not None and found["disposition"] != "routed":
        to_blame = [
            str(number)
            for number, part in enumerate(nearest["parts"], 1)
            if part["holds"] is not (nearest["kind"] != "drop")
        ]
        console.print(
            f"  The nearest miss: {_place(nearest)}{', by ' + ' and '.join(to_blame) if to_blame else ''}", markup=False
        )
    for note in found["notes"]:
        console.print(f"  {note}", style="yellow", markup=False)
    if not found["considered"]:
        console.print(f"  No route takes {ref.type}.", markup=False)


def _place(condition: dict[str, Any]) -> str:
    return " ".join(filter(None, (condition["route"], condition["target"], condition["kind"])))
