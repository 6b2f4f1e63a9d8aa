"""Accept: from a request to a committed message. If the power goes, nothing is half done: see the line of each step.

authenticate → decode → contract → match → (group commit: message, names, deliveries) → ring → 202
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from hub.catalog import Catalog
from hub.core.config.identified_request import POST, Sent
from hub.core.config.queue import Arrival
from hub.core.config.routing import Matched, match
from hub.core.config.system import LIVE, DedupeScope, Emit
from hub.core.documents import json
from hub.core.documents.times import instant
from hub.core.errors import Busy, Code, Fault, GiveUp, Refused, StoreBusy
from hub.core.expressions import evaluation_door
from hub.core.expressions.expression import Expression
from hub.core.expressions.prepared import MISSING
from hub.core.message import Incoming, Json, Message, Receipt, Ref, Request
from hub.core.model.delivery import EVERYBODY, Laid, Seen
from hub.core.model.tracing import trace_id_of
from hub.core.schemas import content
from hub.core.schemas.integers import plain, text_of
from hub.flow.context.callers import Caller
from hub.flow.hub import Hub
from hub.flow.intake import refusal_origins
from hub.flow.intake.authentication import whoever
from hub.flow.intake.synchronous import lease
from hub.flow.intake.versions import accepted, later, not_live, upgrade

POSTED = frozenset({"http", "cli"})  # ways in whose sender says the version
PATIENCE_S = 30.0  # of a command, for its commit
MAX_KEY = 255  # characters of an identifier: Idempotency-Key, business key, order key


def prepare(hub: Hub, caller: Caller, request: Request, ref: Ref) -> Laid:
    """All further steps before the commit, for one post of `ref`. Raises Refused; then nothing is stored, and the sender knows what to change."""
    now = hub.clock()
    payload = json.decode(request.body, hub.limits)
    trace_id = trace_id_of(_header(request, "traceparent")) or hub.new_id().replace("-", "")
    incoming = Incoming(ref, payload, request.body, caller.id, idempotency_key(request), trace_id)
    return lay(hub, incoming, source="http", now=now, seen=_names(request, caller, incoming, timedelta(days=hub.settings.keep_keys)))


def prepare_question(hub: Hub, caller: Caller, request: Request, ref: Ref, payload: Json) -> Laid:
    """The same for a question by GET: what its query says is the message. Raises Refused."""
    raw = json.encode(payload)
    trace_id = trace_id_of(_header(request, "traceparent")) or hub.new_id().replace("-", "")
    incoming = Incoming(ref, payload, raw, caller.id, idempotency_key(request), trace_id)
    seen = _names(replace(request, body=raw), caller, incoming, timedelta(days=hub.settings.keep_keys))
    return lay(hub, incoming, source="http", now=hub.clock(), seen=seen)


def prepare_batch(hub: Hub, caller: Caller, request: Request, ref: Ref) -> list[Laid | Refused]:
    """The same for many: a JSON array, or NDJSON. One answer per item, in order. Raises Refused for what concerns the whole post."""
    batch_key = idempotency_key(request) or caller.request_key or hub.new_id()
    # Each item has a name of its own under the batch's: a batch that is sent again is a batch of duplicates.
    items: list[Item | Refused] = []
    for number, one in enumerate(_items(hub, request)):
        if isinstance(one, Refused):
            raw = one.sent.arrival.body if isinstance(one.sent, Sent) else None
            key, version = f"{batch_key}#{number}", ref.version
            one.sent = refusal_origins.post(caller, request, ref.type, version=version, body=raw, key=key, suffix=f"#{number}") if raw is not None else None
        items.append(one if isinstance(one, Refused) else Item(ref, *one, f"{batch_key}#{number}"))
    return prepare_items(hub, caller, request, items)


@dataclass(frozen=True, slots=True)
class Item:
    """One message of a request that brings several: decoded, and named by its sender."""

    ref: Ref
    payload: Json
    raw: bytes
    key: str | None


def prepare_items(
    hub: Hub, caller: Caller, request: Request, items: Sequence[Item | Refused], *, in_batch: bool = True, door: str = POST
) -> list[Laid | Refused]:
    """One answer per item, in order: laid, or refused with its own faults."""
    trace_id = trace_id_of(_header(request, "traceparent")) or hub.new_id().replace("-", "")
    laid: list[Laid | Refused] = []
    for number, item in enumerate(items):
        if isinstance(item, Refused):
            laid.append(item)
            continue
        suffix = f"#{number}" if in_batch else ""
        try:
            laid.append(lay_item(hub, caller, request, item, suffix, trace_id=trace_id, in_batch=in_batch))
        except Refused as refused:
            version = item.ref.version
            refused.sent = refusal_origins.post(caller, request, item.ref.type, door=door, version=version, body=item.raw, key=item.key, suffix=suffix)
            laid.append(refused)
    return laid


def lay_item(hub: Hub, caller: Caller, request: Request, item: Item, suffix: str, *, trace_id: str, in_batch: bool) -> Laid:
    """One item under its names; `suffix` tells it from the others of its request. Raises Refused."""
    incoming = Incoming(item.ref, item.payload, item.raw, caller.id, item.key, trace_id, in_batch=in_batch)
    seen = _names(replace(request, body=item.raw), caller, incoming, timedelta(days=hub.settings.keep_keys), suffix)
    return lay(hub, incoming, source="http", now=hub.clock(), seen=seen)


def lay(hub: Hub, incoming: Incoming, *, source: str, now: datetime, seen: Sequence[Seen] = ()) -> Laid:
    """Contract, keys and match for what is authenticated and decoded: pure, but for the new ids. Raises Refused."""
    catalog = hub.catalogs.active()
    emit = _emit(catalog, incoming.ref, now, is_posted=source in POSTED)
    _check(emit, incoming, now)
    newest, payload = upgrade(catalog, incoming, now)  # keys and routes are over the newest version, whichever was posted
    matched, order_key = match_all(catalog, emit, payload, hops=incoming.hops, now=now, new_id=hub.new_id, in_batch=incoming.in_batch)
    deliveries = matched.planned
    if source == "http" and not incoming.in_batch:
        routes = {route.name: route for route in catalog.routes_from(emit.type)}
        deliveries = tuple(lease(hub, planned, routes) for planned in deliveries)
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
        keys=_business_keys(emit, payload, now),
        order_key=order_key,
        idempotency_key=incoming.idempotency_key,
        cause_id=incoming.cause_id,
        hops=incoming.hops,
        why={} if matched.planned else {"considered": [dict(line) for line in matched.considered]},
    )
    names = (*seen, *_natural_names(emit, incoming, (newest, payload), now, timedelta(days=hub.settings.keep_keys)))
    return Laid(message, deliveries, names, incoming.payload)


def match_all(
    catalog: Catalog, emit: Emit, payload: Json, *, hops: int, now: datetime, new_id: Callable[[], str], in_batch: bool = False
) -> tuple[Matched, str | None]:
    """What the routes make of a payload in its newest version, with how new each delivery's content is; and its key of order. Raises Refused."""
    order_key = _one_key(emit.order_by, payload, now) if emit.order_by is not None else None
    # One of ten thousand that needs an evaluator does not make the others wait for it: its route is decided at its claim.
    with evaluation_door.deferring() if in_batch else nullcontext():
        matched = match(catalog.routes_from(emit.type), payload, targets=catalog.targets, order_key=order_key, hops=hops, now=now, new_id=new_id)
    fresh = _fresh(emit, payload, now)
    return replace(matched, planned=tuple(replace(planned, fresh=fresh) for planned in matched.planned)) if fresh is not None else matched, order_key


