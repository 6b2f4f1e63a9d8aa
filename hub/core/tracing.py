"""W3C Trace Context: one id over all the messages that caused one another. The id is the `traceId` of every answer."""

from __future__ import annotations

import re

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}", re.ASCII)
_NONE = ("0" * 32, "0" * 16)


def trace_id_of(traceparent: str | None) -> str | None:
    """The trace id of a well-formed `traceparent` header; None for anything else, which is ignored as the standard asks."""
    found = _TRACEPARENT.fullmatch(traceparent or "")
    return found[1] if found and not set(_NONE) & set(found.groups()) and not found[0].startswith("ff") else None


def traceparent(trace_id: str, span: str) -> str:
    """The header for an outgoing call. `span`: 16 hexadecimal digits that name this attempt."""
    return f"00-{trace_id}-{span}-01"
