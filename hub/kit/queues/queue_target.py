"""Queues as targets: messages to a topic exchange, each confirmed by the broker before it counts as delivered (AMQP
0-9-1, RabbitMQ).

Confirms are pipelined: a batch is published whole, and its answers are collected as they come. A message that no queue
is bound for comes back and is no success. What was published and not confirmed is in doubt, and goes again under the
same message id.
"""

from __future__ import annotations

import contextlib
import re
import ssl
import threading
import time
from collections.abc import Sequence
from typing import Any

import kombu as _kombu
from kombu.exceptions import OperationalError

from hub.core.adapter import Answer, Parcel, Reply
from hub.core.errors import Cause, GiveUp, Reason, TryLater, Unknown
from hub.core.message import Json
from hub.core.model.tracing import traceparent

kombu: Any = _kombu  # it has no types
CONNECT_S = 3.0
HEARTBEAT_S = 30
# A broker that is silent costs so long at most, wherever in the conversation it falls silent.
LIMITS = {"max_retries": 0, "read_timeout": 5, "write_timeout": 5}
MAX_TOPIC = 255  # bytes of a routing key
_HOLE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.-]{0,100})\}", re.ASCII)
_WORD = re.compile(r"[\w:-]{1,100}")
_PASSWORD = re.compile(r"//([^:@/]*):[^@/]*@")
# What kombu and amqp raise for a broker that is away or says no, and for a connection that breaks.
_ANY: Any = kombu.Connection("amqp://")
BROKEN: tuple[type[BaseException], ...] = (OperationalError, OSError, *_ANY.connection_errors, *_ANY.channel_errors)


class QueueTarget:
    """One exchange of one broker, or one queue by its name (the default exchange). A connection per thread, made anew
    after it broke.
    """

    def __init__(self, url: str, exchange: str, *, kind: str = "topic", durable: bool = True, queue: str = "") -> None:
        self._url = url
        self._name = queue or exchange
        self._queue = queue
        self._exchange: Any = kombu.Exchange(exchange, type="direct" if queue else kind, durable=durable)
        self._local = threading.local()

    @property
    def address(self) -> str:
        """The broker and exchange or queue, for people: without its password."""
        return f"{masked(self._url).rstrip('/')}/{self._name}"

    def send(self, parcels: Sequence[Parcel]) -> list[Answer]:
        """One answer per parcel, in their order. What is not confirmed within the shortest deadline of them is
        unknown.
        """
        answers: list[Answer | None] = [None] * len(parcels)
        topics: dict[int, str] = {}
        for index, parcel in enumerate(parcels):
            try:
                topics[index] = self._queue or topic_of(parcel)
            except GiveUp as error:
                answers[index] = error
        if topics:
            self._publish(parcels, topics, answers)
        return [answer if answer is not None else _unknown("its confirm did not come") for answer in answers]

    def close(self) -> None:
        """Closes this thread's connection."""
        line: _Line | None = getattr(self._local, "line", None)
        self._local.line = None
        if line is not None:
            line.close()

    def _publish(self, parcels: Sequence[Parcel], topics: dict[int, str], answers: list[Answer | None]) -> None:
        deadline = time.monotonic() + min(parcels[index].deadline_s for index in topics)
        try:
            line = self._line()
        except BROKEN as error:
            self.close()
            why = Cause(
                Reason.UNREACHABLE,
                f"The broker cannot be reached: {said(error)}.",
                fix="Check the broker, its address and its user.",
            )
            for index in topics:
                answers[index] = TryLater(why)
            return
        unsent = dict(topics)
        try:
            for index, topic in topics.items():
                line.publish(index, parcels[index], topic)
                del unsent[index]
            line.collect(answers, deadline)
        except BROKEN as error:
            # A channel that breaks loses all open tags: those may be in the queue. What was never written surely is
            # not.
            self.close()
            line.take(answers)
            for index in topics:
                if answers[index] is None:
                    broke = f"the connection broke before it was {'sent' if index in unsent else 'confirmed'} ({said(error)})"
                    answers[index] = (
                        TryLater(Cause(Reason.UNREACHABLE, f"Not published: {broke}."))
                        if index in unsent
                        else _unknown(broke)
                    )
            return
        line.take(answers)
        if any(answers[index] is None for index in topics):
            self.close()  # a late confirm of this batch must not be taken for one of the next

    def _line(self) -> _Line:
        line: _Line | None = getattr(self._local, "line", None)
        if line is None:
            line = self._local.line = _Line(self._url, self._exchange)
        line.begin()
        return line


