"""Publishing to a real RabbitMQ: confirmed, returned, refused, cut off in the midst, and after a broker that was
killed.
"""

import contextlib
import json
import socket
import threading
from dataclasses import replace

import kombu
import pytest

from hub.core.adapter import Parcel, Reply
from hub.core.errors import GiveUp, Reason, TryLater, Unknown
from hub.core.message import Ref
from hub.core.model.ids import uuid7
from hub.kit.queues.queue_target import QueueTarget, topic_of
from tests.support.hubs import free_port

REF = Ref("bus", "event", 1)


def parcel(number, topic="order.shipped", **payload):
    body = {"orderNo": f"SO-{number}", **payload}
    return Parcel(
        uuid7(1_700_000_000_000 + number, b"0123456789"),
        REF,
        body,
        json.dumps(body).encode(),
        "m-1",
        "a" * 32,
        1,
        topic=topic,
        deadline_s=3.0,
    )


@contextlib.contextmanager
def bound(url, exchange, key="#", **arguments):
    """A queue that is bound to the exchange; gives a function that takes all that is in it."""
    with kombu.Connection(url) as connection:
        queue = kombu.Queue(
            f"q-{exchange}",
            kombu.Exchange(exchange, type="topic", durable=True),
            routing_key=key,
            durable=False,
            auto_delete=True,
            queue_arguments=arguments,
        )
        queue = queue(connection.channel())
        queue.declare()

        def taken():
            return list(iter(lambda: queue.get(no_ack=True), None))

        yield taken
        queue.delete()


def test_a_batch_is_confirmed_and_each_message_says_what_it_is(rabbit):
    with bound(rabbit.url, "one") as taken:
        target = QueueTarget(rabbit.url, "one")
        parcels = [parcel(number, "{kind}.shipped", kind="order") for number in range(500)]
        assert all(isinstance(answer, Reply) for answer in target.send(parcels))
        messages = taken()
        target.close()
    assert [message.properties["message_id"] for message in messages] == [one.key for one in parcels]
    first = messages[0]
    assert json.loads(first.body) == {"orderNo": "SO-0", "kind": "order"}
    assert first.delivery_info["routing_key"] == "order.shipped"
    assert (first.content_type, first.properties["type"], first.properties["delivery_mode"]) == (
        "application/json",
        "bus/event",
        2,
    )
    assert first.headers["traceparent"].startswith("00-" + "a" * 32)


def test_what_no_queue_is_bound_for_is_no_success(rabbit):
    with bound(rabbit.url, "two", "order.*") as taken:
        target = QueueTarget(rabbit.url, "two")
        first, second, third = target.send([parcel(1), parcel(2, "stock.changed"), parcel(3)])
        target.close()
        assert len(taken()) == 2
    assert isinstance(first, Reply)
    assert isinstance(third, Reply)
    assert isinstance(second, TryLater)
    assert "No queue is bound" in second.why.text
    assert "stock.changed" in second.why.text


def test_a_full_queue_says_not_now(rabbit):
    with bound(rabbit.url, "three", **{"x-max-length": 2, "x-overflow": "reject-publish"}):
        target = QueueTarget(rabbit.url, "three")
        answers = target.send([parcel(number) for number in range(4)])
        target.close()
    assert [type(answer) for answer in answers] == [Reply, Reply, TryLater, TryLater]


def test_a_topic_that_cannot_be_made_is_its_own_parcels_fault(rabbit):
    with bound(rabbit.url, "four"):
        target = QueueTarget(rabbit.url, "four")
        good, bad = target.send([parcel(1, "{kind}.x", kind="order"), parcel(2, "{kind}.x", kind="or der.#")])
        target.close()
    assert isinstance(good, Reply)
    assert isinstance(bad, GiveUp)
    assert bad.why.field == "/kind"
    with pytest.raises(GiveUp):
        topic_of(parcel(3, "{a}.{b}", a="x" * 100, b={}))


