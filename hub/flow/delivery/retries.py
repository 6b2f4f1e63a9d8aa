"""Retries, put off: each goes when its policy says, or later where a target would be sent more of them than it should (promise P9)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from hub.core.model.delivery import Claim, InDoubt, InDoubtPolicy, Outcome, Retry, Settled
from hub.core.model.retry import RetryPolicy
from hub.flow.hub import Hub
from hub.flow.outbound import way_of


def put_off(hub: Hub, batch: Sequence[Settled]) -> tuple[list[Settled], int]:
    """The batch with an hour for each retry, and how many have a later one than their policy gives. Also counts what was sent for the first time.

    If we die before it is settled, what is booked is forgotten with us: this process's successor begins with an empty calendar.
    """
    for lane, number in Counter(one.claim.lane for one in batch if one.claim.spent == 1 and one.exchange.url).items():
        hub.pace.tried(lane, number)
    made: list[Settled] = []
    waiting = 0
    for one in batch:
        later = _later(hub, one.claim, one.outcome)
        if later is not None:
            hub.counts.add("put_off", one.claim.lane)
            waiting += 1
        made.append(one if later is None else replace(one, outcome=later))
    return made, waiting


def _later(hub: Hub, claim: Claim, outcome: Outcome) -> Retry | InDoubt | None:
    """What is not sent again is not booked. Nor is what a refused batch is parted into: its target is well, and has seen none of it alone."""
    match outcome:
        case Retry(alone=False) | InDoubt(policy=InDoubtPolicy.RESEND):
            longer_s = hub.pace.put_off(claim.lane, outcome.after_s, _left_s(hub, claim))
        case _:
            return None
    if longer_s <= 0:
        return None
    text = f"{outcome.why.text} Put off by {longer_s:.1f} s: at most a fifth of what {claim.lane} is sent may be retries."
    return replace(outcome, why=replace(outcome.why, text=text), after_s=outcome.after_s + longer_s)


def _left_s(hub: Hub, claim: Claim) -> float:
    """Seconds until it is given up. It is tried once more by then, and its policy ends it."""
    way = way_of(hub.catalogs.active(), claim)
    policy = way.retry if way is not None else RetryPolicy()
    return (claim.first_at + policy.give_up_after - hub.clock()).total_seconds()
