"""Sample messages beside the contracts in the workspace folder. They test a workspace and are not part of a
revision.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hub.core import json
from hub.core.message import Json, Ref

MOST = 200  # maximum number of samples listed per version


def samples(folder: Path, ref: Ref) -> dict[str, Path]:
    """The samples of one version by name, such as `one-line`; {} if this machine has no such folder. A sample named
    `.bad` must be refused.
    """
    return dict(list(_found(folder, ref))[:MOST])


def _found(folder: Path, ref: Ref) -> Iterator[tuple[str, Path]]:
    where = folder / "adapters" / ref.system / "samples" / f"{ref.name}.v{ref.version}"
    root = folder.resolve()
    for path in sorted(where.glob("*.json")):
        if not path.name.startswith(".") and path.resolve().is_relative_to(root):
            yield path.name.removesuffix(".json"), path


def read(folder: Path, ref: Ref, name: str) -> Json:
    """One sample, without the comment (`//`) that says where a bad one must fail. Raises ValueError if there is none,
    Refused if it is not JSON.
    """
    path = samples(folder, ref).get(name)
    if path is None:
        raise ValueError(f"There is no sample {name} of {ref}.")
    value = json.decode(path.read_bytes())
    return {key: member for key, member in value.items() if key != "//"} if isinstance(value, dict) else value
