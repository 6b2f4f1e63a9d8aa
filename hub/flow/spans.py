"""Spans: what a traced message did and when, told after the fact. Nobody waits for one, and where nothing is traced nothing is called.

A span's id is computed from what it tells of (a message, an attempt), so that processes which know nothing of each other name the same parent.
"""

from __future__ import annotations

import hashlib
from typing import Protocol

from hub.core.delivery import Settled
from hub.core.message import Message, Request


class Spans(Protocol):
    """Who takes spans. None of its verbs raises, blocks or asks the store."""

    def accepted(self, request: Request, message: Message, ended_at: float) -> None:
        """A post was answered with 202, or a question with its answer; `ended_at` in seconds since 1970."""

    def committed(self, message: Message, started_at: float, ms: float, size: int) -> None:
        """It was in a group commit of `size` posts."""

    def attempted(self, settled: Settled, ended_at: float, settle_ms: float) -> None:
        """One attempt was made, and its outcome written."""


def accept_span(message_id: str) -> str:
    """16 hexadecimal digits that name the acceptance of a message."""
    return hashlib.sha256(f"{message_id}/accept".encode()).hexdigest()[:16]


def attempt_span(delivery_id: str, attempt: int) -> str:
    """16 hexadecimal digits that name an attempt: those that its target was sent in `traceparent`."""
    return hashlib.sha256(f"{delivery_id}/{attempt}".encode()).hexdigest()[:16]
