"""Pauses and resumes a route or a target, as a person decides. Waiting deliveries lose nothing and use no attempt."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from hub.catalog import Catalog
from hub.core.errors import Code, Refused
from hub.flow.answers import administration as answers
from hub.flow.answers.fields import fill
from hub.logs import event
from hub.store import Pause, Store
from hub.store.messages.pauses import ROUTE, TARGET

KINDS = (ROUTE, TARGET)
Ring = Callable[[Iterable[str]], None]


def pause(store: Store, catalog: Catalog, kind: str, name: str, *, by: str, why: str = "") -> bool:
    """Pauses a route or target; calls under way are finished. False: it was paused already. Raises Refused (404) for an
    unknown name.
    """
    _known(catalog, kind, name)
    done = store.pause(kind, name, by=by, why=why)
    event(f"{kind}.paused", "nothing more of it is claimed" if done else "it was paused already", by=by, **{kind: name})
    return done


def resume(store: Store, kind: str, name: str, *, by: str, notify: Ring | None = None) -> bool:
    """Resumes a route or target, at the target's pace. False: it was not paused. A name that was removed from the
    configuration can be resumed too.

    What a route's pause held is set free here, in blocks, and by each sweep, should we not come to the end of it.
    Raises StoreBusy.
    """
    done = store.resume(kind, name, by=by)
    freed, lanes = 1, set[str]()
    while done and kind == ROUTE and freed:
        freed, more = store.free_paused()
        lanes.update(more)
    event(f"{kind}.resumed", "it goes on" if done else "it was not paused", by=by, **{kind: name})
    if notify is not None:
        notify(lanes if kind == ROUTE else [name])
    return done


def paused(store: Store) -> list[answers.Paused]:
    """The pauses, with the number of deliveries that wait because of each."""
    return [as_json(row, store.waiting_behind(row.kind, row.name)) for row in store.pauses()]


def as_json(row: Pause, waiting: int) -> answers.Paused:
    return fill(answers.Paused, row, since=row.at, waiting=waiting)


def _known(catalog: Catalog, kind: str, name: str) -> None:
    names = (
        {route.name for route in catalog.routes}
        if kind == ROUTE
        else {to.ref.system for route in catalog.routes for to in route.to}
    )
    if name not in names:
        raise Refused(Code.NOT_FOUND, f"There is no {kind} {name!r}. Known: {', '.join(sorted(names)) or 'none'}.")
