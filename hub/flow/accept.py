"""Accepts a message: validates it, matches the routes, and commits the message with its deliveries in one transaction.

admit (authenticate, rights, rate limit) → contract version → decode → contract → match → (group commit: message, dedupe
keys, deliveries) → notify → 202

If the process dies before the commit, nothing is stored and the sender gets no 2xx. If it dies after the commit,
everything is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime

from hub.catalog import Catalog
from hub.core import json
from hub.core.config.identified_request import POST, IdentifiedRequest
from hub.core.config.queue import Arrival
from hub.core.config.routing import RoutingResult, match
from hub.core.config.system import LIVE, Emit
from hub.core.errors import Busy, Code, Fault, GiveUp, Refused, StoreBusy
from hub.core.expressions import evaluation_door
from hub.core.message import Incoming, Json, Message, Receipt, Ref, Request
from hub.core.model.delivery import AcceptedMessage, DedupeKey, NewDelivery
from hub.core.model.tracing import trace_id_of
from hub.flow.context.callers import Caller
from hub.flow.hub import Hub
from hub.flow.intake import refusal_origins
from hub.flow.intake.authentication import authenticate_any, authorise
from hub.flow.intake.message_keys import (
    MAX_KEY,
    business_keys,
    dedupe_keys_of,
    evaluate_freshness,
    evaluate_key,
    natural_dedupe_keys,
)
from hub.flow.intake.synchronous import lease
from hub.flow.intake.versions import not_live, record_acceptance, retry_later, upgrade

POSTED = frozenset({"http", "cli"})  # sources whose sender chooses the contract version
PATIENCE_S = 30.0  # commit timeout of a command


def admit(hub: Hub, request: Request, system: str) -> Caller:
    """Authenticates the sender, and checks its right to post for `system` and that its rate limit has room. Raises
    Refused. The messages are charged to the limit once their number is known.
    """
    caller = authorise(hub, request, system)
    hub.allowance.ask(caller.id)
    return caller


def prepare(hub: Hub, caller: Caller, request: Request, ref: Ref) -> AcceptedMessage:
    """Runs all steps between authentication and commit for one post of `ref`. Raises Refused: then nothing is
    stored.
    """
    now = hub.clock()
    payload = json.decode(request.body, hub.limits)
    trace_id = _trace_id(hub, request)
    incoming = Incoming(ref, payload, request.body, caller.id, idempotency_key(request), trace_id)
    return prepare_message(
        hub, incoming, source="http", now=now, dedupe_keys=dedupe_keys_of(hub, request, caller, incoming)
    )


def prepare_question(hub: Hub, caller: Caller, request: Request, ref: Ref, payload: Json) -> AcceptedMessage:
    """Does the same for a GET request, whose query parameters are the message. Raises Refused."""
    raw = json.encode(payload)
    trace_id = _trace_id(hub, request)
    incoming = Incoming(ref, payload, raw, caller.id, idempotency_key(request), trace_id)
    dedupe_keys = dedupe_keys_of(hub, replace(request, body=raw), caller, incoming)
    return prepare_message(hub, incoming, source="http", now=hub.clock(), dedupe_keys=dedupe_keys)


def prepare_batch(hub: Hub, caller: Caller, request: Request, ref: Ref) -> list[AcceptedMessage | Refused]:
    """Does the same for a batch: a JSON array, or NDJSON. Gives one result per item, in order. Raises Refused if the
    whole post is wrong.
    """
    batch_key = idempotency_key(request) or caller.request_key or hub.new_id()
    # Each item has its own key, derived from the batch key. If the batch is sent again, each item is a duplicate.
    items: list[Item | Refused] = []
    for number, decoded in enumerate(_items(hub, request)):
        if isinstance(decoded, Refused):
            raw = decoded.sent.arrival.body if isinstance(decoded.sent, IdentifiedRequest) else None
            key, version = f"{batch_key}#{number}", ref.version
            decoded.sent = (
                refusal_origins.post(caller, request, ref.type, version=version, body=raw, key=key, suffix=f"#{number}")
                if raw is not None
                else None
            )
        items.append(decoded if isinstance(decoded, Refused) else Item(ref, *decoded, f"{batch_key}#{number}"))
    return prepare_items(hub, caller, request, items)


@dataclass(frozen=True, slots=True)
class Item:
    """One decoded message of a request that contains several, with the key that its sender gave it."""

    ref: Ref
    payload: Json
    raw: bytes
    key: str | None


def prepare_items(
    hub: Hub,
    caller: Caller,
    request: Request,
    items: Sequence[Item | Refused],
    *,
    in_batch: bool = True,
    door: str = POST,
) -> list[AcceptedMessage | Refused]:
    """Gives one result per item, in order: an accepted message, or a refusal with its faults."""
    trace_id = _trace_id(hub, request)
    results: list[AcceptedMessage | Refused] = []
    for number, item in enumerate(items):
        if isinstance(item, Refused):
            results.append(item)
            continue
        suffix = f"#{number}" if in_batch else ""
        try:
            results.append(prepare_item(hub, caller, request, item, suffix, trace_id=trace_id, in_batch=in_batch))
        except Refused as refused:
            version = item.ref.version
            refused.sent = refusal_origins.post(
                caller, request, item.ref.type, door=door, version=version, body=item.raw, key=item.key, suffix=suffix
            )
            results.append(refused)
    return results


def prepare_item(
    hub: Hub, caller: Caller, request: Request, item: Item, suffix: str, *, trace_id: str, in_batch: bool
) -> AcceptedMessage:
    """Prepares one item. `suffix` keeps its dedupe keys apart from those of the other items of the request. Raises
    Refused.
    """
    incoming = Incoming(item.ref, item.payload, item.raw, caller.id, item.key, trace_id, in_batch=in_batch)
    dedupe_keys = dedupe_keys_of(hub, replace(request, body=item.raw), caller, incoming, suffix)
    return prepare_message(hub, incoming, source="http", now=hub.clock(), dedupe_keys=dedupe_keys)


def prepare_message(
    hub: Hub, incoming: Incoming, *, source: str, now: datetime, dedupe_keys: Sequence[DedupeKey] = ()
) -> AcceptedMessage:
    """Validates an authenticated, decoded message, computes its keys and matches the routes. Pure, except for the new
    ids. Raises Refused.

    `dedupe_keys`: those that the request itself gives; the contract adds its own here.
    """
    catalog = hub.catalogs.active()
    emit = _emit(catalog, incoming.ref, now, is_posted=source in POSTED)
    _check(emit, incoming, now)
    # keys and routes read the newest version, whichever version was posted
    newest, payload = upgrade(catalog, incoming, now)
    matched, order_key = match_all(
        catalog, emit, payload, hops=incoming.hops, now=now, new_id=hub.new_id, in_batch=incoming.in_batch
    )
    deliveries = matched.planned
    if source == "http" and not incoming.in_batch:
        deliveries = _lease_synchronous(hub, catalog, emit, deliveries)
    message = Message(
        id=hub.new_id(),
        ref=incoming.ref,
        received_at=now,
        caller=incoming.caller,
        source=source,
        raw=incoming.raw,
        trace_id=incoming.trace_id,
        revision=catalog.revision,
        disposition=matched.disposition,
        planned=len(matched.planned),
        keys=business_keys(emit, payload, now),
        order_key=order_key,
        idempotency_key=incoming.idempotency_key,
        cause_id=incoming.cause_id,
        hops=incoming.hops,
        why={} if matched.planned else {"considered": [dict(line) for line in matched.considered]},
    )
    names = (*dedupe_keys, *natural_dedupe_keys(hub, emit, incoming, (newest, payload), now))
    return AcceptedMessage(message, deliveries, names, incoming.payload)


def match_all(
    catalog: Catalog,
    emit: Emit,
    payload: Json,
    *,
    hops: int,
    now: datetime,
    new_id: Callable[[], str],
    in_batch: bool = False,
) -> tuple[RoutingResult, str | None]:
    """Matches the routes against a payload in its newest version. Gives the deliveries with their freshness, and the
    order key. Raises Refused.
    """
    order_key = evaluate_key(emit.order_by, payload, now) if emit.order_by is not None else None
    # In a batch, a slow condition must not delay the other items: its route is decided later, when its delivery is
    # claimed.
    with evaluation_door.deferring() if in_batch else nullcontext():
        matched = match(
            catalog.routes_from(emit.type),
            payload,
            targets=catalog.targets,
            order_key=order_key,
            hops=hops,
            now=now,
            new_id=new_id,
        )
    fresh = evaluate_freshness(emit, payload, now)
    return replace(
        matched, planned=tuple(replace(planned, fresh=fresh) for planned in matched.planned)
    ) if fresh is not None else matched, order_key


def _lease_synchronous(
    hub: Hub, catalog: Catalog, emit: Emit, deliveries: Sequence[NewDelivery]
) -> tuple[NewDelivery, ...]:
    """Leases to this process each delivery whose caller waits for the answer; gives the others unchanged."""
    routes = {route.name: route for route in catalog.routes_from(emit.type)}
    return tuple(lease(hub, delivery, routes) for delivery in deliveries)


def _check(emit: Emit, incoming: Incoming, now: datetime) -> None:
    contract = emit.contracts[incoming.ref.version]
    try:
        faults = contract.check(incoming.payload)
        if faults:
            raise Refused(
                Code.CONTRACT_VIOLATION,
                f"The post does not fit {incoming.ref.type} version {incoming.ref.version}.",
                faults,
            )
        contradictions = contract.contradictions(incoming.payload, now=now)
    except Busy as error:
        raise retry_later(error) from error
    except GiveUp as error:
        raise Refused(Code.INCONSISTENT, f"A rule of the contract cannot be computed: {error.why.text}") from error
    if contradictions:
        raise Refused(
            Code.INCONSISTENT,
            f"The post fits {incoming.ref.type}, but its fields contradict each other.",
            contradictions,
        )


def submit(hub: Hub, accepted_message: AcceptedMessage) -> Future[Receipt | Refused]:
    """Hands the message to the group commit. The future resolves after the COMMIT, so its result survives a crash.
    Raises StoreBusy if the queue is full.

    The group commit notifies the lanes once per group, after the commit. If we die between the commit and the answer,
    the sender posts again: its dedupe key finds the stored message, and the answer is `duplicate`.
    """
    return hub.commit.submit(accepted_message)


def take(hub: Hub, accepted_message: AcceptedMessage) -> Receipt:
    """Does the same for a command, which waits for the result: the message is stored, its lanes are notified, it is
    counted.

    Raises Refused; StoreBusy if nothing was stored, or if the commit timed out and its outcome is unknown. A retry
    under the same key tells.
    """
    try:
        receipt = submit(hub, accepted_message).result(PATIENCE_S)
    except NotInTime as error:
        raise StoreBusy("The commit took too long.") from error
    if isinstance(receipt, Refused):
        raise receipt
    if not receipt.duplicate:
        record_acceptance(hub, accepted_message)
    return receipt


@dataclass(frozen=True, slots=True)
class MessageStatus:
    """The status of a caller's own message, per target. Contains no part of the body and no answer of a target."""

    id: str
    type: str
    version: int
    received_at: datetime
    disposition: str
    deliveries: tuple[tuple[str, str, int, datetime | None], ...]  # target message, status, attempts, settled at

    def as_json(self) -> dict[str, Json]:
        return {
            "messageId": self.id,
            "type": self.type,
            "version": self.version,
            "receivedAt": self.received_at.isoformat(),
            "disposition": self.disposition,
            "deliveries": [
                {
                    "target": target,
                    "status": status,
                    "attempts": attempts,
                    "settledAt": settled.isoformat() if settled else None,
                }
                for target, status, attempts, settled in self.deliveries
            ],
        }


