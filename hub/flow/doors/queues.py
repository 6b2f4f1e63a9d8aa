"""Queues: from what a broker delivered to committed messages; what cannot be accepted is kept as it came. The acknowledgement comes after both.

read events → map → contract → match → (one transaction: the messages of the batch) → refused arrivals → the consumer acknowledges

If we die before the acknowledgement, the broker delivers it again: each event is known by its id or its delivery's tag, and so is each refused arrival.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hub.core.config.events import Event
from hub.core.config.queue import QUEUE, Arrival, Queue, arrived
from hub.core.documents import json
from hub.core.errors import Code, Fault, Refused
from hub.core.message import Incoming, Receipt
from hub.core.model.delivery import Laid, Origin, Seen
from hub.core.model.tracing import trace_id_of
from hub.flow.accept import lay
from hub.flow.hub import Hub
from hub.flow.intake import versions
from hub.flow.intake.committing import MeasuredAdd
from hub.logs import event, told
from hub.store import InHand, Refusal

MAX_TYPE = 200  # characters of a content type and a topic that are kept beside an original
TAG = "x-crossdock-delivery"  # the header of a refused arrival that has its tag
MAX_FAULTS = 50  # of one arrival


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What became of a batch: numbers of messages, and per arrival why it is refused."""

    new: int
    duplicates: int
    refused: tuple[Refused | None, ...]
    message_ids: tuple[tuple[str, ...], ...]  # per arrival
    tags: tuple[str, ...] = ()  # of deliveries in hand, to be forgotten once they are acknowledged


def take_in(hub: Hub, queue: Queue, arrivals: Sequence[Arrival], *, keeps: bool = True) -> TakenIn:
    """Accepts a batch, in its order. Once it returns, all of it may be acknowledged. Raises StoreBusy: then nothing may be; it is repeated whole.

    `keeps`: what is refused is stored as it came; not so for what is stored already, and retried.

    The batch is its own group commit: one transaction, so that what comes later on a business key is never stored without what came before.
    """
    began = time.monotonic()
    now = hub.clock()
    arrivals, tags = _tagged(hub, queue, arrivals) if keeps else (list(arrivals), ())
    read = [_read(hub, queue, arrival, now) for arrival in arrivals]
    laid = [one for ones in read for one in ones if isinstance(one, Laid)]
    answers = MeasuredAdd(hub.store, hub.counts, hub.spans).add(laid) if laid else []
    # Ring after the commit, never before: a worker that looks too early finds nothing, and the message would wait for the sweep.
    lanes = {lane for answer in answers if isinstance(answer, Receipt) for lane in answer.lanes}
    if lanes:
        hub.bell.ring(lanes)
    ends = iter(answers)
    outcomes = [[one if isinstance(one, Refused) else next(ends) for one in ones] for ones in read]
    refused = tuple(together([one for one in ones if isinstance(one, Refused)]) for ones in outcomes)
    if keeps:
        _keep(hub, queue, [(arrival, why) for arrival, why in zip(arrivals, refused, strict=True) if why is not None], now)
    receipts = [(one, answer) for one, answer in zip(laid, answers, strict=True) if isinstance(answer, Receipt)]
    _note(hub, queue, receipts, refused, began)
    ids = tuple(tuple(one.message_id for one in ones if isinstance(one, Receipt)) for ones in outcomes)
    duplicates = sum(answer.duplicate for _, answer in receipts)
    return TakenIn(len(receipts) - duplicates, duplicates, refused, ids, tags)


def acknowledged(hub: Hub, queue: Queue, tags: Sequence[str]) -> None:
    """The broker knows: what comes from now on is another delivery, whatever it says. Raises StoreBusy: then it is done with the next batch's."""
    if tags:
        hub.store.forget_deliveries(queue.source, tags)


def _tagged(hub: Hub, queue: Queue, arrivals: Sequence[Arrival]) -> tuple[list[Arrival], tuple[str, ...]]:
    """Each with what it is known by if it comes again; and the tags that were made for it. Raises StoreBusy."""
    nameless = [one for one in arrivals if not one.message_id and not one.tag] if queue.wants_tags else []
    if not nameless:
        return list(arrivals), ()
    batch = [InHand(one.content, one.is_again, hub.new_id()) for one in nameless]
    tags = hub.store.tag_deliveries(queue.source, batch, keep=timedelta(days=hub.settings.keep_keys), is_shared=queue.shared)
    made = iter(tags)
    return [one if one.message_id or one.tag else replace(one, tag=next(made)) for one in arrivals], tuple(tags)


