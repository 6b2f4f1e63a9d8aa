"""Unrouted messages: routes them again with the active configuration, or drops them; one by one, or all of one cause.

match again, from the stored body → (one transaction: deliveries at the end of their keys, the message's counts, the row
of `unrouted`) → notify

A request for a whole cause (a wish) is stored first; then any process advances it block by block. If we die in between,
the next process continues. A routed message is not unrouted any more, so it is never routed twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from hub.catalog import Catalog
from hub.core import json
from hub.core.config.routing import RoutingResult
from hub.core.config.system import LIVE
from hub.core.errors import Code, GiveUp, Refused, StoreBusy
from hub.core.json import Limits
from hub.core.message import Disposition, Json, Message
from hub.core.model.delivery import AcceptedMessage, NewDelivery
from hub.core.model.unrouted import Wish, cause_of
from hub.flow.accept import match_all
from hub.flow.answers import repairs as answers
from hub.flow.answers.fields import fill
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
# what an answer is of a message that does not wait any more
GONE = tuple(disposition.value for disposition in Disposition)


@dataclass(frozen=True, slots=True)
class Again:
    """What a configuration makes of an unrouted message: the message with its deliveries; or `note`: why it stays
    unrouted.
    """

    accepted: AcceptedMessage | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class UnroutedResult:
    """A decision about a whole cause. `results`: the numbers done at once, by result; `left`: the number that follows
    in the background.
    """

    cause: str
    number: int
    results: Mapping[str, int]
    left: int

    def as_json(self) -> answers.UnroutedOrdered:
        return fill(answers.UnroutedOrdered, self)


def again(
    catalog: Catalog, row: MessageRow, raw: bytes, *, by: str, now: datetime, new_id: Callable[[], str], limits: Limits
) -> Again:
    """Matches the message again. Pure, except for the new ids. Conditions and mappings see the time at which it was
    received.

    It is not sent back for its age: what has expired meanwhile goes all the same, because a person wants it. A loop
    that was cut goes one step on.
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
    return Again(AcceptedMessage(_standing(row, raw, matched, catalog.revision, by=by, now=now), deliveries))


def _wanted(planned: NewDelivery, made_with: str | None, now: datetime) -> NewDelivery:
    hold_until = planned.hold_until if planned.hold_until is not None and planned.hold_until > now else None
    return replace(planned, made_with=made_with, expires_at=None, hold_until=hold_until)


def _standing(row: MessageRow, raw: bytes, matched: RoutingResult, revision: str, *, by: str, now: datetime) -> Message:
    """The message with its new disposition. Its revision stays the one that accepted it."""
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
    """Routes these messages again with the active configuration. Gives per id `routed`, `filtered`, or why it stays. A
    second call changes nothing.

    Oldest first. Without `force` one stays that would go behind a later one on its key. Raises StoreBusy: blocks before
    that are done.
    """
    done: dict[str, str] = {}
    wanted = sorted(dict.fromkeys(ids))
    for start in range(0, len(wanted), BLOCK):
        done |= _route(hub, hub.catalogs.active(), wanted[start : start + BLOCK], by=by, why=why, force=force)
    return {id_: done[id_] for id_ in dict.fromkeys(ids)}


def _route(
    hub: Hub, catalog: Catalog, ids: Sequence[str], *, by: str, force: bool, wish: str | None = None, why: str = ""
) -> dict[str, str]:
    routable, stays = made_again(hub, catalog, ids, by=by)
    done = hub.store.reroute(
        list(routable.values()), stays=stays, by=by, revision=catalog.revision, force=force, wish=wish, why=why
    )
    # After the commit; a lost notification costs one sweep.
    hub.notifier.notify(
        {
            planned.lane
            for id_, accepted in routable.items()
            if done.get(id_) == Disposition.ROUTED
            for planned in accepted.deliveries
        }
    )
    _tell(hub, "messages.routed", done, by)
    return done


def made_again(
    hub: Hub, catalog: Catalog, ids: Sequence[str], *, by: str
) -> tuple[dict[str, AcceptedMessage], dict[str, str]]:
    """What `catalog` makes of these messages, oldest first: those that can be routed, and the others with the
    reason.
    """
    rows = {row.id: row for row in hub.store.messages(*ids)}
    bodies = hub.store.bodies(*rows)
    routable: dict[str, AcceptedMessage] = {}
    stays = {id_: NONE for id_ in ids if id_ not in rows}
    for id_ in sorted(rows):
        result = again(
            catalog, rows[id_], bodies.get(id_, b""), by=by, now=hub.clock(), new_id=hub.new_id, limits=hub.limits
        )
        if result.accepted is None:
            stays[id_] = result.note
        else:
            routable[id_] = result.accepted
    return routable, stays


