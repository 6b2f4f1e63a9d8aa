"""From the commit's thread back to the event loop: one wake-up for all posts of a group, not one for each."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress

from hub.core.errors import Refused, StoreBusy
from hub.core.message import Receipt
from hub.http.partner.ingress import Outcome


class Arrivals:
    """Brings the ends of futures to one event loop. `wait` belongs to the loop; the ends come from any thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._ended: deque[asyncio.Future[None]] = deque()
        self._is_rung = False

    async def wait(self, futures: Sequence[Future[Receipt | Refused]]) -> list[Outcome]:
        """An outcome per future, in order, once all have ended; StoreBusy stands at its place. Any other error is
        raised.
        """
        for future in futures:
            if not future.done():
                await self._end_of(future)
        return [outcome(future) for future in futures]

    def _end_of(self, future: Future[Receipt | Refused]) -> asyncio.Future[None]:
        seen: asyncio.Future[None] = self._loop.create_future()
        future.add_done_callback(lambda _: self._arrive(seen))
        return seen

    def _arrive(self, seen: asyncio.Future[None]) -> None:
        # First into the queue, then the look at the flag; the loop clears the flag first and empties the queue then.
        # Whoever finds the flag set was queued before it was cleared, so nothing is left behind.
        self._ended.append(seen)
        if not self._is_rung:
            self._is_rung = True
            # A commit that ends after the server did: its sender was told nothing, and sends it again under the same
            # key.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._take)

    def _take(self) -> None:
        self._is_rung = False
        while self._ended:
            seen = self._ended.popleft()
            if not seen.done():
                seen.set_result(None)


def outcome(future: Future[Receipt | Refused], seconds: float | None = 0) -> Outcome:
    """What the group commit said of one message. Raises what is neither an answer nor StoreBusy."""
    try:
        return future.result(seconds)
    except StoreBusy as busy:
        return busy
    except TimeoutError:
        return StoreBusy("The commit took too long.")
