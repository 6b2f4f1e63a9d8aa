"""Queues between real processes and real brokers, which are killed in the midst: each message is accepted exactly once
by its id, in its order.
"""

import json
import os
import random
import time

import kombu
import pytest
import sqlalchemy as sa

from hub.kit.queues.redis_queue import RedisSource
from tests.support import brokers
from tests.support.hubs import HubProcess
from tests.support.queues import SYSTEM, queue_workspace
from tests.support.waiting import wait_until

MANY = int(os.environ.get("HUB_TEST_MESSAGES", "10000"))
KEYS = 97
RETRY = "{attempts: 50, first: 200ms, factor: 1, max: 200ms, jitter: none, give_up_after: 1h}"


@pytest.fixture(scope="module")
def redis():
    made = brokers.Redis().start()
    yield made
    made.stop()


def told(number):
    """The number-th message: its id, topic and body, and what must become of it."""
    step = number // KEYS
    if number % 100 == 99:
        return f"m-{number}", "order.create", b'{"orderNo": "SO-\xff' + b"%d" % number, "refused"
    if number % 77 == 76:
        return (
            f"m-{number}",
            "order.update",
            json.dumps({"orderNo": f"SO-{number % KEYS}", "step": -1 - number}).encode(),
            "refused",
        )
    if number % 91 == 90:
        return f"m-{number}", "order.ignored", b'{"any": %d}' % number, "skipped"
    return (
        f"m-{number}",
        "order.create",
        json.dumps({"orderNo": f"SO-{number % KEYS}", "step": step}).encode(),
        "accepted",
    )


def publish(url, exchange, tellings):
    """All of them, durable and confirmed; every fiftieth twice, as its sender may."""
    with kombu.Connection(url) as connection:
        channel = connection.channel()
        kombu.Queue(
            "hub.orders", kombu.Exchange(exchange, type="topic", durable=True), routing_key="order.*", durable=True
        )(channel).declare()
        channel.confirm_select()
        open_ = set()
        channel.events["basic_ack"].add(
            lambda tag, multiple: open_.difference_update(
                {one for one in open_ if one == tag or (multiple and one <= tag)}
            )
        )
        producer = kombu.Producer(channel, exchange=kombu.Exchange(exchange, type="topic", durable=True))
        tag = 0
        for number, (id_, topic, body, _) in enumerate(tellings):
            for _ in range(2 if number % 50 == 49 else 1):
                tag += 1
                open_.add(tag)
                producer.publish(
                    body,
                    routing_key=topic,
                    message_id=id_,
                    content_type="application/json",
                    content_encoding="utf-8",
                    delivery_mode=2,
                )
        while open_:
            connection.drain_events(timeout=30)


def left(url):
    with kombu.Connection(url) as connection:
        return kombu.Queue("hub.orders", durable=True)(connection.channel()).queue_declare(passive=True).message_count


def counted(store_url):
    engine = sa.create_engine(store_url)
    with engine.connect() as connection:
        messages = connection.execute(sa.text("SELECT count(*) FROM message")).scalar_one()
        refused = connection.execute(sa.text("SELECT count(*) FROM refused WHERE state = 'waiting'")).scalar_one()
    engine.dispose()
    return messages, refused


def expected(tellings):
    kinds = [kind for *_, kind in tellings]
    return kinds.count("accepted"), kinds.count("refused")


def judged(store_url, tellings):
    """Exactly those, once each by id, each key in its order; each refused one with its bytes."""
    engine = sa.create_engine(store_url)
    query = "SELECT m.idempotency_key, m.order_key, b.raw, d.seq FROM message m JOIN body b ON b.message_id = m.id JOIN delivery d ON d.message_id = m.id"
    with engine.connect() as connection:
        rows = connection.execute(sa.text(query)).all()
        refused = connection.execute(sa.text("SELECT message_id, raw FROM refused")).all()
    engine.dispose()
    assert sorted(row[0] for row in rows) == sorted(id_ for id_, _, _, kind in tellings if kind == "accepted")
    assert {row[0]: bytes(row[1]) for row in refused} == {
        id_: body for id_, _, body, kind in tellings if kind == "refused"
    }
    by_key = {}
    for _, key, raw, seq in rows:
        by_key.setdefault(key, []).append((seq, json.loads(bytes(raw))["step"]))
    for key, found in by_key.items():
        steps = [step for _, step in sorted(found)]
        assert steps == sorted(steps), key


