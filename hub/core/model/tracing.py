"""W3C Trace Context: one id over all the messages that caused one another. The id is the `traceId` of every answer."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})", re.ASCII)
_NONE = ("0" * 32, "0" * 16)
_SAMPLED = 1

MAX_STATE = 512  # characters of `tracestate` that are handed on; the standard asks for at least so many
MAX_MEMBERS = 32
_MEMBER = re.compile(
    r"(?:[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Parent:
    """What a well-formed `traceparent` says."""

    trace_id: str
    span_id: str
    is_sampled: bool


def parent_of(traceparent: str | None) -> Parent | None:
    """None for what is not well-formed, which is ignored as the standard asks."""
    found = _TRACEPARENT.fullmatch(traceparent or "")
    if found is None or found[1] == "ff" or set(_NONE) & set(found.groups()):
        return None
    return Parent(found[2], found[3], bool(int(found[4], 16) & _SAMPLED))


def trace_id_of(traceparent: str | None) -> str | None:
    """The trace id of a well-formed `traceparent` header; None for anything else."""
    parent = parent_of(traceparent)
    return parent.trace_id if parent is not None else None


def traceparent(trace_id: str, span: str) -> str:
    """The header for an outgoing call. `span`: 16 hexadecimal digits that name this attempt."""
    return f"00-{trace_id}-{span}-01"


def attempt_span(delivery_id: str, attempt: int) -> str:
    """16 hexadecimal digits that name an attempt: its target is sent them, and its span bears them."""
    return hashlib.sha256(f"{delivery_id}/{attempt}".encode()).hexdigest()[:16]


def accept_span(message_id: str) -> str:
    """16 hexadecimal digits that name the acceptance of a message: every process knows the parent of what it does."""
    return hashlib.sha256(f"{message_id}/accept".encode()).hexdigest()[:16]


def tracestate_of(values: Sequence[str]) -> str:
    """`tracestate` as it may be handed on, of all headers of that name; empty where any of it is not what the standard
    says, or too long.
    """
    members = [member.strip(" \t") for value in values for member in value.split(",")]
    kept = [member for member in members if member]
    names = {member.partition("=")[0] for member in kept}
    whole = ",".join(kept)
    if (
        len(kept) > MAX_MEMBERS
        or len(names) != len(kept)
        or len(whole) > MAX_STATE
        or not all(_MEMBER.fullmatch(member) for member in kept)
    ):
        return ""
    return whole


def is_sampled(trace_id: str, ratio: float) -> bool:
    """Whether a trace is among the `ratio` that is recorded: by its id alone, so that every process decides alike.

    By its last 56 bits, which the standard's level 2 wants random: above them our own ids, UUIDs, have bits that are
    always the same.
    """
    return int(trace_id[18:], 16) < round(ratio * (1 << 56))
