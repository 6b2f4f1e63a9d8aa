"""The loop that hears rings: what goes wrong with one of them costs that ring, and the next is heard."""

import pytest

from hub.core import json
from hub.core.message import Incoming
from hub.flow.accept import prepare_message, submit
from hub.kit.http.sender import Sender
from hub.transport.notifier import LocalNotifier
from hub.worker.loop import Loop
from tests.support.hubs import ORDER, small_workspace
from tests.support.making import SOURCE
from tests.support.servers import small_hub
from tests.support.waiting import wait_until


@pytest.fixture
def hub(tmp_path, sink, store_url):
    with small_hub(
        small_workspace(tmp_path / "workspace", sink.url), store_url, HUB_SWEEP="0.1", HUB_ALLOW_CIDRS="127.0.0.0/8"
    ) as made:
        yield made


class Failing(LocalNotifier):
    """A bell of which the first rings are lost in the hearing."""

    faults = 2

    def wait(self, seconds):
        lanes = super().wait(seconds)
        if lanes and self.faults:
            self.faults -= 1
            raise RuntimeError("can't start new thread")
        return lanes


def delivered_over(hub, bell, sender):
    """Whether a message arrives that is rung for until it does, as the sweep does."""
    loop = Loop(hub, bell, sender)
    loop.start()
    try:
        laid = prepare_message(
            hub, Incoming(SOURCE, json.decode(ORDER), ORDER, "k_test", None, "a" * 32), source="http", now=hub.clock()
        )
        submit(hub, laid).result(10)

        def is_there():
            bell.notify(["warehouse"])
            return hub.store.delivery(laid.deliveries[0].id).status == "delivered"

        return wait_until(is_there, what="the delivery")
    finally:
        assert loop.stop(10)


def test_a_fault_in_the_hearing_costs_the_ring_alone(hub):
    bell = Failing()
    assert delivered_over(hub, bell, lambda: Sender(hub.settings.allow_cidrs))
    assert bell.faults == 0


def test_a_lane_that_could_not_begin_begins_at_the_next_ring(hub):
    faults = [OSError("too many open files"), OSError("too many open files")]

    def sender():
        if faults:
            raise faults.pop()
        return Sender(hub.settings.allow_cidrs)

    assert delivered_over(hub, LocalNotifier(), sender)
    assert faults == []
