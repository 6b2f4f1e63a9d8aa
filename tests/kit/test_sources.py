"""Queues as sources, one suite over both brokers: what is taken and not acknowledged comes again, in its old place,
whatever dies.
"""

import contextlib
import json
import time
from decimal import Decimal

import kombu
import pytest

from hub.core.config.queue import Queue
from hub.kit.queues.amqp_source import AmqpSource
from hub.kit.queues.redis_queue import RedisSource
from hub.kit.queues.source import BATCH, BrokerUnavailable, QueueInUse
from tests.conftest import missing
from tests.kit.test_queue import Wire
from tests.support import brokers
from tests.support.hubs import free_port
from tests.support.waiting import wait_until


class OnRabbit:
    """RabbitMQ, with the words that the suite speaks."""

    def __init__(self):
        if brokers.SERVER is None:
            missing("RabbitMQ", "no rabbitmq-server in /usr/lib/rabbitmq")
        self.server = brokers.RabbitMQ().start()

    def source(self, name, url=None, **named):
        return AmqpSource(url or self.server.url, Queue("stock", "q", name, **named))

    def put(self, name, *bodies, **named):
        with kombu.Connection(self.server.url, transport_options={"confirm_publish": True}) as connection:
            channel = connection.channel()
            kombu.Queue(name, durable=True)(channel).queue_declare()
            producer = kombu.Producer(channel)
            for body in bodies:
                producer.publish(
                    body,
                    routing_key=name,
                    content_type="application/json",
                    content_encoding="utf-8",
                    delivery_mode=2,
                    **named,
                )

    def left(self, name):
        with kombu.Connection(self.server.url) as connection:
            return kombu.Queue(name, durable=True)(connection.channel()).queue_declare(passive=True).message_count


class OnRedis:
    """Redis, with the same words."""

    def __init__(self):
        self.server = brokers.Redis().start()

    def source(self, name, url=None, **named):
        return RedisSource(url or self.server.url, Queue("stock", "q", name, **named), owned_ms=1_000)

    def put(self, name, *bodies):
        with self.server.client() as client:
            for body in bodies:
                client.lpush(name, body)

    def left(self, name):
        with self.server.client() as client:
            return client.llen(name)


@pytest.fixture(scope="module", params=[OnRabbit, OnRedis])
def broker(request):
    made = request.param()
    yield made
    made.server.stop()


@pytest.fixture(scope="module")
def rabbit():
    made = OnRabbit()
    yield made
    made.server.stop()


@pytest.fixture(scope="module")
def redis():
    made = OnRedis()
    yield made
    made.server.stop()


@contextlib.contextmanager
def opened(source):
    wait_until(lambda: tried(source), seconds=10, what="the queue")
    try:
        yield source
    finally:
        source.close()


def tried(source):
    with contextlib.suppress(BrokerUnavailable, QueueInUse):
        source.open()
        return True


def bodies(source, wait_s=2.0):
    return [arrival.body for arrival in source.take(wait_s)]


def breaks(source, seconds=5.0):
    """Listens until it is told that the line is broken."""
    end = time.monotonic() + seconds
    with pytest.raises(BrokerUnavailable):
        listen(source, end)


def listen(source, end):
    while time.monotonic() < end:
        source.take(0.2)


def numbers(first, last):
    return [b'{"n":%d}' % number for number in range(first, last)]


def test_a_batch_comes_in_order_and_is_gone_once_it_is_acknowledged(broker):
    broker.put("one", *numbers(0, 250))
    with opened(broker.source("one")) as source:
        assert bodies(source) == numbers(0, BATCH)
        source.ack(BATCH)
        assert bodies(source) == numbers(BATCH, 250)
        source.ack(50)
        assert source.take(0.1) in ([], ())
    assert broker.left("one") == 0


def test_what_was_not_acknowledged_comes_again_in_its_old_place(broker):
    broker.put("two", *numbers(0, 300))
    with opened(broker.source("two")) as source:
        assert bodies(source) == numbers(0, BATCH)
        source.ack(BATCH)
        assert len(bodies(source)) == 100
    with opened(broker.source("two")) as source:
        assert bodies(source) == numbers(200, 300)
        source.ack(100)


