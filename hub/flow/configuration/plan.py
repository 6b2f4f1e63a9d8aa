"""Plan and apply: computes what a workspace would change, and activates it. Planning reads only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hub.catalog import AffectedNames, Catalog, Change, WorkspaceFiles, difference, from_files, is_readable, judge
from hub.catalog.files import lock
from hub.core.errors import BadWorkspace, Finding
from hub.flow.answers import building as answers
from hub.flow.answers.fields import fill
from hub.flow.context.revisions import Unmet, nothing_unmet
from hub.flow.dry_run.whatif import Report, all_destinations, recent, what_if
from hub.flow.intake.default_version import NewDefault, new_defaults
from hub.store import RevisionConflict, Store

# activations that are read for published contracts; each includes those of the one before, except after a rollback
HISTORY = 100


@dataclass(frozen=True, slots=True)
class AffectedBacklog:
    """Waiting deliveries of one route and target that the change affects."""

    route: str
    target: str
    status: str
    number: int
    is_orphaned: bool  # the route or its target is gone: they will be held

    def as_json(self) -> answers.TouchedWay:
        return fill(answers.TouchedWay, self, orphaned=self.is_orphaned)


@dataclass(frozen=True, slots=True)
class Plan:
    """A change, tested as far as possible before activation. `onto`: the active configuration that it was compared
    with.
    """

    revision: str
    onto: str | None
    changes: tuple[Change, ...]
    findings: tuple[Finding, ...]
    waiting: tuple[AffectedBacklog, ...]
    report: Report
    defaults: tuple[NewDefault, ...] = ()

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.level == "error")

    def as_json(self) -> answers.PlanReport:
        return fill(answers.PlanReport, self, whatIf=self.report)


def plan(
    store: Store,
    folder: Path | WorkspaceFiles,
    *,
    since: datetime | None = None,
    most: int | None = None,
    step: Callable[[], None] = lambda: None,
) -> Plan:
    """Compares the workspace with the active configuration, and runs stored messages through both: all since a time, or
    the latest ones.

    If the workspace cannot be read, the plan has only its findings. `step` is called after each message.
    """
    new, findings = judge(folder)
    return _compared(store, new, findings, since=since, most=most, step=step)


def plan_back(
    store: Store,
    hash_: str,
    *,
    since: datetime | None = None,
    most: int | None = None,
    step: Callable[[], None] = lambda: None,
) -> Plan:
    """Does the same for a stored configuration, as a rollback. Raises KeyError if it is not stored; BadWorkspace."""
    files = store.revision(hash_)
    if files is None:
        raise KeyError(hash_)
    return _compared(store, from_files(files), None, since=since, most=most, step=step)


def _compared(
    store: Store,
    new: Catalog,
    findings_of_check: Sequence[Finding] | None,
    *,
    since: datetime | None,
    most: int | None,
    step: Callable[[], None],
) -> Plan:
    """`findings_of_check`: the findings for the new configuration; None: it was checked when it was applied, and is not
    compared with later publications.
    """
    findings = list(findings_of_check or ())
    active = store.active()
    files = store.revision(active) if active is not None else None
    if files is None:
        return Plan(new.revision, active, (), tuple(findings), (), Report())
    if findings_of_check is not None:
        findings = sorted([*findings, *lock.withdrawn(published(store), new.files)])
    old = from_files(files)
    changes = difference(old, new)
    readable = not any(finding.level == "error" and not _is_of_a_proof(finding) for finding in findings)
    report = what_if(old, new, recent(store, since=since, most=most), step=step) if changes and readable else Report()
    defaults = new_defaults(store, old, new, store.now()) if changes else []
    return Plan(
        new.revision,
        active,
        tuple(changes),
        tuple(findings),
        tuple(_waiting(store, new, changes)),
        report,
        tuple(defaults),
    )


def _is_of_a_proof(finding: Finding) -> bool:
    """Whether the finding is a failed test or a type error: the configuration can be read in spite of it."""
    return (finding.code.startswith("E5") and finding.code != "E501") or finding.code in {
        "E402",
        "E403",
        "E406",
        "E603",
        "E604",
    }


def apply(
    store: Store,
    workspace: Path | WorkspaceFiles,
    *,
    by: str = "",
    why: str = "",
    despite: Sequence[str] = (),
    onto: str | None = None,
    unmet: Unmet = nothing_unmet,
) -> Catalog:
    """Checks the whole workspace, stores it by its content hash and activates it in one transaction. Published
    contracts stay published.

    `workspace`: its folder, or its files if they are read already. `unmet`: gives the requirements that this machine
    does not meet. `despite`: accepted errors, each as `CODE:FILE:LINE`; they are recorded with the person. `onto`: the
    hash that the change was planned against. Raises BadWorkspace (nothing changes) and RevisionConflict.
    """
    while True:
        active = store.active()
        catalog, findings = judge(workspace)
        errors = [finding for finding in findings if finding.level == "error"] + lock.withdrawn(
            published(store), catalog.files
        )
        errors += unmet(catalog) if all(_is_of_a_proof(finding) for finding in errors) else []
        named = {f"{finding.code}:{finding.file}:{finding.line}" for finding in errors}
        unknown = [name for name in despite if name not in named]
        if unknown:
            raise ValueError(
                f"{unknown[0]} is not an error of this workspace. Errors: {', '.join(sorted(named)) or 'none'}."
            )
        refusing = [finding for finding in errors if f"{finding.code}:{finding.file}:{finding.line}" not in despite]
        if refusing or (errors and not is_readable(catalog)):
            raise BadWorkspace(refusing or errors)  # an unreadable configuration cannot be accepted with `despite`
        store.save_revision(catalog.revision, dict(catalog.files))
        try:
            store.activate(catalog.revision, by=by, why=why, despite=despite, onto=onto or active)
        except RevisionConflict:
            if onto is not None:
                raise
            continue  # another activation was first: its published contracts count too
        return catalog


def keep(store: Store, workspace: Path) -> Catalog:
    """Checks the whole workspace and stores it by its content hash, without activating it: a candidate. Raises
    BadWorkspace; then nothing is stored.
    """
    catalog, findings = judge(workspace)
    errors = [finding for finding in findings if finding.level == "error"] + lock.withdrawn(
        published(store), catalog.files
    )
    if errors:
        raise BadWorkspace(errors)
    store.save_revision(catalog.revision, dict(catalog.files))
    return catalog


def published(store: Store) -> dict[str, str]:
    """Every contract that was locked in a configuration that was active, with the hash of its first time. What was
    withdrawn on purpose is none any more.

    Older ones than the active one count too: going back to a configuration does not unpublish what came after it.
    """
    known: dict[str, str] = {}
    seen: dict[str, dict[str, str]] = {}
    for row in reversed(store.activations(HISTORY)):
        if row.hash not in seen:
            seen[row.hash] = lock.locked(store.revision(row.hash) or {})
        kept = {
            path: digest
            for path, digest in known.items()
            if not any(lock.is_withdrawal_of(name, path) for name in row.despite)
        }
        known = seen[row.hash] | kept
    return known


def _waiting(store: Store, new: Catalog, changes: list[Change]) -> list[AffectedBacklog]:
    if not changes:
        return []  # nothing is affected, so the backlog need not be counted, which is slow if it is large
    touched = AffectedNames.by(changes)
    ways = all_destinations(new.routes)
    affected = []
    for route, target, status, number in store.waiting_by_way():
        is_orphaned = (route, target) not in ways
        if (
            is_orphaned
            or route in touched.routes
            or target.partition("/")[0] in touched.targets
            or target in touched.refs
        ):
            affected.append(AffectedBacklog(route, target, status.value, number, is_orphaned))
    return affected
