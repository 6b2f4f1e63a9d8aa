"""Settles a batch of attempts in the store, then counts, measures and logs them. The only place that counts
attempts.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from hub.core.model.delivery import Claim, Dead, Delivered, Ended, Hold, InDoubt, Outcome, Retry, Settlement, Superseded
from hub.flow.hub import Hub
from hub.logs import event

OUTCOMES: dict[type[Outcome], str] = {
    Delivered: "delivered",
    Retry: "retry",
    Dead: "dead",
    InDoubt: "in_doubt",
    Hold: "hold",
    Ended: "ended",
    Superseded: "superseded",
}
# the lease had ended and another worker has the delivery: this result is dropped and counted only as fenced
FENCED = "fenced"


def settle(hub: Hub, batch: Sequence[Settlement]) -> set[str]:
    """Writes a batch in one fenced transaction; gives the ids of the deliveries that were written.

    Raises StoreBusy: then nothing is written and nothing is counted.
    """
    began = time.perf_counter()
    done = set(hub.store.settle(batch))
    ms = (time.perf_counter() - began) * 1000
    hub.counts.time("settle", ms)
    now, ended_at = hub.clock(), time.time()
    for settlement in batch:
        claim = settlement.claim
        is_done = claim.id in done
        hub.counts.add("attempts", claim.lane, claim.route, OUTCOMES[type(settlement.outcome)] if is_done else FENCED)
        if is_done:
            hub.minutes.settled(settlement, now)
        if is_done and isinstance(settlement.outcome, Delivered):
            hub.counts.time("delivery", max(0.0, (now - claim.message.received_at).total_seconds() * 1000), claim.lane)
        if hub.spans is not None:
            hub.spans.attempted(settlement, ended_at, ms)
    return done


def tell(hub: Hub, lane: str, claims: Sequence[Claim], settled: Counter[str], ms: int) -> None:
    """Logs one wide line for a round of a lane; if the round had one delivery, with its ids."""
    outcomes: dict[str, Any] = {**settled}
    ids_of_single = ids(claims[0]) if len(claims) == 1 else {}
    text = f"{settled['delivered']} of {len(claims)} delivered"
    event(
        "deliveries.settled",
        text,
        lane=lane,
        claimed=len(claims),
        **outcomes,
        ms=ms,
        revision=hub.catalogs.active().revision[:12],
        **ids_of_single,
    )


def ids(claim: Claim) -> dict[str, str]:
    """The fields by which a log line about one delivery is found."""
    return {"delivery": claim.id, "message_id": claim.message.id, "trace_id": claim.message.trace_id}
