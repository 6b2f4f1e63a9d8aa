"""`contracts/versions.lock`: the hashes of published contracts. Append-only: what partners built against a version
stays true.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path

from hub.catalog.catalog import Catalog
from hub.catalog.yaml.codes import Check
from hub.catalog.yaml.findings import Findings
from hub.core.config.system import VersionState
from hub.core.errors import Finding

NAME = "versions.lock"
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)


def judge(files: Mapping[str, str], findings: Findings) -> None:
    """A contract that is locked never changes, and never goes."""
    for name, text in files.items():
        if not name.endswith(f"/contracts/{NAME}"):
            continue
        folder = name.removesuffix(NAME)
        for number, line in enumerate(text.splitlines(), 1):
            file, _, digest = line.strip().partition(" ")
            if not file or file.startswith("#"):
                continue
            if not _HASH.fullmatch(digest.strip()):
                findings.add(
                    name,
                    (number, 1),
                    Check.BAD_LOCK,
                    "the line has not the form `file sha256`",
                    "write it anew from the published file",
                )
            elif folder + file not in files:
                text_ = f"the published contract {file} is gone"
                findings.add(
                    name,
                    (number, 1),
                    Check.CONTRACT_CHANGED,
                    text_,
                    "bring it back; a version is retired, never removed",
                )
            elif sha256(files[folder + file].encode()).hexdigest() != digest.strip():
                fix = "undo the change, and publish a new version"
                findings.add(folder + file, (1, 1), Check.CONTRACT_CHANGED, "a published contract was changed", fix)


def locked(files: Mapping[str, str]) -> dict[str, str]:
    """What is locked: each contract's path, and the hash that it was published with."""
    found: dict[str, str] = {}
    for name, text in files.items():
        if name.endswith(f"/contracts/{NAME}"):
            rows = (line.strip().partition(" ") for line in text.splitlines() if not line.lstrip().startswith("#"))
            found |= {
                name.removesuffix(NAME) + file: digest.strip()
                for file, _, digest in rows
                if _HASH.fullmatch(digest.strip())
            }
    return found


def withdrawn(published: Mapping[str, str], files: Mapping[str, str]) -> list[Finding]:
    """What was published, and these files do not keep any more: a line of a lock that is gone, or names another hash.
    By contract, or one for a whole system.

    A file alone cannot tell: whoever edits a contract can edit the lock beside it. `published` comes from where neither
    can be edited.
    """
    findings, now = Findings(), locked(files)
    for path, digest in sorted(published.items()):
        if now.get(path) == digest:
            continue
        folder, _, file = path.rpartition("/")
        system = folder.removesuffix("/contracts")
        if f"{system}/system.yaml" not in files:
            text = "the system is gone, with contracts that are published"
            findings.add(f"{folder}/{NAME}", (1, 1), Check.WITHDRAWN, text, "bring it back, and retire its versions")
        else:
            text = (
                f"the line of {file} in {NAME} is gone"
                if path not in now
                else f"the line of {file} in {NAME} names another hash than was published"
            )
            findings.add(path, (1, 1), Check.WITHDRAWN, text, f"write it as it was: {file} {digest}")
    return findings.errors


def is_withdrawal_of(finding: str, path: str) -> bool:
    """Whether a finding that was accepted, by its name, is about the contract at `path`."""
    code, _, rest = finding.partition(":")
    file = rest.rpartition(":")[0]
    return code == Check.WITHDRAWN and file in (path, f"{path.rpartition('/')[0]}/{NAME}")


def missing(catalog: Catalog, files: Mapping[str, str]) -> dict[str, list[str]]:
    """The lines that each system's lock lacks, by the lock's path: every version that is not a draft any more."""
    lacking: dict[str, list[str]] = {}
    for system, file in _published(catalog):
        folder = f"adapters/{system}/contracts/"
        locked = {line.split(" ")[0] for line in files.get(folder + NAME, "").splitlines()}
        if file not in locked and folder + file in files:
            lacking.setdefault(folder + NAME, []).append(f"{file} {sha256(files[folder + file].encode()).hexdigest()}")
    return {name: sorted(lines) for name, lines in sorted(lacking.items())}


def remind(catalog: Catalog, files: Mapping[str, str], findings: Findings) -> None:
    """Where a system locks its versions, it locks all that are published."""
    for name, lines in missing(catalog, files).items():
        if name in files:
            for line in lines:
                file = name.removesuffix(NAME) + line.split(" ")[0]
                findings.add(
                    file, (1, 1), Check.UNLOCKED, "a published contract is not locked", "run: hub contracts lock"
                )


def append(workspace: Path, lacking: Mapping[str, list[str]]) -> None:
    """Adds the lines; those that stand there stay as they are."""
    for name, lines in lacking.items():
        path = workspace / name
        before = path.read_text("utf-8") if path.exists() else ""
        path.write_text(
            before + ("\n" if before and not before.endswith("\n") else "") + "\n".join(lines) + "\n", "utf-8"
        )


def _published(catalog: Catalog) -> Iterator[tuple[str, str]]:
    for system in catalog.systems.values():
        messages = [(name, one.versions) for name, one in system.emits.items()] + [
            (name, one.versions) for name, one in system.accepts.items()
        ]
        for name, versions in messages:
            for number, version in versions.items():
                if version.state is not VersionState.DRAFT:
                    yield system.name, f"{name}.v{number}.json"
