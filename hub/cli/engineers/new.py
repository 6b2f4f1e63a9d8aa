"""Commands that begin something: a system, a route, a mapping. Nothing that exists is overwritten, and what is left to do is said."""

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
from hub.cli.common.output import as_json, console, say, told
from hub.core.message import Ref
from hub.settings import Settings


@click.group()
def new() -> None:
    """First drafts of a workspace's files."""


@new.command("system")
@click.argument("name")
@click.option("--emits", multiple=True, metavar="MESSAGE", help="A message that it sends to the hub, such as order.created. May be given several times.")
@click.option("--accepts", multiple=True, metavar="MESSAGE", help="A message that the hub sends to it, such as shipment.create. May be given several times.")
@click.option("--owner", default="", help="Who answers for it.")
@as_json
@click.pass_obj
@told
def new_system(settings: Settings, name: str, emits: tuple[str, ...], accepts: tuple[str, ...], owner: str, as_json: bool) -> None:
    """Make the folder adapters/NAME: what the system sends and takes, with a contract and samples for each message. It passes `hub check` as it is."""
    _demand_workspace(settings)
    files = system_files(name, emits=emits, accepts=accepts, owner=owner)
    folder = settings.workspace / "adapters" / name
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} exists; nothing is overwritten.")
    made = [*write_files(settings.workspace, files), *schemas.write(settings.workspace, anew=False)]
    if as_json:
        say({"files": [str(path) for path in made]})
        return
    for path in made:
        console.print(str(path), markup=False)
    if emits or accepts:
        console.print("Still to be written: the fields of its contracts, their samples, and what each message is about.")
    if not owner:
        console.print("Still to be written: its owner.")
    console.print("Next: hub check", style="dim")


@new.command("route")
@click.argument("name")
@click.option("--from", "source", required=True, metavar="MESSAGE", help="What it takes, such as oms/order.created, in all its live versions.")
@click.option(
    "--to", "targets", required=True, multiple=True, metavar="MESSAGE", help="Where it goes, such as wms/outbound.create@1. May be given several times."
)
@click.option("--about", default="", help="What it is for, in one sentence.")
@click.option("--owner", default="", help="Who answers for it. Default: the owner of the system that sends.")
@as_json
@click.pass_obj
@told
def new_route(settings: Settings, name: str, source: str, targets: tuple[str, ...], about: str, owner: str, as_json: bool) -> None:
    """Add the route NAME to routes.yaml. The rest of the file stays as it is. Says which mapping is missing, and what drafts it."""
    _demand_workspace(settings)
    made, _ = catalog.judge(settings.workspace)
    text = (settings.workspace / FILE).read_bytes().decode("utf-8")
    type_ = message_named(made, source, side="emits")
    if "@" in source:
        raise ValueError(f"A route takes all live versions of a message: --from {type_}")
    to = [target_named(made, target) for target in targets]
    if len(set(to)) < len(to):
        raise ValueError("A target is named twice.")
    system, _, message = type_.partition("/")
    sentence = about or f"What {system} says with {message} goes to {' and '.join(dict.fromkeys(ref.system for ref in to))}."
    route = NewRoute(name, type_, [str(ref) for ref in to], sentence, owner or made.systems[system].owner)
    (settings.workspace / FILE).write_bytes(with_route(text, route).encode("utf-8"))
    missing = _missing_mappings(made, type_, to)
    if as_json:
        say({"file": str(settings.workspace / FILE), "route": name, "missing": [{"from": str(one), "to": str(other)} for one, other in missing]})
        return
    console.print(f"{settings.workspace / FILE}: the route {name} was added.", markup=False)
    for one, other in missing:
        console.print(f"  there is no mapping from {one} to {other} yet; draft it: hub new mapping {one} {other}", markup=False, soft_wrap=True)
    console.print("Next: hub check", style="dim")


@new.command("mapping")
@click.argument("source")
@click.argument("target")
@as_json
@click.pass_obj
@told
def new_mapping(settings: Settings, source: str, target: str, as_json: bool) -> None:
    """Draft the mapping from SOURCE to TARGET (oms/order.created@1 wms/outbound.create@1) by names, meanings and types. What it cannot match is marked."""
    made, _ = catalog.judge(settings.workspace)
    ends = [contract_named(made, text) for text in (source, target)]
    path = settings.workspace / file_name(ends[0].ref, ends[1].ref)
    if path.exists():
        raise ValueError(f"{path} exists; nothing is overwritten.")
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
        console.print(f"  still open: {one.field}: {one.why}", markup=False, soft_wrap=True)
    console.print("Next: hub check", style="dim")


def _demand_workspace(settings: Settings) -> None:
    if not (settings.workspace / FILE).is_file():
        raise ValueError(f"{settings.workspace} is no workspace: it has no {FILE}. Make one: hub init DIR")


def _missing_mappings(made: catalog.Catalog, source: str, targets: list[Ref]) -> list[tuple[Ref, Ref]]:
    """What a route from `source` lacks: old versions are upgraded first, so it is the mapping from the newest that each can become."""
    system, _, name = source.partition("/")
    missing: dict[tuple[Ref, Ref], None] = {}
    for number in made.systems[system].emits[name].live:
        ref = Ref(system, name, number)
        steps = made.upgrade(ref)
        newest = steps[-1].target if steps else ref
        missing |= {(newest, target): None for target in targets if made.way(newest, target) is None}
    return list(missing)
