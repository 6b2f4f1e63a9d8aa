"""Settling, measured: the one place where attempts are counted and told of, after the store has said which of them it took."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from hub.core.model.delivery import Claim, Dead, Delivered, Ended, Hold, InDoubt, Outcome, Retry, Settled, Superseded
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
FENCED = "fenced"  # another worker had it by then: what this one saw is dropped, and counted as nothing else


def settle(hub: Hub, batch: Sequence[Settled]) -> set[str]:
    """Writes a batch in one fenced transaction; gives the ids of those that were written. Raises StoreBusy: then nothing was, and nothing is counted."""
    began = time.perf_counter()
    done = set(hub.store.settle(batch))
    ms = (time.perf_counter() - began) * 1000
    hub.counts.time("settle", ms)
    now, ended_at = hub.clock(), time.time()
    for one in batch:
        claim = one.claim
        is_done = claim.id in done
        hub.counts.add("attempts", claim.lane, claim.route, OUTCOMES[type(one.outcome)] if is_done else FENCED)
        if is_done:
            hub.minutes.settled(one, now)
        if is_done and isinstance(one.outcome, Delivered):
            hub.counts.time("delivery", max(0.0, (now - claim.message.received_at).total_seconds() * 1000), claim.lane)
        if hub.spans is not None:
            hub.spans.attempted(one, ended_at, ms)
    return done


def tell(hub: Hub, lane: str, claims: Sequence[Claim], settled: Counter[str], ms: int) -> None:
    """One wide line for a round of a lane; of one message alone, its ids too."""
    outcomes: dict[str, Any] = {**settled}
    alone = ids(claims[0]) if len(claims) == 1 else {}
    text = f"{settled['delivered']} of {len(claims)} delivered"
    event("deliveries.settled", text, lane=lane, claimed=len(claims), **outcomes, ms=ms, revision=hub.catalogs.active().revision[:12], **alone)


def ids(claim: Claim) -> dict[str, str]:
    """What a line about one delivery is found by."""
    return {"delivery": claim.id, "message_id": claim.message.id, "trace_id": claim.message.trace_id}
