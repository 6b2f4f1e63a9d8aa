"""Delivers the due messages of one lane: claims a batch under a lease, sends it to the target, and settles the outcomes.

claim → look up → map → check against the target's contract → send (no transaction open) → judge → settle (one fenced transaction)

If the process dies at any step, the lease ends and the delivery is tried again under the same key.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from hub.core.adapter import Answer, Parcel, Reply
from hub.core.config.routing import Destination, TargetPolicy, bundle_of
from hub.core.config.verdict import UNDER_WAY
from hub.core.errors import BadWorkspace, Busy, Cause, GiveUp, Reason, Refused, StoreBusy, TryLater, Unknown
from hub.core.expressions import evaluation_door
from hub.core.message import Json
from hub.core.model.delivery import AcceptedMessage, Bundle, Claim, Dead, Exchange, Hold, Outcome, Retry, Settlement, Superseded, judge
from hub.flow.context.revisions import NoRevision
from hub.flow.delivery.claim_size import claim_size
from hub.flow.delivery.deciding import decide
from hub.flow.delivery.enrich import look_up
from hub.flow.delivery.in_doubt import ask_about
from hub.flow.delivery.retries import put_off
from hub.flow.hub import Hub, LaneTarget
from hub.flow.intake.versions import accepted
from hub.flow.outbound import OutboundDelivery, costly_deliveries, destination_for, render_delivery, reply_message
from hub.flow.settling import FENCED, OUTCOMES, ids, settle, tell
from hub.kit.http.call import Call, HttpResult
from hub.kit.http.sender import Sender
from hub.kit.target import BatchTarget
from hub.logs import event, told

SETTLE_EVERY_S = 0.05  # answers are settled in batches; no answer waits longer than this for its batch
# Deliveries that are mapped at once, while the previous ones are being sent: the first call leaves early, and a large claim does not block the
# interpreter for other lanes and for posts.
MADE_AT_ONCE = 8
HEAVY_S = 0.2  # time limit per round for expensive mappings


@dataclass(frozen=True, slots=True)
class Ready:
    """One call and its deliveries: one, or several of a bundle. `parcel`: the content for the target; an array if the destination batches."""

    made: tuple[OutboundDelivery, ...]
    parcel: Parcel
    call: Call | None  # None: the target is a BatchTarget and sends by itself


@dataclass(frozen=True, slots=True)
class Round:
    """The result of one round of a lane. `claimed`: deliveries, or probes of deliveries in doubt; 0: nothing was due. `is_over`: no other round need follow."""

    claimed: int
    is_over: bool


def deliver(hub: Hub, lane: str, sender: Sender) -> Round:
    """Runs one round for `lane`. Raises StoreBusy: nothing is lost."""
    policy = hub.catalogs.active().targets.get(lane, TargetPolicy())
    bundles = _bundles(hub, lane)
    probed = ask_about(hub, lane, sender)
    width = hub.pace.width(lane, policy)
    # Bundles, and batches that a target sends by itself, use the rate limit all at once. All other calls use it one by one.
    at_once = bool(bundles) or isinstance(hub.targets(lane), BatchTarget)
    allowed = hub.pace.allows(lane, policy, claim_size(hub, lane, width), ahead=not at_once) if width else 0
    if not allowed:
        return Round(0, is_over=True)
    if not at_once:
        allowed = hub.pace.fits(lane, allowed)  # nothing was taken of the rate limit yet, so nothing is given back
    claims = hub.store.claim(lane, size=allowed, lease_s=hub.settings.lease, worker=hub.worker, bundles=bundles, holds=hub.pace.holds)
    hub.pace.give_back(lane, allowed - len(claims) if at_once else 0, claimed=len(claims))
    hub.counts.claimed(lane, len(claims))
    if not claims:
        return Round(probed, is_over=not probed)
    hub.pace.weighed(lane, len(claims), sum(len(claim.message.raw) for claim in claims))
    began = time.monotonic()
    with hub.catalogs.under_way(claim.content_revision for claim in claims), hub.pace.working(lane):
        settled = _work_off(hub, lane, claims, sender, concurrency=width, is_paced=not at_once)
    tell(hub, lane, claims, settled, int((time.monotonic() - began) * 1000))
    # New deliveries ring the lane. Nothing rings for deliveries that waited behind these on their key, nor for those that a full claim left over.
    is_over = not probed and not at_once and len(claims) * 2 <= allowed and all(claim.order_key is None for claim in claims)
    if is_over:
        hub.pace.rest(lane)
    return Round(len(claims), is_over)


def _bundles(hub: Hub, lane: str) -> dict[str, Bundle]:
    """The bundles of this lane, by name: deliveries that may share one call."""
    ways = [(route, to) for route in hub.catalogs.active().routes for to in route.to if to.ref.system == lane]
    return {bundle.name: bundle for bundle in (bundle_of(route, to) for route, to in ways) if bundle is not None}


def _work_off(hub: Hub, lane: str, claims: Sequence[Claim], sender: Sender, *, concurrency: int, is_paced: bool) -> Counter[str]:
    """Takes the claims through all steps up to their settlement; gives the number of deliveries per outcome."""
    ways, orphans = _ways(hub, claims)
    undecided = [way for way in ways if way[0].undecided]
    ways = [way for way in ways if not way[0].undecided]
    lookups = look_up(hub, ways, sender)  # the look-ups of `enrich`; recorded before they are used
    failed = {settlement.claim.id for settlement in lookups.ended}
    sendable = [way for way in ways if way[0].id not in failed]
    unsettled = {claim.id: claim for claim, _ in (*sendable, *undecided)}
    settled = _settle(hub, [*orphans, *lookups.ended])
    heavy = costly_deliveries(hub, sendable)

    def ready() -> Iterator[Ready]:
        # Deliveries of a bundle must be grouped before the first call, so all of them are mapped at once.
        light = [way for way in sendable if way[0].id not in heavy]
        for chunk in _chunks(light, MADE_AT_ONCE if is_paced else max(1, len(light))):
            yield from make(chunk)
        # Expensive mappings come last and have a time limit, so that they do not delay the others.
        end = time.monotonic() + HEAVY_S
        for way in sendable:
            if way[0].id in heavy and time.monotonic() < end:
                yield from make([way])

    def make(chunk: Sequence[tuple[Claim, Destination]]) -> list[Ready]:
        calls, ended = prepare(hub, chunk, lookups.found)  # pure: pinned mapping, target's contract; a fault is Dead, unsent
        settled.update(_settle(hub, ended))
        for settlement in ended:
            del unsettled[settlement.claim.id]
        return calls

    for batch in send(hub, lane, ready(), sender, concurrency=concurrency, is_paced=is_paced):  # no transaction and no connection is held here
        settled.update(_settle(hub, batch))
        for settlement in batch:
            del unsettled[settlement.claim.id]
    ended, late = decide(hub, lane, undecided)  # routes that acceptance could not decide; last, so that they do not delay the others
    settled.update(_settle(hub, ended))
    for claim, _ in undecided:
        if claim.id not in late:
            del unsettled[claim.id]
    hub.pace.left(lane, len(claims), len(unsettled) if late or heavy else 0)
    # The breaker opened during the round, or the time was up. What was not sent counts as no attempt and waits as before.
    hub.store.return_leases(list(unsettled.values()))
    return settled


def _chunks(ways: Sequence[tuple[Claim, Destination]], size: int) -> Iterator[Sequence[tuple[Claim, Destination]]]:
    for start in range(0, len(ways), size):
        yield ways[start : start + size]


def _ways(hub: Hub, claims: Sequence[Claim]) -> tuple[list[tuple[Claim, Destination]], list[Settlement]]:
    """Pairs each claim with its destination in the active revision. A claim without a destination is held; an outdated one is superseded."""
    active = hub.catalogs.active()
    ways: list[tuple[Claim, Destination]] = []
    orphans: list[Settlement] = []
    stale = hub.store.stale(claims)
    for claim in claims:
        if claim.id in stale:
            why = Cause(Reason.OVERTAKEN, "Something newer was delivered on its key before it (fresh_by).")
            orphans.append(Settlement(claim, Superseded(why), Exchange(), active.revision))
            continue
        way = destination_for(active, claim)
        problem = None if way is not None and hub.targets(claim.lane) is not None else _orphaned(claim)
        try:
            hub.catalogs.pinned(claim.content_revision)
        except (NoRevision, BadWorkspace) as error:
            text = f"The configuration that makes its content cannot be read: {error}"[:500]
            problem = Cause(Reason.UNEXPECTED, text, fix="Restore the revision, then replay.")
        if problem is not None or way is None:
            orphans.append(Settlement(claim, Hold(problem or _orphaned(claim)), Exchange(), active.revision))
        else:
            ways.append((claim, way))
    return ways, orphans


def _orphaned(claim: Claim) -> Cause:
    text = f"Route {claim.route} does not lead to {claim.ref} any more."
    return Cause(Reason.ORPHANED, text, fix="Bring the route back and replay, or cancel the delivery.")


def prepare(hub: Hub, ways: Sequence[tuple[Claim, Destination]], lookups: Mapping[str, Mapping[str, Json]]) -> tuple[list[Ready], list[Settlement]]:
    """Maps and validates each claim, and builds the calls. A claim that cannot be mapped is dead, unsent: a retry cannot help."""
    outbounds: list[OutboundDelivery] = []
    ended: list[Settlement] = []
    active = hub.catalogs.active()
    for claim, way in ways:
        try:
            with evaluation_door.on_behalf(claim.message.caller):
                outbounds.append(render_delivery(hub, claim, way, lookups.get(claim.id, {})))
        except Busy:
            continue  # the evaluator is busy: nothing is decided and nothing was sent, so the lease is returned
        except GiveUp as error:
            ended.append(Settlement(claim, Dead(error.why), Exchange(), active.revision))
        except Exception as error:  # noqa: BLE001
            # An unexpected error, and nothing was sent: this delivery is dead and visible, the others go on.
            event("delivery.unexpected", told(error), level="error", **ids(claim), lane=claim.lane)
            why = Cause(Reason.UNEXPECTED, f"Nothing was sent: {type(error).__name__} while mapping.", fix="See the log; mend, then replay.")
            ended.append(Settlement(claim, Dead(why), Exchange(), active.revision))
    ready: list[Ready] = []
    for group in _group_bundles(outbounds):
        try:
            ready.append(_ready(hub, group))
        except (GiveUp, TryLater) as error:  # the call cannot be built or signed, permanently or for now
            ended += [Settlement(outbound.claim, _outcome(hub, outbound, error), Exchange(), active.revision) for outbound in group]
        except Exception as error:  # noqa: BLE001  an adapter's bug, nothing was sent; uncaught, the lease would end and it would count as possibly sent
            event("delivery.unexpected", told(error), level="error", **ids(group[0].claim), lane=group[0].claim.lane)
            why = Cause(Reason.UNEXPECTED, f"Nothing was sent: {type(error).__name__} while the call was made.", fix="See the log; mend, then replay.")
            ended += [Settlement(outbound.claim, Dead(why), Exchange(), active.revision) for outbound in group]
    return ready, ended


def _group_bundles(outbounds: Sequence[OutboundDelivery]) -> Iterator[tuple[OutboundDelivery, ...]]:
    """Groups the deliveries by call: each one alone, except that those of one bundle share a call up to the bundle's size."""
    bundles: dict[str, list[OutboundDelivery]] = {}
    for outbound in outbounds:
        if outbound.claim.bundle is None or outbound.destination.batch is None:
            yield (outbound,)
            continue
        bundle = bundles.setdefault(outbound.claim.bundle, [])
        bundle.append(outbound)
        if len(bundle) >= outbound.destination.batch.size:
            yield tuple(bundles.pop(outbound.claim.bundle))
    yield from (tuple(bundle) for bundle in bundles.values())


