"""The JSON Schemas of a workspace's own files, for editors, and where they lie in it.

They are made from the shapes that the reader itself goes by, so that an editor and `hub check` cannot part. A file
names its schema in its first line by a relative path: it is found without a network, and is of the very version of the
hub that wrote it.
"""

from __future__ import annotations

import json
from pathlib import Path

from hub.catalog.files.leaf_schema import DEFINITIONS
from hub.catalog.files.mappings import FOREIGN_SHAPE
from hub.catalog.files.mappings import SHAPE as MAPPING_SHAPE
from hub.catalog.files.mappings import TABLE as TABLE_SHAPE
from hub.catalog.files.route_shape import SHAPE as ROUTES_SHAPE
from hub.catalog.files.system import SHAPE as SYSTEM_SHAPE
from hub.catalog.yaml.shape import published
from hub.core.message import Json

FOLDER = ".crossdock/schemas"
ROUTES, SYSTEM, MAPPING, TABLE = "routes.schema.json", "system.schema.json", "mapping.schema.json", "table.schema.json"


def schemas() -> dict[str, dict[str, Json]]:
    """Each schema by its file's name."""
    return {
        ROUTES: published(ROUTES_SHAPE, "routes.yaml"),
        SYSTEM: published(SYSTEM_SHAPE, "system.yaml"),
        MAPPING: _mapping(),
        TABLE: published(TABLE_SHAPE, "mappings/tables/<name>.yaml"),
    }


def _mapping() -> dict[str, Json]:
    """Of a message of ours, or of a foreign body that a hook receives: they differ in what `from` may be."""
    found = published(MAPPING_SHAPE, "mappings/<from>--<to>.yaml")
    sources: list[Json] = [shape.keys["from"].shape.schema() for shape in (MAPPING_SHAPE, FOREIGN_SHAPE)]
    properties = found["properties"]
    assert isinstance(properties, dict)
    return {**found, "properties": {**properties, "from": {"anyOf": sources}}, "$defs": DEFINITIONS}


def texts() -> dict[str, str]:
    """The same as files, by their path in a workspace."""
    return {f"{FOLDER}/{name}": f"{json.dumps(document, indent=2)}\n" for name, document in schemas().items()}


def write(workspace: Path, *, anew: bool = True) -> list[Path]:
    """Puts them into a workspace, and gives those that were written. Without `anew` only what is not there yet."""
    written = []
    for name, text in texts().items():
        path = workspace / name
        if anew or not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            written.append(path)
    return written


def first_line(schema: str, file: str) -> str:
    """The comment by which an editor finds the schema of `file`, a path in the workspace."""
    return f"# yaml-language-server: $schema={'../' * file.count('/')}{FOLDER}/{schema}\n"
