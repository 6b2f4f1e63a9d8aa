"""Probes deliveries with an unknown outcome (`in_doubt: probe`): asks the target whether it has them, before anything
is sent again.

take (their due time is delayed) → ask, in parallel → clear (one guarded change each)

If we die in between, the next round asks again: asking changes nothing.
"""

from __future__ import annotations

from hub.core.adapter import Probe, Reply
from hub.core.config.routing import TargetPolicy
from hub.core.errors import BadWorkspace, Cause, GiveUp, Reason, Refused, TryLater
from hub.core.model.delivery import AcceptedMessage, Claim, InDoubtPolicy, Status
from hub.core.model.retry import may_retry, wait_s
from hub.flow.context.revisions import NoRevision
from hub.flow.hub import Hub, LaneTarget
from hub.flow.outbound import OutboundDelivery, destination_for, render_delivery, reply_message
from hub.flow.render import found
from hub.kit.http.call import Call, HttpResult
from hub.kit.http.sender import Sender
from hub.kit.target import BatchTarget, response_from
from hub.logs import event, told
from hub.store import ProbeOutcome

TAKEN_S = 30.0  # if we die while asking, another worker asks after this time
LEAST_S = 0.2  # minimum interval between two probes of one delivery
ROUND = 32  # maximum number of probes per round


def ask_about(hub: Hub, lane: str, sender: Sender) -> int:
    """Probes the deliveries in doubt of `lane`; gives how many were taken. Raises StoreBusy: nothing is lost."""
    policy = hub.catalogs.active().targets.get(lane, TargetPolicy())
    target = hub.targets(lane)
    if (
        policy.in_doubt is not InDoubtPolicy.PROBE
        or target is None
        or isinstance(target, BatchTarget)
        or hub.pace.is_open(lane)
    ):
        return 0
    claims = hub.store.take_doubtful(lane, size=min(ROUND, policy.concurrency), again_s=TAKEN_S)
    if not claims:
        return 0
    cleared: list[ProbeOutcome] = []
    asked: list[tuple[OutboundDelivery, Call]] = []
    for claim in claims:
        try:
            outbound, call = _question(hub, target, claim)
        except (GiveUp, TryLater, NoRevision, BadWorkspace) as error:
            why = error.why if isinstance(error, GiveUp | TryLater) else Cause(Reason.UNEXPECTED, str(error)[:500])
            cleared.append(
                ProbeOutcome(claim, Status.UNKNOWN, why, parks=not isinstance(error, TryLater), after_s=TAKEN_S)
            )
            continue
        except Exception as error:  # noqa: BLE001  an adapter's bug: the others are probed, and a person looks at this one
            event(
                "probe.unexpected",
                told(error),
                level="error",
                delivery=claim.id,
                message_id=claim.message.id,
                trace_id=claim.message.trace_id,
                lane=lane,
            )
            why = Cause(
                Reason.UNEXPECTED,
                f"{type(error).__name__} while the question was made; the target was not asked.",
                fix="See the log.",
            )
            cleared.append(ProbeOutcome(claim, Status.UNKNOWN, why, parks=True))
            continue
        asked.append((outbound, call))
    for index, done in sender.stream([call for _, call in asked], policy.concurrency):
        cleared.append(_cleared(hub, target, asked[index][0], done))
    settled = set(hub.store.clear(cleared))
    lanes = {
        planned.lane
        for outcome in cleared
        if outcome.reply is not None and outcome.claim.id in settled
        for planned in outcome.reply.deliveries
    }
    hub.notifier.notify({lane, *lanes})
    for outcome in cleared:
        hub.counts.add("probed", lane, outcome.status.value)
    event(
        "deliveries.probed",
        f"{len(settled)} of {len(claims)} asked about",
        lane=lane,
        claimed=len(claims),
        settled=len(settled),
    )
    return len(claims)


def _question(hub: Hub, target: LaneTarget, claim: Claim) -> tuple[OutboundDelivery, Call]:
    """Builds the probe call of a claim. Raises GiveUp if the route has no such target, or the target has no probe: then
    a person decides.
    """
    way = destination_for(hub.catalogs.active(), claim)
    if way is None:
        raise GiveUp(
            Cause(
                Reason.ORPHANED,
                f"Route {claim.route} does not lead to {claim.ref} any more.",
                fix="Ask the target, then replay or cancel.",
            )
        )
    outbound = render_delivery(hub, claim, way, found(hub.store.lookups(claim.message.id), claim.route, claim.part))
    call = target.question(outbound.parcel)
    if call is None:
        raise GiveUp(
            Cause(
                Reason.OUTCOME_NOT_SEEN,
                f"{claim.ref} has no probe.",
                fix="Ask the target whether it has it; then replay it, or cancel it.",
            )
        )
    return outbound, call


def _cleared(hub: Hub, target: LaneTarget, outbound: OutboundDelivery, done: HttpResult) -> ProbeOutcome:
    """The outcome of one probe: delivered, pending again, dead, or still unknown."""
    claim, now = outbound.claim, hub.clock()
    try:
        probe = target.judged(outbound.parcel, done, now=now)
    except Exception as error:  # noqa: BLE001  an adapter's bug says nothing about the target
        event(
            "probe.unexpected",
            told(error),
            level="error",
            delivery=claim.id,
            message_id=claim.message.id,
            trace_id=claim.message.trace_id,
            lane=claim.lane,
        )
        probe = Probe.UNSURE
    if probe is Probe.APPLIED:
        return _applied(hub, outbound, done)
    retry = outbound.destination.retry
    may = may_retry(retry, spent=claim.spent, age=now - claim.first_at)
    if probe is Probe.ABSENT:
        why = Cause(Reason.NO_ANSWER, "The target was asked, and has it not; it is sent again.")
        if may:
            return ProbeOutcome(claim, Status.PENDING, why)
        text = f"The target has it not, and attempt {claim.spent} of {retry.attempts} was the last."
        return ProbeOutcome(
            claim, Status.DEAD, Cause(Reason.EXHAUSTED, text, fix=f"Mend the cause, then: hub dead replay {claim.id}")
        )
    text = f"The target was asked, and does not say whether it has it ({done.error or f'it answered {done.status}'})."
    old = now - claim.first_at > retry.give_up_after
    fix = (
        "Ask the target's people; then replay it, or cancel it." if old else "It is asked again, by the route's retry."
    )
    again_s = max(LEAST_S, wait_s(retry, spent=claim.spent, jitter=hub.random()))
    return ProbeOutcome(
        claim, Status.UNKNOWN, Cause(Reason.OUTCOME_NOT_SEEN, text, fix=fix), parks=old, after_s=again_s
    )


def _applied(hub: Hub, outbound: OutboundDelivery, done: HttpResult) -> ProbeOutcome:
    """The target has the delivery. If the route expects a reply message, the probe's answer must be that message, or a
    person decides.
    """
    reply: AcceptedMessage | None = None
    if outbound.destination.reply is not None:
        try:
            reply = reply_message(
                hub, outbound, Reply(done.status or 0, done.headers, done.body, response_from(done).body.value)
            )
        except (Refused, GiveUp) as error:
            text = f"The target has it, but what it says of it is no {outbound.destination.reply}: {error}"
            fix = "Mend the probe, so that it gives what the call gives; or post the reply by hand, and cancel."
            return ProbeOutcome(
                outbound.claim, Status.UNKNOWN, Cause(Reason.BAD_ANSWER, text[:500], fix=fix), parks=True
            )
    return ProbeOutcome(outbound.claim, Status.DELIVERED, reply=reply)