def _ready(hub: Hub, group: tuple[OutboundDelivery, ...]) -> Ready:
    # A destination that batches takes only arrays, also for a single delivery after a refused batch or a replay.
    parcel = group[0].parcel if group[0].destination.batch is None else _bundle_parcel(group)
    target = hub.targets(parcel.ref.system)
    assert target is not None
    return Ready(group, parcel, None if isinstance(target, BatchTarget) else target.call(parcel))


def _bundle_parcel(group: Sequence[OutboundDelivery]) -> Parcel:
    """Joins parcels to one: a JSON array in the order of the claims. A single parcel keeps its key; several get a key that depends on exactly these members."""
    parcels = [outbound.parcel for outbound in group]
    first = parcels[0]
    key = first.key if len(parcels) == 1 else hashlib.sha256("\n".join(parcel.key for parcel in parcels).encode()).hexdigest()
    body = b"[" + b",".join(parcel.body for parcel in parcels) + b"]"
    return replace(first, key=key, payload=[parcel.payload for parcel in parcels], body=body, attempt=max(parcel.attempt for parcel in parcels), order_key=None)


def send(hub: Hub, lane: str, ready: Iterable[Ready], sender: Sender, *, concurrency: int, is_paced: bool = False) -> Iterator[list[Settlement]]:
    """Sends the calls in parallel while more are prepared, and yields judged batches as the answers arrive. A call that hangs does not delay the
    others. Once the lane's breaker is open, no more calls are sent; those have no answer.

    `is_paced`: each call waits for the target's rate limit.
    """
    target = hub.targets(lane)
    if isinstance(target, BatchTarget):
        yield from _send_batch(hub, target, list(ready))
        return
    batch: list[Settlement] = []
    oldest = time.monotonic()
    unanswered: dict[int, Ready] = {}

    def calls() -> Iterator[Call]:
        for index, prepared in enumerate(ready):
            assert prepared.call is not None
            unanswered[index] = prepared
            yield prepared.call

    def wait(index: int) -> float:
        return hub.pace.go(lane, len(unanswered[index].made)) if is_paced else 0.0

    for index, done in sender.stream(calls(), concurrency, halt=lambda: hub.pace.is_open(lane), wait=wait):
        if not batch:
            oldest = time.monotonic()
        batch += _judged(hub, unanswered.pop(index), done)
        if time.monotonic() - oldest >= SETTLE_EVERY_S:
            yield batch
            batch = []
    if batch:
        yield batch


