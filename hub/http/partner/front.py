"""The ASGI front: what partners post is handled here, on the event loop; everything else goes to Flask through a
buffered bridge.

The one reader of bodies is here. A request waits for its commit as a future, not as a thread.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from typing import Any

from hub.core.documents.content_coding import CLOSE, too_large
from hub.core.errors import Code, Refused, StoreBusy
from hub.core.expressions import evaluation_door
from hub.core.message import Request
from hub.flow.hub import Hub
from hub.flow.intake import authentication
from hub.http.common import bodies, request_checks
from hub.http.common.bridge import call_wsgi
from hub.http.common.fault_answers import Answer
from hub.http.partner import cloudevents, hooks, ingress
from hub.http.partner.commit_waiters import Arrivals
from hub.kit.signature import UNPROVEN

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

BRIDGE_THREADS = 8
ASKING_THREADS = 64
SLOW_THREADS = 16
LONG_AT_ONCE = 2  # long bodies of one sender that are read and prepared at once
SLOW_AT_ONCE = 2  # posts of one caller that wait for an evaluator at once
MAX_FORM = 1 << 20  # bytes of a body that goes to Flask: forms and lists of ids
SMALL = 65_536  # bytes of a post that the event loop reads by itself; decoding more would make the others wait


class Truncated(Exception):
    """The sender went away before the end of its body: nothing is stored, and it will send again."""


class Front:
    """The ASGI application. `wsgi` is the Flask app; `on_stop` is called when the server has answered its last
    request.
    """

    def __init__(self, hub: Hub, wsgi: Any, on_stop: Callable[[], None] = lambda: None) -> None:
        self._hub = hub
        self._wsgi = wsgi
        self._on_stop = on_stop
        self._arrivals: Arrivals | None = None
        self._threads = ThreadPoolExecutor(BRIDGE_THREADS, thread_name_prefix="bridge")
        # large posts and batches: Python's work, so few threads
        self._posts = ThreadPoolExecutor(2, thread_name_prefix="posts")
        self._slow = ThreadPoolExecutor(SLOW_THREADS, thread_name_prefix="slow")  # posts that wait for an evaluator
        self._slow_of: Counter[str] = Counter()  # posts under way that took long, by caller; of the event loop alone
        self._rooms: dict[str, asyncio.Semaphore] = {}
        self._in_rooms: Counter[str] = Counter()
        # callers that wait for a target's answer
        self._asks = ThreadPoolExecutor(ASKING_THREADS, thread_name_prefix="ask")
        # answers while every other thread waits for the store
        self._health = ThreadPoolExecutor(1, thread_name_prefix="health")

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            event = await receive()
            if event["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            elif event["type"] == "lifespan.shutdown":
                await asyncio.get_running_loop().run_in_executor(None, self._on_stop)
                for threads in (self._threads, self._posts, self._slow, self._asks, self._health):
                    threads.shutdown(wait=False)
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _http(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        request = _request(scope)
        is_post = ingress.is_post(request)
        try:
            request_checks.check_line(request)
            _check_host(scope, request)
            if is_post:
                answer = await self._post(request, receive, time.monotonic())
            else:
                answer = await self._way(request)(request, receive)
        except Truncated:
            # To whoever left it says nothing; to whom the server could not follow (a chunk's size, a missing line
            # break) it says so.
            cut = Refused(
                Code.BAD_REQUEST,
                "The body ended before its end, or its chunks cannot be read. Nothing of it was taken.",
                headers=[CLOSE],
            )
            answer = ingress.refusal(self._hub, cut, request)
        except Exception as error:  # noqa: BLE001  faults.failure knows them all, and tells nothing of what nobody foresaw
            answer = ingress.refusal(self._hub, error, request)
        if is_post:
            self._hub.counts.add("posts", str(answer.status))
            self._hub.counts.time("accept", (time.perf_counter() - began) * 1000)
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else answer.body})

    async def _post(self, request: Request, receive: Receive, began: float) -> Answer:
        hub = self._hub
        post = ingress.read_head(request)
        declared = bodies.declared_length(request, hub.limits.max_bytes)
        # `100 Continue` goes out with the first read, and a long body costs a stranger nothing but us: neither before a
        # key is named that exists. A short body is read first, so that an unknown key costs what a wrong signature
        # costs.
        is_long = declared is None or declared > SMALL
        if (is_long or _expects(request)) and not authentication.is_known(hub, request, post.system):
            raise Refused(Code.UNAUTHENTICATED, UNPROVEN, authentication.lacks(hub, request, post.system), [CLOSE])
        async with self._room(request) if is_long else nullcontext():
            return await self._take(request, receive, began, post, declared)

    async def _take(
        self, request: Request, receive: Receive, began: float, post: ingress.Post, declared: int | None
    ) -> Answer:
        hub, is_long = self._hub, declared is None or declared > SMALL
        request = _with_body(
            request, await read_body(receive, declared, hub.limits.max_bytes, hub.settings.body_seconds)
        )
        begin = partial(ingress.begin, hub, request, post, at_once=True)
        if is_long or post.is_batch or post.coding:
            begun = await asyncio.get_running_loop().run_in_executor(self._posts, begin)
        else:
            begun = begin()
        prepared = await self._finished(begun) if isinstance(begun, ingress.UnfinishedPost) else begun
        if ingress.waits(prepared):
            return await asyncio.get_running_loop().run_in_executor(
                self._asks, ingress.exchange, hub, prepared, began, request
            )
        committed = await self._arrived().wait(ingress.submit(hub, post, prepared))
        # If the sender is gone by now its message is stored all the same; it will post again, and its key answers
        # `duplicate`.
        if post.is_batch:
            return await asyncio.get_running_loop().run_in_executor(
                self._posts, ingress.answer, hub, post, prepared, committed, request
            )
        return ingress.answer(hub, post, prepared, committed, request)

    @asynccontextmanager
    async def _room(self, request: Request) -> AsyncIterator[None]:
        """A place for a long body, from its first byte to its commit. A few for each sender, by what it says it is: the
        rest waits unread, and costs no memory; nobody else's waits with it.
        """
        name = next(iter(bodies.values(request, "authorization")), "") or request.path
        room = self._rooms.setdefault(name, asyncio.Semaphore(LONG_AT_ONCE))
        self._in_rooms[name] += 1
        try:
            async with room:
                yield
        finally:
            self._in_rooms[name] -= 1
            if not self._in_rooms[name]:
                del self._in_rooms[name], self._rooms[name]

    async def _finished(self, begun: ingress.UnfinishedPost) -> ingress.PreparedPost:
        """The rest of a post that takes long. A few of each caller wait for the evaluator; of more, the routes are
        decided at their claims.
        """
        is_crowded = self._slow_of[begun.caller] >= SLOW_AT_ONCE
        self._slow_of[begun.caller] += 1
        try:
            finish = partial(_defer, begun.finish) if is_crowded else begun.finish
            return await asyncio.get_running_loop().run_in_executor(self._posts if is_crowded else self._slow, finish)
        finally:
            self._slow_of[begun.caller] -= 1
            if not self._slow_of[begun.caller]:
                del self._slow_of[begun.caller]

    def _way(self, request: Request) -> Callable[[Request, Receive], Awaitable[Answer]]:
        if ingress.is_question(request):
            return self._question
        if cloudevents.is_event(request):
            return self._event
        return self._hook if hooks.is_hook(request) else self._other

    async def _question(self, request: Request, receive: Receive) -> Answer:
        if "GET" not in ingress.methods_of(self._hub, request):
            raise ingress.wrong_method(self._hub, request)
        if bodies.declared_length(request, SMALL) != 0:
            raise Refused(
                Code.BAD_REQUEST, "A question by GET has no body; its fields are in the query.", headers=[CLOSE]
            )
        return await asyncio.get_running_loop().run_in_executor(
            self._asks, ingress.question, self._hub, request, time.monotonic()
        )

    async def _event(self, request: Request, receive: Receive) -> Answer:
        hub, began = self._hub, time.monotonic()
        declared = bodies.declared_length(request, hub.limits.max_bytes)
        request = _with_body(
            request, await read_body(receive, declared, hub.limits.max_bytes, hub.settings.body_seconds)
        )
        loop = asyncio.get_running_loop()
        post, prepared = await loop.run_in_executor(self._posts, cloudevents.prepare, hub, request)
        if ingress.waits(prepared):
            return await loop.run_in_executor(self._asks, ingress.exchange, hub, prepared, began, request)
        committed = await self._arrived().wait(ingress.submit(hub, post, prepared))
        return await loop.run_in_executor(self._posts, ingress.answer, hub, post, prepared, committed, request)

    async def _hook(self, request: Request, receive: Receive) -> Answer:
        """A foreign webhook. Its partner waits a second or five, and counts a slow yes as a no: it is answered as soon
        as it is committed.
        """
        hub = self._hub
        declared = bodies.declared_length(request, hub.limits.max_bytes)
        request = _with_body(
            request, await read_body(receive, declared, hub.limits.max_bytes, hub.settings.body_seconds)
        )
        # Proving may cost a signature by RSA, and reading ten lines of an expression each: not on the event loop.
        taken = await asyncio.get_running_loop().run_in_executor(self._posts, hooks.take, hub, request)
        try:
            committed = await self._arrived().wait(hooks.submit(hub, taken))
        except StoreBusy as error:
            return hooks.sorry(taken, error)
        return hooks.answer(hub, taken, committed)

    async def _other(self, request: Request, receive: Receive) -> Answer:
        declared = bodies.declared_length(request, MAX_FORM)
        body = b"" if declared == 0 else await read_body(receive, declared, MAX_FORM, self._hub.settings.body_seconds)
        threads = self._health if request.path.startswith("/health/") else self._threads
        return await asyncio.get_running_loop().run_in_executor(
            threads, call_wsgi, self._wsgi, _with_body(request, body)
        )

    def _arrived(self) -> Arrivals:
        if self._arrivals is None:
            self._arrivals = Arrivals(asyncio.get_running_loop())
        return self._arrivals


async def read_body(receive: Receive, declared: int | None, limit: int, seconds: float) -> bytes:
    """The whole body, within `limit` bytes and `seconds`. Raises Refused, or Truncated where the sender left.

    A cut upload ends with `http.disconnect`, not with an error: whoever looks at `more_body` alone takes the part for
    the whole.
    """
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds):
            while True:
                event = await receive()
                if event["type"] != "http.request":
                    raise Truncated
                part: bytes = event.get("body", b"")
                parts.append(part)
                size += len(part)
                if size > limit:
                    raise too_large(f"The body has more than {limit} bytes.")
                if not event.get("more_body"):
                    break
    except TimeoutError as error:
        raise Refused(
            Code.REQUEST_TIMEOUT, f"The body did not arrive within {seconds:g} s.", headers=[CLOSE]
        ) from error
    if declared is not None and size != declared:
        raise Truncated
    return b"".join(parts)


def _defer(finish: Callable[[], ingress.PreparedPost]) -> ingress.PreparedPost:
    with evaluation_door.deferring():
        return finish()


def _expects(request: Request) -> bool:
    return any(name == "expect" for name, _ in request.headers)


def _request(scope: dict[str, Any]) -> Request:
    raw = scope.get("raw_path") or scope["path"].encode()
    try:
        headers = tuple([(name.decode("latin-1").lower(), value.decode()) for name, value in scope["headers"]])
    except UnicodeDecodeError:  # a proxy's own, in an older coding: each byte stands for itself
        headers = tuple(
            [(name.decode("latin-1").lower(), request_checks.read_value(value)) for name, value in scope["headers"]]
        )
    peer = scope.get("client") or ("",)
    return Request(
        scope["method"],
        raw.partition(b"?")[0].decode("latin-1"),
        scope.get("query_string", b"").decode("latin-1"),
        headers,
        b"",
        str(peer[0]),
    )


def _check_host(scope: dict[str, Any], request: Request) -> None:
    """HTTP/1.1 names its host (RFC 9112); the server writes an empty one where it is missing. A balancer's probe may go
    without. Raises Refused.
    """
    is_named = any(value for name, value in request.headers if name == "host")
    if scope.get("http_version") == "1.1" and not is_named and not request.path.startswith("/health/"):
        raise Refused(
            Code.BAD_REQUEST, "A request by HTTP/1.1 names its host; the header Host is missing.", headers=[CLOSE]
        )


def _with_body(request: Request, body: bytes) -> Request:
    # a third of what `replace` costs
    return Request(request.method, request.path, request.query, request.headers, body, request.peer)
