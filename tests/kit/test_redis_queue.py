"""Pushing to a real Redis: answered, refused, cut off in the midst, silent, and after a server that was killed."""

import json

import kombu
import pytest

from hub.core.adapter import Reply
from hub.core.config.queue import Queue
from hub.core.errors import Reason, TryLater, Unknown
from hub.kit.queues.redis_queue import RedisSource, RedisTarget
from tests.kit.test_queue import Wire, parcel
from tests.support import brokers
from tests.support.hubs import free_port


@pytest.fixture(scope="module")
def redis():
    made = brokers.Redis().start()
    yield made
    made.stop()


def through(wire, redis, queue):
    return RedisTarget(redis.url.replace(str(redis.port), str(wire.port)), queue)


def test_a_batch_is_pushed_in_order_and_comes_out_by_kombu_as_it_is(redis):
    target = RedisTarget(redis.url, "one")
    parcels = [parcel(number, "") for number in range(300)]
    assert all(isinstance(answer, Reply) for answer in target.send(parcels))
    with kombu.Connection(redis.url) as connection:
        queue = connection.SimpleQueue("one")
        first = queue.get(timeout=5)
        assert first.payload == {"orderNo": "SO-0"}
        assert (first.properties["message_id"], first.headers["traceparent"][:5]) == (parcels[0].key, "00-aa")
        first.ack()
        queue.close()
    with redis.client() as client:
        assert [json.loads(item)["properties"]["message_id"] for item in client.lrange("one", 0, -1)] == [
            one.key for one in reversed(parcels[1:])
        ]


def test_what_a_hub_pushes_another_hub_takes(redis):
    RedisTarget(redis.url, "chain").send([parcel(7, "")])
    source = RedisSource(redis.url, Queue("stock", "q", "chain"))
    source.open()
    [arrival] = source.take(2.0)
    source.ack(1)
    source.close()
    assert json.loads(arrival.body) == {"orderNo": "SO-7"}
    assert (arrival.message_id, arrival.topic) == (parcel(7, "").key, "chain")


def test_a_server_that_is_away_has_seen_nothing():
    target = RedisTarget(f"redis://:secret@127.0.0.1:{free_port()}/0", "x")
    [answer] = target.send([parcel(1, "")])
    assert isinstance(answer, TryLater)
    assert answer.why.reason is Reason.UNREACHABLE
    assert "secret" not in answer.why.text + target.address


def test_a_server_without_room_says_not_now_and_each_is_told_apart(redis):
    with redis.client() as client:
        client.config_set("maxmemory", "1")
        target = RedisTarget(redis.url, "full")
        [answer] = target.send([parcel(1, "")])
        client.config_set("maxmemory", "0")
        assert isinstance(answer, TryLater)
        assert answer.why.reason is Reason.SERVER_ERROR
        assert isinstance(target.send([parcel(1, "")])[0], Reply)
        client.set("word", "x")
    [answer] = RedisTarget(redis.url, "word").send([parcel(1, "")])
    assert isinstance(answer, TryLater)
    assert answer.why.reason is Reason.REFUSED


def test_a_connection_that_breaks_between_push_and_answer_is_unknown(redis):
    wire = Wire(redis.port)
    target = through(wire, redis, "cut")
    assert isinstance(target.send([parcel(0, "")])[0], Reply)
    # The server answers the question whether it is there, and then nothing more: the push arrives, its answer does not.
    real = target._client().ping

    def ping():
        answer = real()
        wire.is_deaf = True
        return answer

    target._client().ping = ping
    answers = target.send([parcel(1, ""), parcel(2, "")])
    assert [type(answer) for answer in answers] == [Unknown, Unknown]
    wire.is_deaf = False
    assert isinstance(target.send([parcel(3, "")])[0], Reply)
    with redis.client() as client:
        assert client.llen("cut") == 4
    target.close()
    wire.close()


def test_a_silent_server_costs_a_few_seconds_and_has_seen_nothing(redis):
    target = RedisTarget(redis.url, "silent")
    redis.pause()
    try:
        [answer] = target.send([parcel(1, "")])
    finally:
        redis.resume()
    assert isinstance(answer, TryLater)
    assert isinstance(target.send([parcel(1, "")])[0], Reply)


def test_after_the_server_was_killed_the_next_batch_goes(redis):
    target = RedisTarget(redis.url, "killed")
    assert isinstance(target.send([parcel(0, "")])[0], Reply)
    redis.kill()
    assert isinstance(target.send([parcel(1, "")])[0], TryLater | Unknown)
    redis.start()
    assert isinstance(target.send([parcel(1, "")])[0], Reply)
    with redis.client() as client:
        assert client.llen("killed") == 2
