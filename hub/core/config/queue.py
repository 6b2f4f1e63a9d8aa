"""A queue as a source: what its folder declares of it, what comes out of it, and what that tells. Pure.

arrival → read: one event, or one for each element → payload of a message of ours. The acknowledgement is the broker's
own, after the commit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from hub.core.config.events import Event, EventReader, named, told
from hub.core.config.parsed_request import ParsedRequest
from hub.core.config.scheme import read_spot
from hub.core.errors import Code, Refused
from hub.core.json import Limits
from hub.core.message import Json, Request

QUEUE = "queue"  # the way in, as a message remembers it


@dataclass(frozen=True, slots=True)
class Queue:
    """One queue of a system's broker. `exchange` empty: whoever owns the broker binds it; else it is bound for
    `topics`.
    """

    system: str
    name: str
    queue: str  # as the broker knows it
    broker: str = "url"  # the setting of the system with the broker's address
    exchange: str = ""
    kind: str = "topic"
    topics: tuple[str, ...] = ()
    prefetch: int = 500  # how many may be in one worker's hands, unacknowledged
    shared: bool = False  # several workers take from it at once, and order between them is not kept
    reads: tuple[EventReader, ...] = field(default=(), compare=False)

    @property
    def wants_tags(self) -> bool:
        """Whether something of it may be known by its delivery alone: also where an `id` is declared, for an event may
        come that has none.
        """
        return any(read.emit is not None and not read.by_content for read in self.reads)

    @property
    def source(self) -> str:
        """The name under which its messages are known: `queue:wms/stock`."""
        return f"queue:{self.system}/{self.name}"


@dataclass(frozen=True, slots=True)
class Arrival:
    """What came out of a queue, as it came. `flaw`: it arrived, but what its broker's client could not read of it
    (headers, say).
    """

    body: bytes
    topic: str = ""
    headers: Mapping[str, Json] = field(default_factory=dict)  # its own, and the properties of AMQP that say something
    message_id: str = ""
    content_type: str = ""
    flaw: str = ""
    is_again: bool = False  # the broker says that it has brought it before
    tag: str = ""  # of this delivery alone, and the same when it is brought again; empty: there is none

    @property
    def content(self) -> str:
        """A hash of what it holds."""
        return self._hash(self.message_id, self.topic)

    @property
    def fingerprint(self) -> str:
        """Tells this arrival from any other of its queue; a redelivery has the same. By its content, where it has
        neither id nor tag.
        """
        return (
            self._hash(self.message_id, self.topic)
            if self.message_id or not self.tag
            else self._hash(self.tag, self.topic)
        )

    def _hash(self, *texts: str) -> str:
        whole = hashlib.sha256()
        for part in (*(text.encode("utf-8", "replace") for text in texts), self.body):
            whole.update(len(part).to_bytes(8, "big") + part)
        return whole.hexdigest()


def arrived(queue: Queue, arrival: Arrival, limits: Limits, now: datetime) -> list[Event]:
    """What an arrival tells, in its order; [] only where a `skip` says so. Raises Refused: unreadable, or nothing that
    is declared fits it.

    Without an `id` of its own in `read`, an event's name is the broker's message id, else the delivery's tag (numbered,
    where one arrival tells several); with `repeats: content`, and where there is no tag either, a hash.
    """
    if arrival.flaw:
        raise Refused(Code.BAD_REQUEST, arrival.flaw)
    opened = ParsedRequest(Request("", "", "", (), arrival.body), limits)
    view: dict[str, Json] = {"headers": dict(arrival.headers), "topic": arrival.topic, "body": opened.json}
    found = told(queue.reads, view, lambda spot: opened.decoded_at(read_spot(spot)), queue.source, now)
    name = arrival.message_id or arrival.tag
    return named(found, name) if name else found
