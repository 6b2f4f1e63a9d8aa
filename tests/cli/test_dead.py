"""`hub dead replay` goes by the flow: it is told of, and workers behind a broker are rung at once."""

import redis

from hub.core.errors import Cause, Reason
from hub.core.model.delivery import Dead
from hub.store import open_store
from hub.transport.celery_notifier import EXCHANGE
from tests.support.brokers import Redis
from tests.support.hubs import HubProcess, small_workspace
from tests.support.making import claim, laid, settled
from tests.support.waiting import wait_until


def test_a_replay_from_the_command_line_rings_the_workers(tmp_path):
    # Given a dead delivery, a broker, and nobody who sweeps
    url = f"sqlite:///{tmp_path}/hub.sqlite3"
    broker = Redis().start()
    try:
        hub = HubProcess(small_workspace(tmp_path / "workspace", "http://127.0.0.1:9009"), url, hub_broker=broker.url)
        hub.json("apply")
        store = open_store(url, writer=True)
        one = laid()
        store.add([one])
        store.settle([settled(mine, Dead(Cause(Reason.REFUSED, "no"))) for mine in claim(store)])
        store.close()
        # When it is replayed, then it is due again, and its lane was rung
        assert hub.json("dead", "replay", one.deliveries[0].id) == {one.deliveries[0].id: "reopened"}
        rings = redis.Redis.from_url(broker.url)
        wait_until(lambda: rings.llen(f"{EXCHANGE}.warehouse") == 1, what="a ring")
        # And so is what is sent by hand
        (tmp_path / "order.json").write_text('{"orderNo":"SO-1","items":[{"sku":"S","quantity":1}]}', "utf-8")
        assert hub.json("send", "shop/order.placed@1", str(tmp_path / "order.json"))["duplicate"] is False
        wait_until(lambda: rings.llen(f"{EXCHANGE}.warehouse") == 2, what="a second ring")
        assert hub.json("find", "SO-1")["items"]
    finally:
        broker.stop()
