"""The folder of a new system: what it sends and takes, a contract and two samples for each message, a page to read. It
passes `hub check` as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hub.catalog.files import schemas
from hub.catalog.yaml.findings import shown
from hub.catalog.yaml.name_patterns import MESSAGE_NAME, SYSTEM_NAME
from hub.catalog.yaml.writing import text_for
from hub.core.message import Json


def system_files(
    name: str, *, emits: Sequence[str] = (), accepts: Sequence[str] = (), owner: str = ""
) -> dict[str, str]:
    """The files by their path in the workspace. Raises ValueError for a name that is none."""
    if not re.fullmatch(SYSTEM_NAME, name, re.ASCII):
        raise ValueError(
            f"{shown(name)} is not a system name. Write lower-case letters, digits and hyphens, such as wms or north-depot."
        )
    for message in (*emits, *accepts):
        if not re.fullmatch(MESSAGE_NAME, message, re.ASCII) or len(message) > 100:
            raise ValueError(
                f"{shown(message)} is not a message name. Write it like order.created, without system and version."
            )
    # Both ways share one folder of contracts: a name that goes both ways would be one contract for two things.
    twice = sorted({one for one in (*emits, *accepts) if (*emits, *accepts).count(one) > 1})
    if twice:
        raise ValueError(f"{twice[0]} is given twice. Each message needs a name of its own.")
    folder = f"adapters/{name}"
    files = {
        f"{folder}/system.yaml": _declaration(name, emits, accepts, owner),
        f"{folder}/README.md": _readme(name, emits, accepts),
    }
    for message in (*emits, *accepts):
        files |= {f"{folder}/{path}": text for path, text in _message(message).items()}
    return files


def write(workspace: Path, files: Mapping[str, str]) -> list[Path]:
    """Writes the files and gives their paths. Raises ValueError where one exists: nothing is written then."""
    there = [name for name in files if (workspace / name).exists()]
    if there:
        raise ValueError(f"{workspace / there[0]} exists already. Nothing was overwritten.")
    for name, text in files.items():
        path = workspace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return [workspace / name for name in files]


def _declaration(name: str, emits: Sequence[str], accepts: Sequence[str], owner: str) -> str:
    lines = [
        f"name: {text_for(name)}",
        f"title: {text_for(name.replace('-', ' ').capitalize())}",
        f"owner: {text_for(owner)}" if owner else "# owner: who answers for it",
    ]
    if emits:
        lines += ["emits:", *(line for message in emits for line in _emitted(message))]
    if accepts:
        lines += ["accepts:", *(line for message in accepts for line in _accepted(message))]
    lines += ["auth:", "  inbound: {scheme: hub-signature}"]
    if accepts:
        variable = name.upper().replace("-", "_")
        lines += [
            "  outbound: {scheme: none}",
            f"  # outbound: {{scheme: hub-signature, key: env:{variable}_KEY, secret: env:{variable}_SECRET}}",
            "settings:",
            '  url: {help: Root of its API, default: "http://127.0.0.1:9100"}',
        ]
    return schemas.first_line(schemas.SYSTEM, f"adapters/{name}/system.yaml") + "".join(f"{line}\n" for line in lines)


def _emitted(message: str) -> Iterator[str]:
    key = _key(message)
    yield f"  {text_for(message)}:"
    yield f"    about: What it says with {message}, in one sentence."
    yield "    versions: {1: {state: current}}"
    yield f"    keys: {{{key}: {key}}}"
    yield f"    order_by: {key}"
    yield f"    dedupe_by: [{key}]"


def _accepted(message: str) -> Iterator[str]:
    yield f"  {text_for(message)}:"
    yield f"    about: What it does on {message}, in one sentence."
    yield "    versions: {1: {state: current}}"
    yield f"    call: POST /{message.replace('.', '/')}"
    yield f"    # call: PUT /{message.replace('.', '/')}/{{{_key(message)}}}   # holes are expressions over what is sent"
    yield "    # success: status < 300 and body.code = 0     # default: any 2xx"
    yield "    # already: body.code = 40901                  # it has it: counts as success"
    yield "    # again: body.code in [-1, 42900]             # busy: tried again by the route's retry"
    yield "    # refused: {message: body.message}            # where its own words stand"


def _key(message: str) -> str:
    """The number that a message is about, by its name: orderNo for order.created."""
    first, *others = message.partition(".")[0].split("-")
    return first + "".join(other.capitalize() for other in others) + "No"


def _message(message: str) -> dict[str, str]:
    key = _key(message)
    contract: Json = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": message,
        "type": "object",
        "additionalProperties": False,
        "required": [key, "occurredAt"],
        "properties": {
            key: {"type": "string", "minLength": 1, "maxLength": 64},
            "occurredAt": {"type": "string", "format": "date-time", "maxLength": 40},
            "remark": {"type": "string", "maxLength": 200},
        },
    }
    sample: Json = {key: "NO-1", "occurredAt": "2025-11-22T10:00:00+08:00"}
    bad: Json = {"//": f"/{key} required", "occurredAt": "2025-11-22T10:00:00+08:00"}
    return {
        f"contracts/{message}.v1.json": _json(contract),
        f"samples/{message}.v1/minimal.json": _json(sample),
        f"samples/{message}.v1/without-number.bad.json": _json(bad),
    }


def _json(value: Json) -> str:
    return json.dumps(value, indent=2) + "\n"


def _readme(name: str, emits: Sequence[str], accepts: Sequence[str]) -> str:
    lines = [f"# {name}", "", "What this system is, who runs it, and where its own documentation lies.", ""]
    if emits or accepts:
        lines += ["| message | way | call |", "|---|---|---|"]
        lines += [f"| `{message}` | to the hub | `POST /api/v1/{name}/{message}` |" for message in emits]
        lines += [f"| `{message}` | from the hub | `POST /{message.replace('.', '/')}` |" for message in accepts]
        lines += [
            "",
            "A version that is posted or called is described in `contracts/`. `samples/` has for each at least one that passes, and one that fails",
            "where it says: they are read by `hub check`.",
            "",
        ]
    return "\n".join(lines)
