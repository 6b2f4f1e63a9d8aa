"""Delivers the due messages of one lane: claims a batch under a lease, sends it to the target, and settles the
outcomes.

claim → look up → map → check against the target's contract → send (no transaction open) → judge → settle (one fenced
transaction)

If the process dies at any step, the lease ends and the delivery is tried again under the same key.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from hub.core.adapter import Answer, Reply
from hub.core.config.routing import Destination, TargetPolicy, bundle_of
from hub.core.errors import Cause, Reason, TryLater, Unknown
from hub.core.model.delivery import (
    Bundle,
    Claim,
    Dead,
    Exchange,
    Settlement,
)
from hub.flow.delivery.calls import destinations, prepare
from hub.flow.delivery.claim_size import claim_size
from hub.flow.delivery.deciding import decide
from hub.flow.delivery.enrich import look_up
from hub.flow.delivery.in_doubt import ask_about
from hub.flow.delivery.judging import judge_result, settlement_of
from hub.flow.delivery.retries import put_off
from hub.flow.hub import Hub
from hub.flow.intake.versions import record_acceptance
from hub.flow.outbound import (
    PreparedCall,
    costly_deliveries,
)
from hub.flow.settling import FENCED, OUTCOMES, ids, settle, tell
from hub.kit.http.call import Call
from hub.kit.http.sender import Sender
from hub.kit.target import BatchTarget
from hub.logs import event, told

SETTLE_EVERY_S = 0.05  # answers are settled in batches; no answer waits longer than this for its batch
# Deliveries that are mapped at once, while the previous ones are being sent: the first call leaves early, and a large
# claim does not block the interpreter for other lanes and for posts.
PREPARED_AT_ONCE = 8
HEAVY_S = 0.2  # time limit per round for expensive mappings


@dataclass(frozen=True, slots=True)
class Round:
    """The result of one round of a lane. `claimed`: deliveries, or probes of deliveries in doubt; 0: nothing was due.
    `is_over`: no other round need follow.
    """

    claimed: int
    is_over: bool


def deliver(hub: Hub, lane: str, sender: Sender) -> Round:
    """Runs one round for `lane`. Raises StoreBusy: nothing is lost."""
    policy = hub.catalogs.active().targets.get(lane, TargetPolicy())
    bundles = _bundles(hub, lane)
    probed = ask_about(hub, lane, sender)
    width = hub.pace.width(lane, policy)
    # Bundles, and batches that a target sends by itself, use the rate limit all at once. All other calls use it one by
    # one.
    at_once = bool(bundles) or isinstance(hub.targets(lane), BatchTarget)
    allowed = hub.pace.allows(lane, policy, claim_size(hub, lane, width), ahead=not at_once) if width else 0
    if not allowed:
        return Round(0, is_over=True)
    if not at_once:
        allowed = hub.pace.fits(lane, allowed)  # nothing was taken of the rate limit yet, so nothing is given back
    claims = hub.store.claim(
        lane, size=allowed, lease_s=hub.settings.lease, worker=hub.worker, bundles=bundles, holds=hub.pace.holds
    )
    hub.pace.give_back(lane, allowed - len(claims) if at_once else 0, claimed=len(claims))
    hub.counts.claimed(lane, len(claims))
    if not claims:
        return Round(probed, is_over=not probed)
    hub.pace.weighed(lane, len(claims), sum(len(claim.message.raw) for claim in claims))
    began = time.monotonic()
    with hub.catalogs.under_way(claim.content_revision for claim in claims), hub.pace.working(lane):
        settled = _work_off(hub, lane, claims, sender, concurrency=width, is_paced=not at_once)
    tell(hub, lane, claims, settled, int((time.monotonic() - began) * 1000))
    # New deliveries notify the lane. Nothing notifies for deliveries that waited behind these on their key, nor for
    # those that a full claim left over.
    is_over = (
        not probed and not at_once and len(claims) * 2 <= allowed and all(claim.order_key is None for claim in claims)
    )
    if is_over:
        hub.pace.rest(lane)
    return Round(len(claims), is_over)


def _bundles(hub: Hub, lane: str) -> dict[str, Bundle]:
    """The bundles of this lane, by name: deliveries that may share one call."""
    ways = [(route, to) for route in hub.catalogs.active().routes for to in route.to if to.ref.system == lane]
    return {bundle.name: bundle for bundle in (bundle_of(route, to) for route, to in ways) if bundle is not None}


def _work_off(  # noqa: C901  # the steps of a delivery in one place
    hub: Hub, lane: str, claims: Sequence[Claim], sender: Sender, *, concurrency: int, is_paced: bool
) -> Counter[str]:
    """Takes the claims through all steps up to their settlement; gives the number of deliveries per outcome."""
    ways, orphans = destinations(hub, claims)
    undecided = [way for way in ways if way[0].undecided]
    ways = [way for way in ways if not way[0].undecided]
    lookups = look_up(hub, ways, sender)  # the look-ups of `enrich`; recorded before they are used
    failed = {settlement.claim.id for settlement in lookups.ended}
    sendable = [way for way in ways if way[0].id not in failed]
    unsettled = {claim.id: claim for claim, _ in (*sendable, *undecided)}
    settled = _settle(hub, [*orphans, *lookups.ended])
    heavy = costly_deliveries(hub, sendable)

    def prepared_calls() -> Iterator[PreparedCall]:
        # Deliveries of a bundle must be grouped before the first call, so all of them are mapped at once.
        light = [way for way in sendable if way[0].id not in heavy]
        for chunk in _chunks(light, PREPARED_AT_ONCE if is_paced else max(1, len(light))):
            yield from prepare_chunk(chunk)
        # Expensive mappings come last and have a time limit, so that they do not delay the others.
        end = time.monotonic() + HEAVY_S
        for way in sendable:
            if way[0].id in heavy and time.monotonic() < end:
                yield from prepare_chunk([way])

    def prepare_chunk(chunk: Sequence[tuple[Claim, Destination]]) -> list[PreparedCall]:
        # pure: pinned mapping, target's contract; a fault is Dead, unsent
        calls, ended = prepare(hub, chunk, lookups.found)
        settled.update(_settle(hub, ended))
        for settlement in ended:
            del unsettled[settlement.claim.id]
        return calls

    # no transaction and no connection is held here
    for batch in send(hub, lane, prepared_calls(), sender, concurrency=concurrency, is_paced=is_paced):
        settled.update(_settle(hub, batch))
        for settlement in batch:
            del unsettled[settlement.claim.id]
    # routes that acceptance could not decide; last, so that they do not delay the others
    ended, late = decide(hub, lane, undecided)
    settled.update(_settle(hub, ended))
    for claim, _ in undecided:
        if claim.id not in late:
            del unsettled[claim.id]
    hub.pace.left(lane, len(claims), len(unsettled) if late or heavy else 0)
    # The breaker opened during the round, or the time was up. What was not sent counts as no attempt and waits as
    # before.
    hub.store.return_leases(list(unsettled.values()))
    return settled


def _chunks(ways: Sequence[tuple[Claim, Destination]], size: int) -> Iterator[Sequence[tuple[Claim, Destination]]]:
    for start in range(0, len(ways), size):
        yield ways[start : start + size]


def send(
    hub: Hub,
    lane: str,
    prepared_calls: Iterable[PreparedCall],
    sender: Sender,
    *,
    concurrency: int,
    is_paced: bool = False,
) -> Iterator[list[Settlement]]:
    """Sends the calls in parallel while more are prepared, and yields judged batches as the answers arrive. A call that
    hangs does not delay the others. Once the lane's breaker is open, no more calls are sent; those have no answer.

    `is_paced`: each call waits for the target's rate limit.
    """
    target = hub.targets(lane)
    if isinstance(target, BatchTarget):
        yield from _send_batch(hub, target, list(prepared_calls))
        return
    batch: list[Settlement] = []
    oldest = time.monotonic()
    unanswered: dict[int, PreparedCall] = {}

    def calls() -> Iterator[Call]:
        for index, prepared in enumerate(prepared_calls):
            assert prepared.call is not None
            unanswered[index] = prepared
            yield prepared.call

    def wait(index: int) -> float:
        return hub.pace.go(lane, len(unanswered[index].deliveries)) if is_paced else 0.0

    for index, done in sender.stream(calls(), concurrency, halt=lambda: hub.pace.is_open(lane), wait=wait):
        if not batch:
            oldest = time.monotonic()
        batch += judge_result(hub, unanswered.pop(index), done)
        if time.monotonic() - oldest >= SETTLE_EVERY_S:
            yield batch
            batch = []
    if batch:
        yield batch


def _send_batch(hub: Hub, target: BatchTarget, prepared_calls: Sequence[PreparedCall]) -> Iterator[list[Settlement]]:
    """Lets a BatchTarget send a batch, and judges its answers. If it raises, the outcome of all is unknown: each may
    have been sent.
    """
    began = time.monotonic()
    answers: Sequence[Answer]
    try:
        answers = target.send([call.parcel for call in prepared_calls])
    except Exception as error:  # noqa: BLE001
        event(
            "target.unexpected",
            told(error),
            level="error",
            lane=prepared_calls[0].parcel.ref.system if prepared_calls else "",
        )
        answers = [
            Unknown(
                Cause(
                    Reason.UNEXPECTED,
                    f"{type(error).__name__} while it was being sent.",
                    fix="See the log; look at the target.",
                )
            )
        ] * len(prepared_calls)
    ms = int((time.monotonic() - began) * 1000)
    settled: list[Settlement] = []
    for call, answer in zip(prepared_calls, answers, strict=True):
        hub.pace.saw(call.parcel.ref.system, answer)
        body = answer.body if isinstance(answer, Reply) else b""
        exchange = Exchange(
            target.address, "SEND", None, not isinstance(answer, TryLater), len(call.parcel.body), body, ms
        )
        settled += [settlement_of(hub, call, outbound, exchange, answer, None) for outbound in call.deliveries]
    if settled:
        yield settled


def _settle(hub: Hub, batch: Sequence[Settlement]) -> Counter[str]:
    """Delays retries beyond the retry budget, settles the batch, notifies the lanes of its replies, and logs; gives the
    number of deliveries per outcome.
    """
    if not batch:
        return Counter()
    batch, waiting = put_off(hub, batch)
    done = settle(hub, batch)
    replies = [settlement.reply for settlement in batch if settlement.reply is not None and settlement.claim.id in done]
    lanes = {delivery.lane for reply in replies for delivery in reply.deliveries}
    if lanes:
        hub.notifier.notify(lanes)  # after the commit; a lost notification costs one sweep
    for settlement in batch:
        if settlement.reply is not None and settlement.claim.id in done:
            record_acceptance(hub, settlement.reply)
        if settlement.claim.id not in done:
            event(
                "delivery.fenced",
                "its lease had ended; another worker has it, and this result is dropped",
                level="warning",
                **ids(settlement.claim),
            )
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
    settled = Counter(
        OUTCOMES[type(settlement.outcome)] if settlement.claim.id in done else FENCED for settlement in batch
    )
    if waiting:
        settled["put_off"] = waiting
    return settled
