"""Commands for mappings: list with field coverage, show, and try on one message."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from hub import catalog
from hub.catalog.files.mappings import file_name, named
from hub.catalog.yaml.findings import did_you_mean
from hub.cli.common.named import contract_named
from hub.cli.common.output import FAULTS, as_json, console, errors, fail, report_errors, say, show_findings, table
from hub.core import json
from hub.core.config.mapping import Mapping
from hub.core.errors import Fault, Finding, Refused
from hub.core.message import Json
from hub.flow.context.revisions import Revisions
from hub.flow.dry_run.mapping import Step, tried
from hub.flow.interfaces import mappings
from hub.flow.views.lineage import of_mapping
from hub.main import now, open_serving
from hub.settings import Settings


@click.group("map")
def map_() -> None:
    """List, show and try mappings."""


@map_.command("list")
@as_json
@click.pass_obj
@report_errors
def list_(settings: Settings, as_json: bool) -> None:
    """List all mappings of the active configuration. Shows the routes that use them, and the share of received fields
    that they use (last 30 days).
    """
    with open_serving(settings, writer=False) as store:
        found: Any = mappings.mappings(store, Revisions(store).active())
    if as_json:
        say(found)
        return
    rows = []
    for one in found["items"]:
        coverage = one["coverage"]
        users = [*one["routes"], *one["hooks"]]
        carried = f"{coverage['carried']} of {coverage['came']}" if coverage["came"] is not None else "-"
        rows.append(
            (
                one["from"],
                one["to"],
                ", ".join(users),
                carried,
                f"{coverage['madeFields']} of {coverage['targetFields']}",
            )
        )
    table(f"Since {found['since']} (UTC)", ["from", "to", "used by", "received fields used", "target fields set"], rows)


@map_.command("show")
@click.argument("mapping")
@as_json
@click.pass_obj
@report_errors
def show(settings: Settings, mapping: str, as_json: bool) -> None:
    """Show one mapping of the active configuration, by its file name. Shows how each field is set, and lists unused
    source fields and missing target fields.
    """
    name = Path(mapping).name.removesuffix(".yaml")
    with open_serving(settings, writer=False) as store:
        made = Revisions(store).active()
        found: Any = mappings.mapping(store, made, name)
    if found is None:
        raise ValueError(f"There is no mapping {mapping}; {did_you_mean(name, mappings.named(made))}")
    if as_json:
        say(found)
        return
    console.print(f"{found['from']} → {found['to']}", style="bold", markup=False)
    rows = [
        (
            one["field"],
            one["way"],
            one["written"],
            ", ".join(one["from"]),
            " and ".join(one["conditions"]),
        )
        for one in found["leaves"]
    ]
    table("", ["field", "how", "as written", "from", "when"], rows)
    coverage = found["coverage"]
    for one in coverage["left"]:
        console.print(f"not used: {one['place']}, in {one['number']} messages since {found['since']}", markup=False)
    for place in coverage["lacking"]:
        console.print(f"missing: {place} is required by {found['to']}", style="yellow", markup=False)


@map_.command("try")
@click.argument("what", metavar="MAPPING FILE | FROM TO FILE", nargs=-1, required=True)
@as_json
@click.pass_obj
@report_errors
def try_(settings: Settings, what: tuple[str, ...], as_json: bool) -> None:
    """Run a mapping on the message in FILE (- for standard input). Shows the result, the source of each field, and
    faults against the contracts.

    MAPPING is a file, or its name without .yaml. FROM and TO are two versions such as oms/order.created@1
    wms/outbound.create@1. A message of FROM is first upgraded to the newest live version and then mapped, as in a real
    delivery. Exits with 1 on faults.
    """
    if len(what) not in (2, 3):
        raise ValueError(
            "Write a mapping and a file, or two versions and a file: hub map try oms/order.created@1 wms/outbound.create@1 order.json"
        )
    made, findings = catalog.judge(settings.workspace)
    way = _between(made, what[0], what[1], findings) if len(what) == 3 else (_mapping(made, what[0], findings),)
    payload = _message(what[-1])
    done = tried(made, way, payload, now())
    result, steps, fault, before = done.result, done.steps, done.fault, done.before
    after = steps[-1].faults if len(steps) == len(way) else ()
    if as_json:
        lineage = of_mapping(made, way[-1].source, way[-1].target)
        say(
            {
                "result": result,
                "fault": dict(fault.as_json()) if fault is not None else None,
                "sourceFaults": [dict(one.as_json()) for one in before],
                "targetFaults": [dict(one.as_json()) for one in after],
                "lineage": {field: origin.as_json() for field, origin in lineage.items()},
                "steps": [step.as_json() for step in steps],
            }
        )
    else:
        _show(way, result, before, steps)
        if fault is not None:
            errors.print(f"{fault.field or '/'}: {fault.text} {fault.fix}", style="red", markup=False)
        for one in way:
            _show_lineage(made, one, is_alone=len(way) == 1)
    if before or fault is not None or any(step.faults for step in steps):
        raise SystemExit(FAULTS)


def _mapping(made: catalog.Catalog, text: str, findings: list[Finding]) -> Mapping:
    pair = named(f"mappings/{Path(text).name.removesuffix('.yaml')}.yaml")
    found = made.mapping(*pair) if pair is not None else None
    if found is None:
        if pair is not None:
            _refuse_unreadable(file_name(*pair), findings)
        known = [file_name(*one).removeprefix("mappings/").removesuffix(".yaml") for one in made.mappings]
        raise ValueError(f"There is no mapping {text}; {did_you_mean(Path(text).name.removesuffix('.yaml'), known)}")
    return found


def _between(made: catalog.Catalog, source: str, target: str, findings: list[Finding]) -> tuple[Mapping, ...]:
    """The mappings from one version to another, as a message goes: first to the newest version that is live, then on
    from there.
    """
    one, other = (contract_named(made, text).ref for text in (source, target))
    upgrade = made.upgrade(one) if one.type != other.type else ()
    onward = made.way(upgrade[-1].target, other) if upgrade else None
    way = (*upgrade, *onward) if onward is not None else made.way(one, other)
    if not way:
        if one == other:
            raise ValueError("Both versions are the same. There is nothing to map.")
        _refuse_unreadable(file_name(one, other), findings)
        raise ValueError(
            f"There is no mapping from {one} to {other}. Draft it: hub new mapping {upgrade[-1].target if upgrade else one} {other}"
        )
    return way


def _refuse_unreadable(file: str, findings: list[Finding]) -> None:
    """Where the file is there and cannot be compiled, its findings are the answer, not that there is none."""
    mine = [finding for finding in findings if finding.file == file and finding.level == "error"]
    if mine:
        show_findings([finding.as_json() for finding in mine])
        fail(f"{file} cannot be run.", FAULTS)


def _message(file: str) -> Json:
    try:
        return json.decode(sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes())
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}.") from error
    except Refused as error:
        fail(f"{file} is not a message: {error.text}", FAULTS)


def _show(way: tuple[Mapping, ...], result: Json, before: tuple[Fault, ...], steps: tuple[Step, ...]) -> None:
    if len(way) > 1:
        console.print(
            " → ".join([str(way[0].source), *(str(one.target) for one in way)]),
            style="bold",
            markup=False,
            soft_wrap=True,
        )
    if result is not None:
        console.print_json(json.encode(result).decode())
    _show_faults("the source's contract", before)
    for number, step in enumerate(steps, 1):
        _show_faults(
            "the target's contract" if number == len(way) else f"{step.mapping.target}, an intermediate version",
            step.faults,
        )


def _show_faults(whose: str, faults: tuple[Fault, ...]) -> None:
    for one in faults:
        errors.print(
            f"{whose}: {one.pointer or '/'} is {one.got}, wanted {one.want}; {one.fix}", style="red", markup=False
        )


def _show_lineage(made: catalog.Catalog, mapping: Mapping, *, is_alone: bool) -> None:
    origins = of_mapping(made, mapping.source, mapping.target)
    rows = [
        (field, ", ".join((*one.paths, *(f"table {name}" for name in one.tables)))) for field, one in origins.items()
    ]
    table("" if is_alone else f"{mapping.source} → {mapping.target}", ["field", "from"], rows)