def test_ten_thousand_messages_over_killed_workers_and_a_killed_broker(tmp_path, store_url, rabbit):
    are_several = not store_url.startswith("sqlite")
    many = MANY if are_several else MANY // 4
    tellings = [told(number) for number in range(many)]
    exchange = "orders-" + store_url.split(":")[0].split("+")[0]
    folder = queue_workspace(
        tmp_path / "workspace", rabbit.url, system=SYSTEM.replace("exchange: topics", f"exchange: {exchange}")
    )
    publish(rabbit.url, exchange, tellings)
    hubs = [HubProcess(folder, store_url, hub_lease=5) for _ in range(2 if are_several else 1)]
    role = "worker" if are_several else "up"
    if are_several:
        assert hubs[0].run("apply")[0] == 0
    random.seed(7)
    done = 0
    try:
        for hub in hubs:
            hub.start(role)
        for turn in range(6):
            goal = expected(tellings)[0] * (turn + 1) // 8
            wait_until(lambda goal=goal: counted(store_url)[0] >= goal, seconds=120, what=f"{goal} messages")
            time.sleep(random.random() / 5)
            hub = hubs[turn % len(hubs)]
            hub.kill(role)
            if turn in (1, 4):
                rabbit.kill()
                rabbit.start()
            hub.start(role)
            done += 1
        wait_until(
            lambda: counted(store_url) == expected(tellings),
            seconds=180,
            what=f"{expected(tellings)}, and it is {counted(store_url)}",
        )
        wait_until(lambda: left(rabbit.url) == 0, seconds=60, what="an empty queue")
        judged(store_url, tellings)
    finally:
        for hub in hubs:
            hub.stop()
    assert done == 6
    judged(store_url, tellings)


def test_a_list_of_redis_over_killed_workers_and_a_killed_server(tmp_path, store_url, redis):
    tellings = [told(number) for number in range(1_500)]
    folder = redis_workspace(tmp_path / "workspace", redis)
    with redis.client() as client:
        client.delete("hub.orders")
        for number, (id_, topic, body, _) in enumerate(tellings):
            for _ in range(2 if number % 50 == 49 else 1):
                client.lpush("hub.orders", enveloped(id_, topic, body))
    role = "up" if store_url.startswith("sqlite") else "worker"
    hub = HubProcess(folder, store_url, hub_lease=5)
    if role == "worker":
        assert hub.run("apply")[0] == 0
    try:
        for turn in range(2):
            hub.start(role)
            goal = expected(tellings)[0] * (turn + 1) // 4
            wait_until(lambda goal=goal: counted(store_url)[0] >= goal, seconds=60, what=f"{goal} messages")
            hub.kill(role)
            if turn == 1:
                redis.kill()
                redis.start()
        # The killed one's name on the list runs out by itself; then its successor puts back what was in hand.
        hub.start(role)
        wait_until(lambda: counted(store_url) == expected(tellings), seconds=90, what=f"{expected(tellings)}")
        judged(store_url, tellings)
        with redis.client() as client:
            wait_until(
                lambda: not client.llen("hub.orders") and not client.llen("hub.orders:crossdock:taken"),
                what="empty lists",
            )
    finally:
        hub.stop()


def redis_workspace(folder, redis):
    system = SYSTEM.replace('    exchange: topics\n    topics: ["order.*"]\n', "")
    return queue_workspace(folder, redis.url, system=system)


