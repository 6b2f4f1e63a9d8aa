"""Commands for contract versions: differences, usage, retirement, and the lock of published versions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import click
from rich.progress import Progress

from hub import catalog
from hub.catalog import from_files
from hub.catalog.files import lock
from hub.cli.common.durations import Span
from hub.cli.common.output import FAULTS, as_json, console, errors, report_errors, say, table, when
from hub.core import json
from hub.core.message import Ref, is_type
from hub.core.schemas.change_effects import Effect
from hub.core.schemas.compat import compare
from hub.core.schemas.contract import Contract, compile_contract
from hub.flow.answers.fields import AnyMembers
from hub.flow.context.revisions import Revisions
from hub.flow.dry_run.contract import try_contract
from hub.flow.interfaces import contracts as looked
from hub.flow.interfaces.retire import QUIET, can_retire, shadow_report, used_json
from hub.main import open_serving
from hub.settings import Settings

NOWHERE = "file"  # the system of a contract that lies in no system's folder


@click.group()
def contracts() -> None:
    """Manage contract versions: list, show, diff, try, usage, can-retire, lock."""


@contracts.command("list")
@as_json
@click.pass_obj
@report_errors
def list_(settings: Settings, as_json: bool) -> None:
    """List all messages of the active configuration with their versions. Shows who used each version in the last 30
    days.
    """
    with open_serving(settings, writer=False) as store:
        found = looked.contracts(store, Revisions(store).active())
    if as_json:
        say(found)
        return
    rows = [
        (
            one["version"],
            one["state"],
            one["sunset"],
            one["messages"] if item["side"] == "emits" else _sent(one["delivered"]),
            _users(one["callers"]),
        )
        for item in found["items"]
        for one in item["versions"]
    ]
    table(f"Since {found['since']} (UTC)", ["version", "state", "ends", "messages", "by"], rows)
    for one in found["old"]:
        console.print(
            f"{one['version']} is deprecated. It ends on {one['sunset'] or 'no date'}. It is still used by {_users(one['callers'])}",
            markup=False,
        )


@contracts.command("show")
@click.argument("message")
@as_json
@click.pass_obj
@report_errors
def show(settings: Settings, message: str, as_json: bool) -> None:
    """Show MESSAGE, such as oms/order.created. Lists versions, changes between them, use of each field in the last 30
    days, and dependent routes and mappings.
    """
    type_, _ = _message(message)
    with open_serving(settings, writer=False) as store:
        found = looked.one_named(store, Revisions(store).active(), type_ or "", folder=settings.workspace)
    if as_json:
        say(found)
        return
    for one in found["versions"]:
        ends = f", ends on {one['sunset']}" if one["sunset"] else ""
        console.print(f"{one['version']}: {one['state']}{ends}", style="bold", markup=False)
        rows = [
            (
                field["place"],
                field["kind"],
                "yes" if field["required"] else "",
                "personal" if field["isPersonal"] else "",
                _users(field["used"]),
            )
            for field in one["fields"]
        ]
        table("", ["field", "kind", "required", "", "sent by"], rows)
    for step in found["steps"]:
        console.print(f"{step['from']} → {step['to']}: {step['compatibility']}", markup=False)
    for kind, users in (("routes", found["routes"]), ("mappings", found["mappings"])):
        names = ", ".join(str(one["name"]) for one in users)
        console.print(f"{kind}: {names or 'none'}", markup=False)


def _users(callers: Iterable[AnyMembers]) -> str:
    return ", ".join(f"{user['name']} ({user['number']})" for user in callers)


def _sent(delivered: Iterable[AnyMembers]) -> str:
    return ", ".join(f"{sent['number']} by {sent['route']} in 24 h" for sent in delivered)


@contracts.command()
@click.argument("message", required=False)
@click.option("--since", type=Span(), default="30d", show_default=True, help="Period to look back, in whole days.")
@click.option(
    "--by",
    type=click.Choice(["caller", "field"]),
    default="caller",
    show_default=True,
    help="Group by caller, or by caller and field.",
)
@as_json
@click.pass_obj
@report_errors
def usage(settings: Settings, message: str | None, since: timedelta, by: str, as_json: bool) -> None:
    """Show who sent which version and fields of MESSAGE (oms/order.created, or oms/order.created@1). Counts may be one
    second old.
    """
    type_, version = _message(message)
    with open_serving(settings, writer=False) as store:
        made = Revisions(store).active()
        day = (store.now() - since).date().isoformat()
        rows = store.usage(type_=type_, version=version, since=day, fields=by == "field")
        shadows = {
            f"{emit.type}@{number}": shadow_report(store.usage(type_=emit.type, version=number, since=day, fields=True))
            for system in made.systems.values()
            for emit in system.emits.values()
            for number in emit.shadows
            if type_ in (None, emit.type)
        }
    rows = [row for row in rows if str(row.ref) not in shadows]
    if as_json:
        say(
            {
                "since": day,
                "used": [used_json(row) for row in rows],
                "shadows": {name: found for name, found in shadows.items() if found},
            }
        )
        return
    columns = ["version", "caller", *(["field"] if by == "field" else []), "messages", "first", "last"]
    cells = [
        (
            row.ref,
            row.caller,
            *([row.field or "(message)"] if by == "field" else []),
            row.number,
            when(row.first_at),
            when(row.last_at),
        )
        for row in rows
    ]
    table(f"Since {day} (UTC)", columns, cells)
    for name, found in shadows.items():
        for caller, seen in found.items():
            console.print(f"{name} in shadow: {caller} {seen}", markup=False)


@contracts.command("can-retire")
@click.argument("version")
@click.option(
    "--quiet",
    type=Span(),
    default=f"{QUIET.days}d",
    show_default=True,
    help="Period in which nobody may have used the version.",
)
@as_json
@click.pass_obj
@report_errors
def can_retire_(settings: Settings, version: str, quiet: timedelta, as_json: bool) -> None:
    """Check whether VERSION (oms/order.created@1) can be retired. Shows who used it last, and what would break. Exits
    with 1 if it cannot.
    """
    ref = Ref.parse(version)
    with open_serving(settings, writer=False) as store:
        found = can_retire(store, Revisions(store).active(), ref, quiet=quiet)
    if as_json:
        say(found.as_json())
    else:
        console.print(f"{ref}: {'yes' if found.may else 'no'}", style="green" if found.may else "red")
        for reason in found.reasons:
            console.print(f"  {reason}", markup=False)
        if not found.used:
            console.print("  no use was counted", markup=False)
        for one in found.used:
            console.print(f"  last used by {one.caller} on {when(one.last_at)}, {one.number} messages", markup=False)
        for mapping in found.mappings:
            console.print(f"  the mapping {mapping} would have no use any more", markup=False)
        if found.open:
            console.print(
                f"  {found.open} deliveries of it still wait. They use the configuration that accepted them",
                markup=False,
            )
    if not found.may:
        raise SystemExit(FAULTS)


@contracts.command("lock")
@as_json
@click.pass_obj
@report_errors
def lock_(settings: Settings, as_json: bool) -> None:
    """Add the hash of each published version to contracts/versions.lock, if it is missing. A locked version must not
    change.
    """
    made = catalog.load(settings.workspace)
    lacking = lock.missing(made, catalog.read_files(settings.workspace))
    lock.append(settings.workspace, lacking)
    if as_json:
        say({"locked": [line.split(" ")[0] for lines in lacking.values() for line in lines]})
        return
    for name, lines in lacking.items():
        console.print(f"{name}: {len(lines)} added", markup=False)
    if not lacking:
        console.print("Every published version is locked.")


@contracts.command()
@click.argument("old")
@click.argument("new")
@as_json
@click.pass_obj
@report_errors
def diff(settings: Settings, old: str, new: str, as_json: bool) -> None:
    """Compare contract OLD with NEW: versions such as oms/order.created@1, or files. Exits with 1 if the change is not
    safe for senders and receivers.
    """
    found = compare(_contract(settings, old), _contract(settings, new))
    if as_json:
        say(found.as_json())
    else:
        words = {True: "yes", False: "no", None: "not decided: see the changes marked as not decided"}
        undecided = f" ({' or '.join(found.may_be)})" if len(found.may_be) > 1 else ""
        console.print(f"Compatibility: {found.verdict}{undecided}")
        console.print(
            f"Safe for senders (all messages that were accepted are still accepted): {words[found.safe_for_senders]}"
        )
        console.print(
            f"Safe for receivers (no message arrives that was not possible before): {words[found.safe_for_receivers]}"
        )
        said = {
            Effect.NARROWS: "breaks senders",
            Effect.WIDENS: "new for receivers",
            Effect.MAY_NARROW: "not decided for senders",
            Effect.MAY_WIDEN: "not decided for receivers",
            Effect.SAME: "-",
            Effect.UNDECIDED: "not decided",
        }
        rows = [
            (
                one.pointer or "/",
                one.text,
                said[one.effect],
                "" if one.example is None else json.encode(one.example).decode()[:120],
            )
            for one in found.changes
        ]
        table("", ["field", "change", "effect", "example document"], rows)
    if not (found.safe_for_senders and found.safe_for_receivers):
        raise SystemExit(FAULTS)


@contracts.command("try")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--type",
    "version",
    metavar="VERSION",
    help="Version for which FILE is a candidate, such as oms/order.created@1. Default: taken from the path of FILE.",
)
@click.option("--since", type=Span(), default="7d", show_default=True, help="Period of stored messages to look back.")
@click.option(
    "--examples",
    type=click.IntRange(0, 20),
    default=0,
    show_default=True,
    help="Maximum number of masked example messages for each group.",
)
@as_json
@click.pass_obj
@report_errors
def try_(settings: Settings, file: Path, version: str | None, since: timedelta, examples: int, as_json: bool) -> None:
    """Try the candidate contract in FILE on stored messages: count refusals by caller and field. Nothing changes. Exits
    with 1 if it refuses any.
    """
    ref = Ref.parse(version) if version else _by_path(file)
    if ref.system == NOWHERE:
        raise ValueError(f"{file} does not name its version. Add --type, such as --type oms/order.created@1.")
    candidate = compile_contract(ref, json.decode(file.read_bytes()))
    with (
        open_serving(settings, writer=False) as store,
        Progress(console=errors, transient=True, disable=as_json) as progress,
    ):
        task = progress.add_task("messages", total=None)
        # What the published version calls personal stays masked, even where the candidate forgot to say so.
        active = (
            from_files(store.revision(hash_) or {}).contract(ref)
            if examples and (hash_ := store.active()) is not None
            else None
        )
        known = [active] if active is not None else []
        found = try_contract(
            store,
            candidate,
            since=store.now() - since,
            examples=examples,
            known=known,
            step=lambda: progress.advance(task),
        )
    if as_json:
        say(found.as_json())
    else:
        console.print(
            f"{found.refused} of {found.messages} messages of {ref} since {when(found.since)} would be refused."
        )
        if found.unreadable:
            console.print(f"{found.unreadable} cannot be read any more. They were skipped.")
        rows = [
            (
                one.caller,
                one.pointer or "/",
                one.want,
                one.number,
                "\n".join(f"/ops/v1/messages/{id_}" for id_ in one.messages),
            )
            for one in found.groups
        ]
        table("", ["caller", "where", "wanted", "messages", "such as"], rows)
        for one in found.groups:
            for example in one.examples:
                console.print(
                    f"{one.caller} {one.pointer or '/'}: {json.encode(example).decode()}",
                    markup=False,
                    highlight=False,
                    soft_wrap=True,
                )
    if found.refused:
        raise SystemExit(FAULTS)


def _contract(settings: Settings, text: str) -> Contract:
    """A contract by its version, or in a file."""
    path = Path(text)
    if path.is_file():
        return compile_contract(_by_path(path), json.decode(path.read_bytes()))
    ref = Ref.parse(text)
    found = catalog.judge(settings.workspace)[0].contract(ref)
    if found is None:
        raise ValueError(f"There is no contract {ref} in this workspace, and no file with that name.")
    return found


def _by_path(path: Path) -> Ref:
    """The version that a contract's file is of: adapters/<system>/contracts/<message>.v<N>.json."""
    found = re.fullmatch(r"(.+)\.v([1-9][0-9]{0,3})\.json", path.name)
    parts = path.resolve().parts
    if found is None or len(parts) < 3 or parts[-2] != "contracts":
        return Ref(NOWHERE, "candidate", 1)
    return Ref(parts[-3], found[1], int(found[2]))


def _message(text: str | None) -> tuple[str | None, int | None]:
    if text is None or is_type(text):
        return text, None
    ref = Ref.parse(text)
    return ref.type, ref.version
