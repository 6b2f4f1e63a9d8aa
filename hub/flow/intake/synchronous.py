"""Handles synchronous routes: the caller waits for the target's answer. The exchange is recorded like any other
delivery.

add as claimed (group commit) → map → send within the deadline → judge → settle → answer

If we die after the commit, the lease ends and the attempt is recorded as *outcome not seen*. The caller got no answer,
and asks again under its key.
"""

from __future__ import annotations

import secrets
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from dataclasses import dataclass, replace
from datetime import timedelta

from hub.core import json
from hub.core.adapter import Answer, Parcel, Reply
from hub.core.config.routing import Destination, Route, TargetPolicy
from hub.core.config.target_answers import KEPT_BYTES, read
from hub.core.errors import Cause, Code, GiveUp, Reason, Refused, StoreBusy, TryLater, Unknown
from hub.core.message import Json, Message, Receipt, Ref
from hub.core.model.delivery import (
    AcceptedMessage,
    Claim,
    Delivered,
    Ended,
    Exchange,
    InDoubt,
    InDoubtPolicy,
    Lease,
    NewDelivery,
    Outcome,
    Settlement,
    Status,
)
from hub.core.schemas.integers import declared
from hub.flow.hub import Hub
from hub.flow.render import render, rendered
from hub.flow.settling import settle
from hub.kit.http.call import Call, HttpResult
from hub.kit.http.sender import Sender
from hub.kit.target import BatchTarget
from hub.logs import event, told

MARGIN_S = 30.0  # the lease outlasts the deadline by this, as time for settling
COMMIT_S = 10.0
UNSENT = "Nothing was sent"
_CODES = {
    Reason.DEADLINE: Code.GATEWAY_TIMEOUT,
    Reason.NO_ANSWER: Code.GATEWAY_TIMEOUT,
    Reason.OUTCOME_NOT_SEEN: Code.GATEWAY_TIMEOUT,
    Reason.UNREACHABLE: Code.UNAVAILABLE,
    Reason.THROTTLED: Code.UNAVAILABLE,
    Reason.UNDER_WAY: Code.UNAVAILABLE,
    Reason.CIRCUIT_OPEN: Code.UNAVAILABLE,
    Reason.PAUSED: Code.UNAVAILABLE,
}
# The target's own text is recorded with the attempt, for operators only: it may contain personal data, or repeat a
# secret of ours (input B86).
_FOR_CALLERS = {
    Reason.REFUSED: "The system behind refused it.",
    Reason.UNSUCCESSFUL: "The system behind answered, and says no.",
    Reason.SERVER_ERROR: "The system behind has a fault of its own.",
    Reason.THROTTLED: "The system behind is busy.",
    Reason.UNDER_WAY: "The same question is still under way at the system behind.",
}
_threads = threading.local()


@dataclass(frozen=True, slots=True)
class SyncReply:
    """The answer for the caller. `age`: the age of a cached answer (`fallback`); None if the target answered now."""

    message_id: str
    data: Json
    duplicate: bool = False
    age: timedelta | None = None


def lease(hub: Hub, planned: NewDelivery, routes: dict[str, Route]) -> NewDelivery:
    """Leases the delivery to this process if its route is synchronous. It gets no order key: a question needs no
    order.
    """
    sync = routes[planned.route].sync
    if sync is None:
        return planned
    held = Lease(secrets.token_hex(12), sync.deadline.total_seconds() + MARGIN_S, hub.worker)
    return replace(planned, lease=held, order_key=None, in_doubt=InDoubtPolicy.PARK)


def waits(accepted: AcceptedMessage) -> bool:
    """Whether the caller waits for an answer to this message."""
    return any(planned.lease is not None for planned in accepted.deliveries)


def ask(hub: Hub, accepted: AcceptedMessage, began: float, tracestate: str = "") -> SyncReply:
    """Stores the message and asks the target. `began` is `time.monotonic()` of the request.

    Raises Refused (the answer for the caller) and StoreBusy (nothing is stored).
    """
    with hub.catalogs.under_way([accepted.message.revision]):
        return _ask(hub, accepted, began, tracestate)