def _check(emit: Emit, incoming: Incoming, now: datetime) -> None:
    contract = emit.contracts[incoming.ref.version]
    try:
        faults = contract.check(incoming.payload)
        if faults:
            raise Refused(Code.CONTRACT_VIOLATION, f"The post does not fit {incoming.ref.type} version {incoming.ref.version}.", faults)
        against = contract.contradictions(incoming.payload, now=now)
    except Busy as error:
        raise later(error) from error
    except GiveUp as error:
        raise Refused(Code.INCONSISTENT, f"A rule of the contract cannot be computed: {error.why.text}") from error
    if against:
        raise Refused(Code.INCONSISTENT, f"The post fits {incoming.ref.type}, but its fields contradict each other.", against)


def submit(hub: Hub, laid: Laid) -> Future[Receipt | Refused]:
    """Hands over to the group commit. The future ends after the COMMIT: what it gives is true whatever dies next. Raises StoreBusy when full.

    Lanes are rung by the group commit, once per group and after it. If we die between the commit and the answer, the sender posts again
    and its name answers `duplicate`, not a second order.
    """
    return hub.commit.submit(laid)


def take(hub: Hub, laid: Laid) -> Receipt:
    """The same for whoever waits for it there and then, a command: stored, rung for, counted. Raises Refused, and StoreBusy: then nothing was stored,
    or, after so long, nobody can say; the same again under the same name tells.
    """
    try:
        receipt = submit(hub, laid).result(PATIENCE_S)
    except NotInTime as error:
        raise StoreBusy("The commit took too long.") from error
    if isinstance(receipt, Refused):
        raise receipt
    if not receipt.duplicate:
        accepted(hub, laid)
    return receipt


