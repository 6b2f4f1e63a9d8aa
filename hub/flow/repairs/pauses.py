"""Pausing a route or a target, and letting it go on: a person's act. Nothing is lost, and no attempt is spent: what waits, waits."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from hub.catalog import Catalog
from hub.core.errors import Code, Refused
from hub.core.message import Json
from hub.logs import event
from hub.store import Pause, Store
from hub.store.messages.pauses import ROUTE, TARGET

KINDS = (ROUTE, TARGET)
Ring = Callable[[Iterable[str]], None]


def pause(store: Store, catalog: Catalog, kind: str, name: str, *, by: str, why: str = "") -> bool:
    """Pauses it, from now on; what is under way is finished. False: it was paused already. Raises Refused (404) for a name that nothing bears."""
    _known(catalog, kind, name)
    done = store.pause(kind, name, by=by, why=why)
    event(f"{kind}.paused", "nothing more of it is claimed" if done else "it was paused already", by=by, **{kind: name})
    return done


def resume(store: Store, kind: str, name: str, *, by: str, ring: Ring | None = None) -> bool:
    """Lets it go on, at its target's pace. False: it was not paused. What is gone from the configuration can be resumed too.

    What a route's pause held is set free here, in blocks, and by each sweep, should we not come to the end of it. Raises StoreBusy.
    """
    done = store.resume(kind, name, by=by)
    freed, lanes = 1, set[str]()
    while done and kind == ROUTE and freed:
        freed, more = store.free_paused()
        lanes.update(more)
    event(f"{kind}.resumed", "it goes on" if done else "it was not paused", by=by, **{kind: name})
    if ring is not None:
        ring(lanes if kind == ROUTE else [name])
    return done


def paused(store: Store) -> list[dict[str, Json]]:
    """What is paused, with how many deliveries wait because of it."""
    return [as_json(one, store.waiting_behind(one.kind, one.name)) for one in store.pauses()]


def as_json(one: Pause, waiting: int) -> dict[str, Json]:
    return {"kind": one.kind, "name": one.name, "since": one.at.isoformat(), "by": one.by, "why": one.why, "waiting": waiting}


def _known(catalog: Catalog, kind: str, name: str) -> None:
    names = {route.name for route in catalog.routes} if kind == ROUTE else {to.ref.system for route in catalog.routes for to in route.to}
    if name not in names:
        raise Refused(Code.NOT_FOUND, f"There is no {kind} {name!r}; there is {', '.join(sorted(names)) or 'none'}.")
