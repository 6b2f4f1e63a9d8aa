"""An outbox: what a sandbox system has decided to tell the hub, posted until the hub has it.

Posts with one business key go one after another; a key that the hub sends away waits by itself and holds up no other.
While the hub cannot be reached at all, everybody waits: a thousand keys that knock at a closed door only cost time. The
id of a post never changes, so that a repeat after a crash is a duplicate for the hub, not a second message.
"""

from __future__ import annotations

import heapq
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import requests

from hub.kit.signature import sign_default

FIRST_S, LONGEST_S = 0.1, 5.0  # the first wait after a failure, and the longest
CLOSED_S = 1.0  # the longest while the hub cannot be reached: it is soon back after a restart
LATER = frozenset({408, 425, 429})  # the 4xx that say "again", not "no"


@dataclass(frozen=True, slots=True)
class Post:
    """One message for the hub. `id` is its webhook-id and its Idempotency-Key; posts with the same `order_key` keep
    their order.
    """

    id: str
    path: str
    body: bytes
    order_key: str


@dataclass(frozen=True, slots=True)
class Caller:
    """Where the hub is, and who we are there. Without a secret the posts are not signed."""

    url: str
    key: str = ""
    secret: str = ""

    def headers(self, post: Post) -> dict[str, str]:
        """Signed anew for each try, so that the signature has its own time."""
        headers = {"content-type": "application/json", "idempotency-key": post.id}
        if self.secret:
            headers |= dict(sign_default(self.key, [self.secret], post.id, post.body, datetime.now(UTC)))
        return headers


class Outbox:
    """Posting threads over queues, one queue per business key. `ended(post, status, answer)` is told of each 2xx and
    each refusal.
    """

    def __init__(self, caller: Caller, ended: Callable[[Post, int, str], None], *, threads: int = 4) -> None:
        self._caller = caller
        self._ended = ended
        self._change = threading.Condition()
        self._queues: dict[str, deque[Post]] = {}
        self._ready: deque[str] = deque()  # keys whose first post may go now
        self._waiting: list[tuple[float, str]] = []  # heap of (due, key): the last try failed
        self._tries: dict[str, int] = {}
        self._rest_until = 0.0  # the hub could not be reached; nobody knocks before
        self._unreached = 0  # times in a row
        self._stopping = False
        self._threads = [
            threading.Thread(target=self._work, name=f"outbox-{number}", daemon=True) for number in range(threads)
        ]

    def add(self, post: Post) -> None:
        with self._change:
            queue = self._queues.setdefault(post.order_key, deque())
            queue.append(post)
            if len(queue) == 1:
                self._ready.append(post.order_key)
                self._change.notify()

    def waiting(self) -> int:
        """How many posts the hub does not have yet."""
        with self._change:
            return sum(map(len, self._queues.values()))

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends after the posts that are under way; the others stand in the journal and go out after the next start."""
        with self._change:
            self._stopping = True
            self._change.notify_all()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(10)

    def _work(self) -> None:
        with requests.Session() as session:
            session.trust_env = False  # no proxy of the environment lies between two neighbours
            while (post := self._next()) is not None:
                status, answer = self._try(session, post)
                done = 200 <= status < 300 or (400 <= status < 500 and status not in LATER)
                if done:
                    # If we die before this is written, the hub gets the same id once more and calls it a duplicate.
                    self._ended(post, status, answer)
                self._after(post, done=done, reached=status != 0)

    def _try(self, session: requests.Session, post: Post) -> tuple[int, str]:
        """Status and answer; status 0 where there was none."""
        try:
            url = self._caller.url.rstrip("/") + post.path
            response = session.post(
                url, data=post.body, headers=self._caller.headers(post), timeout=10, allow_redirects=False
            )
        except requests.RequestException:
            return 0, ""
        return response.status_code, response.text[:2_000]

    def _next(self) -> Post | None:
        """Waits for a key that may go, and takes its first post without removing it. None: stopping."""
        with self._change:
            while not self._stopping:
                now = time.monotonic()
                if now < self._rest_until:
                    self._change.wait(self._rest_until - now)
                    continue
                while self._waiting and self._waiting[0][0] <= now:
                    self._ready.append(heapq.heappop(self._waiting)[1])
                if self._ready:
                    return self._queues[self._ready.popleft()][0]
                self._change.wait(self._waiting[0][0] - now if self._waiting else None)
        return None

    def _after(self, post: Post, *, done: bool, reached: bool) -> None:
        with self._change:
            key = post.order_key
            if not reached:
                self._unreached += 1
                self._rest_until = time.monotonic() + min(_wait(self._unreached), CLOSED_S)
                self._ready.appendleft(key)
            elif not done:
                tries = self._tries[key] = self._tries.get(key, 0) + 1
                heapq.heappush(self._waiting, (time.monotonic() + _wait(tries), key))
            else:
                self._tries.pop(key, None)
                self._queues[key].popleft()
                if self._queues[key]:
                    self._ready.append(key)
                else:
                    del self._queues[key]
            if reached:
                self._unreached = 0
            self._change.notify()


def _wait(tries: int) -> float:
    """Seconds after so many failures in a row."""
    return min(FIRST_S * 2.0 ** min(tries - 1, 16), LONGEST_S) * random.uniform(0.5, 1)  # noqa: S311  spreads waits, guards nothing