def own_message(hub: Hub, request: Request, message_id: str) -> MessageStatus:
    """Gives the status of a message to the caller that posted it. Raises Refused if the caller is not authenticated or
    did not post it; a message of another caller gets the same answer as a message that does not exist.

    The caller must have the same identity (key, client, certificate) and still have the right to the system. The id
    alone is not enough: two authorities may use one client id for different clients. A right that was revoked also ends
    access to earlier messages.
    """
    caller = authenticate_any(hub, request)
    row = hub.store.message(message_id)
    if row is None or row.caller != caller.id or row.system not in caller.systems:
        refused = Refused(Code.NOT_FOUND, "There is no such message of yours.")
        refused.sent = refusal_origins.question(caller, request, "messages")
        raise refused
    deliveries = tuple(
        (str(line.ref), line.status.value, line.attempts, line.settled_at) for line in hub.store.deliveries(message_id)
    )
    return MessageStatus(row.id, row.type, row.version, row.received_at, row.disposition.value, deliveries)


def _emit(catalog: Catalog, ref: Ref, now: datetime, *, is_posted: bool) -> Emit:
    """Finds the message type and checks that its version is live. Raises Refused.

    `is_posted`: a caller chose the version, so its sunset date applies. Versions that the workspace names (hooks,
    queues, replies) are checked by `hub check`.
    """
    emit = catalog.emit(ref.type)
    if emit is None:
        raise Refused(Code.NOT_FOUND, f"There is no message {ref.type}. The interface docs list what there is.")
    version = emit.versions.get(ref.version)
    if version is None or version.state not in LIVE or (is_posted and not version.may_be_posted(now)):
        raise not_live(ref, emit, now)
    return emit


