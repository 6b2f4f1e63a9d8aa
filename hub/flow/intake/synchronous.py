"""Ask: a synchronous route. The caller waits for the target's answer, and the exchange is recorded like any other.

add as claimed (group commit) → map → send within the deadline → judge → settle → answer

If we die after the commit, the lease ends and says *outcome not seen*; the caller got no answer, and asks again under its key.
"""

from __future__ import annotations

import secrets
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from dataclasses import dataclass, replace
from datetime import timedelta

from hub.core.adapter import Answer, Parcel, Reply
from hub.core.config.routing import Destination, Route, TargetPolicy
from hub.core.config.target_answers import KEPT_BYTES, read
from hub.core.documents import json
from hub.core.errors import Code, GiveUp, Reason, Refused, StoreBusy, TryLater, Unknown, Why
from hub.core.message import Json, Message, Receipt, Ref
from hub.core.model.delivery import Claim, Delivered, Ended, Exchange, InDoubt, InDoubtPolicy, Laid, Lease, Outcome, Planned, Settled, Status
from hub.core.schemas.integers import declared
from hub.flow.hub import Hub
from hub.flow.render import render, rendered
from hub.flow.settling import settle
from hub.kit.http.call import Call, Done
from hub.kit.http.sender import Sender
from hub.kit.target import BatchTarget
from hub.logs import event, told

MARGIN_S = 30.0  # a lease outlasts the deadline by this: settling takes its time too
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
# What a target says is for our own people, beside the attempt: it may name somebody, or repeat a secret of ours (input B86).
_FOR_CALLERS = {
    Reason.REFUSED: "The system behind refused it.",
    Reason.UNSUCCESSFUL: "The system behind answered, and says no.",
    Reason.SERVER_ERROR: "The system behind has a fault of its own.",
    Reason.THROTTLED: "The system behind is busy.",
    Reason.UNDER_WAY: "The same question is still under way at the system behind.",
}
_threads = threading.local()


@dataclass(frozen=True, slots=True)
class Told:
    """What the caller gets. `age`: of an earlier answer that serves again; None for the target's own."""

    message_id: str
    data: Json
    duplicate: bool = False
    age: timedelta | None = None


def lease(hub: Hub, planned: Planned, routes: dict[str, Route]) -> Planned:
    """The delivery as claimed by this process, if its route's caller waits for it. It keeps no order: a question overtakes nothing."""
    sync = routes[planned.route].sync
    if sync is None:
        return planned
    mine = Lease(secrets.token_hex(12), sync.deadline.total_seconds() + MARGIN_S, hub.worker)
    return replace(planned, lease=mine, order_key=None, in_doubt=InDoubtPolicy.PARK)


def waits(laid: Laid) -> bool:
    """Whether the caller waits for an answer to this message."""
    return any(planned.lease is not None for planned in laid.deliveries)


def ask(hub: Hub, laid: Laid, began: float, tracestate: str = "") -> Told:
    """Stores and asks; `began` is `time.monotonic()` of the request. Raises Refused (what the caller is told) and StoreBusy (nothing is stored)."""
    with hub.catalogs.under_way([laid.message.revision]):
        return _ask(hub, laid, began, tracestate)


def _ask(hub: Hub, laid: Laid, began: float, tracestate: str) -> Told:
    stored = hub.commit.submit(laid)
    try:
        receipt = stored.result(COMMIT_S)
    except NotInTime as error:
        stored.add_done_callback(lambda late: _end_late(hub, laid, late))
        raise StoreBusy("The commit took too long.") from error
    if isinstance(receipt, Refused):
        raise receipt
    if receipt.duplicate and receipt.message_id == laid.message.id:
        raise Refused(Code.CONFLICT, "Another caller of the system has asked the same already (dedupe_scope: system), and the answer was given to it.")
    if receipt.duplicate:
        return _again(hub, laid.message.caller, receipt.message_id)
    planned, claim = _leased(hub, laid)
    route, to = _route(hub, laid.message, planned.route)
    assert route.sync is not None
    question, tried = b"", _Tried()
    answer: Answer
    try:
        if planned.undecided is not None:
            raise GiveUp(planned.undecided)  # noqa: TRY301  its own fault, told like one of its mapping
        payload = render(
            hub.catalogs.pinned(laid.message.revision),
            laid.message.raw,
            laid.message.ref,
            to.ref,
            route=route.name,
            part=None,
            at=laid.message.received_at,
            limits=hub.limits,
        )
        question = json.encode(payload)
        parcel = replace(_parcel(claim, payload, question), tracestate=tracestate)
        answer = _send(hub, route.name, parcel, route.sync.deadline.total_seconds() - (time.monotonic() - began), tried)
        if isinstance(answer, Reply):
            data = _answer(hub, laid.message, route, to, answer.body)
            hub.remembered.put(f"sync {route.name} {to.ref}", question, answer.body, hub.clock())
            _settle(hub, claim, Delivered(answer.keys, answer.already), tried)
            return Told(laid.message.id, data)
    except (GiveUp, TryLater) as error:
        answer = error
    except Exception as error:  # noqa: BLE001
        # Nobody foresaw it. Left as it is, the lease would end, and say of what never left the house that it may have been sent.
        event("exchange.unexpected", told(error), level="error", delivery=claim.id, message_id=claim.message.id, trace_id=claim.message.trace_id)
        why = Why(Reason.UNEXPECTED, f"{type(error).__name__} while it was asked.", fix="See the log.")
        answer = Unknown(why) if tried.is_sent else GiveUp(why)
    if not tried.is_sent:
        answer = _unsent(answer)
    _settle(hub, claim, _outcome(hub, answer, to), tried)
    if route.sync.fallback is not None and not isinstance(answer, GiveUp):
        known = hub.remembered.get(f"sync {route.name} {to.ref}", question, within=route.sync.fallback, now=hub.clock())
        if known is not None:
            return Told(laid.message.id, _answer(hub, laid.message, route, to, known[0]), age=known[1])
    raise _refusal(laid.message.id, answer.why, is_sent=tried.is_sent)


