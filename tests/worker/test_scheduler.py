"""Several schedulers: one leads, another takes over when it ends or is killed; and where none runs, workers do its
rounds for themselves.
"""

import json

import pytest
import sqlalchemy as sa

from tests.support.hubs import HubProcess, Sink, small_workspace
from tests.support.waiting import wait_until

# On SQLite one process has all roles.
pytestmark = pytest.mark.parametrize("store_url", ["postgresql", "mariadb"], indirect=True)


def leader(store_url):
    engine = sa.create_engine(store_url)
    with engine.connect() as connection:
        row = connection.execute(sa.text("SELECT holder, token FROM leader WHERE name = 'scheduler'")).first()
    engine.dispose()
    return tuple(row) if row is not None else None


def test_one_leads_and_the_next_takes_over(tmp_path, store_url):
    sink = Sink()
    hub = HubProcess(small_workspace(tmp_path / "workspace", sink.url), store_url)
    assert hub.run("apply")[0] == 0
    others = HubProcess(tmp_path / "workspace", store_url)
    others.port, others.url = hub.port, hub.url
    try:
        hub.start("web")
        hub.start("worker")
        hub.start("scheduler")
        first = wait_until(lambda: leader(store_url), what="a leader")
        others.start("scheduler")
        assert leader(store_url)[0] == first[0]
        hub.kill("scheduler")
        second = wait_until(
            lambda: (found := leader(store_url)) and found[1] > first[1] and found, seconds=25, what="another leader"
        )
        assert second[0] != first[0]
        body = json.dumps({"orderNo": "SO-1", "items": [{"sku": "S", "quantity": 1}]}).encode()
        message_id = hub.caller("shop").post("/api/v1/shop/order.placed", body, "m1").json()["data"]["messageId"]
        assert hub.delivered(message_id)[0]["status"] == "delivered"
    finally:
        others.stop()
        hub.stop()
        sink.shutdown()
        sink.server_close()


def test_a_scheduler_that_stops_in_good_order_is_not_waited_for(tmp_path, store_url):
    hub = HubProcess(small_workspace(tmp_path / "workspace", "http://127.0.0.1:9001"), store_url)
    assert hub.run("apply")[0] == 0
    hub.start("scheduler")
    first = wait_until(lambda: leader(store_url), what="a leader")
    hub.stop()
    hub.start("scheduler")
    second = wait_until(
        lambda: (found := leader(store_url)) and found != first and found, seconds=5, what="another leader"
    )
    hub.stop()
    assert second[1] == first[1] + 1
