"""What a sender sent, as far as it is known who it is: kept beside a refusal, so that it is found, and read again once
its cause is mended. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from hub.core.config.queue import Arrival
from hub.core.errors import Trail
from hub.core.message import Json

# The doors. Whoever comes by the first two hears no word that it could act by: a person must look. The others are told
# what to change.
QUEUE: Final = "queue"
HOOK: Final = "hook"
POST: Final = "post"  # one message, or an item of a batch
BATCH: Final = "batch"  # a batch that was refused whole
EVENT: Final = "event"  # a CloudEvent
QUESTION: Final = "question"  # a synchronous read
COMMAND: Final = "command"  # hub send
UNPROVEN: Final = "unproven"  # any door: nobody knows who it was
DOORS: Final = (QUEUE, HOOK, POST, BATCH, EVENT, QUESTION, COMMAND, UNPROVEN)

FOR_A_PERSON: Final = (QUEUE, HOOK)

MAX_KEPT = 1 << 20  # bytes of a body that is kept; of a longer one the refusal alone is
MAX_CALLER = 191


@dataclass(frozen=True, slots=True)
class IdentifiedRequest(Trail):
    """`proof`: the caller as it was proven; None: it was not, or its door proves by itself. `request`: how it is read
    again, by its door.
    """

    door: str
    source: str  # queue:wms/stock, hook:tms/push, post:shop/order.placed
    caller: str  # whose room it fills: a caller's id, a hook, a queue, or "unproven"
    arrival: Arrival
    proof: Mapping[str, Json] | None = None
    request: Mapping[str, Json] = field(default_factory=dict)

    @property
    def room(self) -> str:
        """The caller as a column takes it."""
        return (
            self.caller
            if len(self.caller) <= MAX_CALLER
            else self.caller[:120] + hashlib.sha256(self.caller.encode("utf-8", "replace")).hexdigest()
        )

    @property
    def fingerprint(self) -> str:
        """Tells this content from any other of its source: what is sent again is the same, under whatever signature,
        time or id of transport.
        """
        if self.door == QUEUE:
            return self.arrival.fingerprint
        whole = hashlib.sha256()
        named = str(self.request.get("key") or "") if self.request.get("isNamed") else ""
        query = str(self.request.get("query") or "") if self.door == QUESTION else ""
        for part in (self.door, self.caller, named, query, self.arrival.flaw, self.arrival.topic):
            raw = part.encode("utf-8", "replace")
            whole.update(len(raw).to_bytes(8, "big") + raw)
        whole.update(self.arrival.body)
        return whole.hexdigest()