def test_what_comes_again_says_so_or_has_the_tag_that_it_had(broker):
    # Given the same body three times, of which the first is acknowledged
    broker.put("tags", *[b'{"n":5}'] * 3)
    with opened(broker.source("tags")) as source:
        first = list(source.take(2.0))
        assert len(first) == 3
        source.ack(1)
    # When the line is gone, then the two others come again; what comes after them is new
    broker.put("tags", b'{"n":5}')
    with opened(broker.source("tags")) as source:
        again = []
        while len(again) < 3:
            again += source.take(2.0)
        source.ack(3)
    if first[0].tag:
        assert len({one.tag for one in (*first, again[2])}) == 4
        assert [one.tag for one in again[:2]] == [one.tag for one in first[1:]]
    else:
        assert [one.is_again for one in (*first, *again)] == [False] * 3 + [True, True, False]


def test_one_consumer_at_a_time_has_it_and_the_next_takes_over(broker):
    broker.put("three", *numbers(0, 3))
    with opened(broker.source("three")) as first:
        assert len(bodies(first)) == 3
        second = broker.source("three")
        with pytest.raises(QueueInUse):
            second.open()
    with opened(second):
        assert bodies(second) == numbers(0, 3)
        second.ack(3)


def test_what_is_in_hand_stays_so_while_it_is_held(broker):
    broker.put("held", *numbers(0, 3))
    with opened(broker.source("held")) as source:
        assert len(bodies(source)) == 3
        source.hold(2.5)
        with pytest.raises(QueueInUse):
            broker.source("held").open()
        source.ack(3)
    assert broker.left("held") == 0


def test_any_bytes_arrive_as_they_are(broker):
    odd = [b"", b"\x00\xff\xfe", b"{", "张".encode("gbk"), b'{"a":"\\ud800"}', b"x" * 300_000]
    broker.put("odd", *odd)
    with opened(broker.source("odd")) as source:
        found = []
        while len(found) < len(odd):
            batch = bodies(source)
            source.ack(len(batch))
            found += batch
    assert found == odd


def test_no_more_is_in_hand_than_prefetch_says(broker):
    broker.put("few", *numbers(0, 30))
    with opened(broker.source("few", prefetch=10)) as source:
        assert bodies(source, 0.3) == numbers(0, 10)
        assert bodies(source, 0.3) == []
        source.ack(10)
        assert bodies(source, 0.3) == numbers(10, 20)


def test_a_broker_that_is_away_is_broken_and_its_password_is_not_told(broker):
    scheme = broker.server.url.partition(":")[0]
    with pytest.raises(BrokerUnavailable) as raised:
        broker.source("x", f"{scheme}://user:hunter2@127.0.0.1:{free_port()}/").open()
    assert "hunter2" not in str(raised.value)


def test_a_connection_that_is_cut_loses_nothing_and_repeats_what_was_in_hand(broker):
    wire = Wire(broker.server.port)
    broker.put("cut", *numbers(0, 5))
    source = broker.source("cut", broker.server.url.replace(str(broker.server.port), str(wire.port)))
    with opened(source):
        assert len(bodies(source)) == 5
        wire.cut()
        # Redis goes on where it was: what is in hand hangs on a name, not on a connection
        with contextlib.suppress(BrokerUnavailable):
            source.hold(1.0)
        wait_until(lambda: tried(source), seconds=10, what="the queue again")
        assert bodies(source) == numbers(0, 5)
        source.ack(5)
    wire.close()
    wait_until(lambda: broker.left("cut") == 0, what="an empty queue")


def test_after_the_broker_was_killed_what_was_not_acknowledged_is_there(broker):
    broker.put("killed", *numbers(0, 5))
    source = broker.source("killed")
    with opened(source):
        assert len(bodies(source)) == 5
        broker.server.kill()
        breaks(source)
        broker.server.start()
        wait_until(lambda: tried(source), seconds=30, what="the queue again")
        assert bodies(source, 5.0) == numbers(0, 5)
        source.ack(5)


