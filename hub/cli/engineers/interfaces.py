"""Commands that write interface documents: OpenAPI, AsyncAPI, and the JSON Schemas of the workspace's files."""

from __future__ import annotations

import json as plain_json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click

from hub import __version__, catalog
from hub.catalog.files import schemas
from hub.cli.common.output import console, report_errors, say
from hub.core import json
from hub.core.apidocs.asyncapi import asyncapi as make_asyncapi
from hub.core.apidocs.handbook import pages
from hub.core.apidocs.openapi import openapi as make_openapi
from hub.core.config.system import System
from hub.core.message import Json, Ref
from hub.settings import Settings


def _written(settings: Settings, system: str | None, out: Path | None, make: Callable[..., Json]) -> None:
    made = catalog.load(settings.workspace)
    if system is not None and system not in made.systems:
        raise ValueError(f"There is no system {system}. Systems: {', '.join(sorted(made.systems))}.")
    systems: list[System] = [made.systems[name] for name in sorted(made.systems) if system in (None, name)]
    _put(make(systems, title="Crossdock", version=__version__, examples=_samples(settings.workspace)), out)


def _put(document: Json, out: Path | None) -> None:
    if out is None:
        say(document)
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(json.encode(document) + b"\n")
    console.print(str(out), markup=False)


def _samples(workspace: Path, *, bad: bool = False) -> dict[Ref, dict[str, Json]]:
    """The good samples of the workspace, examples of their versions; or those that do not fit, without the line that
    says where.
    """
    found: dict[Ref, dict[str, Json]] = {}
    for name, text in catalog.read_files(workspace).items():
        parts = name.split("/")
        # adapters/<system>/samples/<message>.v<N>/<case>.json
        if len(parts) == 5 and parts[2] == "samples" and name.endswith(".bad.json") is bad:
            message, _, number = parts[3].rpartition(".v")
            payload = json.decode(text.encode())
            if bad and isinstance(payload, dict):
                payload = {field: value for field, value in payload.items() if field != "//"}
            found.setdefault(Ref(parts[1], message, int(number)), {})[
                parts[4].removesuffix(".json").removesuffix(".bad")
            ] = payload
    return found


_system = click.option("--system", help="Only this system.")
_out = click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Output file. Default: standard output."
)


@click.command()
@_system
@_out
@click.pass_obj
@report_errors
def openapi(settings: Settings, system: str | None, out: Path | None) -> None:
    """Write OpenAPI 3.1 of all incoming and outgoing HTTP calls, with the workspace's samples."""
    _written(settings, system, out, partial(make_openapi, max_batch=settings.max_batch))


@click.command()
@_system
@_out
@click.pass_obj
@report_errors
def asyncapi(settings: Settings, system: str | None, out: Path | None) -> None:
    """Write AsyncAPI 3.0 of all messages, with the workspace's samples."""
    _written(settings, system, out, make_asyncapi)


@click.command("docs")
@click.option(
    "--markdown",
    "folder",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Output folder for the pages.",
)
@_system
@click.pass_obj
@report_errors
def handbook(settings: Settings, folder: Path, system: str | None) -> None:
    """Write a Markdown page for each message. It contains purpose, versions, fields, samples, refusals, changes between
    versions, and all errors.
    """
    made = catalog.load(settings.workspace)
    if system is not None and system not in made.systems:
        raise ValueError(f"There is no system {system}. Systems: {', '.join(sorted(made.systems))}.")
    samples, refused = _samples(settings.workspace), _samples(settings.workspace, bad=True)
    folder.mkdir(parents=True, exist_ok=True)
    for name in sorted(made.systems):
        for file, text in pages(made.systems[name], samples, refused).items() if system in (None, name) else ():
            (folder / file).write_text(text, "utf-8")
            console.print(str(folder / file), markup=False)


@click.command()
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Output folder, with one file for each schema. Default: standard output.",
)
@click.option(
    "--write",
    is_flag=True,
    help=f"Write into the workspace folder {schemas.FOLDER}, to which the first line of each template refers.",
)
@click.pass_obj
@report_errors
def schema(settings: Settings, out: Path | None, write: bool) -> None:
    """Write the JSON Schemas of routes.yaml, system.yaml, mappings and code lists, for editors."""
    if write and out is not None:
        raise ValueError("--write and --out cannot be used together.")
    if write:
        if not (settings.workspace / "routes.yaml").exists():
            raise ValueError(f"{settings.workspace} is not a workspace: it has no routes.yaml.")
        for path in schemas.write(settings.workspace):
            console.print(str(path), markup=False)
        return
    if out is None:
        say(dict(schemas.schemas()))
        return
    out.mkdir(parents=True, exist_ok=True)
    for name, document in schemas.schemas().items():
        (out / name).write_text(plain_json.dumps(document, indent=2) + "\n", "utf-8")
        console.print(str(out / name), markup=False)
