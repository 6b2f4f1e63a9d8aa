"""Refused arrivals: the two things a person may do with one. Read again, by the configuration of now; or let go."""

from __future__ import annotations

from collections.abc import Sequence

from hub.core.errors import Code, Refused
from hub.core.message import Json
from hub.core.queue import Queue
from hub.flow.hub import Hub
from hub.flow.queues import kept_again, take_in
from hub.logs import event
from hub.store import Refusal, RefusedRow, Store
from hub.store.arrivals import ACCEPTED, DROPPED, WAITING

TAKEN, GONE = "accepted", "dropped"
CHUNK = 50  # that are read at once, with their bodies
MAX_SHOWN = 65_536  # bytes of a body that are shown


def retry(hub: Hub, ids: Sequence[str], *, by: str) -> dict[str, str]:
    """Reads them again, oldest first, by the active configuration. Per id: `accepted`, or why not. A second call changes nothing.

    If we die between the messages and the row, it is retried again: its messages are known by their ids. Raises StoreBusy.
    """
    done: dict[str, str] = dict.fromkeys(dict.fromkeys(ids), "There is no such refused arrival.")
    wanted = sorted(done)
    for start in range(0, len(wanted), CHUNK):
        rows = {row.id: row for row in hub.store.refused_ones(*wanted[start : start + CHUNK])}
        done |= {id_: _one(hub, rows[id_], by) for id_ in sorted(rows)}
    event("refused.retried", f"{sum(answer == TAKEN for answer in done.values())} of {len(done)} accepted", by=by, refused=list(done)[:20])
    return done


def _one(hub: Hub, row: RefusedRow, by: str) -> str:
    if row.state != WAITING:
        return f"It is {row.state} already."
    queue = queue_of(hub, row.source)
    if queue is None or row.arrival is None:
        return f"There is no {row.source} in the active configuration."
    why = take_in(hub, queue, [kept_again(row.arrival)], keeps=False).refused[0]
    if why is None:
        hub.store.end_refused([row.id], state=ACCEPTED, by=by)
        return TAKEN
    hub.store.refuse_again(row.id, Refusal(row.id, row.source, row.arrival, why, hub.catalogs.active().revision, hub.clock()), by=by)
    return f"Refused again: {why.text}" + "".join(f" {fault.pointer or '/'}: wanted {fault.want}." for fault in why.faults[:1])


def queue_of(hub: Hub, source: str) -> Queue | None:
    """The queue that a source names, as the active configuration has it."""
    system, _, name = source.removeprefix("queue:").partition("/")
    found = hub.catalogs.active().systems.get(system)
    return found.queues.get(name) if found is not None else None


def drop(store: Store, ids: Sequence[str], *, by: str, why: str = "") -> dict[str, str]:
    """Lets them go; the rows stay, with who did it, and the reason is on record. Per id: `dropped`, or why not."""
    ended = store.end_refused(ids, state=DROPPED, by=by, why=why)
    done = {id_: GONE if is_ended else "There is no such refused arrival." for id_, is_ended in ended.items()}
    others = [id_ for id_, is_ended in ended.items() if not is_ended]
    for start in range(0, len(others), CHUNK):
        done |= {row.id: f"It is {row.state} already." for row in store.refused_ones(*others[start : start + CHUNK])}
    event("refused.dropped", f"{sum(ended.values())} of {len(done)}", by=by, refused=list(done)[:20])
    return done


def revealed(store: Store, row: RefusedRow, *, by: str, why: str) -> dict[str, Json]:
    """One with its body. Nobody can say what in it is personal, so each look is on record first. Raises Refused without a reason."""
    if not why:
        raise Refused(Code.BAD_REQUEST, "why: 1–500")
    store.note_act(by=by, what="value.revealed", object_=row.id, details={"why": why, "refused": row.source})
    return as_json(row)


def as_json(row: RefusedRow) -> dict[str, Json]:
    """One as operators see it; with its body where that was read."""
    shown: dict[str, Json] = {
        "id": row.id,
        "source": row.source,
        "state": row.state,
        "receivedAt": row.received_at.isoformat(),
        "lastAt": row.last_at.isoformat(),
        "times": row.times,
        "messageId": row.message_id,
        "topic": row.topic,
        "contentType": row.content_type,
        "bytes": row.size,
        "code": row.code,
        "text": row.text,
        "faults": [dict(fault) for fault in row.faults],
        "revision": row.revision,
        "changedAt": row.changed_at.isoformat(),
        "changedBy": row.changed_by,
    }
    if row.arrival is not None:
        body = row.arrival.body[:MAX_SHOWN]
        shown |= {"headers": dict(row.arrival.headers), "body": body.decode("utf-8", "backslashreplace"), "flaw": row.arrival.flaw}
    return shown
