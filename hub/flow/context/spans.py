"""The interface for tracing: reports spans of traced messages after the fact. Nothing waits for it, and it is not
called if tracing is off.

A span's id is computed from its subject (core.model.tracing), so that independent processes name the same parent span.
"""

from __future__ import annotations

from typing import Protocol

from hub.core.message import Message, Request
from hub.core.model.delivery import Settlement


class Spans(Protocol):
    """A receiver of spans. Its methods do not raise, block or access the store."""

    def accepted(self, request: Request, message: Message, ended_at: float) -> None:
        """A post was answered with 202, or a question with its answer; `ended_at` in seconds since 1970."""

    def committed(self, message: Message, started_at: float, ms: float, size: int) -> None:
        """The message was in a group commit of `size` posts."""

    def attempted(self, settled: Settlement, ended_at: float, settle_ms: float) -> None:
        """One attempt was made, and its outcome is stored."""
