"""Decides whether a contract version may be retired: from its usage, its open deliveries, and the routes and mappings
that need it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from hub.catalog import Catalog
from hub.core.config.system import Emit
from hub.core.message import Json, Ref
from hub.flow.answers import contracts as answers
from hub.flow.answers.fields import fill
from hub.flow.context.usage import REFUSED
from hub.store import Store, UsageCount

QUIET = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Retirement:
    """Whether a version may be retired, with the proof. `reasons` are why not; empty means yes."""

    ref: Ref
    reasons: tuple[str, ...]
    used: tuple[UsageCount, ...]  # per caller, ever
    routes: tuple[str, ...]  # that accept no other live version
    mappings: tuple[str, ...]  # that read it
    # open deliveries; they are still delivered, by the revision that accepted them. None: not counted yet
    open: int | None
    because: tuple[Mapping[str, object], ...] = ()  # the reasons in machine-readable form: kind is used, pinned or only

    @property
    def may(self) -> bool:
        return not self.reasons

    def as_json(self) -> answers.Retirement:
        used = [used_json(usage) for usage in self.used]
        return fill(answers.Retirement, self, version=self.ref, canRetire=self.may, used=used, openDeliveries=self.open)


def used_json(usage: UsageCount) -> answers.UsedBy:
    return fill(answers.UsedBy, usage, version=usage.ref)


def can_retire(
    store: Store,
    catalog: Catalog,
    ref: Ref,
    *,
    quiet: timedelta = QUIET,
    count_open: Callable[[], Mapping[Ref, int] | None] | None = None,
) -> Retirement:
    """Decides whether a version may be retired. Raises ValueError for an unknown version. `quiet`: the time without
    usage that is required.

    `count_open`: gives the open deliveries from a cache; None if they are not counted yet.
    """
    emit = _emit(catalog, ref)
    now = store.now()
    used = tuple(store.usage(type_=ref.type, version=ref.version))
    recent = [usage for usage in used if usage.last_at > now - quiet]
    other_versions = [number for number in emit.live if number != ref.version]
    routes = tuple(route.name for route in catalog.routes if route.source == ref.type and not other_versions)
    mappings = tuple(f"{source} -> {target}" for source, target in sorted(catalog.mappings) if source == ref)
    because: list[Mapping[str, object]] = [{"kind": "used", **used_json(usage)} for usage in recent]
    reasons = [
        f"{usage.caller} sent {usage.number}, the last on {usage.last_at:%Y-%m-%d %H:%M} UTC, within the last {_span(quiet)}"
        for usage in recent
    ]
    keys = store.keys()
    pinned = [key for key in keys if key.pins.get(ref.type) == ref.version and key.revoked_at is None]
    reasons += [f"the key {key.id} ({key.name}) is pinned to it" for key in pinned]
    because += [{"kind": "pinned", "key": key.id, "name": key.name} for key in pinned]
    if routes:
        reasons.append(f"it is the only live version, and {', '.join(routes)} would get nothing any more")
        because.append({"kind": "only", "routes": list(routes)})
    counted = (count_open or store.count_open)()
    return Retirement(
        ref,
        tuple(reasons),
        used,
        routes,
        mappings,
        counted.get(ref, 0) if counted is not None else None,
        tuple(because),
    )


def shadow_report(used: list[UsageCount]) -> dict[str, Json]:
    """The result of a shadow version, by caller: messages seen, messages it would have refused, and the fields."""
    callers: dict[str, Json] = {}
    for caller in sorted({count.caller for count in used}):
        numbers = {count.field: count.number for count in used if count.caller == caller}
        places = {field: number for field, number in numbers.items() if field.startswith("/")}
        callers[caller] = {"seen": numbers.get("", 0), "refused": numbers.get(REFUSED, 0), "places": dict(places)}
    return callers


def _emit(catalog: Catalog, ref: Ref) -> Emit:
    emit = catalog.emit(ref.type)
    if emit is None or ref.version not in emit.versions:
        known = sorted(
            f"{other.type}@{number}"
            for system in catalog.systems.values()
            for other in system.emits.values()
            for number in other.versions
        )
        raise ValueError(f"{ref} is no version of a message that a system emits; there is {', '.join(known[:12])}.")
    return emit


def _span(span: timedelta) -> str:
    return f"{span.days} days" if span.days else f"{span.total_seconds():g} s"
