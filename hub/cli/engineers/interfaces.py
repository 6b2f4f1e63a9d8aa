"""Commands that write the interface down: OpenAPI, AsyncAPI, and the JSON Schemas of the workspace's own files."""

from __future__ import annotations

import json as plain_json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click

from hub import __version__, catalog
from hub.catalog.files import schemas
from hub.cli.common.output import console, say, told
from hub.core.apidocs.asyncapi import asyncapi as make_asyncapi
from hub.core.apidocs.handbook import pages
from hub.core.apidocs.openapi import openapi as make_openapi
from hub.core.config.system import System
from hub.core.documents import json
from hub.core.message import Json, Ref
from hub.settings import Settings


def _written(settings: Settings, system: str | None, out: Path | None, make: Callable[..., Json]) -> None:
    made = catalog.load(settings.workspace)
    if system is not None and system not in made.systems:
        raise ValueError(f"There is no system {system}; there is {', '.join(sorted(made.systems))}.")
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
    """The good samples of the workspace, examples of their versions; or those that do not fit, without the line that says where."""
    found: dict[Ref, dict[str, Json]] = {}
    for name, text in catalog.read_files(workspace).items():
        parts = name.split("/")
        if len(parts) == 5 and parts[2] == "samples" and name.endswith(".bad.json") is bad:  # adapters/<system>/samples/<message>.v<N>/<case>.json
            message, _, number = parts[3].rpartition(".v")
            payload = json.decode(text.encode())
            if bad and isinstance(payload, dict):
                payload = {field: value for field, value in payload.items() if field != "//"}
            found.setdefault(Ref(parts[1], message, int(number)), {})[parts[4].removesuffix(".json").removesuffix(".bad")] = payload
    return found


_system = click.option("--system", help="Of one system alone.")
_out = click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Into a file; without it, to standard output.")


@click.command()
@_system
@_out
@click.pass_obj
@told
def openapi(settings: Settings, system: str | None, out: Path | None) -> None:
    """OpenAPI 3.1 of what systems post and of what the hub calls, with the workspace's samples."""
    _written(settings, system, out, partial(make_openapi, max_batch=settings.max_batch))


@click.command()
@_system
@_out
@click.pass_obj
@told
def asyncapi(settings: Settings, system: str | None, out: Path | None) -> None:
    """AsyncAPI 3.0 of all messages, with the workspace's samples."""
    _written(settings, system, out, make_asyncapi)


@click.command("docs")
@click.option("--markdown", "folder", required=True, type=click.Path(file_okay=False, path_type=Path), help="The folder that the pages are written into.")
@_system
@click.pass_obj
@told
def handbook(settings: Settings, folder: Path, system: str | None) -> None:
    """A Markdown page for each message: purpose, versions, fields, samples, refusals, what changed between versions, and every error."""
    made = catalog.load(settings.workspace)
    if system is not None and system not in made.systems:
        raise ValueError(f"There is no system {system}; there is {', '.join(sorted(made.systems))}.")
    samples, refused = _samples(settings.workspace), _samples(settings.workspace, bad=True)
    folder.mkdir(parents=True, exist_ok=True)
    for name in sorted(made.systems):
        for file, text in pages(made.systems[name], samples, refused).items() if system in (None, name) else ():
            (folder / file).write_text(text, "utf-8")
            console.print(str(folder / file), markup=False)


@click.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Into a folder, a file each; without it, to standard output.")
@click.option("--write", is_flag=True, help=f"Into the workspace ({schemas.FOLDER}), where the first line of each template finds them.")
@click.pass_obj
@told
def schema(settings: Settings, out: Path | None, write: bool) -> None:
    """JSON Schemas of routes.yaml, system.yaml, mappings and code lists, for editors."""
    if write and out is not None:
        raise ValueError("--write and --out exclude each other.")
    if write:
        if not (settings.workspace / "routes.yaml").exists():
            raise ValueError(f"{settings.workspace} is no workspace: it has no routes.yaml.")
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
