"""Deliver: from a ring to a settled batch. If the power goes, the lease ends and the delivery is tried again under the same key.

claim → look up → map → check against the target's contract → send (no transaction open) → judge → settle (one fenced transaction)
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
from hub.core.errors import BadWorkspace, Busy, GiveUp, Reason, Refused, StoreBusy, TryLater, Unknown, Why
from hub.core.expressions import evaluation_door
from hub.core.message import Json
from hub.core.model.delivery import Bundle, Claim, Dead, Exchange, Hold, Laid, Outcome, Retry, Settled, Superseded, judge
from hub.flow.context.revisions import NoRevision
from hub.flow.delivery.claim_size import claim_size
from hub.flow.delivery.deciding import decide
from hub.flow.delivery.enrich import look_up
from hub.flow.delivery.in_doubt import ask_about
from hub.flow.delivery.retries import put_off
from hub.flow.hub import Hub, LaneTarget
from hub.flow.intake.versions import accepted
from hub.flow.outbound import Made, heavy_of, made_of, reply_of, way_of
from hub.flow.settling import FENCED, OUTCOMES, ids, settle, tell
from hub.kit.http.call import Call, Done
from hub.kit.http.sender import Sender
from hub.kit.target import BatchTarget
from hub.logs import event, told

SETTLE_EVERY_S = 0.05  # answers of a batch are settled together, but none waits longer than this for its neighbours
# So many are mapped at once, and the next while these are under way: the first leaves early, and a large claim does not keep the interpreter
# from all other lanes and from whoever posts.
MADE_AT_ONCE = 8
HEAVY_S = 0.2  # of one round, for mappings that cost much


@dataclass(frozen=True, slots=True)
class Ready:
    """One call, and what travels in it: one delivery, or several of a bundle. `parcel` is what the target is shown: the one, or all as an array where its destination batches."""

    made: tuple[Made, ...]
    parcel: Parcel
    call: Call | None  # None: its target sends by itself


@dataclass(frozen=True, slots=True)
class Round:
    """What a round of a lane did. `claimed`: deliveries, or questions about what is in doubt; 0: nothing was due. `is_over`: no other round need follow."""

    claimed: int
    is_over: bool


def deliver(hub: Hub, lane: str, sender: Sender) -> Round:
    """One round for `lane`. Raises StoreBusy: nothing is lost."""
    policy = hub.catalogs.active().targets.get(lane, TargetPolicy())
    bundles = _bundles(hub, lane)
    asked = ask_about(hub, lane, sender)
    width = hub.pace.width(lane, policy)
    # What goes in one call, or by a target's own send, goes at once; all else is paced call by call.
    at_once = bool(bundles) or isinstance(hub.targets(lane), BatchTarget)
    allowed = hub.pace.allows(lane, policy, claim_size(hub, lane, width), ahead=not at_once) if width else 0
    if not allowed:
        return Round(0, is_over=True)
    if not at_once:
        allowed = hub.pace.fits(lane, allowed)  # paced call by call: nothing was taken of its rate yet
    claims = hub.store.claim(lane, size=allowed, lease_s=hub.settings.lease, worker=hub.worker, bundles=bundles, holds=hub.pace.holds)
    hub.pace.give_back(lane, allowed - len(claims) if at_once else 0, claimed=len(claims))
    hub.counts.claimed(lane, len(claims))
    if not claims:
        return Round(asked, is_over=not asked)
    hub.pace.weighed(lane, len(claims), sum(len(claim.message.raw) for claim in claims))
    began = time.monotonic()
    with hub.catalogs.under_way(claim.content_revision for claim in claims), hub.pace.working(lane):
        settled = _work_off(hub, lane, claims, sender, concurrency=width, is_paced=not at_once)
    tell(hub, lane, claims, settled, int((time.monotonic() - began) * 1000))
    # What comes now is rung for. But for what waited behind one of these on its key nobody rings, nor for what a full claim left.
    is_over = not asked and not at_once and len(claims) * 2 <= allowed and all(claim.order_key is None for claim in claims)
    if is_over:
        hub.pace.rest(lane)
    return Round(len(claims), is_over)


def _bundles(hub: Hub, lane: str) -> dict[str, Bundle]:
    """What may travel together in this lane, by name."""
    ways = [(route, to) for route in hub.catalogs.active().routes for to in route.to if to.ref.system == lane]
    return {bundle.name: bundle for bundle in (bundle_of(route, to) for route, to in ways) if bundle is not None}


def _work_off(hub: Hub, lane: str, claims: Sequence[Claim], sender: Sender, *, concurrency: int, is_paced: bool) -> Counter[str]:
    """From the claims to their settling; gives how many came to which outcome."""
    ways, orphans = _ways(hub, claims)
    undecided = [way for way in ways if way[0].undecided]
    ways = [way for way in ways if not way[0].undecided]
    looked = look_up(hub, ways, sender)  # what routes enrich with, recorded before it is used
    over = {one.claim.id for one in looked.ended}
    going = [way for way in ways if way[0].id not in over]
    left = {claim.id: claim for claim, _ in (*going, *undecided)}
    settled = _settle(hub, [*orphans, *looked.ended])
    heavy = heavy_of(hub, going)

    def ready() -> Iterator[Ready]:
        # What travels together is grouped first, so all of it is made.
        light = [way for way in going if way[0].id not in heavy]
        for some in _parted(light, MADE_AT_ONCE if is_paced else max(1, len(light))):
            yield from make(some)
        # What costs much comes last, and has so much of a round: it keeps none of the others waiting for longer.
        end = time.monotonic() + HEAVY_S
        for way in going:
            if way[0].id in heavy and time.monotonic() < end:
                yield from make([way])

    def make(some: Sequence[tuple[Claim, Destination]]) -> list[Ready]:
        made, ended = prepare(hub, some, looked.found)  # pure: pinned mapping, target's contract; a fault is Dead, unsent
        settled.update(_settle(hub, ended))
        for one in ended:
            del left[one.claim.id]
        return made

    for batch in send(hub, lane, ready(), sender, concurrency=concurrency, is_paced=is_paced):  # no transaction and no connection is held here
        settled.update(_settle(hub, batch))
        for one in batch:
            del left[one.claim.id]
    ended, late = decide(hub, lane, undecided)  # where acceptance could not; the others are on their way by now
    settled.update(_settle(hub, ended))
    for claim, _ in undecided:
        if claim.id not in late:
            del left[claim.id]
    hub.pace.left(lane, len(claims), len(left) if late or heavy else 0)
    # The breaker opened on the way, or there was no time: what did not go out was no attempt, and waits as it did before.
    hub.store.return_leases(list(left.values()))
    return settled


def _parted(ways: Sequence[tuple[Claim, Destination]], size: int) -> Iterator[Sequence[tuple[Claim, Destination]]]:
    for start in range(0, len(ways), size):
        yield ways[start : start + size]


def _ways(hub: Hub, claims: Sequence[Claim]) -> tuple[list[tuple[Claim, Destination]], list[Settled]]:
    """Each claim with its destination as the active revision has it. What has no way any more is held, what is too old is superseded."""
    active = hub.catalogs.active()
    ways: list[tuple[Claim, Destination]] = []
    orphans: list[Settled] = []
    stale = hub.store.stale(claims)
    for claim in claims:
        if claim.id in stale:
            why = Why(Reason.OVERTAKEN, "Something newer was delivered on its key before it (fresh_by).")
            orphans.append(Settled(claim, Superseded(why), Exchange(), active.revision))
            continue
        way = way_of(active, claim)
        problem = None if way is not None and hub.targets(claim.lane) is not None else _orphaned(claim)
        try:
            hub.catalogs.pinned(claim.content_revision)
        except (NoRevision, BadWorkspace) as error:
            text = f"The configuration that makes its content cannot be read: {error}"[:500]
            problem = Why(Reason.UNEXPECTED, text, fix="Restore the revision, then replay.")
        if problem is not None or way is None:
            orphans.append(Settled(claim, Hold(problem or _orphaned(claim)), Exchange(), active.revision))
        else:
            ways.append((claim, way))
    return ways, orphans


def _orphaned(claim: Claim) -> Why:
    text = f"Route {claim.route} does not lead to {claim.ref} any more."
    return Why(Reason.ORPHANED, text, fix="Bring the route back and replay, or cancel the delivery.")


def prepare(hub: Hub, ways: Sequence[tuple[Claim, Destination]], lookups: Mapping[str, Mapping[str, Json]]) -> tuple[list[Ready], list[Settled]]:
    """Maps and checks each claim. What cannot be made is settled as dead, unsent: retrying cannot help."""
    made: list[Made] = []
    ended: list[Settled] = []
    active = hub.catalogs.active()
    for claim, way in ways:
        try:
            with evaluation_door.on_behalf(claim.message.caller):
                made.append(made_of(hub, claim, way, lookups.get(claim.id, {})))
        except Busy:
            continue  # nothing is known of it, and nothing was sent: its lease is returned
        except GiveUp as error:
            ended.append(Settled(claim, Dead(error.why), Exchange(), active.revision))
        except Exception as error:  # noqa: BLE001
            # Nobody foresaw it and nothing was sent: this delivery ends in sight, its neighbours go on.
            event("delivery.unexpected", told(error), level="error", **ids(claim), lane=claim.lane)
            why = Why(Reason.UNEXPECTED, f"Nothing was sent: {type(error).__name__} while mapping.", fix="See the log; mend, then replay.")
            ended.append(Settled(claim, Dead(why), Exchange(), active.revision))
    ready: list[Ready] = []
    for group in _together(made):
        try:
            ready.append(_ready(hub, group))
        except (GiveUp, TryLater) as error:  # nothing to sign it with, for good or for now
            ended += [Settled(one.claim, _outcome(hub, one, error), Exchange(), active.revision) for one in group]
        except Exception as error:  # noqa: BLE001  an adapter's own fault, before anything left: else its lease would end, and say that it may have
            event("delivery.unexpected", told(error), level="error", **ids(group[0].claim), lane=group[0].claim.lane)
            why = Why(Reason.UNEXPECTED, f"Nothing was sent: {type(error).__name__} while the call was made.", fix="See the log; mend, then replay.")
            ended += [Settled(one.claim, Dead(why), Exchange(), active.revision) for one in group]
    return ready, ended


def _together(made: Sequence[Made]) -> Iterator[tuple[Made, ...]]:
    """What goes out in one call: each by itself, but those of one bundle up to its size."""
    bundles: dict[str, list[Made]] = {}
    for one in made:
        if one.claim.bundle is None or one.destination.batch is None:
            yield (one,)
            continue
        bundle = bundles.setdefault(one.claim.bundle, [])
        bundle.append(one)
        if len(bundle) >= one.destination.batch.size:
            yield tuple(bundles.pop(one.claim.bundle))
    yield from (tuple(bundle) for bundle in bundles.values())


def _ready(hub: Hub, made: tuple[Made, ...]) -> Ready:
    # A destination that batches takes arrays and nothing else: also of the one that goes alone, after its batch was refused or by a replay.
    parcel = made[0].parcel if made[0].destination.batch is None else _bundle(made)
    target = hub.targets(parcel.ref.system)
    assert target is not None
    return Ready(made, parcel, None if isinstance(target, BatchTarget) else target.call(parcel))


def _bundle(made: Sequence[Made]) -> Parcel:
    """Parcels as one: a JSON array in the order of the claims. Its key names exactly these members: one has its own, others together have another."""
    first = made[0].parcel
    key = first.key if len(made) == 1 else hashlib.sha256("\n".join(one.parcel.key for one in made).encode()).hexdigest()
    body = b"[" + b",".join(one.parcel.body for one in made) + b"]"
    return replace(first, key=key, payload=[one.parcel.payload for one in made], body=body, attempt=max(one.parcel.attempt for one in made), order_key=None)


def send(hub: Hub, lane: str, ready: Iterable[Ready], sender: Sender, *, concurrency: int, is_paced: bool = False) -> Iterator[list[Settled]]:
    """Sends side by side what is made ready meanwhile, and gives judged batches as the answers come. A target that hangs delays its own
    deliveries, not its neighbours'. Once the lane's breaker is open no more is sent; that has no answer.

    `is_paced`: each call waits for its place in the target's rate.
    """
    target = hub.targets(lane)
    if isinstance(target, BatchTarget):
        yield from _sent(hub, target, list(ready))
        return
    batch: list[Settled] = []
    oldest = time.monotonic()
    unanswered: dict[int, Ready] = {}

    def calls() -> Iterator[Call]:
        for index, one in enumerate(ready):
            assert one.call is not None
            unanswered[index] = one
            yield one.call

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


def _sent(hub: Hub, target: BatchTarget, ready: Sequence[Ready]) -> Iterator[list[Settled]]:
    """What a target made of a batch that it sent by itself. What it raises counts as unknown for all: any of them may have gone."""
    began = time.monotonic()
    answers: Sequence[Answer]
    try:
        answers = target.send([one.parcel for one in ready])
    except Exception as error:  # noqa: BLE001
        event("target.unexpected", told(error), level="error", lane=ready[0].parcel.ref.system if ready else "")
        answers = [Unknown(Why(Reason.UNEXPECTED, f"{type(error).__name__} while it was being sent.", fix="See the log; look at the target."))] * len(ready)
    ms = int((time.monotonic() - began) * 1000)
    settled: list[Settled] = []
    for one, answer in zip(ready, answers, strict=True):
        hub.pace.saw(one.parcel.ref.system, answer)
        body = answer.body if isinstance(answer, Reply) else b""
        exchange = Exchange(target.address, "SEND", None, not isinstance(answer, TryLater), len(one.parcel.body), body, ms)
        settled += [_settled(hub, one, made, exchange, answer, None) for made in one.made]
    if settled:
        yield settled


def _judged(hub: Hub, ready: Ready, done: Done) -> list[Settled]:
    target = hub.targets(ready.parcel.ref.system)
    answer, reply = _understood(hub, ready, None if isinstance(target, BatchTarget) else target, done)
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
    return [_settled(hub, ready, one, exchange, answer, reply) for one in ready.made]


def _settled(hub: Hub, ready: Ready, one: Made, exchange: Exchange, answer: Answer, reply: Laid | None) -> Settled:
    outcome: Outcome
    if isinstance(answer, GiveUp) and len(ready.made) > 1:
        # Which of them the target meant, it did not say: each goes alone now, so that one bad row costs its neighbours a call, not their lives.
        text = f"A batch of {len(ready.made)} was refused; each of them is sent alone. {answer.why.text}"
        outcome = Retry(Why(answer.why.reason, text, fix=answer.why.fix), 0.0, alone=True)
    else:
        outcome = _outcome(hub, one, answer)
    hub.counts.time("send", exchange.ms, one.claim.lane)
    return Settled(one.claim, outcome, exchange, hub.catalogs.active().revision, reply)


def _outcome(hub: Hub, one: Made, answer: Answer) -> Outcome:
    policy = hub.catalogs.active().targets.get(one.claim.lane, TargetPolicy())
    return judge(answer, one.claim, policy=one.destination.retry, in_doubt=policy.in_doubt, jitter=hub.random(), now=hub.clock())


def _understood(hub: Hub, ready: Ready, target: LaneTarget | None, done: Done) -> tuple[Answer, Laid | None]:
    """What the answer means, and the message that it becomes where the route says `reply:`."""
    now, one = hub.clock(), ready.made[0]
    try:
        if target is None:
            text = "The target left the configuration while it was being sent to."
            return (Unknown(Why(Reason.NO_ANSWER, text)) if done.sent else TryLater(Why(Reason.ORPHANED, f"Nothing was sent: {text}"))), None
        answer = target.verdict(_doubted(hub, ready, done), done, now=now)
        if isinstance(answer, Reply) and one.destination.reply is not None and len(ready.made) == 1:
            return answer, reply_of(hub, one, answer)
    except Refused as error:
        fault = error.faults[0] if error.faults else None
        where = f" {fault.pointer or '/'} is {fault.got}, wanted {fault.want}." if fault else ""
        # It took it, and says so in words that cannot be handed on: it may not be sent again on that account alone.
        text = f"The answer does not fit {one.destination.reply}: {error.text}{where}"
        return Unknown(Why(Reason.BAD_ANSWER, text, fix="Mend the target or the reply's contract.")), None
    except Exception as error:  # noqa: BLE001
        # Judging failed: what was sent may have been done. Nobody foresaw it, so it counts as unknown, never as a success.
        event("answer.unexpected", told(error), level="error", **ids(one.claim), lane=one.claim.lane)
        why = Why(Reason.UNEXPECTED, f"{type(error).__name__} while judging the answer.")
        return (Unknown(why) if done.sent else TryLater(why)), None
    return answer, None


def _doubted(hub: Hub, ready: Ready, done: Done) -> Parcel:
    """What is judged: only of a conflict it matters, and is looked up, whether an earlier try of it is in doubt."""
    ids = [one.claim.id for one in ready.made if one.claim.attempt > 1]
    if done.status not in UNDER_WAY or not ids:
        return ready.parcel
    try:
        is_doubted = bool(hub.store.doubted(ids))
    except StoreBusy:
        is_doubted = True  # then it is tried again, which its key makes harmless
    return replace(ready.parcel, is_doubted=is_doubted)


def _settle(hub: Hub, batch: Sequence[Settled]) -> Counter[str]:
    if not batch:
        return Counter()
    batch, waiting = put_off(hub, batch)
    done = settle(hub, batch)
    lanes = {lane for one in batch if one.reply is not None and one.claim.id in done for lane in {planned.lane for planned in one.reply.deliveries}}
    if lanes:
        hub.bell.ring(lanes)  # after the commit; a lost ring costs one sweep
    for one in batch:
        if one.reply is not None and one.claim.id in done:
            accepted(hub, one.reply)
        if one.claim.id not in done:
            event("delivery.fenced", "its lease had ended; another worker has it, and this result is dropped", level="warning", **ids(one.claim))
        elif isinstance(one.outcome, Dead):
            event(
                "delivery.dead",
                "it is not sent again; hub dead show says why",  # not here: a target's own words may name a person
                level="warning",
                **ids(one.claim),
                target=str(one.claim.ref),
                route=one.claim.route,
                attempt=one.claim.attempt,
                reason=one.outcome.why.reason.value,
            )
    settled = Counter(OUTCOMES[type(one.outcome)] if one.claim.id in done else FENCED for one in batch)
    if waiting:
        settled["put_off"] = waiting
    return settled
