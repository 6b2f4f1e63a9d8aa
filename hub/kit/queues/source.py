"""A queue as a source, whatever its broker: what a consumer can be asked, and what may come of it. Drawn in
docs/queues.md.

The calling protocol: `open`, then `take` and `ack` in turn; whatever was taken and not acknowledged comes again, after
`close` at the latest. One thread alone calls it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from hub.core.config.queue import Arrival
from hub.core.errors import HubError

BATCH = 200  # arrivals that are accepted in one transaction
BATCH_BYTES = 16 << 20  # or so many bytes of them
LINGER_S = 0.02  # how long the first of a batch waits for others


class BrokerUnavailable(HubError):
    """The broker is away, silent, or says no: what was taken and not acknowledged comes again. The text says what
    happened, without a password.
    """


class QueueInUse(HubError):
    """Another consumer has the queue, and order is kept by there being one: ask again in a moment."""


class QueueSource(Protocol):
    """One queue of one broker, as one consumer. All raise Broken."""

    def open(self) -> None:
        """Connects, makes the queue where it is missing, and begins to consume. Raises Taken."""

    def take(self, wait_s: float) -> Sequence[Arrival]:
        """The next batch, in the queue's order: what is there within LINGER_S of the first, up to BATCH. () where
        nothing came in `wait_s`.
        """

    def ack(self, number: int) -> None:
        """The `number` oldest arrivals that were taken are committed: the broker may forget them."""

    def hold(self, seconds: float) -> None:
        """Waits, with all that was taken still in hand: the connection is kept alive meanwhile."""

    def close(self) -> None:
        """What is still in hand goes back to the queue. Never raises."""