@dataclass(frozen=True, slots=True)
class MessageStatus:
    """A caller's own message: where it stands, per target. Holds nothing of the body and nothing that a target answered."""

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
                {"target": target, "status": status, "attempts": attempts, "settledAt": settled.isoformat() if settled else None}
                for target, status, attempts, settled in self.deliveries
            ],
        }


def own_message(hub: Hub, request: Request, message_id: str) -> MessageStatus:
    """The caller's own message. Raises Refused: not proven, or no message of its own; somebody else's is not told apart from one that does not exist.

    Its own is what was posted under the same key (client, certificate): another caller of the same system is somebody else. The system counts
    too: two authorities may know different clients by one id, and a right that was taken away is gone for what was posted before.
    """
    caller = whoever(hub, request)
    row = hub.store.message(message_id)
    if row is None or row.caller != caller.id or row.system not in caller.systems:
        refused = Refused(Code.NOT_FOUND, "There is no such message of yours.")
        refused.sent = refusal_origins.question(caller, request, "messages")
        raise refused
    deliveries = tuple((str(line.ref), line.status.value, line.attempts, line.settled_at) for line in hub.store.deliveries(message_id))
    return MessageStatus(row.id, row.type, row.version, row.received_at, row.disposition.value, deliveries)


def _emit(catalog: Catalog, ref: Ref, now: datetime, *, is_posted: bool) -> Emit:
    """`is_posted`: a caller chose the version, and was told until when. What the workspace itself names (hooks, queues, replies) is the check's."""
    emit = catalog.emit(ref.type)
    if emit is None:
        raise Refused(Code.NOT_FOUND, f"There is no message {ref.type}. The interface docs list what there is.")
    version = emit.versions.get(ref.version)
    if version is None or version.state not in LIVE or (is_posted and not version.may_be_posted(now)):
        raise not_live(ref, emit, now)
    return emit


def _items(hub: Hub, request: Request) -> list[tuple[Json, bytes] | Refused]:
    content_type = (_header(request, "content-type") or "").split(";")[0].strip().lower()
    if content_type == "application/x-ndjson":
        lines = [line for line in request.body.split(b"\n") if line.strip()]
        _count(hub, len(lines))
        return [_decoded(hub, line) for line in lines]
    # The whole array is one JSON text; each of its elements is held to the limits of one message, not the array.
    limits = replace(hub.limits, max_values=hub.limits.max_values * max(1, min(hub.settings.max_batch, 100)))
    whole = json.decode(request.body, limits)
    if not isinstance(whole, list):
        raise Refused(Code.CONTRACT_VIOLATION, "A batch is a JSON array, or NDJSON.", [Fault("", "one value", "an array", "put the messages in [ ]")])
    _count(hub, len(whole))
    return [(item, json.encode(item)) for item in whole]


def _decoded(hub: Hub, line: bytes) -> tuple[Json, bytes] | Refused:
    try:
        return json.decode(line, hub.limits), line
    except Refused as refused:
        refused.sent = Sent(POST, "", "", Arrival(line))  # whose it is, is known where it is called from
        return refused


def _count(hub: Hub, number: int) -> None:
    if not number:
        raise Refused(Code.EMPTY_BATCH, "The batch has no message.")
    if number > hub.settings.max_batch:
        raise Refused(Code.TOO_LARGE, f"The batch has {number} messages; at most {hub.settings.max_batch} go at once. Send it in parts.")


def _names(request: Request, caller: Caller, incoming: Incoming, keep: timedelta, suffix: str = "") -> tuple[Seen, ...]:
    """The names of one post. The signed one counts at every path (the path is not signed); the header's, within its message type."""
    path = request.path
    fingerprint = hashlib.sha256(b"\n".join((request.method.encode(), path.encode(), request.body))).hexdigest()
    signed = (Seen(caller.id, "*", caller.request_key + suffix, fingerprint, caller.keep or keep),) if caller.request_key else ()
    if incoming.idempotency_key is None or incoming.idempotency_key == caller.request_key + suffix:
        return signed
    return (*signed, Seen(caller.id, incoming.ref.type, incoming.idempotency_key, fingerprint, keep))


def _header(request: Request, name: str) -> str | None:
    try:
        return request.header(name)
    except ValueError as error:
        raise Refused(Code.BAD_REQUEST, f"The {error}. Send it once.") from error


