"""Lists of Redis as queues, in both directions. Pushed on the left, taken on the right, as LPUSH and RPOP pair and as
kombu has it.

There is no acknowledgement in Redis: what was taken stands in a second list beside the queue until it is committed,
moved there by the same script that takes it, so that no moment exists at which a message is nowhere. Redis has no
confirm beyond its answer either; what it keeps over a crash of its own is its `appendfsync`. Drawn in docs/queues.md.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import re
import secrets
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import redis as _redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from hub.core import json
from hub.core.adapter import Answer, Parcel, Reply
from hub.core.config.queue import Arrival, Queue
from hub.core.errors import Cause, Reason, Refused, TryLater, Unknown
from hub.core.message import Json
from hub.core.model.tracing import traceparent
from hub.kit.queues.queue_target import masked, said
from hub.kit.queues.source import BATCH, BATCH_BYTES, LINGER_S, BrokerUnavailable, QueueInUse

redis: Any = _redis
OWNED_MS = 15_000  # a consumer that has not been heard of for so long has lost the queue to the next
POLL_S = 0.05
# The one who owns it, or owned it under the name before, or anybody where nobody does: puts back what was taken and not
# acknowledged, the newest first, so that the oldest stands where the next is taken.
_OPEN = """
local owner = redis.call('GET', KEYS[3])
if owner and owner ~= ARGV[2] then return 0 end
while true do
  local item = redis.call('LPOP', KEYS[2])
  if not item then break end
  redis.call('RPUSH', KEYS[1], item)
end
redis.call('SET', KEYS[3], ARGV[1], 'PX', ARGV[3])
return 1
"""
_OWNED = "if redis.call('GET', KEYS[3]) ~= ARGV[1] then return redis.error_reply('NOTOWNER') end redis.call('PEXPIRE', KEYS[3], ARGV[2]) "
_TAKE = (
    _OWNED
    + """
