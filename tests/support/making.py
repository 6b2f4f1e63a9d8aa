"""Hand-made values for tests of the store and the flow."""

import os
import time
from datetime import UTC, datetime

from hub.core.message import Disposition, Message, Ref
from hub.core.model.delivery import (
    AcceptedMessage,
    DedupeKey,
    Delivered,
    Exchange,
    InDoubtPolicy,
    NewDelivery,
    Settlement,
    WhenDead,
)
from hub.core.model.ids import uuid7

SOURCE, TARGET = Ref("shop", "order.placed", 1), Ref("warehouse", "order.create", 1)


def new_id() -> str:
    return uuid7(time.time_ns() // 1_000_000, os.urandom(10))


def laid(
    *,
    order_key=None,
    dedupe_keys=(),
    when_dead=WhenDead.PARK,
    in_doubt=InDoubtPolicy.RESEND,
    targets=(TARGET,),
    keys=(("orderNo", "SO-1"),),
    raw=b'{"orderNo":"SO-1"}',
) -> AcceptedMessage:
    planned = tuple(NewDelivery(new_id(), "orders", ref, order_key, None, when_dead, in_doubt) for ref in targets)
    disposition = Disposition.ROUTED if planned else Disposition.UNROUTED
    message = Message(
        new_id(),
        SOURCE,
        datetime.now(UTC),
        "k_test",
        "http",
        raw,
        "a" * 32,
        "r" * 64,
        disposition,
        len(planned),
        keys,
        order_key,
    )
    return AcceptedMessage(message, planned, tuple(dedupe_keys))


def seen(key, fingerprint="one", caller="k_test", type_="*") -> DedupeKey:
    return DedupeKey(caller, type_, key, fingerprint)


def claim(store, *, size=100, lease_s=30.0, worker="w1", lane="warehouse"):
    return store.claim(lane, size=size, lease_s=lease_s, worker=worker)


def settled(claimed, outcome=None, reply=None) -> Settlement:
    return Settlement(claimed, outcome or Delivered(), Exchange(status=200, sent=True, reply=b"{}"), "r" * 64, reply)
