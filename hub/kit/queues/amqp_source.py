"""A queue of RabbitMQ (AMQP 0-9-1) as a source: prefetched, taken in batches, acknowledged whole once they are
committed.

One consumer at a time has the queue (`exclusive`), so that order is kept; the next one takes over when it is gone. What
was not acknowledged the broker puts back in its old place. A `shared` queue is consumed by all who ask.
"""

from __future__ import annotations

import contextlib
import math
import re
import struct
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import kombu as _kombu
from amqp import exceptions as amqp_errors
from amqp.method_framing import frame_handler

from hub.core.config.queue import Arrival, Queue
from hub.core.message import Json
from hub.kit.queues.queue_target import BROKEN, connection, said
from hub.kit.queues.source import BATCH, BATCH_BYTES, LINGER_S, BrokerUnavailable, QueueInUse

kombu: Any = _kombu  # it has no types
HEARTBEAT_S = 10  # a broker that fell silent is given up after two of them
TICK_S = 0.5
PROPERTIES = ("message_id", "type", "content_type", "correlation_id", "app_id", "reply_to", "timestamp")
_UNREADABLE = b"crossdock:unreadable"
_FLAW = "Its headers or properties cannot be read; its body stands as it came."
_DELIVER = (60, 60)
_DEPTH = 16


