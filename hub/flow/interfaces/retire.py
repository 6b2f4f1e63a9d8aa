"""Retire: may a contract version go? Answered from what was counted, what still waits, and what leads from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from hub.catalog import Catalog
from hub.core.config.system import Emit
from hub.core.message import Json, Ref
from hub.flow.context.usage import REFUSED
from hub.store import Store, Used

QUIET = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Retirement:
    """Whether a version may be retired, with the proof. `reasons` are why not; empty means yes."""

    ref: Ref
    reasons: tuple[str, ...]
    used: tuple[Used, ...]  # per caller, ever
    routes: tuple[str, ...]  # that take no other live version
    mappings: tuple[str, ...]  # that read it
    open: int | None  # deliveries that still wait, and are delivered all the same, by the revision that accepted them; None: not counted yet
    because: tuple[Mapping[str, Json], ...] = ()  # the reasons for programs and other languages: kind is used, pinned or only

    @property
    def may(self) -> bool:
        return not self.reasons

    def as_json(self) -> dict[str, Json]:
        return {
            "version": str(self.ref),
            "canRetire": self.may,
            "reasons": list(self.reasons),
            "because": [dict(one) for one in self.because],
            "used": [used_json(one) for one in self.used],
            "routes": list(self.routes),
            "mappings": list(self.mappings),
            "openDeliveries": self.open,
        }


def used_json(one: Used) -> dict[str, Json]:
    return {
        "version": str(one.ref),
        "caller": one.caller,
        "field": one.field,
        "number": one.number,
        "firstAt": one.first_at.isoformat(),
        "lastAt": one.last_at.isoformat(),
    }


def can_retire(
    store: Store, catalog: Catalog, ref: Ref, *, quiet: timedelta = QUIET, count_open: Callable[[], Mapping[Ref, int] | None] | None = None
) -> Retirement:
    """Raises ValueError for what is no version of an emitted message. `quiet`: nobody may have used it for so long.

    `count_open`: how the open deliveries are counted, for who need not wait for it; None where they are not counted yet.
    """
    emit = _emit(catalog, ref)
    now = store.now()
    used = tuple(store.usage(type_=ref.type, version=ref.version))
    recent = [one for one in used if one.last_at > now - quiet]
    others = [number for number in emit.live if number != ref.version]
    routes = tuple(route.name for route in catalog.routes if route.source == ref.type and not others)
    mappings = tuple(f"{source} -> {target}" for source, target in sorted(catalog.mappings) if source == ref)
    because: list[dict[str, Json]] = [{"kind": "used", **used_json(one)} for one in recent]
    reasons = [f"{one.caller} sent {one.number}, the last on {one.last_at:%Y-%m-%d %H:%M} UTC, within the last {_span(quiet)}" for one in recent]
    keys = store.keys()
    pinned = [key for key in keys if key.pins.get(ref.type) == ref.version and key.revoked_at is None]
    reasons += [f"the key {key.id} ({key.name}) is pinned to it" for key in pinned]
    because += [{"kind": "pinned", "key": key.id, "name": key.name} for key in pinned]
    if routes:
        reasons.append(f"it is the only live version, and {', '.join(routes)} would get nothing any more")
        because.append({"kind": "only", "routes": list(routes)})
    counted = (count_open or store.count_open)()
    return Retirement(ref, tuple(reasons), used, routes, mappings, counted.get(ref, 0) if counted is not None else None, tuple(because))


def shadow_report(used: list[Used]) -> dict[str, Json]:
    """What a version in shadow would have refused: messages seen and refused, and the places, by caller."""
    callers: dict[str, Json] = {}
    for caller in sorted({one.caller for one in used}):
        mine = {one.field: one.number for one in used if one.caller == caller}
        places = {field: number for field, number in mine.items() if field.startswith("/")}
        callers[caller] = {"seen": mine.get("", 0), "refused": mine.get(REFUSED, 0), "places": dict(places)}
    return callers


def _emit(catalog: Catalog, ref: Ref) -> Emit:
    emit = catalog.emit(ref.type)
    if emit is None or ref.version not in emit.versions:
        known = sorted(f"{one.type}@{number}" for system in catalog.systems.values() for one in system.emits.values() for number in one.versions)
        raise ValueError(f"{ref} is no version of a message that a system emits; there is {', '.join(known[:12])}.")
    return emit


def _span(span: timedelta) -> str:
    return f"{span.days} days" if span.days else f"{span.total_seconds():g} s"
