"""Commands that create drafts: a system, a route, a mapping. They never overwrite a file, and print what remains to
do.
"""

from __future__ import annotations

import click

from hub import catalog
from hub.catalog.checks.typing import conditions_of
from hub.catalog.files import schemas
from hub.catalog.files.mappings import file_name
from hub.catalog.scaffold.drafting import draft
from hub.catalog.scaffold.new_route import FILE, NewRoute, with_route
from hub.catalog.scaffold.new_system import system_files
from hub.catalog.scaffold.new_system import write as write_files
from hub.cli.common.named import contract_named, message_named, target_named
from hub.cli.common.output import as_json, console, report_errors, say
from hub.core.message import Ref
from hub.settings import Settings


@click.group()
def new() -> None:
    """Create first drafts of a workspace's files: system, route, mapping."""


@new.command("system")
@click.argument("name")
@click.option(
    "--emits",
    multiple=True,
    metavar="MESSAGE",
    help="Message that the system sends to the hub, such as order.created. Repeatable.",
)
@click.option(
    "--accepts",
    multiple=True,
    metavar="MESSAGE",
    help="Message that the hub sends to the system, such as shipment.create. Repeatable.",
)
@click.option("--owner", default="", help="Owner: the person or team that is responsible.")
@as_json
@click.pass_obj
@report_errors
def new_system(
    settings: Settings, name: str, emits: tuple[str, ...], accepts: tuple[str, ...], owner: str, as_json: bool
) -> None:
    """Create the system NAME in adapters/NAME, with a contract and samples for each message. The result passes
    `hub check`.
    """
    _demand_workspace(settings)
    files = system_files(name, emits=emits, accepts=accepts, owner=owner)
    folder = settings.workspace / "adapters" / name
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} exists already. Nothing was overwritten.")
    made = [*write_files(settings.workspace, files), *schemas.write(settings.workspace, anew=False)]
    if as_json:
        say({"files": [str(path) for path in made]})
        return
    for path in made:
        console.print(str(path), markup=False)
    if emits or accepts:
        console.print("Still to write: the fields of the contracts, the samples, and the purpose of each message.")
    if not owner:
        console.print("Still to write: the owner.")
    console.print("Next: hub check", style="dim")


@new.command("route")
@click.argument("name")
@click.option(
    "--from",
    "source",
    required=True,
    metavar="MESSAGE",
    help="Source message, such as oms/order.created, in all live versions.",
)
@click.option(
    "--to",
    "targets",
    required=True,
    multiple=True,
    metavar="MESSAGE",
    help="Target message, such as wms/outbound.create@1. Repeatable.",
)
@click.option("--about", default="", help="Purpose of the route, in one sentence.")
@click.option(
    "--owner",
    default="",
    help="Owner: the person or team that is responsible. Default: the owner of the sending system.",
)
@as_json
@click.pass_obj
@report_errors
def new_route(
    settings: Settings, name: str, source: str, targets: tuple[str, ...], about: str, owner: str, as_json: bool
) -> None:
    """Add the route NAME to routes.yaml. The rest of the file does not change. Prints the missing mappings and the
    commands that draft them.
    """
    _demand_workspace(settings)
    made, _ = catalog.judge(settings.workspace)
    text = (settings.workspace / FILE).read_bytes().decode("utf-8")
    type_ = message_named(made, source, side="emits")
    if "@" in source:
        raise ValueError(f"A route accepts all live versions of a message. Write it without a version: --from {type_}")
    to = [target_named(made, target) for target in targets]
    if len(set(to)) < len(to):
        raise ValueError("A target is given twice.")
    system, _, message = type_.partition("/")
    sentence = (
        about or f"What {system} says with {message} goes to {' and '.join(dict.fromkeys(ref.system for ref in to))}."
    )
    route = NewRoute(name, type_, [str(ref) for ref in to], sentence, owner or made.systems[system].owner)
    (settings.workspace / FILE).write_bytes(with_route(text, route).encode("utf-8"))
    missing = _missing_mappings(made, type_, to)
    if as_json:
        say(
            {
                "file": str(settings.workspace / FILE),
                "route": name,
                "missing": [{"from": str(one), "to": str(other)} for one, other in missing],
            }
        )
        return
    console.print(f"{settings.workspace / FILE}: the route {name} was added.", markup=False)
    for one, other in missing:
        console.print(
            f"  there is no mapping from {one} to {other} yet. Draft it: hub new mapping {one} {other}",
            markup=False,
            soft_wrap=True,
        )
    console.print("Next: hub check", style="dim")


@new.command("mapping")
@click.argument("source")
@click.argument("target")
@as_json
@click.pass_obj
@report_errors
def new_mapping(settings: Settings, source: str, target: str, as_json: bool) -> None:
    """Draft the mapping from SOURCE to TARGET, such as oms/order.created@1 wms/outbound.create@1. Fields are matched by
    name, meaning and type. Unmatched ones are marked.
    """
    made, _ = catalog.judge(settings.workspace)
    ends = [contract_named(made, text) for text in (source, target)]
    path = settings.workspace / file_name(ends[0].ref, ends[1].ref)
    if path.exists():
        raise ValueError(f"{path} exists already. Nothing was overwritten.")
    uses = conditions_of(made, (ends[0].ref, ends[1].ref))
    drafted = draft(*ends, conditions=uses[0] if len(uses) == 1 else ())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(drafted.text, "utf-8")
    schemas.write(settings.workspace, anew=False)
    if as_json:
        say({"file": str(path), "open": [one.as_json() for one in drafted.open]})
        return
    console.print(str(path), markup=False)
    for one in drafted.open:
        console.print(f"  to do: {one.field}: {one.why}", markup=False, soft_wrap=True)
    console.print("Next: hub check", style="dim")


def _demand_workspace(settings: Settings) -> None:
    if not (settings.workspace / FILE).is_file():
        raise ValueError(f"{settings.workspace} is not a workspace: it has no {FILE}. Make one: hub init DIR")


def _missing_mappings(made: catalog.Catalog, source: str, targets: list[Ref]) -> list[tuple[Ref, Ref]]:
    """What a route from `source` lacks: old versions are upgraded first, so it is the mapping from the newest that each
    can become.
    """
    system, _, name = source.partition("/")
    missing: dict[tuple[Ref, Ref], None] = {}
    for number in made.systems[system].emits[name].live:
        ref = Ref(system, name, number)
        steps = made.upgrade(ref)
        newest = steps[-1].target if steps else ref
        missing |= {(newest, target): None for target in targets if made.way(newest, target) is None}
    return list(missing)
