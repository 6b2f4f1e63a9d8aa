"""Plan and apply: what a workspace would change, and then the change. Planning reads only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hub.catalog import Catalog, Change, Read, Touched, difference, from_files, is_readable, judge
from hub.catalog.files import lock
from hub.core.errors import BadWorkspace, Finding
from hub.core.message import Json
from hub.flow.context.revisions import Unmet, nothing_unmet
from hub.flow.dry_run.whatif import Report, orphans, recent, what_if
from hub.flow.intake.default_version import NewDefault, new_defaults
from hub.store import Outdated, Store

HISTORY = 100  # activations that are looked at for what was published: each keeps what the one before it kept, but for a rollback


@dataclass(frozen=True, slots=True)
class Waiting:
    """Deliveries on one way that the change touches."""

    route: str
    target: str
    status: str
    number: int
    is_orphaned: bool  # the way is gone: they will be held

    def as_json(self) -> dict[str, Json]:
        return {"route": self.route, "target": self.target, "status": self.status, "number": self.number, "orphaned": self.is_orphaned}


@dataclass(frozen=True, slots=True)
class Plan:
    """A change, proven as far as that can be done before it goes live. `onto` is the active configuration that it was compared with."""

    revision: str
    onto: str | None
    changes: tuple[Change, ...]
    findings: tuple[Finding, ...]
    waiting: tuple[Waiting, ...]
    report: Report
    defaults: tuple[NewDefault, ...] = ()

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.level == "error")

    def as_json(self) -> dict[str, Json]:
        return {
            "revision": self.revision,
            "onto": self.onto,
            "changes": [change.as_json() for change in self.changes],
            "findings": [dict(finding.as_json()) for finding in self.findings],
            "waiting": [one.as_json() for one in self.waiting],
            "whatIf": self.report.as_json(),
            "defaults": [one.as_json() for one in self.defaults],
        }


def plan(store: Store, folder: Path | Read, *, since: datetime | None = None, most: int | None = None, step: Callable[[], None] = lambda: None) -> Plan:
    """Compares the workspace with the active configuration, and runs stored messages through both: all since a time, or the last so many.

    A workspace that cannot be read is told by its findings alone. `step` is called after each message.
    """
    new, findings = judge(folder)
    return _compared(store, new, findings, since=since, most=most, step=step)


def plan_back(store: Store, hash_: str, *, since: datetime | None = None, most: int | None = None, step: Callable[[], None] = lambda: None) -> Plan:
    """The same for a configuration that the store keeps: what going back to it would change. Raises KeyError: it is not kept; BadWorkspace."""
    files = store.revision(hash_)
    if files is None:
        raise KeyError(hash_)
    return _compared(store, from_files(files), None, since=since, most=most, step=step)


def _compared(store: Store, new: Catalog, found: Sequence[Finding] | None, *, since: datetime | None, most: int | None, step: Callable[[], None]) -> Plan:
    """`found`: what the check says of it; None: it was proven when it was applied, and what was published since then is none of its business."""
    findings = list(found or ())
    active = store.active()
    files = store.revision(active) if active is not None else None
    if files is None:
        return Plan(new.revision, active, (), tuple(findings), (), Report())
    if found is not None:
        findings = sorted([*findings, *lock.withdrawn(published(store), new.files)])
    old = from_files(files)
    changes = difference(old, new)
    readable = not any(finding.level == "error" and not _is_of_a_proof(finding) for finding in findings)
    report = what_if(old, new, recent(store, since=since, most=most), step=step) if changes and readable else Report()
    defaults = new_defaults(store, old, new, store.now()) if changes else []
    return Plan(new.revision, active, tuple(changes), tuple(findings), tuple(_waiting(store, new, changes)), report, tuple(defaults))


def _is_of_a_proof(finding: Finding) -> bool:
    """What does not hold, or does not fit: the configuration can be understood all the same."""
    return (finding.code.startswith("E5") and finding.code != "E501") or finding.code in {"E402", "E403", "E406", "E603", "E604"}


def apply(
    store: Store,
    workspace: Path | Read,
    *,
    by: str = "",
    why: str = "",
    despite: Sequence[str] = (),
    onto: str | None = None,
    unmet: Unmet = nothing_unmet,
) -> Catalog:
    """Checks the workspace whole, keeps it by its content hash and makes it active in one transaction. What was published before stays so.

    `workspace`: its folder, or what was read of it already. `unmet`: what keeps a configuration from running on this machine. `despite`: errors that are accepted, each named as `CODE:FILE:LINE`; they are written
    down with who did it. `onto`: the hash that the change was planned against. Raises BadWorkspace (nothing changes) and Outdated.
    """
    while True:
        active = store.active()
        catalog, findings = judge(workspace)
        errors = [finding for finding in findings if finding.level == "error"] + lock.withdrawn(published(store), catalog.files)
        errors += unmet(catalog) if all(_is_of_a_proof(finding) for finding in errors) else []
        named = {f"{finding.code}:{finding.file}:{finding.line}" for finding in errors}
        unknown = [name for name in despite if name not in named]
        if unknown:
            raise ValueError(f"{unknown[0]} is no error of this workspace; there is {', '.join(sorted(named)) or 'none'}.")
        refusing = [finding for finding in errors if f"{finding.code}:{finding.file}:{finding.line}" not in despite]
        if refusing or (errors and not is_readable(catalog)):
            raise BadWorkspace(refusing or errors)  # what cannot be read cannot be accepted either
        store.save_revision(catalog.revision, dict(catalog.files))
        try:
            store.activate(catalog.revision, by=by, why=why, despite=despite, onto=onto or active)
        except Outdated:
            if onto is not None:
                raise
            continue  # somebody else was quicker: what they published counts too
        return catalog


def keep(store: Store, workspace: Path) -> Catalog:
    """Checks the workspace whole and keeps it by its content hash, without making it active: a candidate. Raises BadWorkspace; nothing is kept then."""
    catalog, findings = judge(workspace)
    errors = [finding for finding in findings if finding.level == "error"] + lock.withdrawn(published(store), catalog.files)
    if errors:
        raise BadWorkspace(errors)
    store.save_revision(catalog.revision, dict(catalog.files))
    return catalog


def published(store: Store) -> dict[str, str]:
    """Every contract that was locked in a configuration that was active, with the hash of its first time. What was withdrawn on purpose is none any more.

    Older ones than the active one count too: going back to a configuration does not unpublish what came after it.
    """
    known: dict[str, str] = {}
    seen: dict[str, dict[str, str]] = {}
    for row in reversed(store.activations(HISTORY)):
        if row.hash not in seen:
            seen[row.hash] = lock.locked(store.revision(row.hash) or {})
        kept = {path: digest for path, digest in known.items() if not any(lock.is_withdrawal_of(name, path) for name in row.despite)}
        known = seen[row.hash] | kept
    return known


def _waiting(store: Store, new: Catalog, changes: list[Change]) -> list[Waiting]:
    if not changes:
        return []  # nothing is touched: what waits need not be counted, which takes long where it is much
    touched = Touched.by(changes)
    ways = orphans(new.routes)
    found = []
    for route, target, status, number in store.waiting_by_way():
        is_orphaned = (route, target) not in ways
        if is_orphaned or route in touched.routes or target.partition("/")[0] in touched.targets or target in touched.refs:
            found.append(Waiting(route, target, status.value, number, is_orphaned))
    return found
