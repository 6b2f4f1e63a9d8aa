"""Changes of the configuration as people see them: what was active when, what differs, what a change would do, and the change itself."""

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
from hub.flow.configuration.plan import Plan, apply, plan, plan_back
from hub.flow.context.query_cache import Making
from hub.flow.context.revisions import Unmet, nothing_unmet, roll_back
from hub.flow.hub import Hub
from hub.store import Outdated, Store
from hub.store.accounts.revisions import ACTIVATED

MOST = 5_000  # messages that one look tries: who looks waits for it
HISTORY = 1_000  # activations among which a configuration is looked for
PATCH = 400  # lines of one file's difference that are shown
FRESH_S = 10.0  # what a plan says of what waits may be so old
FOR_EVER_S = 1e9  # what differs between two hashes never changes


def history(hub: Hub, *, limit: int = 50) -> dict[str, Json]:
    """Which configuration was made active when, newest first; `kept` are those that never were.

    An item: revision, at, by, why, before, despite, isActive, summary [{what: added, removed or changed; kind; name}]. `processes` say which
    revision each goes by; `refused` why this process does not go by the active one, else null.
    """
    store, active = hub.store, hub.store.active()
    rows = store.activations(limit)
    reasons = _reasons(store, limit)
    items: list[Json] = []
    for row in rows:
        ask = partial(_summed_up, store, row.before, row.hash)
        summary = hub.shelf.at(f"summary {row.before} {row.hash}", ask, least_s=FOR_EVER_S).get()
        items.append(
            {
                "revision": row.hash,
                "at": row.at.isoformat(),
                "by": row.by,
                "why": next((why for hash_, before, why in reasons if (hash_, before) == (row.hash, row.before)), ""),
                "before": row.before,
                "despite": list(row.despite),
                "isActive": row.hash == active,
                "summary": list(summary),
            }
        )
    refused = hub.catalogs.refused
    return {
        "active": active,
        "refused": refused.as_json() if refused is not None else None,
        "items": items,
        "kept": [{"revision": hash_, "createdAt": at.isoformat()} for hash_, at in store.candidates(limit)],
        "processes": [*_processes(store)],
    }


def one(hub: Hub, name: str) -> dict[str, Json]:
    """One configuration, by its hash or how that begins, against the one that it was put in place of. Raises Refused (404).

    `changes` in meaning (null: one of the two cannot be read any more, `unreadable` says why), `files` line by line.
    """
    store = hub.store
    hash_ = find(store, name)
    rows = [row for row in store.activations(HISTORY) if row.hash == hash_]
    before = rows[0].before if rows else store.active()
    old, new = (store.revision(before) or {}) if before is not None else {}, store.revision(hash_) or {}
    changes: Json = None
    unreadable = ""
    try:
        if before is not None:
            found = difference(hub.catalogs.pinned(before), hub.catalogs.pinned(hash_))
            changes = [{**change.as_json(), "text": change.text} for change in found]
    except HubError as error:
        unreadable = str(error)
    return {
        "revision": hash_,
        "isActive": hash_ == store.active(),
        "before": before,
        "activations": [{"at": row.at.isoformat(), "by": row.by, "before": row.before, "despite": list(row.despite)} for row in rows],
        "changes": changes,
        "unreadable": unreadable,
        "files": [_file(path, old.get(path), new.get(path)) for path in sorted(old.keys() | new.keys()) if old.get(path) != new.get(path)],
        "processes": [process for process in _processes(store) if process["revision"] == hash_],
    }


def find(store: Store, name: str) -> str:
    """The whole hash of the one configuration that begins so. Raises Refused (404)."""
    known = {one for row in store.activations(HISTORY) for one in (row.hash, row.before) if one is not None}
    known |= {hash_ for hash_, _ in store.candidates(HISTORY)}
    found = sorted(hash_ for hash_ in known if hash_.startswith(name)) if name else []
    if len(found) != 1:
        raise Refused(Code.NOT_FOUND, f"{len(found)} configurations begin with {name[:64]!r}; see: hub revisions")
    return found[0]


def planned(store: Store, workspace: Path, *, most: int, step: Callable[[], None] = lambda: None) -> Plan:
    """What the files on this machine would change, on the last `most` messages. Changes nothing. `step` is called after each message."""
    return plan(store, workspace, most=min(most, MOST), step=step)


def planned_back(store: Store, hash_: str, *, most: int, step: Callable[[], None] = lambda: None) -> Plan:
    """What going back to a kept configuration would change. Raises Refused: it is not kept, or cannot be read any more."""
    try:
        return plan_back(store, hash_, most=min(most, MOST), step=step)
    except (KeyError, BadWorkspace) as error:
        raise Refused(Code.NOT_FOUND, f"The configuration {hash_[:12]} is not kept, or this hub cannot read it any more.") from error


def watched(hub: Hub, *, most: int) -> Making[Plan]:
    """The same as `planned`, made while people watch: of these very files, this active configuration, and what waited a moment ago."""
    folder = hub.settings.workspace
    key = (looks(folder), hub.store.active(), most)
    return hub.shelf.made("plan", key, lambda step: planned(hub.store, folder, most=most, step=step), fresh_s=FRESH_S)


