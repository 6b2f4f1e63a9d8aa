"""Shows what a configuration change means for posts without a contract version. Reads only.

Pinned callers keep their version, new callers get the new default.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.catalog import Catalog
from hub.core.config.system import Emit
from hub.flow.answers import building as answers
from hub.flow.answers.fields import fill
from hub.store import KeyRow, Store

QUIET = timedelta(days=30)  # callers without a post for this time are left out


@dataclass(frozen=True, slots=True)
class PinnedCaller:
    """A caller whose posts without a version are in `version`. `is_taken`: that version may still be posted; otherwise
    each post gets 410 or 404.
    """

    caller: str
    name: str  # of its key; empty where it has none
    version: int
    is_taken: bool

    def as_json(self) -> answers.StayingCaller:
        return fill(answers.StayingCaller, self)


@dataclass(frozen=True, slots=True)
class NewDefault:
    """A message type whose default version changes. `stay`: callers with a pin; `free`: other callers, who name their
    version or get the new one.
    """

    type: str
    before: int | None
    after: int | None
    stay: tuple[PinnedCaller, ...]
    free: tuple[str, ...]

    def as_json(self) -> answers.NewDefault:
        return fill(answers.NewDefault, self, message=self.type)

    @property
    def text(self) -> str:
        """A one-line summary for an engineer."""
        callers = [
            f"{caller.name or caller.caller} on version {caller.version}{'' if caller.is_taken else ', which is not taken any more'}"
            for caller in self.stay
        ]
        stay = "; ".join(callers) if callers else "nobody"
        free = f" {', '.join(self.free)}: in the version that they say, or in the new one." if self.free else ""
        return f"{self.type}: a post without a version is in version {self.after}, it was {self.before}. Pinned, and staying: {stay}.{free}"


def new_defaults(store: Store, old: Catalog, new: Catalog, now: datetime) -> list[NewDefault]:
    """The message types whose default version changes, or whose pinned versions can no longer be posted."""
    changed = [pair for pair in _pairs(old, new) if _differs(*pair, now)]
    if not changed:
        return []
    types = [emit.type for _, emit in changed]
    rows = store.keys()
    keys = {key.id: key for key in rows}
    pins = {(row.caller, row.type): row.version for row in store.version_pins(types)}
    pins |= {(key.id, type_): version for key in keys.values() for type_, version in key.pins.items() if type_ in types}
    defaults: list[NewDefault] = []
    for before, emit in changed:
        pinned = sorted(
            (caller, version)
            for (caller, type_), version in pins.items()
            if type_ == emit.type and _is_alive(keys, caller, now)
        )
        stay = tuple(
            PinnedCaller(caller, keys[caller].name if caller in keys else "", version, version in emit.open_at(now))
            for caller, version in pinned
        )
        users = {row.caller for row in store.usage(type_=emit.type, since=(now - QUIET).date().isoformat())} - {
            caller for caller, _ in pinned
        }
        free = tuple(
            sorted(keys[caller].name if caller in keys else caller for caller in users if _is_alive(keys, caller, now))
        )
        defaults.append(NewDefault(emit.type, before.newest_at(now), emit.newest_at(now), stay, free))
    return defaults


def _pairs(old: Catalog, new: Catalog) -> Iterator[tuple[Emit, Emit]]:
    for system in new.systems.values():
        for emit in system.emits.values():
            before = old.emit(emit.type)
            if before is not None:
                yield before, emit


def _differs(before: Emit, after: Emit, now: datetime) -> bool:
    return before.newest_at(now) != after.newest_at(now) or not set(before.open_at(now)) <= set(after.open_at(now))


def _is_alive(keys: Mapping[str, KeyRow], caller: str, now: datetime) -> bool:
    key = keys.get(caller)
    return key is None or key.revoked_at is None or key.revoked_at > now
