"""Unrouted: messages that no route took are routed again by the active configuration, or let go by a person; singly, or all of one cause.

match again, from the stored body → (one transaction: the deliveries behind all that is on their keys, what is planned, the row that waits) → ring
A whole cause is a wish that is written down first: whoever looks next moves it on, block by block, until nothing of it is left. If we die in the
midst, the next one goes on; a message that was routed does not wait any more, and is never routed twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from hub.catalog import Catalog
from hub.core.config.routing import Matched
from hub.core.config.system import LIVE
from hub.core.documents import json
from hub.core.documents.json import Limits
from hub.core.errors import Code, GiveUp, Refused, StoreBusy
from hub.core.message import Disposition, Json, Message
from hub.core.model.delivery import Laid, Planned
from hub.core.model.unrouted import Wish, cause_of
from hub.flow.accept import match_all
from hub.flow.hub import Hub
from hub.flow.render import upgraded
from hub.logs import event, told
from hub.store import MessageRow
from hub.store.messages.rerouting import ENDED, NONE

BLOCK = 50  # messages of one transaction
AT_ONCE = 4  # blocks of a cause that whoever asks for it moves on; the rest goes behind its back
BLOCKS = 20  # of one cause in one sweep
MOST_IDS = 500
MAX_WHY = 500
STAYS = "stays"
GONE = tuple(one.value for one in Disposition)  # what an answer is of a message that does not wait any more


@dataclass(frozen=True, slots=True)
class Again:
    """What a configuration makes of a message that waits: how it would stand, with its deliveries; or `note`: why it would go on waiting."""

    laid: Laid | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Ordered:
    """A whole cause that a person decided about. `results`: of what was done at once, by what became of it; `left`: what goes in the background."""

    cause: str
    number: int
    results: Mapping[str, int]
    left: int

    def as_json(self) -> dict[str, Json]:
        return {"cause": self.cause, "number": self.number, "results": dict(self.results), "left": self.left}


def again(catalog: Catalog, row: MessageRow, raw: bytes, *, by: str, now: datetime, new_id: Callable[[], str], limits: Limits) -> Again:
    """Matched once more, pure but for the new ids. Conditions see the time at which it was received, as its mappings do.

    It is not sent back for its age: what has expired meanwhile goes all the same, because a person wants it. A loop that was cut goes one step on.
    """
    emit = catalog.emit(row.type)
    if emit is None:
        return Again(None, f"The configuration knows no message {row.type}.")
    try:
        newest, payload = upgraded(catalog, row.ref, json.decode(raw, limits), row.received_at)
        if newest.version not in emit.versions or emit.versions[newest.version].state not in LIVE:
            return Again(None, f"Version {newest.version} of {row.type} is not live, and nothing upgrades it.")
        matched, _ = match_all(catalog, emit, payload, hops=0, now=row.received_at, new_id=new_id)
    except (GiveUp, Refused) as error:
        text = error.why.text if isinstance(error, GiveUp) else error.text
        return Again(None, f"It cannot be routed: {text}"[:MAX_WHY])
    except Exception as error:  # noqa: BLE001  nobody foresaw it: it stays in sight, and the others of its cause go on
        event("unrouted.unexpected", told(error), level="error", message_id=row.id, trace_id=row.trace_id)
        return Again(None, f"It cannot be routed: {type(error).__name__}; see the log.")
    if matched.disposition is Disposition.UNROUTED:
        return Again(None, f"Still: {cause_of(row.ref, matched.considered).text}"[:MAX_WHY])
    made_with = catalog.revision if catalog.revision != row.revision else None
    deliveries = tuple(_wanted(planned, made_with, now) for planned in matched.planned)
    return Again(Laid(_standing(row, raw, matched, catalog.revision, by=by, now=now), deliveries))


def _wanted(planned: Planned, made_with: str | None, now: datetime) -> Planned:
    hold_until = planned.hold_until if planned.hold_until is not None and planned.hold_until > now else None
    return replace(planned, made_with=made_with, expires_at=None, hold_until=hold_until)


def _standing(row: MessageRow, raw: bytes, matched: Matched, revision: str, *, by: str, now: datetime) -> Message:
    """The message as it stands once it is routed. Its own revision stays: it is what accepted it."""
    lines: list[Json] = [dict(line) for line in matched.considered]
    considered: Json = row.why.get("considered") if matched.planned else lines
    why: dict[str, Json] = {"considered": considered, "again": {"by": by, "at": now.isoformat(), "revision": revision}}
    return Message(
        row.id,
        row.ref,
        row.received_at,
        row.caller,
        row.source,
        raw,
        row.trace_id,
        row.revision,
        matched.disposition,
        len(matched.planned),
        keys=row.keys,
        order_key=row.order_key,
        cause_id=row.cause_id,
        hops=row.hops,
        why=why,
    )


def route(hub: Hub, ids: Sequence[str], *, by: str, why: str = "", force: bool = False) -> dict[str, str]:
    """Routes these messages again, by the active configuration. Per id `routed`, `filtered`, or why it stays. A second call changes nothing.

    Oldest first. Without `force` one stays that would go behind a later one on its key. Raises StoreBusy: blocks before that are done.
    """
    done: dict[str, str] = {}
    wanted = sorted(dict.fromkeys(ids))
    for start in range(0, len(wanted), BLOCK):
        done |= _route(hub, hub.catalogs.active(), wanted[start : start + BLOCK], by=by, why=why, force=force)
    return {id_: done[id_] for id_ in dict.fromkeys(ids)}


def _route(hub: Hub, catalog: Catalog, ids: Sequence[str], *, by: str, force: bool, wish: str | None = None, why: str = "") -> dict[str, str]:
    made, stays = made_again(hub, catalog, ids, by=by)
    done = hub.store.reroute(list(made.values()), stays=stays, by=by, revision=catalog.revision, force=force, wish=wish, why=why)
    # After the commit; a lost ring costs one sweep.
    hub.bell.ring({planned.lane for id_, laid in made.items() if done.get(id_) == Disposition.ROUTED for planned in laid.deliveries})
    _tell(hub, "messages.routed", done, by)
    return done


def made_again(hub: Hub, catalog: Catalog, ids: Sequence[str], *, by: str) -> tuple[dict[str, Laid], dict[str, str]]:
    """What `catalog` makes of these messages, oldest first: those that go, and those that stay with why."""
    rows = {row.id: row for row in hub.store.messages(*ids)}
    bodies = hub.store.bodies(*rows)
    made: dict[str, Laid] = {}
    stays = {id_: NONE for id_ in ids if id_ not in rows}
    for id_ in sorted(rows):
        found = again(catalog, rows[id_], bodies.get(id_, b""), by=by, now=hub.clock(), new_id=hub.new_id, limits=hub.limits)
        if found.laid is None:
            stays[id_] = found.note
        else:
            made[id_] = found.laid
    return made, stays


def drop(hub: Hub, ids: Sequence[str], *, by: str, why: str) -> dict[str, str]:
    """Lets these messages go, for the reason `why`: they are filtered. Per id `filtered`, or why not. A second call changes nothing."""
    rows = {row.id: row for row in hub.store.messages(*ids)}
    dropped: dict[str, Json] = {"by": by, "at": hub.clock().isoformat(), "why": why}
    whys = {id_: {"considered": row.why.get("considered"), "dropped": dropped} for id_, row in rows.items() if row.disposition is Disposition.UNROUTED}
    done = hub.store.let_go(list(dict.fromkeys(ids)), whys=whys, by=by, why=why)
    _tell(hub, "messages.dropped", done, by)
    return {id_: done.get(id_, ENDED.format(disposition=rows[id_].disposition.value) if id_ in rows else NONE) for id_ in dict.fromkeys(ids)}


def _tell(hub: Hub, key: str, done: Mapping[str, str], by: str) -> None:
    numbers: dict[str, Any] = _results(done)
    for word, number in numbers.items():
        if word != STAYS:
            hub.counts.add("unrouted_ended", word if key == "messages.routed" else "dropped", by=number)
    event(key, f"{sum(numbers.values())} asked for", by=by, messages=list(done)[:20], worker=hub.worker, **numbers)


def _results(done: Mapping[str, str]) -> dict[str, int]:
    return dict(Counter(answer if answer in GONE else STAYS for answer in done.values()))


def _became(done: Mapping[str, str]) -> dict[str, int]:
    """The same, where what another process did of the same wish in the same moment counts as what became of it."""
    by_others = {ENDED.format(disposition=word): word for word in GONE}
    return _results({id_: by_others.get(answer, answer) for id_, answer in done.items()})


def route_cause(hub: Hub, cause: str, *, by: str, why: str = "", force: bool = False) -> Ordered:
    """Routes all messages of a cause again that have come by now, by the configuration that is active now. The first go at once, the rest in the
    background; what is active meanwhile changes nothing. Raises Refused where none waits.
    """
    return _ordered(hub, cause, Wish.ROUTE, by=by, why=why, revision=hub.catalogs.active().revision, force=force)


def drop_cause(hub: Hub, cause: str, *, by: str, why: str) -> Ordered:
    """Lets all messages of a cause go that have come by now. Raises Refused where none waits."""
    return _ordered(hub, cause, Wish.DROP, by=by, why=why)


def _ordered(hub: Hub, cause: str, wish: Wish, *, by: str, why: str, revision: str = "", force: bool = False) -> Ordered:
    while hub.store.name_unrouted() > 0:
        pass
    number = hub.store.wish_unrouted(cause, id_=hub.new_id(), wish=wish, by=by, why=why, revision=revision, is_forced=force)
    results: Counter[str] = Counter()
    for _ in range(AT_ONCE):
        done = step(hub, cause)
        if done is None:
            break
        results.update(_became(done))
    left = hub.store.next_unrouted(cause, 1)
    return Ordered(cause, number, dict(results), left[0].left if left is not None else 0)


def step(hub: Hub, cause: str) -> dict[str, str] | None:
    """One block of what a person wants of a cause. None where nothing is left of it: the wish is over then."""
    found = hub.store.next_unrouted(cause, BLOCK)
    if found is None:
        return None
    wished, ids = found
    if not ids:
        if hub.store.end_wish(cause, wished.id):
            event("unrouted.done", "each message of the cause was looked at", cause=cause, by=wished.by)
        return None
    if wished.wish is Wish.DROP:
        return drop(hub, ids, by=wished.by, why=wished.why)
    return _route(hub, hub.catalogs.pinned(wished.revision), ids, by=wished.by, force=wished.is_forced, wish=wished.id, why=wished.why)


def advance(hub: Hub) -> None:
    """Moves on what people want of whole causes. Any process may, and any number at once; one that fails holds up no other."""
    for cause in hub.store.wished_unrouted():
        try:
            for _ in range(BLOCKS):
                if step(hub, cause) is None:
                    break
        except StoreBusy as error:
            event("unrouted.postponed", f"{error} The next sweep goes on.", level="warning", cause=cause)
        except Exception as error:  # noqa: BLE001  nothing of the block happened; the others go on, and the next sweep tries again
            event("unrouted.failed", told(error), level="error", cause=cause)


def check_chosen(ids: Sequence[str], cause: str | None) -> None:
    """Raises Refused where neither messages nor a cause are named, or both."""
    if bool(ids) == bool(cause):
        raise Refused(Code.BAD_REQUEST, "Name messages, or one cause.")
