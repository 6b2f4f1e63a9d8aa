"""A workspace's files and their content hash: what a revision is made of, and what the store keeps."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hub.catalog.yaml.codes import Check
from hub.catalog.yaml.findings import Findings
from hub.core.errors import Finding

MAX_FILES = 20_000
MAX_BYTES = 2 * 1024 * 1024  # of one file

# What decides how messages are treated. Samples prove a workspace and are no part of a revision.
_CONTENT = re.compile(r"routes\.yaml|mappings/(?:tables/)?[^/]+\.yaml|adapters/[^/]+/(?:system\.yaml|contracts/[^/]+)")
_PROOF = re.compile(r"adapters/[^/]+/samples/[^/]+/[^/]+\.json")
_PATTERNS = (
    "routes.yaml",
    "mappings/*.yaml",
    "mappings/tables/*.yaml",
    "adapters/*/system.yaml",
    "adapters/*/contracts/*",
    "adapters/*/samples/*/*.json",
)


@dataclass(frozen=True, slots=True)
class WorkspaceFiles:
    """A workspace as it stood when it was read: its files, and what of it could not be read. Whoever judges this
    applies exactly this.
    """

    files: Mapping[str, str]
    findings: tuple[Finding, ...] = ()


def read(folder: Path) -> WorkspaceFiles:
    """The workspace in a folder, each file read once."""
    findings = Findings()
    return WorkspaceFiles(read_files(folder, findings), tuple(findings.found))


def read_files(folder: Path, findings: Findings | None = None) -> dict[str, str]:
    """All files of a workspace that the hub reads, by their path from `folder`, samples included. Each is read once and
    judged as read.

    What cannot be read stands in `findings` and is left out.
    """
    found = findings if findings is not None else Findings()
    files: dict[str, str] = {}
    if not (folder / "routes.yaml").exists():
        found.add(
            "routes.yaml",
            (1, 1),
            Check.MISSING_FILE,
            f"{folder} has no routes.yaml",
            "run hub in a workspace, or make one: hub init DIR",
        )
    try:
        paths = list(_paths(folder))
    except OSError as error:  # half a workspace is none: nothing is read
        found.add(
            "routes.yaml",
            (1, 1),
            Check.UNREADABLE,
            f"a folder changed while it was read: {error.strerror}",
            "run it again",
        )
        return {}
    for path in paths:
        name = path.relative_to(folder).as_posix()
        if len(files) >= MAX_FILES:
            found.add(name, (1, 1), Check.TOO_LARGE, f"the workspace has more than {MAX_FILES} files")
            break
        text = _read(path, name, found, folder.resolve())
        if text is not None:
            files[name] = text
    return files


def looks(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Path, time and size of each file of a workspace, unread: equal where none was written meanwhile. Empty where the
    folder changes under the look.
    """
    try:
        return tuple((str(path), told.st_mtime_ns, told.st_size) for path in _paths(folder) for told in (path.stat(),))
    except OSError:
        return ()


def _paths(folder: Path) -> Iterator[Path]:
    for pattern in _PATTERNS:
        yield from sorted(path for path in folder.glob(pattern) if not path.name.startswith("."))


def _read(path: Path, name: str, findings: Findings, root: Path) -> str | None:
    try:
        if not path.resolve().is_relative_to(root) or not path.is_file():
            findings.add(name, (1, 1), Check.UNREADABLE, "it is no regular file inside the workspace")
            return None
        raw = path.read_bytes()
    except OSError as error:
        findings.add(name, (1, 1), Check.UNREADABLE, f"it cannot be read: {error.strerror}")
        return None
    if len(raw) > MAX_BYTES:
        findings.add(
            name, (1, 1), Check.TOO_LARGE, f"it has {len(raw)} bytes; the hub reads up to {MAX_BYTES}", "split it"
        )
        return None
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        findings.add(name, (line, 1), Check.NOT_TEXT, "it is not UTF-8", "save it as UTF-8")
        return None


def content(files: Mapping[str, str]) -> dict[str, str]:
    """Those files that a revision consists of."""
    return {name: text for name, text in files.items() if _CONTENT.fullmatch(name)}


def samples(files: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in files.items() if _PROOF.fullmatch(name)}


def hash_of(files: Mapping[str, str]) -> str:
    """SHA-256 over the sorted files, each with its length before it, so that no two sets of files run together."""
    digest = hashlib.sha256()
    for name, text in sorted(content(files).items()):
        for part in (name.encode(), text.encode()):
            digest.update(str(len(part)).encode() + b":" + part)
    return digest.hexdigest()