def _items(hub: Hub, request: Request) -> list[tuple[Json, bytes] | Refused]:
    """Splits a batch into its items, each decoded and as bytes. Raises Refused."""
    content_type = (_header(request, "content-type") or "").split(";")[0].strip().lower()
    if content_type == "application/x-ndjson":
        lines = [line for line in request.body.split(b"\n") if line.strip()]
        _check_batch_size(hub, len(lines))
        return [_decode_line(hub, line) for line in lines]
    # The array is one JSON text. The limits of a message apply to each element, so the limit of the array is a
    # multiple.
    limits = replace(hub.limits, max_values=hub.limits.max_values * max(1, min(hub.settings.max_batch, 100)))
    array = json.decode(request.body, limits)
    if not isinstance(array, list):
        raise Refused(
            Code.CONTRACT_VIOLATION,
            "A batch is a JSON array, or NDJSON.",
            [Fault("", "one value", "an array", "put the messages in [ ]")],
        )
    _check_batch_size(hub, len(array))
    return [(item, json.encode(item)) for item in array]


def _decode_line(hub: Hub, line: bytes) -> tuple[Json, bytes] | Refused:
    try:
        return json.decode(line, hub.limits), line
    except Refused as refused:
        # the callers of this function add the sender's identity
        refused.sent = IdentifiedRequest(POST, "", "", Arrival(line))
        return refused


