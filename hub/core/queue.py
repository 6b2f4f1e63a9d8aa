"""A queue as a source: what its folder declares of it, what comes out of it, and what that tells. Pure.

arrival → read: one event, or one for each element → payload of a message of ours. The acknowledgement is the broker's own, after the commit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from hub.core.errors import Code, Refused
from hub.core.events import Event, Read, told
from hub.core.json import Limits
from hub.core.message import Json, Request
from hub.core.opened import Opened
from hub.core.scheme import read_spot

QUEUE = "queue"  # the way in, as a message remembers it


@dataclass(frozen=True, slots=True)
class Queue:
    """One queue of a system's broker. `exchange` empty: whoever owns the broker binds it; else it is bound for `topics`."""

    system: str
    name: str
    queue: str  # as the broker knows it
    broker: str = "url"  # the setting of the system with the broker's address
    exchange: str = ""
    kind: str = "topic"
    topics: tuple[str, ...] = ()
    prefetch: int = 500  # how many may be in one worker's hands, unacknowledged
    shared: bool = False  # several workers take from it at once, and order between them is not kept
    reads: tuple[Read, ...] = field(default=(), compare=False)

    @property
    def source(self) -> str:
        """The name under which its messages are known: `queue:wms/stock`."""
        return f"queue:{self.system}/{self.name}"


@dataclass(frozen=True, slots=True)
class Arrival:
    """What came out of a queue, as it came. `flaw`: it arrived, but what its broker's client could not read of it (headers, say)."""

    body: bytes
    topic: str = ""
    headers: Mapping[str, Json] = field(default_factory=dict)  # its own, and the properties of AMQP that say something
    message_id: str = ""
    content_type: str = ""
    flaw: str = ""

    @property
    def fingerprint(self) -> str:
        """Tells this arrival from any other of its queue; a redelivery has the same."""
        whole = hashlib.sha256()
        for part in (self.message_id.encode("utf-8", "replace"), self.topic.encode("utf-8", "replace"), self.body):
            whole.update(len(part).to_bytes(8, "big") + part)
        return whole.hexdigest()


def arrived(queue: Queue, arrival: Arrival, limits: Limits, now: datetime) -> list[Event]:
    """What an arrival tells, in its order; [] only where a `skip` says so. Raises Refused: unreadable, or nothing that is declared fits it.

    Without an `id` of its own in `read`, an event's name is the broker's message id (numbered, where one arrival tells several), else a hash.
    """
    if arrival.flaw:
        raise Refused(Code.BAD_REQUEST, arrival.flaw)
    opened = Opened(Request("", "", "", (), arrival.body), limits)
    view: dict[str, Json] = {"headers": dict(arrival.headers), "topic": arrival.topic, "body": opened.json}
    found = told(queue.reads, view, lambda spot: opened.decoded_at(read_spot(spot)), queue.source, now)
    if not arrival.message_id:
        return found
    numbered = len(found) > 1
    return [
        one if one.named or one.fault is not None else replace(one, id=_short(f"{arrival.message_id}#{number}" if numbered else arrival.message_id))
        for number, one in enumerate(found)
    ]


def _short(text: str) -> str:
    return text if len(text) <= 255 and text.isprintable() else hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