def test_a_broker_that_falls_silent_is_given_up(broker):
    wire = Wire(broker.server.port)
    broker.put("silent", *numbers(0, 1))
    source = broker.source("silent", broker.server.url.replace(str(broker.server.port), str(wire.port)))
    with opened(source):
        assert len(bodies(source)) == 1
        source.ack(1)
        wire.is_deaf = True
        began = time.monotonic()
        breaks(source, 40.0)
        assert time.monotonic() - began < 35
    wire.close()


def test_amqp_says_what_it_is(rabbit):
    headers = {"x-type": "order", "n": 5, "f": 1.5, "deep": {"list": [True, None]}}
    rabbit.put("said", b"{}", headers=headers, message_id="m-1", type="order.changed")
    with opened(rabbit.source("said")) as source:
        [arrival] = source.take(2.0)
        source.ack(1)
    assert (arrival.topic, arrival.message_id, arrival.content_type, arrival.flaw) == (
        "said",
        "m-1",
        "application/json",
        "",
    )
    assert arrival.headers["type"] == "order.changed"
    assert {name: arrival.headers[name] for name in headers} == {**headers, "f": Decimal("1.5")}


def test_what_the_client_cannot_read_is_an_arrival_with_a_flaw_and_not_the_end_of_the_line(rabbit):
    """Properties that are no UTF-8, a time beyond all calendars, a topic of raw bytes: each would break the connection,
    for ever.
    """
    with kombu.Connection(rabbit.server.url) as connection:
        channel = connection.channel()
        kombu.Queue("poison", durable=True)(channel).queue_declare()
        kombu.Queue("poison", kombu.Exchange("poisoned", type="fanout"), durable=True)(channel).declare()
        raw = connection.connection
        good = b"\x80\x00" + bytes([16]) + b"application/json"
        table = bytes([1]) + b"k" + b"x" + (2).to_bytes(4, "big") + b"\x00\x01"
        properties = [
            b"\x00\x80" + bytes([2]) + b"\xff\xfe",
            b"\x20\x00" + len(table).to_bytes(4, "big") + table,
            b"\x20\x00" + (11).to_bytes(4, "big") + bytes([1]) + b"t" + b"T" + b"\xff" * 8,
        ]
        for written in [good, *properties, good]:
            publish(raw, channel.channel_id, "", b"poison", written, b'{"a":1}')
        publish(raw, channel.channel_id, "poisoned", b"t\xff", good, b'{"a":2}')
        kombu.Producer(channel).publish(b'{"a":3}', routing_key="poison")
        channel.close()
    with opened(rabbit.source("poison")) as source:
        found = list(source.take(2.0))
        source.ack(len(found))
    assert [arrival.body for arrival in found] == [b'{"a":1}'] * 5 + [b'{"a":2}', b'{"a":3}']
    assert [bool(arrival.flaw) for arrival in found] == [False, True, False, True, False, False, False]
    assert found[5].topic == "t?"


def publish(connection, channel, exchange, key, properties, body):
    """Frames as they stand on the wire: the client itself would not write such a thing."""

    def frame(kind, payload):
        return bytes([kind]) + channel.to_bytes(2, "big") + len(payload).to_bytes(4, "big") + payload + b"\xce"

    method = (
        (60).to_bytes(2, "big")
        + (40).to_bytes(2, "big")
        + b"\0\0"
        + bytes([len(exchange)])
        + exchange.encode()
        + bytes([len(key)])
        + key
        + b"\0"
    )
    head = (60).to_bytes(2, "big") + b"\0\0" + len(body).to_bytes(8, "big") + properties
    connection.transport.sock.sendall(frame(1, method) + frame(2, head) + frame(3, body))


def test_what_is_missing_at_the_broker_is_made_and_what_is_there_is_left_as_it_is(rabbit):
    with kombu.Connection(rabbit.server.url) as connection:
        kombu.Queue("limited", durable=True, queue_arguments={"x-max-length": 5})(connection.channel()).queue_declare()
    with (
        opened(rabbit.source("limited", exchange="made", topics=("order.*", "stock.create"))) as source,
        kombu.Connection(rabbit.server.url) as connection,
    ):
        producer = kombu.Producer(connection.channel(), exchange=kombu.Exchange("made", type="topic"))
        for topic in ("order.create", "order.cancel", "stock.create", "stock.update"):
            producer.publish(json.dumps(topic), routing_key=topic)
        assert [arrival.topic for arrival in source.take(2.0)] == ["order.create", "order.cancel", "stock.create"]
        source.ack(3)


