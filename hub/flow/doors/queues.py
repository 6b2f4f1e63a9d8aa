"""Consumes broker queues: turns a batch of arrivals into messages, and stores refused arrivals as they came. The
acknowledgement follows both.

read events → map → contract → match → (one transaction: the messages of the batch) → refused arrivals → the consumer
acknowledges

If we die before the acknowledgement, the broker delivers the batch again. Each event and each refused arrival is
recognised by its id or tag.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hub.core import json
from hub.core.config.events import Event
from hub.core.config.queue import QUEUE, Arrival, Queue, arrived
from hub.core.errors import Code, Fault, Refused
from hub.core.message import Incoming, Receipt
from hub.core.model.delivery import AcceptedMessage, DedupeKey, Origin
from hub.core.model.tracing import trace_id_of
from hub.flow.accept import prepare_message
from hub.flow.hub import Hub
from hub.flow.intake import versions
from hub.flow.intake.committing import MeasuredAdd
from hub.logs import event, told
from hub.store import InFlightDelivery, Refusal

MAX_TYPE = 200  # maximum length of a stored content type or topic, in characters
TAG = "x-crossdock-delivery"  # the header in which a refused arrival keeps its tag
MAX_FAULTS = 50  # maximum number of faults per arrival


@dataclass(frozen=True, slots=True)
class BatchResult:
    """The result of a batch: the numbers of messages, and per arrival the reason if it is refused."""

    new: int
    duplicates: int
    refused: tuple[Refused | None, ...]
    message_ids: tuple[tuple[str, ...], ...]  # per arrival
    tags: tuple[str, ...] = ()  # of unacknowledged broker deliveries; removed after the acknowledgement


def take_in(hub: Hub, queue: Queue, arrivals: Sequence[Arrival], *, keeps: bool = True) -> BatchResult:
    """Accepts a batch in order. After it returns, all of it may be acknowledged. Raises StoreBusy: then nothing may be,
    and the whole batch is repeated.

    `keeps`: stores refused arrivals as they came; off for a retry of arrivals that are stored already.

    The batch is one transaction, so that a later message on a business key is never stored without the earlier one.
    """
    began = time.monotonic()
    now = hub.clock()
    arrivals, tags = _tagged(hub, queue, arrivals) if keeps else (list(arrivals), ())
    read = [_read(hub, queue, arrival, now) for arrival in arrivals]
    messages = [result for results in read for result in results if isinstance(result, AcceptedMessage)]
    answers = MeasuredAdd(hub.store, hub.counts, hub.spans).add(messages) if messages else []
    # Notify after the commit: a worker that looks earlier finds nothing, and the message would wait for the sweep.
    lanes = {lane for answer in answers if isinstance(answer, Receipt) for lane in answer.lanes}
    if lanes:
        hub.notifier.notify(lanes)
    ends = iter(answers)
    outcomes = [[result if isinstance(result, Refused) else next(ends) for result in results] for results in read]
    refused = tuple(together([result for result in results if isinstance(result, Refused)]) for results in outcomes)
    if keeps:
        _keep(
            hub, queue, [(arrival, why) for arrival, why in zip(arrivals, refused, strict=True) if why is not None], now
        )
    receipts = [
        (result, answer) for result, answer in zip(messages, answers, strict=True) if isinstance(answer, Receipt)
    ]
    _note(hub, queue, receipts, refused, began)
    ids = tuple(tuple(result.message_id for result in results if isinstance(result, Receipt)) for results in outcomes)
    duplicates = sum(answer.duplicate for _, answer in receipts)
    return BatchResult(len(receipts) - duplicates, duplicates, refused, ids, tags)


def acknowledged(hub: Hub, queue: Queue, tags: Sequence[str]) -> None:
    """Removes the tags of acknowledged deliveries: the broker will not deliver them again. Raises StoreBusy: then they
    are removed with their retention.
    """
    if tags:
        hub.store.forget_deliveries(queue.source, tags)


def _tagged(hub: Hub, queue: Queue, arrivals: Sequence[Arrival]) -> tuple[list[Arrival], tuple[str, ...]]:
    """Gives each arrival without an id a tag, by which a redelivery is recognised; gives the arrivals and the tags.
    Raises StoreBusy.
    """
    nameless = (
        [arrival for arrival in arrivals if not arrival.message_id and not arrival.tag] if queue.wants_tags else []
    )
    if not nameless:
        return list(arrivals), ()
    batch = [InFlightDelivery(arrival.content, arrival.is_again, hub.new_id()) for arrival in nameless]
    tags = hub.store.tag_deliveries(
        queue.source, batch, keep=timedelta(days=hub.settings.keep_keys), is_shared=queue.shared
    )
    unused_tags = iter(tags)
    return [
        arrival if arrival.message_id or arrival.tag else replace(arrival, tag=next(unused_tags))
        for arrival in arrivals
    ], tuple(tags)


def _keep(hub: Hub, queue: Queue, refused: Sequence[tuple[Arrival, Refused]], now: datetime) -> None:
    """Stores refused arrivals with their bytes and the reason. If we die after this, a redelivery finds the same row.
    Raises StoreBusy.
    """
    revision = hub.catalogs.active().revision
    hub.store.refuse(
        [Refusal(hub.new_id(), queue.source, _kept(arrival), why, revision, now) for arrival, why in refused]
    )


def _kept(arrival: Arrival) -> Arrival:
    """The arrival with its tag as a header. At a retry, the tag shows which of its events were accepted already."""
    return replace(arrival, headers={**arrival.headers, TAG: arrival.tag}) if arrival.tag else arrival


def kept_again(arrival: Arrival) -> Arrival:
    """A refused arrival as it came, with its tag; without a tag it is recognised by its content."""
    headers = dict(arrival.headers)
    tag = headers.pop(TAG, None)
    return replace(arrival, headers=headers, tag=tag if isinstance(tag, str) else "")


def _read(hub: Hub, queue: Queue, arrival: Arrival, now: datetime) -> list[AcceptedMessage | Refused]:
    """Prepares each event independently: a bad one does not block the others. The arrival is stored too; at its retry
    the accepted events are duplicates.
    """
    try:
        queue_events = arrived(queue, arrival, hub.limits, now)
        return [_lay(hub, queue, arrival, queue_event, now) for queue_event in queue_events]
    except Refused as refused:
        return [refused]
    except Exception as error:  # noqa: BLE001  any error: uncaught, the arrival would be delivered again for ever and block the queue
        event("queue.failed", told(error), level="error", queue=queue.source, message_id=arrival.message_id[:100])
        return [
            Refused(
                Code.INTERNAL, f"It cannot be read: {type(error).__name__}. This is a fault of the hub; see its log."
            )
        ]


def _lay(hub: Hub, queue: Queue, arrival: Arrival, queue_event: Event, now: datetime) -> AcceptedMessage | Refused:
    try:
        if queue_event.fault is not None:
            raise queue_event.fault
        # Continues the sender's trace. An event of a larger original gets a new trace id, because the original is
        # stored by trace id, one for each.
        trace_id = (trace_id_of(_text(arrival, "traceparent")) if queue_event.whole else None) or hub.new_id().replace(
            "-", ""
        )
        raw = arrival.body if queue_event.whole else json.encode(queue_event.payload)
        incoming = Incoming(
            queue_event.ref, queue_event.payload, raw, queue.source, queue_event.id, trace_id, in_batch=True
        )
        # A known id with other content is an error of the sender, and the message must not be lost. Under the sender's
        # id the content is compared, under the broker's id the bytes.
        fingerprint = queue_event.content if queue_event.named else hashlib.sha256(arrival.body).hexdigest()
        dedupe_key = DedupeKey(
            queue.source,
            queue_event.ref.type,
            queue_event.id,
            fingerprint,
            timedelta(days=hub.settings.keep_keys),
            by_content=queue_event.named,
        )
        message = prepare_message(hub, incoming, source=QUEUE, now=now, dedupe_keys=[dedupe_key])
    except Refused as refused:
        return refused
    if queue_event.whole:
        return message
    return replace(
        message,
        origin=Origin(queue.source, "", arrival.topic[:MAX_TYPE], arrival.content_type[:MAX_TYPE], arrival.body),
    )


def _text(arrival: Arrival, name: str) -> str | None:
    value = arrival.headers.get(name)
    return value if isinstance(value, str) else None


def together(refused: Sequence[Refused]) -> Refused | None:
    """Joins the refusals of one arrival to one, with the code and text of the first."""
    if len(refused) < 2:
        return refused[0] if refused else None
    faults: list[Fault] = [fault for refusal in refused for fault in refusal.faults][:MAX_FAULTS]
    return Refused(refused[0].code, f"{len(refused)} of its events: {refused[0].text}", faults)


def _note(
    hub: Hub,
    queue: Queue,
    receipts: Sequence[tuple[AcceptedMessage, Receipt]],
    refused: Sequence[Refused | None],
    began: float,
) -> None:
    for message, answer in receipts:
        ref = message.message.ref
        hub.counts.add("accepted", ref.system, ref.name, str(ref.version), "duplicate" if answer.duplicate else "new")
        if not answer.duplicate:
            versions.record_acceptance(hub, message)
    refusals = [refusal for refusal in refused if refusal is not None]
    for refusal in refusals:
        hub.counts.add("refused", str(int(refusal.code)))
        event("queue.refused", refusal.text, level="warning", queue=queue.source, code=int(refusal.code))
    new = sum(not answer.duplicate for _, answer in receipts)
    event(
        "queue.taken",
        f"{new} new of {len(refused)}",
        level="debug",
        queue=queue.source,
        new=new,
        duplicates=len(receipts) - new,
        refused=len(refusals),
        ms=round((time.monotonic() - began) * 1_000),
    )