def _ask(hub: Hub, accepted: AcceptedMessage, began: float, tracestate: str) -> SyncReply:  # noqa: C901  # the steps of a question in one place
    stored = hub.commit.submit(accepted)
    try:
        receipt = stored.result(COMMIT_S)
    except NotInTime as error:
        stored.add_done_callback(lambda late: _end_late(hub, accepted, late))
        raise StoreBusy("The commit took too long.") from error
    if isinstance(receipt, Refused):
        raise receipt
    if receipt.duplicate and receipt.message_id == accepted.message.id:
        raise Refused(
            Code.CONFLICT,
            "Another caller of the system has asked the same already (dedupe_scope: system), and the answer was given to it.",
        )
    if receipt.duplicate:
        return _again(hub, accepted.message.caller, receipt.message_id)
    planned, claim = _leased(hub, accepted)
    route, to = _route(hub, accepted.message, planned.route)
    assert route.sync is not None
    question, tried = b"", _Tried()
    answer: Answer
    try:
        if planned.undecided is not None:
            raise GiveUp(planned.undecided)  # noqa: TRY301  handled below like an error of its mapping
        payload = render(
            hub.catalogs.pinned(accepted.message.revision),
            accepted.message.raw,
            accepted.message.ref,
            to.ref,
            route=route.name,
            part=None,
            at=accepted.message.received_at,
            limits=hub.limits,
        )
        question = json.encode(payload)
        parcel = replace(_parcel(claim, payload, question), tracestate=tracestate)
        answer = _send(hub, route.name, parcel, route.sync.deadline.total_seconds() - (time.monotonic() - began), tried)
        if isinstance(answer, Reply):
            data = _answer(hub, accepted.message, route, to, answer.body)
            hub.remembered.put(f"sync {route.name} {to.ref}", question, answer.body, hub.clock())
            _settle(hub, claim, Delivered(answer.keys, answer.already), tried)
            return SyncReply(accepted.message.id, data)
    except (GiveUp, TryLater) as error:
        answer = error
    except Exception as error:  # noqa: BLE001
        # An unexpected error. Uncaught, the lease would end, and a call that was never sent would be recorded as
        # possibly sent.
        event(
            "exchange.unexpected",
            told(error),
            level="error",
            delivery=claim.id,
            message_id=claim.message.id,
            trace_id=claim.message.trace_id,
        )
        why = Cause(Reason.UNEXPECTED, f"{type(error).__name__} while it was asked.", fix="See the log.")
        answer = Unknown(why) if tried.is_sent else GiveUp(why)
    if not tried.is_sent:
        answer = _unsent(answer)
    _settle(hub, claim, _outcome(hub, answer, to), tried)
    if route.sync.fallback is not None and not isinstance(answer, GiveUp):
        cached = hub.remembered.get(
            f"sync {route.name} {to.ref}", question, within=route.sync.fallback, now=hub.clock()
        )
        if cached is not None:
            return SyncReply(accepted.message.id, _answer(hub, accepted.message, route, to, cached[0]), age=cached[1])
    raise _refusal(accepted.message.id, answer.why, is_sent=tried.is_sent)


@dataclass(slots=True)
class _Tried:
    """How far the call came. Once it is handed to the HTTP client it counts as sent, until the client reports its
    result.
    """

    call: Call | None = None
    done: HttpResult | None = None

    @property
    def is_sent(self) -> bool:
        return self.done.sent if self.done is not None else self.call is not None


def _unsent(answer: Answer) -> GiveUp | TryLater:
    """The answer for a call that was not sent. Its text says so: nobody needs to look at the target, and the outcome is
    not unknown.
    """
    assert not isinstance(answer, Reply)
    why = answer.why if answer.why.text.startswith(UNSENT) else replace(answer.why, text=f"{UNSENT}: {answer.why.text}")
    return GiveUp(why) if isinstance(answer, GiveUp) else TryLater(why)


def _leased(hub: Hub, accepted: AcceptedMessage) -> tuple[NewDelivery, Claim]:
    """The delivery that the caller waits for, and the claim of this process on it."""
    [planned] = [delivery for delivery in accepted.deliveries if delivery.lease is not None]
    assert planned.lease is not None
    return planned, _claim(hub, accepted.message, planned, planned.lease)