class AmqpSource:
    """A connection with one channel and one consumer. Made anew by `open` after each fault."""

    def __init__(self, url: str, queue: Queue) -> None:
        self._url = url
        self._queue = queue
        self._connection: Any = None
        self._waiting: deque[Any] = deque()  # delivered by the broker, not taken yet
        self._in_hand: deque[int] = deque()  # delivery tags that were taken, oldest first
        self._has_nameless = False  # something that was taken has no id
        self._ticked = 0.0

    def open(self) -> None:
        self.close()
        try:
            self._connection = connection(self._url, HEARTBEAT_S, frame_handler=_tolerant)
            self._connection.connect()
            self._declare()
            self._stand_alone(0)
            self._channel: Any = self._connection.channel()
            self._channel.auto_decode = False
            self._channel.basic_qos(0, self._queue.prefetch, False)
            self._consume()
            # A quorum queue takes `exclusive`, and does not keep it: two that began at the same moment both step back.
            self._stand_alone(1)
        except BROKEN as error:
            raise self._broken(error) from error
        except (QueueInUse, BrokerUnavailable):
            self.close()
            raise

    def take(self, wait_s: float) -> Sequence[Arrival]:
        batch: list[Arrival] = []
        size, end = 0, time.monotonic() + wait_s
        while len(batch) < BATCH and size < BATCH_BYTES:
            if self._waiting:
                if not batch:
                    end = min(end, time.monotonic() + LINGER_S) if wait_s else end
                message = self._waiting.popleft()
                batch.append(arrival_of(message))
                self._in_hand.append(message.delivery_info["delivery_tag"])
                self._has_nameless |= not batch[-1].message_id
                size += len(batch[-1].body)
                continue
            left = end - time.monotonic()
            if left <= 0:
                break
            self._listen(min(left, TICK_S))
        return batch

    def ack(self, number: int) -> None:
        if not number:
            return
        tags = [self._in_hand.popleft() for _ in range(number)]
        try:
            # All up to this one: what was delivered later, and is not committed, has a higher tag.
            self._channel.basic_ack(tags[-1], multiple=True)
            if self._has_nameless:
                # A question behind it, whose answer says that the broker has read it: what has no id is forgotten now,
                # and must not come again.
                self._channel.basic_qos(0, self._queue.prefetch, False)
                self._has_nameless = bool(self._in_hand)
        except BROKEN as error:
            raise self._broken(error) from error

    def hold(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._listen(min(left, TICK_S))

    def close(self) -> None:
        if self._connection is not None:
            # With a farewell, which the broker reads after the last acknowledgement: a socket that is simply shut may
            # take that along.
            with contextlib.suppress(Exception):  # a silent broker costs `read_timeout` here, once
                self._connection.close()
        self._drop()

    def _drop(self) -> None:
        line, self._connection = self._connection, None
        self._waiting.clear()
        self._in_hand.clear()
        if line is not None:
            with contextlib.suppress(Exception):  # whatever is wrong with it: it is thrown away
                line.collect(socket_timeout=0.2)

    def _listen(self, seconds: float) -> None:
        """Hears the broker for so long at most, or until something came."""
        try:
            with contextlib.suppress(TimeoutError):
                self._connection.drain_events(timeout=max(seconds, 0.001))
            if time.monotonic() - self._ticked > TICK_S:
                self._ticked = time.monotonic()
                self._connection.heartbeat_check()
        except BROKEN as error:
            raise self._broken(error) from error

    def _consume(self) -> None:
        name = self._queue.queue
        try:
            self._channel.basic_consume(name, callback=self._waiting.append, exclusive=not self._queue.shared)
        except amqp_errors.AccessRefused as error:
            if "exclusive" not in str(error) or self._queue.shared:
                raise
            if self._consumers():
                raise QueueInUse(f"Another consumer has the queue {name}.") from error
            raise BrokerUnavailable(
                f"The queue {name} takes no exclusive consumer. Where it has x-single-active-consumer, write shared: true."
            ) from error

    def _stand_alone(self, most: int) -> None:
        if not self._queue.shared and self._consumers() > most:
            raise QueueInUse(f"Another consumer has the queue {self._queue.queue}.")

    def _consumers(self) -> int:
        with self._connection.channel() as channel:
            declared = kombu.Queue(self._queue.queue)(channel).queue_declare(passive=True)
        return int(declared.consumer_count)

    def _declare(self) -> None:
        """Looks first, and makes only what is missing: what is there keeps the arguments that its owner gave it."""
        queue = self._queue
        exchange = kombu.Exchange(queue.exchange, type=queue.kind, durable=True) if queue.exchange else None
        if exchange is not None:
            self._made(
                lambda channel: exchange(channel).declare(passive=True), lambda channel: exchange(channel).declare()
            )
        named = kombu.Queue(queue.queue, durable=True)
        self._made(
            lambda channel: named(channel).queue_declare(passive=True), lambda channel: named(channel).queue_declare()
        )
        if exchange is not None:
            with self._connection.channel() as channel:
                for topic in queue.topics or ("",):
                    named(channel).bind_to(exchange, routing_key=topic)

    def _made(self, look: Callable[[Any], object], make: Callable[[Any], object]) -> None:
        try:
            with self._connection.channel() as channel:
                look(channel)
        except amqp_errors.NotFound:
            with self._connection.channel() as channel:
                make(channel)

    def _broken(self, error: BaseException) -> BrokerUnavailable:
        self._drop()
        return BrokerUnavailable(said(error))


def arrival_of(message: Any) -> Arrival:
    """One delivery as it came: the client's own decoding of its body is not asked for. Never raises: it would be
    brought again, for ever.
    """
    try:
        return _arrival(message)
    except Exception:  # noqa: BLE001  what a stranger put into its headers
        is_again = bool(message.delivery_info.get("redelivered")) if isinstance(message.delivery_info, dict) else False
        return Arrival(bytes(message.body) if isinstance(message.body, bytes) else b"", flaw=_FLAW, is_again=is_again)


def _arrival(message: Any) -> Arrival:
    properties = message.properties or {}
    own = properties.get("application_headers") or {}
    headers = {name: _plain(properties[name]) for name in PROPERTIES if name in properties} | {
        str(name): _plain(value) for name, value in own.items()
    }
    body = message.body if isinstance(message.body, bytes) else str(message.body).encode("utf-8", "surrogatepass")
    flaw = _FLAW if properties.get("cluster_id") == _UNREADABLE.decode() else ""
    return Arrival(
        bytes(body),
        message.delivery_info.get("routing_key") or "",
        headers,
        str(properties.get("message_id") or ""),
        str(properties.get("content_type") or ""),
        flaw,
        is_again=bool(message.delivery_info.get("redelivered")),
    )


def _plain(value: Any, depth: int = 0) -> Json:
    """A value of a header as JSON; what JSON does not have is a text."""
    match value:
        case None | bool() | int() | Decimal():
            return value
        case float():
            return Decimal(repr(value)) if math.isfinite(value) else str(value)
        case bytes() | bytearray() | memoryview():
            return bytes(value).decode("utf-8", "replace")
        case datetime():
            return value.isoformat() + "Z"
        case Mapping() if depth < _DEPTH:
            return {str(name): _plain(inner, depth + 1) for name, inner in value.items()}
        case list() | tuple() if depth < _DEPTH:
            return [_plain(inner, depth + 1) for inner in value]
        case _:
            return str(value).encode("utf-8", "replace").decode()


# What the client raises for content that some stranger made: text that is not UTF-8, a time before the year 1, a type
# that it does not know.
_CONTENT = (ValueError, OverflowError, OSError, struct.error, amqp_errors.FrameSyntaxError)


def _tolerant(connection: Any, callback: Callable[..., Any], **named: Any) -> Callable[[Any], Any]:
    """The client's reader of frames, but that a message which it cannot read does not end the connection.

    A broken connection would bring the same message again, for ever, and none behind it (a poison message). Its
    properties are taken away and a mark is left in their place; a topic that is no UTF-8 gets question marks.
    """

    def called(channel: int, method: tuple[int, int], arguments: Any, content: Any) -> Any:
        try:
            return callback(channel, method, arguments, content)
        except UnicodeDecodeError:
            if method != _DELIVER:
                raise
            return callback(channel, method, _in_ascii(bytes(arguments)), content)

    handle = frame_handler(connection, called, **named)

    def on_frame(frame: Any) -> Any:
        try:
            return handle(frame)
        except _CONTENT:
            kind, channel, payload = frame
            if kind != 2:
                raise
            # class, weight and size of the body stay; of the properties `cluster_id` alone, which nobody has used since
            # AMQP 0-8.
            bare = bytes(payload)[:12] + (0x0004).to_bytes(2, "big") + bytes([len(_UNREADABLE)]) + _UNREADABLE
            return handle((kind, channel, bare))

    return on_frame


def _in_ascii(arguments: bytes) -> bytes:
    """basic.deliver with exchange and routing key in ASCII: after class and method the consumer's tag, eight bytes of
    delivery tag, a bit, and these two.
    """
    at = 5 + arguments[4] + 9
    parts = [arguments[:at]]
    for _ in range(2):
        end = at + 1 + arguments[at]
        parts.append(arguments[at : at + 1] + re.sub(rb"[\x80-\xff]", b"?", arguments[at + 1 : end]))
        at = end
    return b"".join([*parts, arguments[at:]])