def _check_batch_size(hub: Hub, number: int) -> None:
    if not number:
        raise Refused(Code.EMPTY_BATCH, "The batch has no message.")
    if number > hub.settings.max_batch:
        raise Refused(
            Code.TOO_LARGE,
            f"The batch has {number} messages; at most {hub.settings.max_batch} go at once. Send it in parts.",
        )


def _trace_id(hub: Hub, request: Request) -> str:
    """The trace id of the `traceparent` header, or a new one."""
    return trace_id_of(_header(request, "traceparent")) or hub.new_id().replace("-", "")


def _header(request: Request, name: str) -> str | None:
    try:
        return request.header(name)
    except ValueError as error:
        raise Refused(Code.BAD_REQUEST, f"The {error}. Send it once.") from error


def idempotency_key(request: Request) -> str | None:
    """Reads the Idempotency-Key header, bare or in double quotes (draft-ietf-httpapi-idempotency-key-header-07): 1 to
    255 visible ASCII characters.
    """
    try:
        text = request.header("idempotency-key")
    except ValueError as error:
        raise Refused(Code.BAD_IDEMPOTENCY_KEY, f"The {error}. Send it once.") from error
    if text is None:
        return None
    if len(text) >= 2 and text[0] == text[-1] == '"':
        text = text[1:-1]
    if not 0 < len(text) <= MAX_KEY or not all("!" <= char <= "~" for char in text):
        fault = Fault(
            "",
            f"{len(text)} characters",
            f"1 to {MAX_KEY} visible ASCII characters",
            "send a UUID, or a business number",
        )
        raise Refused(Code.BAD_IDEMPOTENCY_KEY, "The Idempotency-Key cannot be used.", [fault])
    return text