def watched_back(hub: Hub, hash_: str, *, most: int) -> Making[Plan]:
    """The same as `planned_back`, made while people watch."""
    return hub.shelf.made("back", (hash_, hub.store.active(), most), lambda step: planned_back(hub.store, hash_, most=most, step=step), fresh_s=FRESH_S)


@dataclass(frozen=True, slots=True)
class Made:
    """Which configuration is active now. `changed`: False where it was so already."""

    revision: str
    changed: bool

    def as_json(self) -> dict[str, Json]:
        return {"revision": self.revision, "changed": self.changed}


def make_active(
    store: Store, workspace: Path, *, revision: str, onto: str, by: str, why: str, despite: Sequence[str] = (), unmet: Unmet = nothing_unmet
) -> Made:
    """Makes what was planned active: the files on this machine, if they still are what the plan was made of, in place of what it was compared with.

    The same again changes nothing. Raises Refused: 409, the files or the active configuration are others by now; 422, the check finds errors.
    """
    if store.active() == revision:
        return Made(revision, changed=False)
    found = read(workspace)
    if hash_of(found.files) != revision:
        raise Refused(Code.CONFLICT, f"The files on the hub's machine are no longer what was planned, {revision[:12]}. Plan again.")
    try:
        apply(store, found, by=by, why=why, despite=despite, onto=onto, unmet=unmet)
    except Outdated as error:
        raise Refused(Code.CONFLICT, str(error)) from error
    except BadWorkspace as error:
        first = error.findings[0]
        text = f"{len(error.findings)} findings; the first: {first.file}:{first.line}: {first.code} {first.text}"
        raise Refused(Code.CONTRACT_VIOLATION, text) from error
    return Made(revision, changed=True)


def go_back(store: Store, revision: str, *, onto: str, by: str, why: str) -> Made:
    """Makes a configuration that was active once active again. The same again changes nothing.

    Raises Refused: 409, another one is active than this was decided on; 404, it was never active, or cannot be read any more.
    """
    if store.active() == revision:
        return Made(revision, changed=False)
    try:
        roll_back(store, revision, by=by, why=why, onto=onto)
    except Outdated as error:
        raise Refused(Code.CONFLICT, str(error)) from error
    except HubError as error:
        raise Refused(Code.NOT_FOUND, str(error)) from error
    return Made(revision, changed=True)


def _reasons(store: Store, limit: int) -> list[tuple[str, Json, str]]:
    """(hash, before, why) of those who said why, newest first."""
    acts = store.acts(what=ACTIVATED, limit=limit)
    return [(act.object, act.details.get("before"), str(act.details["why"])) for act in acts if act.details.get("why")]


def _processes(store: Store) -> list[dict[str, Json]]:
    rows = store.processes()
    return [{"name": row.name, "role": row.role, "revision": row.revision, "isSilent": row.is_silent} for row in rows]


# ---- what differs, by names


def _summed_up(store: Store, before: str | None, after: str) -> list[Json]:
    old = (store.revision(before) or {}) if before is not None else {}
    return list(summary(old, store.revision(after) or {}))


def summary(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[dict[str, Json]]:
    """What was added, removed or changed between two configurations' files, by kind and name. Nothing is compiled: what is read is cheap."""
    for path in sorted(old.keys() | new.keys()):
        if old.get(path) == new.get(path):
            continue
        if path == "routes.yaml" and path in old and path in new:
            yield from _entries(plain_file(path, old[path]), plain_file(path, new[path]))
        else:
            kind, name = _named(path)
            yield {"what": _what(old.get(path), new.get(path)), "kind": kind, "name": name}


def _entries(old: Any, new: Any) -> Iterator[dict[str, Json]]:
    told = False
    for part, kind in (("routes", "route"), ("targets", "target")):
        one, other = (side.get(part) or {} if isinstance(side, dict) else {} for side in (old, new))
        for name in [*one, *(name for name in other if name not in one)]:
            if one.get(name) != other.get(name):
                told = True
                yield {"what": _what(one.get(name), other.get(name)), "kind": kind, "name": str(name)}
    if isinstance(old, dict) and isinstance(new, dict) and old.get("defaults") != new.get("defaults"):
        told = True
        yield {"what": "changed", "kind": "defaults", "name": ""}
    if not told:
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


def _file(path: str, old: str | None, new: str | None) -> Json:
    """`lines`: the difference in the form of patches, without its head; cut where it is long."""
    lines = list(difflib.unified_diff((old or "").splitlines(), (new or "").splitlines(), lineterm="", n=3))[2:]
    return {
        "file": path,
        "what": _what(old, new),
        "added": sum(line.startswith("+") for line in lines),
        "removed": sum(line.startswith("-") for line in lines),
        "lines": [*lines[:PATCH]],
        "isWhole": len(lines) <= PATCH,
    }