def _send_batch(hub: Hub, target: BatchTarget, ready: Sequence[Ready]) -> Iterator[list[Settlement]]:
    """Lets a BatchTarget send a batch, and judges its answers. If it raises, the outcome of all is unknown: each may have been sent."""
    began = time.monotonic()
    answers: Sequence[Answer]
    try:
        answers = target.send([call.parcel for call in ready])
    except Exception as error:  # noqa: BLE001
        event("target.unexpected", told(error), level="error", lane=ready[0].parcel.ref.system if ready else "")
        answers = [Unknown(Cause(Reason.UNEXPECTED, f"{type(error).__name__} while it was being sent.", fix="See the log; look at the target."))] * len(ready)
    ms = int((time.monotonic() - began) * 1000)
    settled: list[Settlement] = []
    for call, answer in zip(ready, answers, strict=True):
        hub.pace.saw(call.parcel.ref.system, answer)
        body = answer.body if isinstance(answer, Reply) else b""
        exchange = Exchange(target.address, "SEND", None, not isinstance(answer, TryLater), len(call.parcel.body), body, ms)
        settled += [_settled(hub, call, outbound, exchange, answer, None) for outbound in call.made]
    if settled:
        yield settled


def _judged(hub: Hub, ready: Ready, done: HttpResult) -> list[Settlement]:
    """Interprets one HTTP result, reports it to the breaker, and gives a settlement per delivery of the call."""
    target = hub.targets(ready.parcel.ref.system)
    answer, reply = _interpret(hub, ready, None if isinstance(target, BatchTarget) else target, done)
    hub.pace.saw(ready.parcel.ref.system, answer)
    assert ready.call is not None
    exchange = Exchange(
        url=ready.call.shown or ready.call.url,
        method=ready.call.method,
        status=done.status,
        sent=done.sent,
        request_bytes=len(ready.call.body),
        reply=done.kept,
        ms=int(done.ms),
        timings=dict(done.timings),
    )
    return [_settled(hub, ready, outbound, exchange, answer, reply) for outbound in ready.made]


