"""Spans: what a traced message did and when, told after the fact. Nobody waits for one, and where nothing is traced nothing is called.

A span's id is computed from what it tells of (core.model.tracing), so that processes which know nothing of each other name the same parent.
"""

from __future__ import annotations

from typing import Protocol

from hub.core.message import Message, Request
from hub.core.model.delivery import Settled


class Spans(Protocol):
    """Who takes spans. None of its verbs raises, blocks or asks the store."""

    def accepted(self, request: Request, message: Message, ended_at: float) -> None:
        """A post was answered with 202, or a question with its answer; `ended_at` in seconds since 1970."""

    def committed(self, message: Message, started_at: float, ms: float, size: int) -> None:
        """It was in a group commit of `size` posts."""

    def attempted(self, settled: Settled, ended_at: float, settle_ms: float) -> None:
        """One attempt was made, and its outcome written."""
