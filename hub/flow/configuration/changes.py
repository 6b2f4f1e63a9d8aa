"""Configuration history and changes: which revision was active when, the differences, plan, activation and rollback."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hub.catalog import difference, looks, plain_file, read
from hub.catalog.files.revision import hash_of
from hub.core.errors import BadWorkspace, Code, HubError, Refused
from hub.core.message import Json
from hub.flow.answers import building as answers
from hub.flow.answers.fields import fill
from hub.flow.configuration.plan import Plan, apply, plan, plan_back
from hub.flow.context.query_cache import BackgroundResult
from hub.flow.context.revisions import Unmet, nothing_unmet, roll_back
from hub.flow.hub import Hub
from hub.store import RevisionConflict, Store
from hub.store.accounts.revisions import ACTIVATED

MOST = 5_000  # maximum number of messages that one plan tries
HISTORY = 1_000  # number of activations in which a configuration is searched
PATCH = 400  # maximum number of lines shown of a file's difference
FRESH_S = 10.0  # cache TTL of a plan
FOR_EVER_S = 1e9  # the difference between two hashes never changes


def history(hub: Hub, *, limit: int = 50) -> answers.RevisionHistory:
    """The history of activations, newest first. `kept`: stored configurations that were never active.

    An item: revision, at, by, why, before, despite, isActive, summary [{what: added, removed or changed; kind; name}].
    `processes` say which revision each goes by; `refused` why this process does not go by the active one, else null.
    """
    store, active = hub.store, hub.store.active()
    rows = store.activations(limit)
    reasons = _reasons(store, limit)
    items: list[answers.ActivationLine] = []
    for row in rows:
        ask = partial(_summed_up, store, row.before, row.hash)
        summary = hub.shelf.at(f"summary {row.before} {row.hash}", ask, least_s=FOR_EVER_S).get()
        why = next((why for hash_, before, why in reasons if (hash_, before) == (row.hash, row.before)), "")
        is_active = row.hash == active
        line = fill(answers.ActivationLine, row, revision=row.hash, why=why, isActive=is_active, summary=summary)
        items.append(line)
    refused = hub.catalogs.refused
    return {
        "active": active,
        "refused": fill(answers.RefusedRevision, refused) if refused is not None else None,
        "items": items,
        "kept": [{"revision": hash_, "createdAt": at.isoformat()} for hash_, at in store.candidates(limit)],
        "processes": _processes(store),
    }


def one(hub: Hub, name: str) -> answers.OneRevision:
    """One configuration, by its hash or a prefix, compared with the one that it replaced. Raises Refused (404).

    `changes` in meaning (null: one of the two cannot be read any more, `unreadable` says why), `files` line by line.
    """
    store = hub.store
    hash_ = find(store, name)
    rows = [row for row in store.activations(HISTORY) if row.hash == hash_]
    before = rows[0].before if rows else store.active()
    old, new = (store.revision(before) or {}) if before is not None else {}, store.revision(hash_) or {}
    changes: list[answers.MeaningChange] | None = None
    unreadable = ""
    try:
        if before is not None:
            differences = difference(hub.catalogs.pinned(before), hub.catalogs.pinned(hash_))
            changes = [fill(answers.MeaningChange, change) for change in differences]
    except HubError as error:
        unreadable = str(error)
    return {
        "revision": hash_,
        "isActive": hash_ == store.active(),
        "before": before,
        "activations": [fill(answers.Activated, row) for row in rows],
        "changes": changes,
        "unreadable": unreadable,
        "files": [
            _file(path, old.get(path), new.get(path))
            for path in sorted(old.keys() | new.keys())
            if old.get(path) != new.get(path)
        ],
        "processes": [process for process in _processes(store) if process["revision"] == hash_],
    }


def find(store: Store, name: str) -> str:
    """The full hash for a unique prefix. Raises Refused (404)."""
    known = {
        hash_of_row
        for row in store.activations(HISTORY)
        for hash_of_row in (row.hash, row.before)
        if hash_of_row is not None
    }
    known |= {hash_ for hash_, _ in store.candidates(HISTORY)}
    hashes = sorted(hash_ for hash_ in known if hash_.startswith(name)) if name else []
    if len(hashes) != 1:
        raise Refused(
            Code.NOT_FOUND, f"{len(hashes)} configurations begin with {name[:64]!r}. List them: hub revisions"
        )
    return hashes[0]


def planned(store: Store, workspace: Path, *, most: int, step: Callable[[], None] = lambda: None) -> Plan:
    """Plans the files on this machine, with the last `most` messages. Changes nothing. `step` is called after each
    message.
    """
    return plan(store, workspace, most=min(most, MOST), step=step)


def planned_back(store: Store, hash_: str, *, most: int, step: Callable[[], None] = lambda: None) -> Plan:
    """Plans a rollback to a stored configuration. Raises Refused if it is not stored or cannot be read any more."""
    try:
        return plan_back(store, hash_, most=min(most, MOST), step=step)
    except (KeyError, BadWorkspace) as error:
        raise Refused(
            Code.NOT_FOUND, f"The configuration {hash_[:12]} is not kept, or this hub cannot read it any more."
        ) from error


def watched(hub: Hub, *, most: int) -> BackgroundResult[Plan]:
    """The same as `planned`, in the background with progress; cached per files, active configuration and number of
    messages.
    """
    folder = hub.settings.workspace
    key = (looks(folder), hub.store.active(), most)
    return hub.shelf.made("plan", key, lambda step: planned(hub.store, folder, most=most, step=step), fresh_s=FRESH_S)


def watched_back(hub: Hub, hash_: str, *, most: int) -> BackgroundResult[Plan]:
    """The same as `planned_back`, in the background with progress."""
    return hub.shelf.made(
        "back",
        (hash_, hub.store.active(), most),
        lambda step: planned_back(hub.store, hash_, most=most, step=step),
        fresh_s=FRESH_S,
    )


@dataclass(frozen=True, slots=True)
class Activation:
    """The active configuration. `changed`: False if it was active already."""

    revision: str
    changed: bool


def make_active(
    store: Store,
    workspace: Path,
    *,
    revision: str,
    onto: str,
    by: str,
    why: str,
    despite: Sequence[str] = (),
    unmet: Unmet = nothing_unmet,
) -> Activation:
    """Activates a plan: the files on this machine, if they are unchanged since the plan, and if the same configuration
    is still active.

    The same again changes nothing. Raises Refused: 409, the files or the active configuration are others by now; 422,
    the check finds errors.
    """
    if store.active() == revision:
        return Activation(revision, changed=False)
    workspace_files = read(workspace)
    if hash_of(workspace_files.files) != revision:
        raise Refused(
            Code.CONFLICT,
            f"The files on the hub's machine are no longer what was planned, {revision[:12]}. Plan again.",
        )
    try:
        apply(store, workspace_files, by=by, why=why, despite=despite, onto=onto, unmet=unmet)
    except RevisionConflict as error:
        raise Refused(Code.CONFLICT, str(error)) from error
    except BadWorkspace as error:
        first = error.findings[0]
        text = f"{len(error.findings)} findings; the first: {first.file}:{first.line}: {first.code} {first.text}"
        raise Refused(Code.CONTRACT_VIOLATION, text) from error
    return Activation(revision, changed=True)


def go_back(store: Store, revision: str, *, onto: str, by: str, why: str) -> Activation:
    """Activates a former configuration again. A second call changes nothing.

    Raises Refused: 409, another one is active than this was decided on; 404, it was never active, or cannot be read any
    more.
    """
    if store.active() == revision:
        return Activation(revision, changed=False)
    try:
        roll_back(store, revision, by=by, why=why, onto=onto)
    except RevisionConflict as error:
        raise Refused(Code.CONFLICT, str(error)) from error
    except HubError as error:
        raise Refused(Code.NOT_FOUND, str(error)) from error
    return Activation(revision, changed=True)


def _reasons(store: Store, limit: int) -> list[tuple[str, Json, str]]:
    """(hash, before, why) of the activations with a reason, newest first."""
    acts = store.acts(what=ACTIVATED, limit=limit)
    return [(act.object, act.details.get("before"), str(act.details["why"])) for act in acts if act.details.get("why")]


def _processes(store: Store) -> list[answers.ProcessRevision]:
    return [fill(answers.ProcessRevision, row) for row in store.processes()]


# ---- what differs, by names


def _summed_up(store: Store, before: str | None, after: str) -> list[answers.NamedChange]:
    old = (store.revision(before) or {}) if before is not None else {}
    return list(summary(old, store.revision(after) or {}))


def summary(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[answers.NamedChange]:
    """What was added, removed or changed between two configurations' files, by kind and name. Nothing is compiled, so
    it is fast.
    """
    for path in sorted(old.keys() | new.keys()):
        if old.get(path) == new.get(path):
            continue
        if path == "routes.yaml" and path in old and path in new:
            yield from _entries(plain_file(path, old[path]), plain_file(path, new[path]))
        else:
            kind, name = _named(path)
            yield {"what": _what(old.get(path), new.get(path)), "kind": kind, "name": name}


def _entries(old: Any, new: Any) -> Iterator[answers.NamedChange]:
    has_entry = False
    for part, kind in (("routes", "route"), ("targets", "target")):
        old_entries, new_entries = (side.get(part) or {} if isinstance(side, dict) else {} for side in (old, new))
        for name in [*old_entries, *(name for name in new_entries if name not in old_entries)]:
            if old_entries.get(name) != new_entries.get(name):
                has_entry = True
                yield {"what": _what(old_entries.get(name), new_entries.get(name)), "kind": kind, "name": str(name)}
    if isinstance(old, dict) and isinstance(new, dict) and old.get("defaults") != new.get("defaults"):
        has_entry = True
        yield {"what": "changed", "kind": "defaults", "name": ""}
    if not has_entry:
        yield {"what": "changed", "kind": "wording", "name": "routes.yaml"}


def _named(path: str) -> tuple[str, str]:
    parts = path.split("/")
    stem = parts[-1].rpartition(".")[0]
    if parts[0] == "mappings":
        return ("table" if parts[1] == "tables" else "mapping"), stem
    if parts[0] == "adapters" and parts[-1] == "system.yaml":
        return "system", parts[1]
    if parts[0] == "adapters" and parts[-1] == "versions.lock":
        return "lock", parts[1]
    if parts[0] == "adapters":
        name, _, version = stem.rpartition(".v")
        return "contract", f"{parts[1]}/{name}@{version}"
    return "file", path


def _what(old: object, new: object) -> str:
    return "added" if old is None else "removed" if new is None else "changed"


def _file(path: str, old: str | None, new: str | None) -> answers.FileDifference:
    """`lines`: the unified diff without its header, cut to a maximum length."""
    lines = list(difflib.unified_diff((old or "").splitlines(), (new or "").splitlines(), lineterm="", n=3))[2:]
    return {
        "file": path,
        "what": _what(old, new),
        "added": sum(line.startswith("+") for line in lines),
        "removed": sum(line.startswith("-") for line in lines),
        "lines": [*lines[:PATCH]],
        "isWhole": len(lines) <= PATCH,
    }
