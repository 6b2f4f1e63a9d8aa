"""Commands for whoever writes mappings: a trial on one message."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from hub import catalog
from hub.catalog.mappings import file_name, named
from hub.cli.output import FAULTS, as_json, console, errors, fail, say, table, told
from hub.core import json
from hub.core.contract import Contract
from hub.core.errors import Fault, GiveUp, Refused
from hub.core.message import Json
from hub.flow.lineage import of_mapping
from hub.main import now
from hub.settings import Settings


@click.group("map")
def map_() -> None:
    """Mappings, tried out."""


@map_.command("try")
@click.argument("mapping")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@as_json
@click.pass_obj
@told
def try_(settings: Settings, mapping: str, file: Path, as_json: bool) -> None:
    """Run MAPPING (its file, or its name without .yaml) on the message in FILE (- for standard input): the result, where each field comes from,
    and what either contract says. Exits 1 on faults.
    """
    made = catalog.load(settings.workspace)
    pair = named(f"mappings/{Path(mapping).name.removesuffix('.yaml')}.yaml")
    found = made.mapping(*pair) if pair is not None else None
    if pair is None or found is None:
        known = ", ".join(sorted(file_name(*one).removeprefix("mappings/") for one in made.mappings)[:8])
        raise ValueError(f"There is no mapping {mapping}. There is {known}.")
    try:
        payload = json.decode(sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes())
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}.") from error
    except Refused as error:
        fail(f"{file} is no message: {error.text}", FAULTS)
    before = _faults(made.contract(pair[0]), payload)
    try:
        result, fault = found.apply(payload, now=now()), None
    except GiveUp as error:
        result, fault = None, error.why
    after = _faults(made.contract(pair[1]), result) if fault is None else []
    origins = of_mapping(made, *pair)
    if as_json:
        say(
            {
                "result": result,
                "fault": dict(fault.as_json()) if fault is not None else None,
                "sourceFaults": [dict(one.as_json()) for one in before],
                "targetFaults": [dict(one.as_json()) for one in after],
                "lineage": {field: origin.as_json() for field, origin in origins.items()},
            }
        )
    else:
        _show(result, before, after)
        if fault is not None:
            errors.print(f"{fault.field or '/'}: {fault.text} {fault.fix}", style="red", markup=False)
        table("", ["field", "from"], [(field, ", ".join((*one.paths, *(f"table {name}" for name in one.tables)))) for field, one in origins.items()])
    if before or after or fault is not None:
        raise SystemExit(FAULTS)


def _show(result: Json, before: list[Fault], after: list[Fault]) -> None:
    if result is not None:
        console.print_json(json.encode(result).decode())
    for whose, faults in (("the source's contract", before), ("the target's contract", after)):
        for one in faults:
            errors.print(f"{whose}: {one.pointer or '/'} is {one.got}, wanted {one.want}; {one.fix}", style="red", markup=False)


def _faults(contract: Contract | None, value: Json) -> list[Fault]:
    return contract.check(value) if contract is not None else []