def _end_late(hub: Hub, accepted: AcceptedMessage, late: Future[Receipt | Refused]) -> None:
    """Ends a delivery that was stored after its caller had been told of the timeout; it is recorded as unsent. If we
    die before that, the lease ends it.
    """
    receipt = late.result() if late.exception() is None else None
    if not isinstance(receipt, Receipt) or receipt.duplicate:
        return
    why = Cause(Reason.DEADLINE, f"{UNSENT}: it was stored so late that its caller had been told to come again.")
    hub.noting.later(lambda: _settle(hub, _leased(hub, accepted)[1], Ended(why), _Tried()), len(accepted.message.raw))


def _send(hub: Hub, route: str, parcel: Parcel, seconds: float, tried: _Tried) -> Answer:
    """Sends the call and interprets the answer; `tried` records how far it came. Raises GiveUp and TryLater if the call
    cannot be built or signed.
    """
    lane = parcel.ref.system
    policy = hub.catalogs.active().targets.get(lane, TargetPolicy())
    target = hub.targets(lane)
    if target is None or isinstance(target, BatchTarget):
        return GiveUp(Cause(Reason.ORPHANED, f"There is no system {lane} that could be asked."))
    if seconds <= 0:
        return GiveUp(Cause(Reason.DEADLINE, "The deadline passed before it was sent."))
    if hub.pace.is_paused("route", route) or hub.pace.is_paused("target", lane):
        return TryLater(Cause(Reason.PAUSED, f"{route} is paused for now."))
    if not hub.pace.enter(lane, policy):
        return TryLater(
            Cause(Reason.CIRCUIT_OPEN, f"{lane} is left alone for now, or has as much under way as it may.")
        )
    try:
        call = target.call(replace(parcel, deadline_s=seconds))
        with hub.pace.working(lane):
            tried.call = call
            [tried.done] = _sender(hub).send([call], 1)
        answer = target.verdict(parcel, tried.done, now=hub.clock())
    finally:
        hub.pace.leave(lane)
    hub.pace.saw(lane, answer)
    hub.counts.time("send", tried.done.ms, lane)
    if isinstance(answer, Reply) and answer.payload is None:
        return GiveUp(Cause(Reason.BAD_ANSWER, "The answer has no JSON body that could be handed on."))
    return answer


def _sender(hub: Hub) -> Sender:
    sender: Sender | None = getattr(_threads, "sender", None)
    if sender is None:
        sender = _threads.sender = Sender(hub.settings.allow_cidrs)
    return sender


def _answer(hub: Hub, message: Message, route: Route, to: Destination, body: bytes) -> Json:
    """The answer for the caller, from the target's body: unchanged, or validated as the route's reply and mapped.
    Raises GiveUp.
    """
    answer = read(body)
    if not answer.is_read:
        raise GiveUp(Cause(Reason.BAD_ANSWER, f"The answer cannot be read: it {answer.trouble or 'is empty'}."))
    payload = answer.value
    assert route.sync is not None
    catalog = hub.catalogs.pinned(message.revision)
    if to.reply is not None:
        ref = Ref.parse(to.reply)
        contract = catalog.contract(ref)
        faults = contract.check(payload) if contract is not None else []
        if faults:
            raise GiveUp(
                Cause(
                    Reason.BAD_ANSWER,
                    f"The answer does not fit {ref}: {faults[0].pointer or '/'} is {faults[0].got}, wanted {faults[0].want}.",
                )
            )
        if route.sync.answer is not None:
            return rendered(
                catalog, payload, ref, route.sync.answer, route=route.name, part=None, at=message.received_at
            )
        return declared(contract, payload)
    return payload


def _outcome(hub: Hub, answer: Answer, to: Destination) -> Outcome:
    """The outcome of the delivery. It is not retried, because the caller has its answer. With `in_doubt: park`, a
    person decides on an unknown outcome.
    """
    assert not isinstance(answer, Reply)
    policy = hub.catalogs.active().targets.get(to.ref.system, TargetPolicy())
    return (
        InDoubt(answer.why, InDoubtPolicy.PARK)
        if isinstance(answer, Unknown) and policy.in_doubt is InDoubtPolicy.PARK
        else Ended(answer.why)
    )