def _settled(hub: Hub, ready: Ready, outbound: OutboundDelivery, exchange: Exchange, answer: Answer, reply: AcceptedMessage | None) -> Settlement:
    outcome: Outcome
    if isinstance(answer, GiveUp) and len(ready.made) > 1:
        # The target does not say which delivery it refused. Each is sent alone now, so that one bad delivery does not make the others dead.
        text = f"A batch of {len(ready.made)} was refused; each of them is sent alone. {answer.why.text}"
        outcome = Retry(Cause(answer.why.reason, text, fix=answer.why.fix), 0.0, alone=True)
    else:
        outcome = _outcome(hub, outbound, answer)
    hub.counts.time("send", exchange.ms, outbound.claim.lane)
    return Settlement(outbound.claim, outcome, exchange, hub.catalogs.active().revision, reply)


def _outcome(hub: Hub, outbound: OutboundDelivery, answer: Answer) -> Outcome:
    policy = hub.catalogs.active().targets.get(outbound.claim.lane, TargetPolicy())
    return judge(answer, outbound.claim, policy=outbound.destination.retry, in_doubt=policy.in_doubt, jitter=hub.random(), now=hub.clock())


def _interpret(hub: Hub, ready: Ready, target: LaneTarget | None, done: HttpResult) -> tuple[Answer, AcceptedMessage | None]:
    """The meaning of the answer, and the message that it becomes if the route says `reply:`."""
    now, first = hub.clock(), ready.made[0]
    try:
        if target is None:
            text = "The target left the configuration while it was being sent to."
            return (Unknown(Cause(Reason.NO_ANSWER, text)) if done.sent else TryLater(Cause(Reason.ORPHANED, f"Nothing was sent: {text}"))), None
        answer = target.verdict(_with_doubt(hub, ready, done), done, now=now)
        if isinstance(answer, Reply) and first.destination.reply is not None and len(ready.made) == 1:
            return answer, reply_message(hub, first, answer)
    except Refused as error:
        fault = error.faults[0] if error.faults else None
        where = f" {fault.pointer or '/'} is {fault.got}, wanted {fault.want}." if fault else ""
        # The target accepted the delivery, but its answer is not a valid reply. That is no reason to send again, so the outcome is unknown.
        text = f"The answer does not fit {first.destination.reply}: {error.text}{where}"
        return Unknown(Cause(Reason.BAD_ANSWER, text, fix="Mend the target or the reply's contract.")), None
    except Exception as error:  # noqa: BLE001
        # An unexpected error while judging. The target may have processed the delivery, so the outcome is unknown, never a success.
        event("answer.unexpected", told(error), level="error", **ids(first.claim), lane=first.claim.lane)
        why = Cause(Reason.UNEXPECTED, f"{type(error).__name__} while judging the answer.")
        return (Unknown(why) if done.sent else TryLater(why)), None
    return answer, None


