"""What an adapter can be, and the values that pass between it and the hub. One required method per direction.

The calling protocol: the hub claims a batch of deliveries, makes a `Parcel` of each (mapped, checked against the
target's contract, encoded), and hands them to the system's target with no transaction and no connection held. What
comes back is judged by `core.model.delivery.judge` and settled in one transaction. A worker that dies in between leaves
a lease that ends; the delivery may be sent again, under the same Idempotency-Key.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, TypeAlias

from hub.core.errors import GiveUp, TryLater, Unknown
from hub.core.message import Incoming, Json, Ref, Request

if TYPE_CHECKING:
    import requests


@dataclass(frozen=True, slots=True)
class Parcel:
    """What a target is given. `key` is constant over all attempts, replay included; `body` is `payload` encoded, ready
    to be sent.
    """

    key: str
    ref: Ref
    payload: Json
    body: bytes
    message_id: str
    trace_id: str
    attempt: int
    order_key: str | None = None
    topic: str = ""  # of a topic exchange, where the route says so
    tracestate: str = ""  # of the caller that waits for the answer; it is not kept in the store
    deadline_s: float = 5.0  # for everything: name, connection, TLS, sending, answer
    is_doubted: bool = False  # when its answer is judged: an earlier attempt was sent, and its outcome not seen


@dataclass(frozen=True, slots=True)
class Reply:
    """The target took it. `payload` is the decoded answer, or None where there is none; `keys` are business keys that
    it named.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    payload: Json = None
    keys: tuple[tuple[str, str], ...] = ()
    already: bool = False


# Errors as values: a batch has one answer per parcel, and one bad parcel says nothing about its neighbours.
Answer: TypeAlias = Reply | TryLater | GiveUp | Unknown


class Probe(StrEnum):
    """What a target says of a parcel that was sent, and whose answer nobody saw."""

    APPLIED = "applied"  # it has it
    ABSENT = "absent"  # it has not: it may be sent again
    UNSURE = "unsure"  # it cannot say, or not now


class Source(Protocol):
    """System → hub: reads a foreign request."""

    def read(self, request: Request) -> Iterable[Incoming]:
        """Authenticates and decodes. Raises Refused; then nothing is stored."""


class HttpTarget(Protocol):
    """Hub → system over HTTP. `hub.kit.http.sender.sender` sends many at once and keeps the deadline."""

    def prepare(self, parcel: Parcel) -> requests.Request:
        """The request for one parcel. Called for each attempt anew, so that a signature has its own time."""

    def verdict(self, parcel: Parcel, response: requests.Response) -> Reply:
        """What the answer means. Raises TryLater, GiveUp or Unknown."""


class Probed(Protocol):
    """An HttpTarget that can be asked, for `in_doubt: probe`. Optional."""

    def probe(self, parcel: Parcel) -> requests.Request:
        """The question whether the system has this parcel; it changes nothing there."""

    def probed(self, parcel: Parcel, response: requests.Response) -> Probe:
        """What the answer means."""


class Target(Protocol):
    """Hub → system by anything else (queue, file, mail)."""

    def send(self, parcels: Sequence[Parcel]) -> Sequence[Answer]:
        """One answer per parcel, in their order. What it raises counts as Unknown for all of them."""
