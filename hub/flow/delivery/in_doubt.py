"""Doubt: what was sent and nobody saw the answer of is asked about (`in_doubt: probe`), before anything is sent a second time.

take (their hour put off) → ask, side by side → clear (one guarded change each). If we die in between, the next round asks again: asking changes nothing.
"""

from __future__ import annotations

from hub.core.adapter import Probe, Reply
from hub.core.config.routing import TargetPolicy
from hub.core.errors import BadWorkspace, GiveUp, Reason, Refused, TryLater, Why
from hub.core.model.delivery import Claim, InDoubtPolicy, Laid, Status
from hub.core.model.retry import may_retry, wait_s
from hub.flow.context.revisions import NoRevision
from hub.flow.hub import Hub, LaneTarget
from hub.flow.outbound import Made, made_of, reply_of, way_of
from hub.flow.render import found
from hub.kit.http.call import Call, Done
from hub.kit.http.sender import Sender
from hub.kit.target import BatchTarget, response_from
from hub.logs import event, told
from hub.store import Cleared

TAKEN_S = 30.0  # if we die while we ask, another asks after so long
LEAST_S = 0.2  # between two questions about one delivery
ROUND = 32  # questions at once


def ask_about(hub: Hub, lane: str, sender: Sender) -> int:
    """Asks about what is in doubt in `lane`; gives how many were taken. Raises StoreBusy: nothing is lost."""
    policy = hub.catalogs.active().targets.get(lane, TargetPolicy())
    target = hub.targets(lane)
    if policy.in_doubt is not InDoubtPolicy.PROBE or target is None or isinstance(target, BatchTarget) or hub.pace.is_open(lane):
        return 0
    taken = hub.store.take_doubtful(lane, size=min(ROUND, policy.concurrency), again_s=TAKEN_S)
    if not taken:
        return 0
    cleared: list[Cleared] = []
    asked: list[tuple[Made, Call]] = []
    for claim in taken:
        try:
            made, call = _question(hub, target, claim)
        except (GiveUp, TryLater, NoRevision, BadWorkspace) as error:
            why = error.why if isinstance(error, GiveUp | TryLater) else Why(Reason.UNEXPECTED, str(error)[:500])
            cleared.append(Cleared(claim, Status.UNKNOWN, why, parks=not isinstance(error, TryLater), after_s=TAKEN_S))
            continue
        except Exception as error:  # noqa: BLE001  an adapter's own fault: the others are asked about, and a person looks at this one
            event("probe.unexpected", told(error), level="error", delivery=claim.id, message_id=claim.message.id, trace_id=claim.message.trace_id, lane=lane)
            why = Why(Reason.UNEXPECTED, f"{type(error).__name__} while the question was made; the target was not asked.", fix="See the log.")
            cleared.append(Cleared(claim, Status.UNKNOWN, why, parks=True))
            continue
        asked.append((made, call))
    for index, done in sender.stream([call for _, call in asked], policy.concurrency):
        cleared.append(_cleared(hub, target, asked[index][0], done))
    settled = set(hub.store.clear(cleared))
    lanes = {planned.lane for one in cleared if one.reply is not None and one.claim.id in settled for planned in one.reply.deliveries}
    hub.bell.ring({lane, *lanes})
    for one in cleared:
        hub.counts.add("probed", lane, one.status.value)
    event("deliveries.probed", f"{len(settled)} of {len(taken)} asked about", lane=lane, claimed=len(taken), settled=len(settled))
    return len(taken)


def _question(hub: Hub, target: LaneTarget, claim: Claim) -> tuple[Made, Call]:
    """Raises GiveUp where there is no way, or nothing to ask by: then a person decides."""
    way = way_of(hub.catalogs.active(), claim)
    if way is None:
        raise GiveUp(Why(Reason.ORPHANED, f"Route {claim.route} does not lead to {claim.ref} any more.", fix="Ask the target, then replay or cancel."))
    made = made_of(hub, claim, way, found(hub.store.lookups(claim.message.id), claim.route, claim.part))
    call = target.question(made.parcel)
    if call is None:
        raise GiveUp(Why(Reason.OUTCOME_NOT_SEEN, f"{claim.ref} has no probe.", fix="Ask the target whether it has it; then replay it, or cancel it."))
    return made, call


def _cleared(hub: Hub, target: LaneTarget, made: Made, done: Done) -> Cleared:
    claim, now = made.claim, hub.clock()
    try:
        said = target.judged(made.parcel, done, now=now)
    except Exception as error:  # noqa: BLE001  an adapter's own fault tells nothing of the target
        event("probe.unexpected", told(error), level="error", delivery=claim.id, message_id=claim.message.id, trace_id=claim.message.trace_id, lane=claim.lane)
        said = Probe.UNSURE
    if said is Probe.APPLIED:
        return _applied(hub, made, done)
    retry = made.destination.retry
    may = may_retry(retry, spent=claim.spent, age=now - claim.first_at)
    if said is Probe.ABSENT:
        why = Why(Reason.NO_ANSWER, "The target was asked, and has it not; it is sent again.")
        if may:
            return Cleared(claim, Status.PENDING, why)
        text = f"The target has it not, and attempt {claim.spent} of {retry.attempts} was the last."
        return Cleared(claim, Status.DEAD, Why(Reason.EXHAUSTED, text, fix=f"Mend the cause, then: hub dead replay {claim.id}"))
    text = f"The target was asked, and does not say whether it has it ({done.error or f'it answered {done.status}'})."
    old = now - claim.first_at > retry.give_up_after
    fix = "Ask the target's people; then replay it, or cancel it." if old else "It is asked again, by the route's retry."
    again_s = max(LEAST_S, wait_s(retry, spent=claim.spent, jitter=hub.random()))
    return Cleared(claim, Status.UNKNOWN, Why(Reason.OUTCOME_NOT_SEEN, text, fix=fix), parks=old, after_s=again_s)


def _applied(hub: Hub, made: Made, done: Done) -> Cleared:
    """The target has it. Where its answer is a message of ours, the answer to the question must be that message, or a person decides."""
    reply: Laid | None = None
    if made.destination.reply is not None:
        try:
            reply = reply_of(hub, made, Reply(done.status or 0, done.headers, done.body, response_from(done).body.value))
        except (Refused, GiveUp) as error:
            text = f"The target has it, but what it says of it is no {made.destination.reply}: {error}"
            fix = "Mend the probe, so that it gives what the call gives; or post the reply by hand, and cancel."
            return Cleared(made.claim, Status.UNKNOWN, Why(Reason.BAD_ANSWER, text[:500], fix=fix), parks=True)
    return Cleared(made.claim, Status.DELIVERED, reply=reply)