class _Line:
    """A connection with its channel, and the confirms that are open on it. Tags count from 1 per channel (RabbitMQ's
    confirms).
    """

    def __init__(self, url: str, exchange: Any) -> None:
        self._connection: Any = connection(url, HEARTBEAT_S)
        self._connection.connect()
        self._channel: Any = self._connection.channel()
        self._channel.confirm_select()
        self._channel.events["basic_ack"].add(self._acked)
        self._channel.events["basic_nack"].add(self._nacked)
        self._channel.events["basic_return"].add(self._returned)
        self._exchange = exchange(self._channel)
        self._exchange.declare()
        self._tag = 0
        self.begin()

    def begin(self) -> None:
        """A new batch: nothing is open."""
        self._open: dict[int, int] = {}  # delivery tag -> place in the batch
        self._by_id: dict[str, int] = {}
        self._back: dict[int, str] = {}  # returned, and why
        self._said: dict[int, bool] = {}

    def publish(self, index: int, parcel: Parcel, topic: str) -> None:
        self._tag += 1
        self._open[self._tag] = index
        self._by_id[parcel.key] = index
        headers: dict[str, Json] = {"x-crossdock-message": parcel.message_id, "x-crossdock-type": str(parcel.ref)}
        if re.fullmatch(r"(?!0{32})[0-9a-f]{32}", parcel.trace_id):
            headers["traceparent"] = traceparent(parcel.trace_id, parcel.trace_id[:16])
        message = self._exchange.Message(
            parcel.body,
            content_type="application/json",
            content_encoding="utf-8",
            delivery_mode="persistent",
            properties={"message_id": parcel.key, "type": parcel.ref.type, "app_id": "crossdock"},
            headers=headers,
        )
        self._exchange.publish(message, routing_key=topic, mandatory=True)

    def collect(self, answers: list[Answer | None], deadline: float) -> None:
        """Hears the broker until nothing is open, or the deadline is over."""
        while self._open and (left := deadline - time.monotonic()) > 0:
            with contextlib.suppress(TimeoutError):
                self._connection.drain_events(timeout=left)
        self.take(answers)

    def take(self, answers: list[Answer | None]) -> None:
        """What the broker said so far. A return wins over its ack: the broker confirms what it has thrown away as
        well.
        """
        for index, good in self._said.items():
            if index in self._back:
                text = f"No queue is bound for it: {self._back[index]}."
                answers[index] = TryLater(
                    Cause(Reason.REFUSED, text, fix="Make the queue, or bind one to the exchange for its topic.")
                )
            elif good:
                answers[index] = Reply()
            else:
                answers[index] = TryLater(
                    Cause(
                        Reason.SERVER_ERROR,
                        "The broker did not take it (nack).",
                        fix="See the broker's log: a full queue, a full disk.",
                    )
                )

    def close(self) -> None:
        """Drops the connection without a farewell, which a silent broker would never answer."""
        with contextlib.suppress(Exception):  # whatever is wrong with it: it is thrown away
            self._connection.collect(socket_timeout=0.2)

    def _acked(self, tag: int, multiple: bool) -> None:
        self._settle(tag, multiple, good=True)

    def _nacked(self, tag: int, multiple: bool) -> None:
        self._settle(tag, multiple, good=False)

    def _settle(self, tag: int, multiple: bool, *, good: bool) -> None:
        for one in [open_ for open_ in self._open if open_ == tag or (multiple and open_ <= tag)]:
            self._said[self._open.pop(one)] = good

    def _returned(self, error: object, exchange: str, routing_key: str, message: Any) -> None:
        index = self._by_id.get(str((message.properties or {}).get("message_id")))
        if index is not None:
            self._back[index] = (
                f"exchange {exchange}, topic {routing_key}" if exchange else f"there is no queue {routing_key}"
            )


def connection(url: str, heartbeat: int, **options: Any) -> Any:
    """A connection that is not made yet. Over TLS the broker's certificate and its name are always checked, whatever
    the address says: the client by itself checks no name. Of the address `ssl_ca_certs`, `ssl_certfile` and
    `ssl_keyfile` count, as paths.
    """
    made = kombu.Connection(
        url, connect_timeout=CONNECT_S, heartbeat=heartbeat, transport_options={**LIMITS, **options}
    )
    if url.startswith("amqps://"):
        given = made.ssl if isinstance(made.ssl, dict) else {}
        files = {name: given[f"ssl_{name}"] for name in ("ca_certs", "certfile", "keyfile") if given.get(f"ssl_{name}")}
        made.ssl = {**files, "cert_reqs": ssl.CERT_REQUIRED, "server_hostname": made.hostname}
    return made


def topic_of(parcel: Parcel) -> str:
    """The routing key: the route's `topic` with its holes filled from what is sent. Raises GiveUp where a field is not
    there, or is no word.
    """

    def filled(found: re.Match[str]) -> str:
        value: Json = parcel.payload
        for step in found[1].split("."):
            value = value.get(step) if isinstance(value, dict) else None
        if isinstance(value, bool) or not isinstance(value, str | int) or not _WORD.fullmatch(str(value)):
            text = f"The topic {parcel.topic} wants {found[1]}, and it is no word of letters, digits, - _ and :."
            raise GiveUp(
                Cause(Reason.TRANSFORM_ERROR, text, "/" + found[1].replace(".", "/"), "Mend the mapping, or the topic.")
            )
        return str(value)

    topic = _HOLE.sub(filled, parcel.topic)
    if len(topic.encode()) > MAX_TOPIC:
        raise GiveUp(
            Cause(
                Reason.TRANSFORM_ERROR,
                f"The topic has more than {MAX_TOPIC} bytes.",
                fix="Mend the mapping, or the topic.",
            )
        )
    return topic


def _unknown(why: str) -> Unknown:
    return Unknown(
        Cause(Reason.NO_ANSWER, f"It was published, and {why}.", fix="Look into the queue, then replay or cancel.")
    )


def said(error: BaseException) -> str:
    """What went wrong, in one line, without a password."""
    return masked(str(error) or type(error).__name__)[:200]


def masked(text: str) -> str:
    """An address without its password."""
    return _PASSWORD.sub(r"//\1:***@", text)