def test_a_shared_queue_is_taken_from_by_several(rabbit):
    with (
        opened(rabbit.source("shared", shared=True, prefetch=5)) as one,
        opened(rabbit.source("shared", shared=True, prefetch=5)) as other,
    ):
        rabbit.put("shared", *numbers(0, 10))
        both = bodies(one) + bodies(other)
        assert sorted(both) == numbers(0, 10)


def test_a_quorum_queue_has_one_consumer_too_and_loses_no_place(rabbit):
    with kombu.Connection(rabbit.server.url) as connection:
        kombu.Queue("quorum", durable=True, queue_arguments={"x-queue-type": "quorum"})(
            connection.channel()
        ).queue_declare()
    with opened(rabbit.source("quorum")) as first:
        second = rabbit.source("quorum")
        with pytest.raises(QueueInUse):
            second.open()
        with kombu.Connection(rabbit.server.url, transport_options={"confirm_publish": True}) as connection:
            producer = kombu.Producer(connection.channel())
            for body in numbers(0, 5):
                producer.publish(body, routing_key="quorum")
        assert bodies(first) == numbers(0, 5)
    with opened(second):
        assert bodies(second) == numbers(0, 5)
        second.ack(5)


def test_a_queue_whose_broker_chooses_is_shared_or_it_is_said(rabbit):
    with kombu.Connection(rabbit.server.url) as connection:
        kombu.Queue("chosen", durable=True, queue_arguments={"x-single-active-consumer": True})(
            connection.channel()
        ).queue_declare()
    with pytest.raises(BrokerUnavailable, match="write shared: true"):
        rabbit.source("chosen").open()
    with opened(rabbit.source("chosen", shared=True)) as first, opened(rabbit.source("chosen", shared=True)) as second:
        with kombu.Connection(rabbit.server.url) as connection:
            for body in numbers(0, 4):
                kombu.Producer(connection.channel()).publish(body, routing_key="chosen")
        assert bodies(first) == numbers(0, 4)
        assert bodies(second, 0.2) == []
        first.close()
        assert bodies(second) == numbers(0, 4)
        second.ack(4)


def test_a_queue_that_is_deleted_is_made_anew(rabbit):
    source = rabbit.source("deleted")
    with opened(source):
        with kombu.Connection(rabbit.server.url) as connection:
            connection.channel().queue_delete("deleted")
        breaks(source)
        source.open()
        rabbit.put("deleted", b"1")
        assert bodies(source) == [b"1"]


def test_kombus_own_envelope_is_opened(redis):
    with kombu.Connection(redis.server.url) as connection:
        kombu.Producer(connection.channel()).publish(
            {"a": "张"}, routing_key="kombu", message_id="m-7", headers={"x": 1}, serializer="json"
        )
    with opened(redis.source("kombu")) as source:
        [arrival] = source.take(2.0)
        source.ack(1)
    assert json.loads(arrival.body) == {"a": "张"}
    assert (arrival.message_id, arrival.headers["x"], arrival.topic, arrival.content_type) == (
        "m-7",
        1,
        "kombu",
        "application/json",
    )


def test_a_consumer_that_lost_the_list_acknowledges_nothing(redis):
    redis.put("lost", *numbers(0, 4))
    stale, fresh = redis.source("lost"), redis.source("lost")
    with opened(stale):
        assert len(bodies(stale)) == 4
        wait_until(lambda: tried(fresh), what="the list, once its owner is not heard of any more")
        assert bodies(fresh) == numbers(0, 4)
        with pytest.raises(BrokerUnavailable):
            stale.ack(4)
        fresh.ack(4)
        fresh.close()
    assert redis.left("lost") == 0


def test_a_name_that_is_no_list_is_said_and_not_touched(redis):
    with redis.server.client() as client:
        client.set("word", "x")
        source = redis.source("word")
        source.open()
        with pytest.raises(BrokerUnavailable):
            source.take(0.1)
        source.close()
        assert client.get("word") == b"x"
