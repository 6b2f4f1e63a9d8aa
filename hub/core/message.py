"""A message: what a system sent, as accepted. Values only; the bytes are read by `core.json`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

# What the strict decoder gives: fractions are Decimal, so that no digit is lost. `float` never comes from outside.
Json: TypeAlias = "None | bool | int | float | Decimal | str | list[Json] | dict[str, Json]"
Writable: TypeAlias = "Json | Mapping[str, object] | Sequence[object]"  # an answer by its declaration is JSON too

_REF = re.compile(r"([a-z][a-z0-9-]{0,39})/([a-z][a-z0-9-]*(?:\.[a-z][a-z0-9-]*)*)(?:@([1-9][0-9]{0,3}))?", re.ASCII)


class Disposition(StrEnum):
    """What became of a message at its acceptance. `duplicate` is no disposition of a stored message: it is a
    receipt.
    """

    ROUTED = "routed"  # at least one delivery
    UNROUTED = "unrouted"  # no route took it; what each said is kept, and a person routes it again or lets it go
    FILTERED = "filtered"  # a route's own word, or a person's, says that it goes nowhere; the reason is kept


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """One version of one message of one system, written `oms/order.created@1`."""

    system: str
    name: str
    version: int

    @property
    def type(self) -> str:
        """Without the version: `oms/order.created`."""
        return f"{self.system}/{self.name}"

    def __str__(self) -> str:
        return f"{self.system}/{self.name}@{self.version}"

    @classmethod
    def parse(cls, text: str) -> Ref:
        """Reads `system/message@version`. Raises ValueError."""
        found = _REF.fullmatch(text)
        if not found or not found[3]:
            raise ValueError(f"{text!r} is not of the form system/message@version, such as oms/order.created@1")
        return cls(found[1], found[2], int(found[3]))


def is_type(text: str) -> bool:
    """Whether `text` is of the form `system/message`, without a version."""
    found = _REF.fullmatch(text)
    return bool(found and not found[3])


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request as it came: the raw path and query, header names in lower case in their order, the body's bytes,
    the socket's peer.
    """

    method: str
    path: str  # raw, not percent-decoded, without the query
    query: str  # raw, without the question mark
    headers: tuple[tuple[str, str], ...]
    body: bytes
    peer: str = ""
    is_own: bool = False  # it came by the hub's own socket, which only the account that the hub runs under can open

    def header(self, name: str) -> str | None:
        """The header's one value; None if it is missing. Raises ValueError if it was sent twice."""
        values = [value for key, value in self.headers if key == name]
        if len(values) > 1:
            raise ValueError(f"header {name} was sent {len(values)} times")
        return values[0] if values else None


@dataclass(frozen=True, slots=True)
class Incoming:
    """What a source read from a request: authenticated and decoded, not yet checked against its contract."""

    ref: Ref
    payload: Json
    raw: bytes  # the bytes that were signed, and that are stored
    caller: str  # the key's id, or `hub` for what the hub itself caused
    idempotency_key: str | None = None
    trace_id: str = ""
    cause_id: str | None = None  # the message that caused this one
    hops: int = 0
    in_batch: bool = False  # one of many: nobody waits for its answer, even where a route is synchronous


@dataclass(frozen=True, slots=True)
class Message:
    """An accepted message. Never changed once it is stored."""

    id: str  # UUIDv7, made by us
    ref: Ref
    received_at: datetime  # aware, UTC
    caller: str
    source: str  # http, reply, cli, sandbox: the way in
    raw: bytes
    trace_id: str
    revision: str  # content hash of the configuration that accepted it
    disposition: Disposition
    planned: int  # how many deliveries were planned at acceptance; written here so that a lost row shows
    keys: tuple[tuple[str, str], ...] = ()  # business keys, as (name, value)
    order_key: str | None = None
    idempotency_key: str | None = None
    cause_id: str | None = None
    hops: int = 0
    why: dict[str, Json] = field(default_factory=dict)  # nearest miss, or why it was filtered


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the sender is given: the message's id, whether it was known before, and the lanes that have work now."""

    message_id: str
    duplicate: bool
    lanes: tuple[str, ...] = ()