def test_a_broker_that_is_away_has_seen_nothing():
    target = QueueTarget(f"amqp://guest:secret@127.0.0.1:{free_port()}//", "x")
    [answer] = target.send([parcel(1)])
    assert isinstance(answer, TryLater)
    assert answer.why.reason is Reason.UNREACHABLE
    assert "secret" not in answer.why.text + target.address


def test_a_wrong_password_is_no_unknown(rabbit):
    target = QueueTarget(rabbit.url.replace("guest:guest", "guest:wrong"), "x")
    [answer] = target.send([parcel(1)])
    assert isinstance(answer, TryLater)
    assert "wrong" not in answer.why.text


class Wire(threading.Thread):
    """A wire to the broker that swallows what the broker says once it is told to, or is cut."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self._to, self._listener = port, socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.is_deaf = False
        self._pairs = []
        self.start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
                self._pairs += [near, far]
                threading.Thread(target=self._pump, args=(near, far, False), daemon=True).start()
                threading.Thread(target=self._pump, args=(far, near, True), daemon=True).start()

    def _pump(self, source, sink, is_answer):
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if not (is_answer and self.is_deaf):
                    sink.sendall(data)

    def cut(self):
        for one in self._pairs:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self):
        self._listener.close()
        self.cut()
        for one in self._pairs:
            one.close()


def test_confirms_that_do_not_come_are_unknown_and_the_next_batch_hears_its_own(rabbit):
    wire = Wire(rabbit.port)
    url = rabbit.url.replace(str(rabbit.port), str(wire.port))
    with bound(rabbit.url, "five") as taken:
        target = QueueTarget(url, "five")
        assert isinstance(target.send([parcel(0)])[0], Reply)
        wire.is_deaf = True
        answers = target.send([replace(parcel(number), deadline_s=0.5) for number in (1, 2)])
        assert [type(answer) for answer in answers] == [Unknown, Unknown]
        wire.is_deaf = False
        assert isinstance(target.send([parcel(3)])[0], Reply)
        assert len(taken()) == 4
        target.close()
    wire.close()


def test_a_connection_that_breaks_between_batches_costs_one_try(rabbit):
    wire = Wire(rabbit.port)
    with bound(rabbit.url, "six"):
        target = QueueTarget(rabbit.url.replace(str(rabbit.port), str(wire.port)), "six")
        assert isinstance(target.send([parcel(0)])[0], Reply)
        wire.cut()
        answers = [target.send([parcel(number)])[0] for number in (1, 2, 3)]
        assert isinstance(answers[-1], Reply)
        assert not isinstance(answers[0], GiveUp)
        target.close()
    wire.close()


def test_after_the_broker_was_killed_the_next_batch_goes(rabbit):
    target = QueueTarget(rabbit.url, "seven")
    with bound(rabbit.url, "seven"):
        assert isinstance(target.send([parcel(0)])[0], Reply)
    rabbit.kill()
    assert isinstance(target.send([parcel(1)])[0], TryLater | Unknown)
    assert isinstance(target.send([parcel(1)])[0], TryLater)
    rabbit.start()
    with bound(rabbit.url, "seven"):
        assert isinstance(target.send([parcel(1)])[0], Reply)
    target.close()


def test_one_queue_is_put_into_by_its_name_and_one_that_is_not_there_is_no_success(rabbit):
    with kombu.Connection(rabbit.url) as connection:
        queue = kombu.Queue("by-name", durable=False, auto_delete=True)(connection.channel())
        queue.queue_declare()
        target = QueueTarget(rabbit.url, "", queue="by-name")
        assert all(isinstance(answer, Reply) for answer in target.send([parcel(number, "") for number in range(3)]))
        assert [json.loads(queue.get(no_ack=True).body)["orderNo"] for _ in range(3)] == ["SO-0", "SO-1", "SO-2"]
        assert target.address.endswith("/by-name")
        target.close()
    lost = QueueTarget(rabbit.url, "", queue="nowhere")
    [answer] = lost.send([parcel(4, "")])
    assert isinstance(answer, TryLater)
    assert "there is no queue nowhere" in answer.why.text
    lost.close()
