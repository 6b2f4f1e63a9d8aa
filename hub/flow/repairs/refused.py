"""Refused arrivals: retries them with the active configuration, or drops them, as a person decides."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hub.core.config import identified_request
from hub.core.config.queue import Arrival, Queue
from hub.core.documents.content_coding import coding_of, inflated
from hub.core.errors import Code, Refused
from hub.core.message import Receipt, Request
from hub.core.model.delivery import AcceptedMessage
from hub.flow.answers import repairs as answers
from hub.flow.answers.fields import fill
from hub.flow.doors import hooks, refused_posts
from hub.flow.doors.queues import kept_again, take_in, together
from hub.flow.hub import Hub
from hub.flow.intake import versions
from hub.flow.intake.committing import MeasuredAdd
from hub.logs import event
from hub.store import ArrivalFilter, Refusal, RefusedRow, Store
from hub.store.repairs.arrivals import ACCEPTED, DROPPED, WAITING

TAKEN, GONE = "accepted", "dropped"
CHUNK = 50  # that are read at once, with their bodies
MAX_SHOWN = 65_536  # bytes of a body that are shown
TRACE = re.compile(r"[0-9a-f]{32}", re.ASCII)


def retry(hub: Hub, ids: Sequence[str], *, by: str) -> dict[str, str]:
    """Retries refused arrivals, oldest first, with the active configuration. Gives per id `accepted`, or why not. A
    second call changes nothing.

    If we die between the messages and the row, it is retried again: its messages are known by their ids. Raises
    StoreBusy.
    """
    done: dict[str, str] = dict.fromkeys(dict.fromkeys(ids), "There is no such refused arrival.")
    wanted = sorted(done)
    for start in range(0, len(wanted), CHUNK):
        rows = {row.id: row for row in hub.store.refused_ones(*wanted[start : start + CHUNK])}
        done |= {id_: _one(hub, rows[id_], by) for id_ in sorted(rows)}
    event(
        "refused.retried",
        f"{sum(answer == TAKEN for answer in done.values())} of {len(done)} accepted",
        by=by,
        refused=list(done)[:20],
    )
    return done


def _one(hub: Hub, row: RefusedRow, by: str) -> str:
    if row.state != WAITING:
        return f"It is {row.state} already."
    if row.arrival is None or (row.door == identified_request.QUEUE and queue_of(hub, row.source) is None):
        return f"There is no {row.source} in the active configuration."
    try:
        why = _taken(hub, row, row.arrival)
    except Refused as refused:
        why = refused
    if why is None:
        hub.store.end_refused([row.id], state=ACCEPTED, by=by)
        return TAKEN
    hub.store.refuse_again(
        row.id, Refusal(row.id, row.source, row.arrival, why, hub.catalogs.active().revision, hub.clock()), by=by
    )
    return f"Refused again: {why.text}" + "".join(
        f" {fault.pointer or '/'}: wanted {fault.want}." for fault in why.faults[:1]
    )


def _taken(hub: Hub, row: RefusedRow, arrival: Arrival) -> Refused | None:
    """Reads an arrival again as its door does, and stores its messages. Gives None, or the refusal of the rest. Raises
    Refused, StoreBusy.

    What was proven once stays proven: its signature and its time are not asked for again.
    """
    if row.door == identified_request.QUEUE:
        queue = queue_of(hub, row.source)
        if queue is None:
            raise Refused(Code.NOT_FOUND, f"There is no {row.source} in the active configuration.")
        return take_in(hub, queue, [kept_again(arrival)], keeps=False).refused[0]
    accepted_message = _laid(hub, row, arrival)
    messages = [item for item in accepted_message if isinstance(item, AcceptedMessage)]
    answers = MeasuredAdd(hub.store, hub.counts, hub.spans).add(messages) if messages else []
    # Ring after the commit, never before: a worker that looks too early finds nothing, and the message would wait for
    # the sweep.
    if lanes := {lane for answer in answers if isinstance(answer, Receipt) for lane in answer.lanes}:
        hub.notifier.notify(lanes)
    for message, answer in zip(messages, answers, strict=True):
        if isinstance(answer, Receipt):
            ref = message.message.ref
            hub.counts.add(
                "accepted", ref.system, ref.name, str(ref.version), "duplicate" if answer.duplicate else "new"
            )
            if not answer.duplicate:
                versions.record_acceptance(hub, message)
    return together([item for item in (*accepted_message, *answers) if isinstance(item, Refused)])


def _laid(hub: Hub, row: RefusedRow, arrival: Arrival) -> Sequence[AcceptedMessage | Refused]:
    if not row.source.startswith("hook:"):
        if row.door in (identified_request.QUESTION, identified_request.UNPROVEN):
            raise Refused(
                Code.BAD_REQUEST,
                "Nothing of it is kept that could be read again. Whoever sent it was told what to change.",
            )
        return refused_posts.prepared(hub, row)
    if arrival.flaw:
        raise Refused(Code.BAD_REQUEST, arrival.flaw)
    system, _, name = row.source.removeprefix("hook:").partition("/")
    known_system = hub.catalogs.active().systems.get(system)
    hook = known_system.hooks.get(name) if known_system is not None else None
    if hook is None:
        raise Refused(Code.NOT_FOUND, f"There is no {row.source} in the active configuration.")
    read = row.request
    headers = tuple((key, str(value)) for key, value in arrival.headers.items())
    request = Request(
        str(read["method"]), str(read["path"]), str(read["query"]), headers, arrival.body, str(read["peer"])
    )
    return hooks.again(hub, hook, request, row.id, is_proven=row.door == identified_request.HOOK)


def queue_of(hub: Hub, source: str) -> Queue | None:
    """The queue of a source, in the active configuration."""
    system, _, name = source.removeprefix("queue:").partition("/")
    known_system = hub.catalogs.active().systems.get(system)
    return known_system.queues.get(name) if known_system is not None else None


def drop(store: Store, ids: Sequence[str], *, by: str, why: str = "") -> dict[str, str]:
    """Drops refused arrivals. The rows stay with the person's name; the reason is recorded. Gives per id `dropped`, or
    why not.
    """
    ended = store.end_refused(ids, state=DROPPED, by=by, why=why)
    done = {id_: GONE if is_ended else "There is no such refused arrival." for id_, is_ended in ended.items()}
    not_ended = [id_ for id_, is_ended in ended.items() if not is_ended]
    for start in range(0, len(not_ended), CHUNK):
        done |= {row.id: f"It is {row.state} already." for row in store.refused_ones(*not_ended[start : start + CHUNK])}
    event("refused.dropped", f"{sum(ended.values())} of {len(done)}", by=by, refused=list(done)[:20])
    return done


def of_trace(store: Store, trace_id: str) -> list[RefusedRow]:
    """The refused arrivals with this trace id, in any state."""
    wanted = trace_id.strip().lower()
    return store.refused(wanted=ArrivalFilter(None, trace_id=wanted)) if TRACE.fullmatch(wanted) else []


def is_open(row: RefusedRow) -> bool:
    """Whether the body is shown without a reason: only for queues. For other doors it is unknown which values are
    personal.
    """
    return row.door == identified_request.QUEUE


def revealed(store: Store, row: RefusedRow, *, by: str, why: str) -> answers.RefusedArrival:
    """The arrival with its body. Each call is recorded. Raises Refused without a reason."""
    if not why:
        raise Refused(Code.BAD_REQUEST, "why: 1–500")
    store.note_act(by=by, what="value.revealed", object_=row.id, details={"why": why[:500], "refused": row.source})
    return as_json(row, bare=True)


def as_json(row: RefusedRow, *, bare: bool = False) -> answers.RefusedArrival:
    """A refused arrival as operators see it, with its body if it was loaded and may be shown. `bare`: shows the body in
    any case.
    """
    shown: dict[str, object] = {}
    if row.arrival is not None and (bare or is_open(row)):
        body = _plain(row.arrival)[:MAX_SHOWN]
        shown = {
            "headers": dict(row.arrival.headers),
            "body": body.decode("utf-8", "backslashreplace"),
            "flaw": row.arrival.flaw,
        }
    return fill(answers.RefusedArrival, row, bytes=row.size, **shown)


def _plain(arrival: Arrival) -> bytes:
    """The body without its content coding, for display."""
    request = Request("", "", "", tuple((name, str(value)) for name, value in arrival.headers.items()), arrival.body)
    try:
        return inflated(arrival.body, coding_of(request), len(arrival.body) * 50)
    except Refused:
        return arrival.body