if redis.call('EXISTS', KEYS[4]) == 0 then redis.call('SET', KEYS[4], ARGV[5]) end
local at = string.format('%.0f', tonumber(redis.call('GET', KEYS[4])) + redis.call('LLEN', KEYS[2]))
local items, size = {}, 0
while #items < tonumber(ARGV[3]) and size < tonumber(ARGV[4]) do
  local item = redis.call('RPOPLPUSH', KEYS[1], KEYS[2])
  if not item then break end
  items[#items + 1] = item
  size = size + #item
end
return {at, items}
"""
)
_ACK = (
    _OWNED + "redis.call('LTRIM', KEYS[2], 0, -tonumber(ARGV[3]) - 1) redis.call('INCRBY', KEYS[4], ARGV[3]) return 1"
)
_CLOSE = "if redis.call('GET', KEYS[3]) == ARGV[1] then redis.call('DEL', KEYS[3]) end return 1"


def client(url: str) -> Any:
    """A client that waits no longer than it must, and repeats nothing by itself: whether to push again is not its to
    decide. Raises ValueError.
    """
    made = redis.Redis.from_url(
        url, socket_connect_timeout=3, socket_timeout=5, retry=Retry(NoBackoff(), 0), health_check_interval=0
    )
    if url.startswith("rediss://"):
        # The server's certificate and its name are always checked: the address cannot switch that off.
        made.connection_pool.connection_kwargs |= {"ssl_cert_reqs": "required", "ssl_check_hostname": True}
    return made


class RedisTarget:
    """One list of one server. A connection per thread."""

    def __init__(self, url: str, queue: str) -> None:
        self._url = url
        self._queue = queue
        self._local = threading.local()

    @property
    def address(self) -> str:
        """The server and list, for people: without its password."""
        return f"{masked(self._url).rstrip('/')}/{self._queue}"

    def send(self, parcels: Sequence[Parcel]) -> list[Answer]:
        """One answer per parcel, in their order. The server's answer to a push is its success; without it nobody
        knows.
        """
        try:
            # Asked before anything is pushed: where this fails, nothing was written, and that is known.
            server = self._client()
            server.ping()
        except (redis.RedisError, OSError, ValueError) as error:
            why = Cause(
                Reason.UNREACHABLE,
                f"The broker cannot be reached: {said(error)}.",
                fix="Check the broker, its address and its user.",
            )
            return [TryLater(why) for _ in parcels]
        pipe = server.pipeline(transaction=False)
        for parcel in parcels:
            pipe.lpush(self._queue, _envelope(parcel, self._queue))
        try:
            answers = pipe.execute(raise_on_error=False)
        except (redis.RedisError, OSError) as error:
            self.close()
            # They are one write, and any number of them may have been taken before it broke.
            why = Cause(
                Reason.NO_ANSWER,
                f"It was pushed, and no answer came: {said(error)}.",
                fix="Look into the list, then replay or cancel.",
            )
            return [Unknown(why) for _ in parcels]
        return [_answer(one) for one in answers]

    def close(self) -> None:
        """Closes this thread's connection."""
        server, self._local.client = getattr(self._local, "client", None), None
        if server is not None:
            with contextlib.suppress(Exception):  # whatever is wrong with it: it is thrown away
                server.close()

    def _client(self) -> Any:
        if getattr(self._local, "client", None) is None:
            self._local.client = client(self._url)
        return self._local.client


class RedisSource:
    """One list as a source. One consumer at a time has it, so that order is kept: a key beside it says who, and runs
    out by itself.
    """

    def __init__(self, url: str, queue: Queue, *, owned_ms: int = OWNED_MS) -> None:
        self._url = url
        self._name = queue.queue
        self._keys = [
            queue.queue,
            f"{queue.queue}:crossdock:taken",
            f"{queue.queue}:crossdock:owner",
            f"{queue.queue}:crossdock:done",
        ]
        self._owned_ms = owned_ms
        self._prefetch = queue.prefetch
        self._client: Any = None
        self._token = self._before = ""
        self._in_hand = 0

    def open(self) -> None:
        self._drop()
        # A new name each time: what this consumer asked before, and what may still be under way, is nobody's any more,
        # and moves nothing.
        self._before, self._token = self._token or self._before, secrets.token_hex(16)
        try:
            self._client = client(self._url)
        except ValueError as error:
            raise BrokerUnavailable(str(error)) from error
        if not self._run(_OPEN, self._token, self._before, self._owned_ms):
            self._drop()
            self._token = ""
            raise QueueInUse(f"Another consumer has the list {self._name}.")

    def take(self, wait_s: float) -> Sequence[Arrival]:
        batch: list[Arrival] = []
        size, end = 0, time.monotonic() + wait_s
        while True:
            most = min(BATCH - len(batch), self._prefetch - self._in_hand)
            at, found = (
                self._run(_TAKE, self._token, self._owned_ms, most, BATCH_BYTES - size, _micros())
                if most > 0
                else (0, [])
            )
            if found and not batch and wait_s:
                end = min(end, time.monotonic() + LINGER_S)
            batch += [_placed(item, self._name, int(at) + number) for number, item in enumerate(found)]
            self._in_hand += len(found)
            size += sum(map(len, found))
            left = end - time.monotonic()
            if left <= 0 or len(batch) >= BATCH or size >= BATCH_BYTES or self._in_hand >= self._prefetch:
                return batch
            time.sleep(min(left, LINGER_S / 2 if batch else POLL_S))

    def ack(self, number: int) -> None:
        if number:
            # The oldest stand at the right end, in the order in which they were taken.
            self._run(_ACK, self._token, self._owned_ms, number)
            self._in_hand -= number

    def hold(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, self._owned_ms / 5_000))
            self._run(_TAKE, self._token, self._owned_ms, 0, 0, _micros())  # takes nothing, and stays the owner

    def close(self) -> None:
        if self._client is not None and self._token:
            with contextlib.suppress(BrokerUnavailable):
                # What is in hand goes back first, so that the next owner finds all in its old order; if we die in
                # between, it does that itself.
                token = secrets.token_hex(16)
                if self._run(_OPEN, token, self._token, self._owned_ms):
                    self._run(_CLOSE, token)
            self._token = self._before = ""
        self._drop()

    def _drop(self) -> None:
        server, self._client, self._in_hand = self._client, None, 0
        if server is not None:
            with contextlib.suppress(Exception):
                server.close()

    def _run(self, script: str, *arguments: object) -> Any:
        if self._client is None:
            raise BrokerUnavailable("There is no connection.")
        try:
            return self._client.eval(script, len(self._keys), *self._keys, *arguments)
        except (redis.RedisError, OSError) as error:
            # The name stays: by it the next `open` takes the queue over from itself.
            self._drop()
            raise BrokerUnavailable(
                "Another consumer took the list over." if "NOTOWNER" in str(error) else said(error)
            ) from error