@dataclass(slots=True)
class _Tried:
    """How far the sending came. Once the call is handed over it may have left, until the client says what became of it."""

    call: Call | None = None
    done: Done | None = None

    @property
    def is_sent(self) -> bool:
        return self.done.sent if self.done is not None else self.call is not None


def _unsent(answer: Answer) -> GiveUp | TryLater:
    """The same, where nothing left the house: whoever reads it need not look at the target. What nobody saw the outcome of is none of these."""
    assert not isinstance(answer, Reply)
    why = answer.why if answer.why.text.startswith(UNSENT) else replace(answer.why, text=f"{UNSENT}: {answer.why.text}")
    return GiveUp(why) if isinstance(answer, GiveUp) else TryLater(why)


def _leased(hub: Hub, laid: Laid) -> tuple[Planned, Claim]:
    """The delivery that the caller waits for, as this process holds it."""
    [planned] = [one for one in laid.deliveries if one.lease is not None]
    assert planned.lease is not None
    return planned, _claim(hub, laid.message, planned, planned.lease)


def _end_late(hub: Hub, laid: Laid, late: Future[Receipt | Refused]) -> None:
    """It was stored after its caller had been told that it was not in time: it ends, said to be unsent. If we die before that, the lease ends it."""
    receipt = late.result() if late.exception() is None else None
    if not isinstance(receipt, Receipt) or receipt.duplicate:
        return
    why = Why(Reason.DEADLINE, f"{UNSENT}: it was stored so late that its caller had been told to come again.")
    hub.noting.later(lambda: _settle(hub, _leased(hub, laid)[1], Ended(why), _Tried()), len(laid.message.raw))


def _send(hub: Hub, route: str, parcel: Parcel, seconds: float, tried: _Tried) -> Answer:
    """Raises GiveUp and TryLater where there is nothing to send, or nothing to sign it with; `tried` says how far it came."""
    lane = parcel.ref.system
    policy = hub.catalogs.active().targets.get(lane, TargetPolicy())
    target = hub.targets(lane)
    if target is None or isinstance(target, BatchTarget):
        return GiveUp(Why(Reason.ORPHANED, f"There is no system {lane} that could be asked."))
    if seconds <= 0:
        return GiveUp(Why(Reason.DEADLINE, "The deadline passed before it was sent."))
    if hub.pace.is_paused("route", route) or hub.pace.is_paused("target", lane):
        return TryLater(Why(Reason.PAUSED, f"{route} is paused for now."))
    if not hub.pace.enter(lane, policy):
        return TryLater(Why(Reason.CIRCUIT_OPEN, f"{lane} is left alone for now, or has as much under way as it may."))
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
        return GiveUp(Why(Reason.BAD_ANSWER, "The answer has no JSON body that could be handed on."))
    return answer


def _sender(hub: Hub) -> Sender:
    sender: Sender | None = getattr(_threads, "sender", None)
    if sender is None:
        sender = _threads.sender = Sender(hub.settings.allow_cidrs)
    return sender


def _answer(hub: Hub, message: Message, route: Route, to: Destination, body: bytes) -> Json:
    """What the caller gets of the target's body: as it is, or checked as the reply that it is and mapped. Raises GiveUp."""
    answer = read(body)
    if not answer.is_read:
        raise GiveUp(Why(Reason.BAD_ANSWER, f"The answer cannot be read: it {answer.trouble or 'is empty'}."))
    payload = answer.value
    assert route.sync is not None
    catalog = hub.catalogs.pinned(message.revision)
    if to.reply is not None:
        ref = Ref.parse(to.reply)
        contract = catalog.contract(ref)
        faults = contract.check(payload) if contract is not None else []
        if faults:
            raise GiveUp(Why(Reason.BAD_ANSWER, f"The answer does not fit {ref}: {faults[0].pointer or '/'} is {faults[0].got}, wanted {faults[0].want}."))
        if route.sync.answer is not None:
            return rendered(catalog, payload, ref, route.sync.answer, route=route.name, part=None, at=message.received_at)
        return declared(contract, payload)
    return payload