def drop(hub: Hub, ids: Sequence[str], *, by: str, why: str) -> dict[str, str]:
    """Drops these messages for the reason `why`: they become `filtered`. Gives per id `filtered`, or why not. A second
    call changes nothing.
    """
    rows = {row.id: row for row in hub.store.messages(*ids)}
    dropped: dict[str, Json] = {"by": by, "at": hub.clock().isoformat(), "why": why}
    whys = {
        id_: {"considered": row.why.get("considered"), "dropped": dropped}
        for id_, row in rows.items()
        if row.disposition is Disposition.UNROUTED
    }
    done = hub.store.let_go(list(dict.fromkeys(ids)), whys=whys, by=by, why=why)
    _tell(hub, "messages.dropped", done, by)
    return {
        id_: done.get(id_, ENDED.format(disposition=rows[id_].disposition.value) if id_ in rows else NONE)
        for id_ in dict.fromkeys(ids)
    }


def _tell(hub: Hub, key: str, done: Mapping[str, str], by: str) -> None:
    numbers: dict[str, Any] = _results(done)
    for word, number in numbers.items():
        if word != STAYS:
            hub.counts.add("unrouted_ended", word if key == "messages.routed" else "dropped", by=number)
    event(key, f"{sum(numbers.values())} asked for", by=by, messages=list(done)[:20], worker=hub.worker, **numbers)


def _results(done: Mapping[str, str]) -> dict[str, int]:
    return dict(Counter(answer if answer in GONE else STAYS for answer in done.values()))


def _became(done: Mapping[str, str]) -> dict[str, int]:
    """The results, where messages that another process handled for the same request count with their disposition."""
    by_others = {ENDED.format(disposition=word): word for word in GONE}
    return _results({id_: by_others.get(answer, answer) for id_, answer in done.items()})


def route_cause(hub: Hub, cause: str, *, by: str, why: str = "", force: bool = False) -> UnroutedResult:
    """Routes all messages of a cause again that have come by now, by the configuration that is active now. The first go
    at once, the rest in the background; what is active meanwhile changes nothing. Raises Refused where none waits.
    """
    return _ordered(hub, cause, Wish.ROUTE, by=by, why=why, revision=hub.catalogs.active().revision, force=force)


def drop_cause(hub: Hub, cause: str, *, by: str, why: str) -> UnroutedResult:
    """Drops all current messages of a cause. Raises Refused if there are none."""
    return _ordered(hub, cause, Wish.DROP, by=by, why=why)


def _ordered(
    hub: Hub, cause: str, wish: Wish, *, by: str, why: str, revision: str = "", force: bool = False
) -> UnroutedResult:
    while hub.store.name_unrouted() > 0:
        pass
    number = hub.store.wish_unrouted(
        cause, id_=hub.new_id(), wish=wish, by=by, why=why, revision=revision, is_forced=force
    )
    results: Counter[str] = Counter()
    for _ in range(AT_ONCE):
        done = step(hub, cause)
        if done is None:
            break
        results.update(_became(done))
    left = hub.store.next_unrouted(cause, 1)
    return UnroutedResult(cause, number, dict(results), left[0].left if left is not None else 0)


def step(hub: Hub, cause: str) -> dict[str, str] | None:
    """Handles one block of a request for a cause. None if nothing is left; then the request ends."""
    block = hub.store.next_unrouted(cause, BLOCK)
    if block is None:
        return None
    wished, ids = block
    if not ids:
        if hub.store.end_wish(cause, wished.id):
            event("unrouted.done", "each message of the cause was looked at", cause=cause, by=wished.by)
        return None
    if wished.wish is Wish.DROP:
        return drop(hub, ids, by=wished.by, why=wished.why)
    return _route(
        hub,
        hub.catalogs.pinned(wished.revision),
        ids,
        by=wished.by,
        force=wished.is_forced,
        wish=wished.id,
        why=wished.why,
    )


def advance(hub: Hub) -> None:
    """Advances the requests for whole causes. Safe in several processes at once; a failed request does not block the
    others.
    """
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
    """Raises Refused unless either messages or a cause are named."""
    if bool(ids) == bool(cause):
        raise Refused(Code.BAD_REQUEST, "Give message ids, or one cause.")