def enveloped(id_, topic, body):
    import base64

    properties = {
        "message_id": id_,
        "body_encoding": "base64",
        "delivery_info": {"routing_key": topic, "exchange": ""},
        "delivery_tag": id_,
    }
    whole = {
        "body": base64.b64encode(body).decode(),
        "headers": {},
        "content-type": "application/json",
        "content-encoding": "binary",
        "properties": properties,
    }
    return json.dumps(whole)


def test_a_new_configuration_is_followed_and_a_stop_leaves_nothing_in_hand(tmp_path, store_url, redis):
    folder = redis_workspace(tmp_path / "workspace", redis)
    system = folder / "adapters" / "stock" / "system.yaml"
    text = system.read_text("utf-8")
    hub = HubProcess(folder, store_url).start()
    try:
        with redis.client() as client:
            client.delete("hub.orders", "hub.other")

            def followed(*owned):
                names = [name for name in ("hub.orders", "hub.other") if client.exists(f"{name}:crossdock:owner")]
                return names == list(owned)

            wait_until(lambda: followed("hub.orders"), what="the first queue's consumer")
            # A queue that is changed is another one within a moment; the one before is let go
            system.write_text(text.replace("hub.orders", "hub.other"), "utf-8")
            assert hub.run("apply")[0] == 0
            wait_until(lambda: followed("hub.other"), seconds=5, what="the changed queue's consumer")
            client.lpush("hub.other", b'{"orderNo":"SO-2","step":1}')
            wait_until(lambda: counted(store_url)[0] == 1, seconds=5, what="the message of the new queue")
            # One that is taken away is not consumed any more; one that comes back is
            system.write_text(text[: text.index("  orders:\n")] + text[text.index("  lines:\n") :], "utf-8")
            assert hub.run("apply")[0] == 0
            wait_until(followed, seconds=5, what="no consumer")
            client.lpush("hub.orders", b'{"orderNo":"SO-3","step":1}')
            time.sleep(0.5)
            assert (client.llen("hub.orders"), counted(store_url)[0]) == (1, 1)
            system.write_text(text, "utf-8")
            assert hub.run("apply")[0] == 0
            wait_until(lambda: counted(store_url)[0] == 2, seconds=5, what="the message that waited")
            for number in range(2_000):
                client.lpush("hub.orders", b'{"orderNo":"SO-9","step":%d}' % number)
            hub.stop()
            assert client.llen("hub.orders") + counted(store_url)[0] == 2_002
            assert not client.exists("hub.orders:crossdock:taken", "hub.orders:crossdock:owner")
    finally:
        hub.stop()


def test_a_busy_store_holds_the_batch_and_takes_it_when_it_can(tmp_path, redis):
    url = f"sqlite:///{tmp_path}/hub.sqlite3"
    folder = redis_workspace(tmp_path / "workspace", redis)
    with redis.client() as client:
        client.delete("hub.orders", "hub.other")
    hub = HubProcess(folder, url).start()
    try:
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as blocking, redis.client() as client:
            blocking.exec_driver_sql("BEGIN IMMEDIATE")
            # at once: one batch
            client.lpush("hub.orders", *(b'{"orderNo":"SO-9","step":%d}' % number for number in range(20)))
            wait_until(lambda: client.llen("hub.orders:crossdock:taken") == 20, what="twenty in hand")
            time.sleep(7)  # longer than the store waits for its write lock
            assert client.llen("hub.orders:crossdock:taken") == 20
            with pytest.raises(Exception, match="Another consumer"):
                RedisSource(redis.url, queue_of(folder)).open()
            blocking.exec_driver_sql("ROLLBACK")
        engine.dispose()
        wait_until(lambda: counted(url) == (20, 0), seconds=20, what="all twenty")
    finally:
        hub.stop()


def queue_of(folder):
    from hub.catalog import load

    return load(folder).systems["stock"].queues["orders"]