def _keep(hub: Hub, queue: Queue, refused: Sequence[tuple[Arrival, Refused]], now: datetime) -> None:
    """Stores what was refused, with its bytes and the reason. If we die after this, it comes again, and is the same row. Raises StoreBusy."""
    revision = hub.catalogs.active().revision
    hub.store.refuse([Refusal(hub.new_id(), queue.source, _kept(arrival), why, revision, now) for arrival, why in refused])


def _kept(arrival: Arrival) -> Arrival:
    """With its tag among its headers: when a person retries it, what of it was accepted is known by that."""
    return replace(arrival, headers={**arrival.headers, TAG: arrival.tag}) if arrival.tag else arrival


def kept_again(arrival: Arrival) -> Arrival:
    """A refused arrival as it came, with the tag that it had; one that was kept without is known by its content."""
    headers = dict(arrival.headers)
    tag = headers.pop(TAG, None)
    return replace(arrival, headers=headers, tag=tag if isinstance(tag, str) else "")


def _read(hub: Hub, queue: Queue, arrival: Arrival, now: datetime) -> list[Laid | Refused]:
    """Each event by itself: a bad one keeps no good one out, and the arrival is kept as well; retried, its good ones are known."""
    try:
        found = arrived(queue, arrival, hub.limits, now)
        return [_lay(hub, queue, arrival, one, now) for one in found]
    except Refused as refused:
        return [refused]
    except Exception as error:  # noqa: BLE001  whatever it is: it would come again, for ever, and none behind it
        event("queue.failed", told(error), level="error", queue=queue.source, message_id=arrival.message_id[:100])
        return [Refused(Code.INTERNAL, f"It cannot be read: {type(error).__name__}. This is a fault of the hub; see its log.")]


def _lay(hub: Hub, queue: Queue, arrival: Arrival, one: Event, now: datetime) -> Laid | Refused:
    try:
        if one.fault is not None:
            raise one.fault
        # The sender's trace goes on; but not where the original is kept apart: it is found by the trace, and there is one original to each.
        trace_id = (trace_id_of(_text(arrival, "traceparent")) if one.whole else None) or hub.new_id().replace("-", "")
        raw = arrival.body if one.whole else json.encode(one.payload)
        incoming = Incoming(one.ref, one.payload, raw, queue.source, one.id, trace_id, in_batch=True)
        # A known id with other content is a sender that counts wrong, and must not be swallowed. What it says itself is compared, however it words
        # it this time; under the broker's id its bytes.
        fingerprint = one.content if one.named else hashlib.sha256(arrival.body).hexdigest()
        seen = Seen(queue.source, one.ref.type, one.id, fingerprint, timedelta(days=hub.settings.keep_keys), by_content=one.named)
        laid = lay(hub, incoming, source=QUEUE, now=now, seen=[seen])
    except Refused as refused:
        return refused
    if one.whole:
        return laid
    return replace(laid, origin=Origin(queue.source, "", arrival.topic[:MAX_TYPE], arrival.content_type[:MAX_TYPE], arrival.body))


def _text(arrival: Arrival, name: str) -> str | None:
    found = arrival.headers.get(name)
    return found if isinstance(found, str) else None


def together(refused: Sequence[Refused]) -> Refused | None:
    """All that is wrong with one arrival, as one: the first one's code and text."""
    if len(refused) < 2:
        return refused[0] if refused else None
    faults: list[Fault] = [fault for one in refused for fault in one.faults][:MAX_FAULTS]
    return Refused(refused[0].code, f"{len(refused)} of its events: {refused[0].text}", faults)


def _note(hub: Hub, queue: Queue, receipts: Sequence[tuple[Laid, Receipt]], refused: Sequence[Refused | None], began: float) -> None:
    for laid, answer in receipts:
        ref = laid.message.ref
        hub.counts.add("accepted", ref.system, ref.name, str(ref.version), "duplicate" if answer.duplicate else "new")
        if not answer.duplicate:
            versions.accepted(hub, laid)
    wrong = [one for one in refused if one is not None]
    for one in wrong:
        hub.counts.add("refused", str(int(one.code)))
        event("queue.refused", one.text, level="warning", queue=queue.source, code=int(one.code))
    new = sum(not answer.duplicate for _, answer in receipts)
    event(
        "queue.taken",
        f"{new} new of {len(refused)}",
        level="debug",
        queue=queue.source,
        new=new,
        duplicates=len(receipts) - new,
        refused=len(wrong),
        ms=round((time.monotonic() - began) * 1_000),
    )