def idempotency_key(request: Request) -> str | None:
    """The Idempotency-Key, bare or in double quotes (draft-ietf-httpapi-idempotency-key-header-07): 1 to 255 visible ASCII characters."""
    try:
        text = request.header("idempotency-key")
    except ValueError as error:
        raise Refused(Code.BAD_IDEMPOTENCY_KEY, f"The {error}. Send it once.") from error
    if text is None:
        return None
    if len(text) >= 2 and text[0] == text[-1] == '"':
        text = text[1:-1]
    if not 0 < len(text) <= MAX_KEY or not all("!" <= char <= "~" for char in text):
        fault = Fault("", f"{len(text)} characters", f"1 to {MAX_KEY} visible ASCII characters", "send a UUID, or a business number")
        raise Refused(Code.BAD_IDEMPOTENCY_KEY, "The Idempotency-Key cannot be used.", [fault])
    return text


def _one_key(expression: Expression, payload: Json, now: datetime) -> str | None:
    """The canonical text of an identifier; None for null or missing. Raises Refused for what cannot be one."""
    try:
        value = expression.evaluate(payload, now=now)
    except Busy as error:
        raise later(error) from error
    except GiveUp as error:
        faults = [Fault(error.why.field, "nothing", "a part of a key", error.why.fix)] if error.why.field else []
        raise Refused(Code.CONTRACT_VIOLATION, f"The key {expression.text} cannot be computed: {error.why.text}", faults) from error
    if value is None or value is MISSING:
        return None
    if isinstance(value, Decimal):
        value = text_of(value)  # 1.0 and 1 are one order
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal) or not 0 < len(str(value)) <= MAX_KEY:
        fault = Fault(
            "/" + expression.text.replace(".", "/"), type(value).__name__, f"a text or number of 1 to {MAX_KEY} characters", "send the business number alone"
        )
        raise Refused(Code.CONTRACT_VIOLATION, f"{expression.text} is no identifier.", [fault])
    return str(value)


def _fresh(emit: Emit, payload: Json, now: datetime) -> str | None:
    """How new the content is, as a text that sorts: an instant in UTC, or a whole number. Raises Refused for what is neither."""
    if emit.fresh_by is None:
        return None
    try:
        value = emit.fresh_by.evaluate(payload, now=now)
    except Busy as error:
        raise later(error) from error
    except GiveUp as error:
        raise Refused(Code.CONTRACT_VIOLATION, f"fresh_by cannot be computed: {error.why.text}") from error
    if value is None or value is MISSING:
        return None
    value = plain(value) if isinstance(value, Decimal) else value
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**20:
        return f"{value:020d}"
    try:
        return instant(str(value), "UTC").isoformat(timespec="microseconds")
    except ValueError as error:
        fault = Fault("/" + emit.fresh_by.text.replace(".", "/"), type(value).__name__, "a time, or a whole number", str(error))
        raise Refused(Code.CONTRACT_VIOLATION, f"{emit.fresh_by.text} does not say how new it is.", [fault]) from error


def _business_keys(emit: Emit, payload: Json, now: datetime) -> tuple[tuple[str, str], ...]:
    found = ((name, _one_key(expression, payload, now)) for name, expression in emit.keys)
    return tuple((name, value) for name, value in found if value is not None)


def _natural_names(emit: Emit, incoming: Incoming, newest: tuple[Ref, Json], now: datetime, keep: timedelta) -> tuple[Seen, ...]:
    """By what `dedupe_by` knows a repeat; and by its content, which is compared as it was sent and as the newest version: the same order in an old
    and a new version is one.

    The content as it is decoded, not the bytes: who sends again from its own database need not write the same white space, and an Idempotency-Key
    compares bytes already.
    """
    key = _natural_key(emit, newest[1], now)
    if key is None:
        return ()
    fields = tuple(expression.text for expression in emit.dedupe_by)
    plain = next((expression.path for expression in emit.dedupe_by if expression.path is not None), None)
    pointer = json.pointer(plain) if plain is not None and newest[0] == incoming.ref else ""  # it is a place in the newest version
    said = content.fingerprint((incoming.ref, incoming.payload), newest)
    own = Seen(incoming.caller, emit.type, Seen.NATURAL + key, said, keep, by_content=True, fields=fields, pointer=pointer)
    return (own, replace(own, caller=EVERYBODY)) if emit.dedupe_scope is DedupeScope.SYSTEM else (own,)


def _natural_key(emit: Emit, payload: Json, now: datetime) -> str | None:
    """`dedupe_by` as one name; None where the contract has none or a field of it is not there. Each part's length stands before it,
    so that ("a|b", "c") and ("a", "b|c") stay two.
    """
    parts = [_one_key(expression, payload, now) for expression in emit.dedupe_by]
    if not parts or any(part is None for part in parts):
        return None
    text = "|".join(f"{len(part)}:{part}" for part in parts if part is not None)
    return text if len(text) < MAX_KEY else hashlib.sha256(text.encode()).hexdigest()
