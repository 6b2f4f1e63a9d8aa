"""Samples: the messages that lie beside the contracts in the workspace's folder. They prove a workspace and are no part of a revision."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hub.core.documents import json
from hub.core.message import Json, Ref

MOST = 200  # of one version that are listed


def samples(folder: Path, ref: Ref) -> dict[str, Path]:
    """Those of one version by their name, `one-line`; {} where this process has no such folder. A name ending in `.bad` must be refused."""
    return dict(list(_found(folder, ref))[:MOST])


def _found(folder: Path, ref: Ref) -> Iterator[tuple[str, Path]]:
    where = folder / "adapters" / ref.system / "samples" / f"{ref.name}.v{ref.version}"
    root = folder.resolve()
    for path in sorted(where.glob("*.json")):
        if not path.name.startswith(".") and path.resolve().is_relative_to(root):
            yield path.name.removesuffix(".json"), path


def read(folder: Path, ref: Ref, name: str) -> Json:
    """One sample, without the remark (`//`) that says where a bad one must fail. Raises ValueError where there is none, Refused where it is no JSON."""
    path = samples(folder, ref).get(name)
    if path is None:
        raise ValueError(f"There is no sample {name} of {ref}.")
    value = json.decode(path.read_bytes())
    return {key: one for key, one in value.items() if key != "//"} if isinstance(value, dict) else value