def _outcome(hub: Hub, answer: Answer, to: Destination) -> Outcome:
    """Nobody tries again: the caller was told. Only where an unseen outcome must be cleared up, a person is asked to."""
    assert not isinstance(answer, Reply)
    policy = hub.catalogs.active().targets.get(to.ref.system, TargetPolicy())
    return InDoubt(answer.why, InDoubtPolicy.PARK) if isinstance(answer, Unknown) and policy.in_doubt is InDoubtPolicy.PARK else Ended(answer.why)


def _settle(hub: Hub, claim: Claim, outcome: Outcome, tried: _Tried) -> None:
    exchange, call, done = Exchange(), tried.call, tried.done
    if done is not None and call is not None:
        exchange = Exchange(call.shown or call.url, call.method, done.status, done.sent, len(call.body), done.kept, int(done.ms), dict(done.timings))
    elif call is not None:
        exchange = Exchange(call.shown or call.url, call.method, sent=True, request_bytes=len(call.body))
    try:
        settle(hub, [Settled(claim, outcome, exchange, hub.catalogs.active().revision)])
    except StoreBusy as error:
        # The caller gets its answer all the same; the lease ends, and the record says that nobody saw the outcome.
        event("exchange.unrecorded", str(error), level="warning", delivery=claim.id, message_id=claim.message.id, trace_id=claim.message.trace_id)


def _again(hub: Hub, caller: str, message_id: str) -> Told:
    """A repeat of a question that is known: the same answer, or the same no. Nothing is sent. What another caller asked is not told."""
    row = hub.store.message(message_id)
    if row is not None and row.caller != caller:
        raise Refused(Code.CONFLICT, "Another caller asked this already, under the same natural key; its answer is its own.")
    raw = hub.store.body(message_id)
    lines = hub.store.deliveries(message_id)
    if row is None or raw is None or not lines:
        raise Refused(Code.CONFLICT, f"Message {message_id} is known under this key, and was no question.")
    catalog = hub.catalogs.pinned(row.revision)
    routes = {route.name: route for route in catalog.routes if route.sync is not None}
    line = next((one for one in lines if one.route in routes), None)
    if line is None:
        raise Refused(Code.CONFLICT, f"Message {message_id} is known under this key, and was no question.")
    if line.status is Status.LEASED:
        raise Refused(Code.CONFLICT, f"The same question, message {message_id}, is under way.", headers=[("retry-after", "1")])
    if line.status is not Status.DELIVERED:
        tries = hub.store.attempts(line.id)
        raise _refusal(message_id, line.why or Why(Reason.UNEXPECTED, f"It is {line.status.value}."), is_sent=not tries or tries[-1].sent)
    route = routes[line.route]
    to = next(one for one in route.to if one.ref == line.ref)
    message = Message(row.id, row.ref, row.received_at, row.caller, row.source, raw, row.trace_id, row.revision, row.disposition, row.planned, hops=row.hops)
    reply = hub.store.attempts(line.id)[-1].reply
    if len(reply) >= KEPT_BYTES and not read(reply).is_read:
        raise Refused(Code.CONFLICT, f"The same question, message {message_id}, was answered at more length than is kept. Ask anew, under another key.")
    return Told(message_id, _answer(hub, message, route, to, reply), duplicate=True)


def _route(hub: Hub, message: Message, name: str) -> tuple[Route, Destination]:
    route = next(route for route in hub.catalogs.pinned(message.revision).routes if route.name == name)
    return route, route.to[0]


def _claim(hub: Hub, message: Message, planned: Planned, mine: Lease) -> Claim:
    now = hub.clock()
    return Claim(planned.id, message, planned.route, planned.ref, None, None, None, 1, 1, now, now, mine.token, now + timedelta(seconds=mine.seconds))


def _parcel(claim: Claim, payload: Json, body: bytes) -> Parcel:
    return Parcel(claim.id, claim.ref, payload, body, claim.message.id, claim.message.trace_id, 1)


def _refusal(message_id: str, why: Why, *, is_sent: bool) -> Refused:
    """What the caller is told. That nobody knows whether it was done (504) is said of what was sent alone."""
    code = _CODES.get(why.reason, Code.BAD_GATEWAY)
    if code is Code.GATEWAY_TIMEOUT and not is_sent:
        code = Code.UNAVAILABLE
    return Refused(code, _FOR_CALLERS.get(why.reason, why.text), headers=[("x-crossdock-message", message_id)])