def _micros() -> int:
    """Where a list begins to count that was never counted, or lost its count: beyond any place that it had before."""
    return time.time_ns() // 1_000


def _placed(item: bytes, queue: str, place: int) -> Arrival:
    """An arrival with its tag: its place in the count of all that was acknowledged of this list, which it keeps until
    it is.
    """
    return replace(arrival_of(item, queue), tag=f"{place}:{hashlib.sha256(item).hexdigest()[:16]}")


def _envelope(parcel: Parcel, queue: str) -> bytes:
    """kombu's, with its body as text: whoever consumes with kombu or Celery reads it, and anybody else finds `body` and
    `properties.message_id`.
    """
    headers: dict[str, Json] = {"x-crossdock-message": parcel.message_id, "x-crossdock-type": str(parcel.ref)}
    if re.fullmatch(r"(?!0{32})[0-9a-f]{32}", parcel.trace_id):
        headers["traceparent"] = traceparent(parcel.trace_id, parcel.trace_id[:16])
    where: dict[str, Json] = {"exchange": "", "routing_key": queue}
    properties: dict[str, Json] = {
        "message_id": parcel.key, "type": parcel.ref.type, "app_id": "crossdock", "delivery_mode": 2, "priority": 0,
        "delivery_info": where, "delivery_tag": parcel.key,
    }  # fmt: skip
    return json.encode(
        {
            "body": parcel.body.decode(),
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": headers,
            "properties": properties,
        }
    )


def _answer(given: object) -> Answer:
    if not isinstance(given, Exception):
        return Reply()
    text = said(given)
    if "WRONGTYPE" in text:
        return TryLater(
            Cause(
                Reason.REFUSED, f"The broker refused it: {text}.", fix="The name is taken by something that is no list."
            )
        )
    return TryLater(
        Cause(
            Reason.SERVER_ERROR,
            f"The broker did not take it: {text}.",
            fix="See the server: its memory, its disk, whether it is a replica.",
        )
    )


def arrival_of(item: bytes, queue: str) -> Arrival:
    """What was pushed, as it came; of kombu's envelope what lies in it."""
    try:
        opened = _opened(item) if item[:1] == b"{" and b'"properties"' in item else None
    except Exception:  # noqa: BLE001  it would be brought again, for ever: then the whole is the body
        opened = None
    return opened or Arrival(item, queue)


def _opened(item: bytes) -> Arrival | None:
    """None for what is no envelope, or a broken one: then the whole is the body, and whether that is any good is for
    `read` to say.
    """
    try:
        whole = json.decode(item)
    except Refused:
        return None
    if not isinstance(whole, dict) or not {"body", "headers", "properties"} <= whole.keys():
        return None
    body, properties, headers = whole["body"], whole["properties"], whole["headers"] or {}
    if not isinstance(body, str) or not isinstance(properties, dict) or not isinstance(headers, dict):
        return None
    try:
        raw = base64.b64decode(body, validate=True) if properties.get("body_encoding") == "base64" else body.encode()
    except (binascii.Error, UnicodeEncodeError):
        return None
    info = properties.get("delivery_info")
    topic = info.get("routing_key") if isinstance(info, dict) else None
    kind = whole.get("content-type")
    own = {
        name: value
        for name in ("message_id", "type", "correlation_id", "app_id", "reply_to", "timestamp")
        if (value := properties.get(name)) is not None
    }
    return Arrival(raw, str(topic or ""), {**own, **headers}, str(properties.get("message_id") or ""), str(kind or ""))