def _with_doubt(hub: Hub, ready: Ready, done: HttpResult) -> Parcel:
    """The parcel that is judged. Only for a conflict it matters whether an earlier attempt is in doubt; only then the store is asked."""
    ids = [outbound.claim.id for outbound in ready.made if outbound.claim.attempt > 1]
    if done.status not in UNDER_WAY or not ids:
        return ready.parcel
    try:
        is_doubted = bool(hub.store.doubted(ids))
    except StoreBusy:
        is_doubted = True  # then it is tried again; its idempotency key makes that harmless
    return replace(ready.parcel, is_doubted=is_doubted)


def _settle(hub: Hub, batch: Sequence[Settlement]) -> Counter[str]:
    """Delays retries beyond the retry budget, settles the batch, rings the lanes of its replies, and logs; gives the number of deliveries per outcome."""
    if not batch:
        return Counter()
    batch, waiting = put_off(hub, batch)
    done = settle(hub, batch)
    replies = [settlement.reply for settlement in batch if settlement.reply is not None and settlement.claim.id in done]
    lanes = {delivery.lane for reply in replies for delivery in reply.deliveries}
    if lanes:
        hub.bell.ring(lanes)  # after the commit; a lost ring costs one sweep
    for settlement in batch:
        if settlement.reply is not None and settlement.claim.id in done:
            accepted(hub, settlement.reply)
        if settlement.claim.id not in done:
            event("delivery.fenced", "its lease had ended; another worker has it, and this result is dropped", level="warning", **ids(settlement.claim))
        elif isinstance(settlement.outcome, Dead):
            event(
                "delivery.dead",
                "it is not sent again; hub dead show says why",  # not here: a target's own words may name a person
                level="warning",
                **ids(settlement.claim),
                target=str(settlement.claim.ref),
                route=settlement.claim.route,
                attempt=settlement.claim.attempt,
                reason=settlement.outcome.why.reason.value,
            )
    settled = Counter(OUTCOMES[type(settlement.outcome)] if settlement.claim.id in done else FENCED for settlement in batch)
    if waiting:
        settled["put_off"] = waiting
    return settled