def _settle(hub: Hub, claim: Claim, outcome: Outcome, tried: _Tried) -> None:
    exchange, call, done = Exchange(), tried.call, tried.done
    if done is not None and call is not None:
        exchange = Exchange(
            call.shown or call.url,
            call.method,
            done.status,
            done.sent,
            len(call.body),
            done.kept,
            int(done.ms),
            dict(done.timings),
        )
    elif call is not None:
        exchange = Exchange(call.shown or call.url, call.method, sent=True, request_bytes=len(call.body))
    try:
        settle(hub, [Settlement(claim, outcome, exchange, hub.catalogs.active().revision)])
    except StoreBusy as error:
        # The caller still gets its answer. The lease ends, and the attempt is recorded as outcome not seen.
        event(
            "exchange.unrecorded",
            str(error),
            level="warning",
            delivery=claim.id,
            message_id=claim.message.id,
            trace_id=claim.message.trace_id,
        )


def _again(hub: Hub, caller: str, message_id: str) -> SyncReply:
    """Answers a duplicate question with the recorded answer or refusal; nothing is sent. A question of another caller
    is not revealed.
    """
    row = hub.store.message(message_id)
    if row is not None and row.caller != caller:
        raise Refused(
            Code.CONFLICT, "Another caller asked this already, under the same natural key; its answer is its own."
        )
    raw = hub.store.body(message_id)
    lines = hub.store.deliveries(message_id)
    if row is None or raw is None or not lines:
        raise Refused(Code.CONFLICT, f"Message {message_id} is known under this key, and was no question.")
    catalog = hub.catalogs.pinned(row.revision)
    routes = {route.name: route for route in catalog.routes if route.sync is not None}
    line = next((line for line in lines if line.route in routes), None)
    if line is None:
        raise Refused(Code.CONFLICT, f"Message {message_id} is known under this key, and was no question.")
    if line.status is Status.LEASED:
        raise Refused(
            Code.CONFLICT, f"The same question, message {message_id}, is under way.", headers=[("retry-after", "1")]
        )
    if line.status is not Status.DELIVERED:
        tries = hub.store.attempts(line.id)
        raise _refusal(
            message_id,
            line.why or Cause(Reason.UNEXPECTED, f"It is {line.status.value}."),
            is_sent=not tries or tries[-1].sent,
        )
    route = routes[line.route]
    to = next(to for to in route.to if to.ref == line.ref)
    message = Message(
        row.id,
        row.ref,
        row.received_at,
        row.caller,
        row.source,
        raw,
        row.trace_id,
        row.revision,
        row.disposition,
        row.planned,
        hops=row.hops,
    )
    reply = hub.store.attempts(line.id)[-1].reply
    if len(reply) >= KEPT_BYTES and not read(reply).is_read:
        raise Refused(
            Code.CONFLICT,
            f"The same question, message {message_id}, was answered at more length than is kept. Ask anew, under another key.",
        )
    return SyncReply(message_id, _answer(hub, message, route, to, reply), duplicate=True)


def _route(hub: Hub, message: Message, name: str) -> tuple[Route, Destination]:
    route = next(route for route in hub.catalogs.pinned(message.revision).routes if route.name == name)
    return route, route.to[0]


def _claim(hub: Hub, message: Message, planned: NewDelivery, held: Lease) -> Claim:
    now = hub.clock()
    return Claim(
        planned.id,
        message,
        planned.route,
        planned.ref,
        None,
        None,
        None,
        1,
        1,
        now,
        now,
        held.token,
        now + timedelta(seconds=held.seconds),
    )


def _parcel(claim: Claim, payload: Json, body: bytes) -> Parcel:
    return Parcel(claim.id, claim.ref, payload, body, claim.message.id, claim.message.trace_id, 1)


def _refusal(message_id: str, why: Cause, *, is_sent: bool) -> Refused:
    """The refusal for the caller. 504, outcome unknown, is only for calls that were sent."""
    code = _CODES.get(why.reason, Code.BAD_GATEWAY)
    if code is Code.GATEWAY_TIMEOUT and not is_sent:
        code = Code.UNAVAILABLE
    return Refused(code, _FOR_CALLERS.get(why.reason, why.text), headers=[("x-crossdock-message", message_id)])
