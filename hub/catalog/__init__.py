"""One workspace → one frozen, cross-checked Catalog. Files in, values out; every fault at file:line:column.

Imports hub.core, hub.kit.addresses and hub.settings. Knows no store, no network. Third party that lives here:
ruamel.yaml.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hub.catalog.catalog import Catalog as Catalog
from hub.catalog.checks.check import prove
from hub.catalog.checks.typing import Coverage as Coverage
from hub.catalog.checks.typing import types
from hub.catalog.config_difference import AffectedNames as AffectedNames
from hub.catalog.config_difference import Change as Change
from hub.catalog.config_difference import difference as difference
from hub.catalog.files import lock as lock
from hub.catalog.files.mappings import file_name
from hub.catalog.files.revision import WorkspaceFiles as WorkspaceFiles
from hub.catalog.files.revision import looks as looks
from hub.catalog.files.revision import read as read
from hub.catalog.files.revision import read_files as read_files
from hub.catalog.workspace import assemble
from hub.catalog.yaml.findings import Findings
from hub.catalog.yaml.yaml_documents import plain, read_yaml
from hub.core.config.system import System
from hub.core.errors import BadWorkspace, Finding
from hub.core.message import Json, Ref


def load(folder: Path) -> Catalog:
    """Reads, cross-checks and proves a workspace. Raises BadWorkspace with all findings, in the order of their
    places.
    """
    catalog, findings = _judged(folder)
    if findings.errors:
        raise BadWorkspace(findings.errors)
    return catalog


def check(folder: Path) -> list[Finding]:
    """All findings, warnings too."""
    return sorted(_judged(folder)[1].found)


def judge(given: Path | WorkspaceFiles) -> tuple[Catalog, list[Finding]]:
    """The catalogue as far as it can be understood, and all findings: for whoever wants to see what a faulty workspace
    would change.

    `given`: the workspace's folder, or the workspace as it was read already.
    """
    catalog, findings = _judged(given)
    return catalog, sorted(findings.found)


def coverage(catalog: Catalog) -> dict[tuple[Ref, Ref], Coverage]:
    """How far the types of each mapping can be decided."""
    return types(catalog, Findings())


def mapping_document(catalog: Catalog, source: Ref, target: Ref) -> Json:
    """A mapping's file as plain values; None where there is none."""
    name = file_name(source, target)
    root = read_yaml(name, catalog.files[name]).root if name in catalog.files else None
    return plain(root, name, Findings()) if root is not None else None


def plain_file(name: str, text: str) -> Json:
    """A file of a workspace as plain values; None where it cannot be read."""
    root = read_yaml(name, text).root
    return plain(root, name, Findings()) if root is not None else None


def is_readable(catalog: Catalog) -> bool:
    """Whether a process could load it: findings of its proofs may be accepted by name, what cannot be read cannot."""
    findings = Findings()
    assemble(catalog.files, findings)
    return not findings.errors


def from_files(files: Mapping[str, str]) -> Catalog:
    """The catalogue of a stored revision: it was proven when it was applied. Raises BadWorkspace where this hub cannot
    read it any more.
    """
    findings = Findings()
    catalog = assemble(files, findings)
    if findings.errors:
        raise BadWorkspace(findings.errors)
    return catalog


def system(folder: Path, name: str) -> System | None:
    """One system alone, as its folder declares it, without judging the rest: enough to run its sandbox. None where
    there is none.
    """
    files = {path: text for path, text in read_files(folder).items() if path.startswith(f"adapters/{name}/")}
    return assemble(files, Findings()).systems.get(name)


def _judged(given: Path | WorkspaceFiles) -> tuple[Catalog, Findings]:
    found = given if isinstance(given, WorkspaceFiles) else read(given)
    files, findings = found.files, Findings(list(found.findings))
    catalog = assemble(files, findings)
    # Where all could be read and only some ways lead nowhere (E6), the rest is proven all the same.
    if all(finding.code.startswith("E6") for finding in findings.errors):
        prove(catalog, files, findings)
    return catalog, findings
