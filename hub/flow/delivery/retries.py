"""Applies the retry budget: delays a retry beyond its policy if the target would get too large a share of retries
(promise P9).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from hub.core.model.delivery import Claim, InDoubt, InDoubtPolicy, Outcome, Retry, Settlement
from hub.core.model.retry import RetryPolicy
from hub.flow.hub import Hub
from hub.flow.outbound import destination_for


def put_off(hub: Hub, batch: Sequence[Settlement]) -> tuple[list[Settlement], int]:
    """Sets the due time of each retry; gives the batch, and how many retries are later than their policy says. Also
    counts first attempts.

    If we die before the batch is settled, the bookings are lost: the next process begins with an empty retry budget.
    """
    for lane, number in Counter(
        settlement.claim.lane for settlement in batch if settlement.claim.spent == 1 and settlement.exchange.url
    ).items():
        hub.pace.tried(lane, number)
    delayed: list[Settlement] = []
    waiting = 0
    for settlement in batch:
        later = _later(hub, settlement.claim, settlement.outcome)
        if later is not None:
            hub.counts.add("put_off", settlement.claim.lane)
            waiting += 1
        delayed.append(settlement if later is None else replace(settlement, outcome=later))
    return delayed, waiting


def _later(hub: Hub, claim: Claim, outcome: Outcome) -> Retry | InDoubt | None:
    """The outcome with a later due time, or None if it need not be delayed.

    Only deliveries that are sent again are booked. The members of a refused batch are not: the target works, and has
    not seen them alone.
    """
    match outcome:
        case Retry(alone=False) | InDoubt(policy=InDoubtPolicy.RESEND):
            longer_s = hub.pace.put_off(claim.lane, outcome.after_s, _left_s(hub, claim))
        case _:
            return None
    if longer_s <= 0:
        return None
    text = (
        f"{outcome.why.text} Put off by {longer_s:.1f} s: at most a fifth of what {claim.lane} is sent may be retries."
    )
    return replace(outcome, why=replace(outcome.why, text=text), after_s=outcome.after_s + longer_s)


def _left_s(hub: Hub, claim: Claim) -> float:
    """Seconds until `give_up_after`. The last retry is due by then, and after it the policy ends the delivery."""
    way = destination_for(hub.catalogs.active(), claim)
    policy = way.retry if way is not None else RetryPolicy()
    return (claim.first_at + policy.give_up_after - hub.clock()).total_seconds()
