"""Judges what a target answered: the outcome of each delivery of the call, and the message that a reply becomes."""

from __future__ import annotations

from dataclasses import replace

from hub.core.adapter import Answer, Parcel, Reply
from hub.core.config.routing import TargetPolicy
from hub.core.config.verdict import UNDER_WAY
from hub.core.errors import Cause, GiveUp, Reason, Refused, StoreBusy, TryLater, Unknown
from hub.core.model.delivery import AcceptedMessage, Exchange, Outcome, Retry, Settlement, judge
from hub.flow.hub import Hub, LaneTarget
from hub.flow.outbound import OutboundDelivery, PreparedCall, reply_message
from hub.flow.settling import ids
from hub.kit.http.call import HttpResult
from hub.kit.target import BatchTarget
from hub.logs import event, told


def judge_result(hub: Hub, prepared: PreparedCall, done: HttpResult) -> list[Settlement]:
    """Interprets one HTTP result, reports it to the breaker, and gives a settlement per delivery of the call."""
    target = hub.targets(prepared.parcel.ref.system)
    answer, reply = _interpret(hub, prepared, None if isinstance(target, BatchTarget) else target, done)
    hub.pace.saw(prepared.parcel.ref.system, answer)
    assert prepared.call is not None
    exchange = Exchange(
        url=prepared.call.shown or prepared.call.url,
        method=prepared.call.method,
        status=done.status,
        sent=done.sent,
        request_bytes=len(prepared.call.body),
        reply=done.kept,
        ms=int(done.ms),
        timings=dict(done.timings),
    )
    return [settlement_of(hub, prepared, outbound, exchange, answer, reply) for outbound in prepared.deliveries]


def settlement_of(
    hub: Hub,
    prepared: PreparedCall,
    outbound: OutboundDelivery,
    exchange: Exchange,
    answer: Answer,
    reply: AcceptedMessage | None,
) -> Settlement:
    outcome: Outcome
    if isinstance(answer, GiveUp) and len(prepared.deliveries) > 1:
        # The target does not say which delivery it refused. Each is sent alone now, so that one bad delivery does not
        # make the others dead.
        text = f"A batch of {len(prepared.deliveries)} was refused; each of them is sent alone. {answer.why.text}"
        outcome = Retry(Cause(answer.why.reason, text, fix=answer.why.fix), 0.0, alone=True)
    else:
        outcome = outcome_of(hub, outbound, answer)
    hub.counts.time("send", exchange.ms, outbound.claim.lane)
    return Settlement(outbound.claim, outcome, exchange, hub.catalogs.active().revision, reply)


def outcome_of(hub: Hub, outbound: OutboundDelivery, answer: Answer) -> Outcome:
    policy = hub.catalogs.active().targets.get(outbound.claim.lane, TargetPolicy())
    return judge(
        answer,
        outbound.claim,
        policy=outbound.destination.retry,
        in_doubt=policy.in_doubt,
        jitter=hub.random(),
        now=hub.clock(),
    )


def _interpret(
    hub: Hub, prepared: PreparedCall, target: LaneTarget | None, done: HttpResult
) -> tuple[Answer, AcceptedMessage | None]:
    """The meaning of the answer, and the message that it becomes if the route says `reply:`."""
    now, first = hub.clock(), prepared.deliveries[0]
    try:
        if target is None:
            text = "The target left the configuration while it was being sent to."
            return (
                Unknown(Cause(Reason.NO_ANSWER, text))
                if done.sent
                else TryLater(Cause(Reason.ORPHANED, f"Nothing was sent: {text}"))
            ), None
        answer = target.verdict(_with_doubt(hub, prepared, done), done, now=now)
        if isinstance(answer, Reply) and first.destination.reply is not None and len(prepared.deliveries) == 1:
            return answer, reply_message(hub, first, answer)
    except Refused as error:
        fault = error.faults[0] if error.faults else None
        where = f" {fault.pointer or '/'} is {fault.got}, wanted {fault.want}." if fault else ""
        # The target accepted the delivery, but its answer is not a valid reply. That is no reason to send again, so the
        # outcome is unknown.
        text = f"The answer does not fit {first.destination.reply}: {error.text}{where}"
        return Unknown(Cause(Reason.BAD_ANSWER, text, fix="Mend the target or the reply's contract.")), None
    except Exception as error:  # noqa: BLE001
        # An unexpected error while judging. The target may have processed the delivery, so the outcome is unknown,
        # never a success.
        event("answer.unexpected", told(error), level="error", **ids(first.claim), lane=first.claim.lane)
        why = Cause(Reason.UNEXPECTED, f"{type(error).__name__} while judging the answer.")
        return (Unknown(why) if done.sent else TryLater(why)), None
    return answer, None


def _with_doubt(hub: Hub, prepared: PreparedCall, done: HttpResult) -> Parcel:
    """The parcel that is judged. Only for a conflict it matters whether an earlier attempt is in doubt; only then the
    store is asked.
    """
    ids = [outbound.claim.id for outbound in prepared.deliveries if outbound.claim.attempt > 1]
    if done.status not in UNDER_WAY or not ids:
        return prepared.parcel
    try:
        is_doubted = bool(hub.store.doubted(ids))
    except StoreBusy:
        is_doubted = True  # then it is tried again; its idempotency key makes that harmless
    return replace(prepared.parcel, is_doubted=is_doubted)
