"""A consumer, its broker played by hand: what it says, how long it waits, what it holds and what it acknowledges."""

import threading
import time
from collections import deque

import pytest

from hub.core.config.queue import Arrival
from hub.core.errors import StoreBusy
from hub.flow.configuration.plan import apply
from hub.flow.doors import queues as flow
from hub.kit.queues.source import BrokerUnavailable, QueueInUse
from hub.worker import queues
from hub.worker.queues import Queues
from tests.support.queues import SYSTEM, queue_workspace
from tests.support.servers import small_hub
from tests.support.waiting import wait_until

AMQP = "amqp://127.0.0.1:5672//"


class Played:
    """A queue in memory. `faults`: what the next `open`s raise. What was taken and not acknowledged is there again
    after `open`.
    """

    def __init__(self, *arrivals):
        self.waiting, self.in_hand = deque(arrivals), deque()
        self.opens, self.acked, self.held, self.is_closed = [], [], [], False
        self.faults, self.ack_faults = deque(), deque()
        self.lock = threading.Lock()

    def open(self):
        self.opens.append(time.monotonic())
        self.waiting.extendleft(reversed(self.in_hand))
        self.in_hand.clear()
        self.is_closed = False
        if self.faults:
            raise self.faults.popleft()

    def take(self, wait_s):
        batch = [self.waiting.popleft() for _ in range(min(len(self.waiting), 3))]
        self.in_hand.extend(batch)
        if not batch:
            time.sleep(0.02)
        return batch

    def ack(self, number):
        if self.ack_faults:
            raise self.ack_faults.popleft()
        self.acked += [self.in_hand.popleft().message_id for _ in range(number)]

    def hold(self, seconds):
        self.held.append(seconds)
        time.sleep(0.01)

    def close(self):
        self.is_closed = True


def arrivals(first, last):
    return [
        Arrival(b'{"orderNo":"SO-%d","step":%d}' % (number, number), "order.create", {}, f"m-{number}")
        for number in range(first, last)
    ]


@pytest.fixture
def workspace(tmp_path):
    return queue_workspace(tmp_path / "workspace", AMQP)


@pytest.fixture
def hub(workspace, tmp_path):
    with small_hub(workspace, f"sqlite:///{tmp_path}/hub.sqlite3") as made:
        yield made


@pytest.fixture
def said(monkeypatch):
    """What was logged, by key."""
    heard = []
    monkeypatch.setattr(queues, "event", lambda key, text, **fields: heard.append((key, fields.get("queue"), text)))
    return heard


@pytest.fixture
def run(hub):
    """Runs consumers over played queues until the end of the test."""
    running = []

    def start(orders, lines=None):
        played = {"orders": orders, "lines": lines or Played()}
        made = Queues(hub, lambda queue: played[queue.name])
        made.start()
        running.append(made)
        return made

    yield start
    for one in running:
        assert one.stop(10)


def keys(said, queue="queue:stock/orders"):
    return [key for key, source, _ in said if source == queue]


def test_a_batch_is_acknowledged_once_it_is_committed(hub, run):
    orders = Played(*arrivals(0, 10))
    run(orders)
    wait_until(lambda: len(orders.acked) == 10, what="ten acknowledged")
    assert hub.store.conservation().messages == 10


def test_a_broker_that_is_away_is_said_once_and_asked_with_growing_pauses(monkeypatch, run, said):
    monkeypatch.setattr(queues, "FIRST_S", 0.02)
    monkeypatch.setattr(queues, "MOST_S", 0.2)
    orders = Played(*arrivals(0, 1))
    orders.faults.extend(
        [
            BrokerUnavailable("away"),
            BrokerUnavailable("away, still"),
            *[BrokerUnavailable("away")] * 5,
            OSError("what nobody foresaw"),
        ]
    )
    run(orders)
    wait_until(lambda: orders.acked, what="the message, after all")
    assert keys(said) == ["queue.broken", "queue.opened"]
    pauses = [later - earlier for earlier, later in zip(orders.opens, orders.opens[1:], strict=False)]
    assert pauses[0] < 0.1
    assert all(pause >= 0.1 for pause in pauses[4:])
    assert max(pauses) < 0.6


def test_a_queue_that_another_has_is_waited_for(monkeypatch, run, said):
    monkeypatch.setattr(queues, "TAKEN_S", 0.02)
    orders = Played(*arrivals(0, 1))
    orders.faults.extend([QueueInUse("another has it")] * 5)
    run(orders)
    wait_until(lambda: orders.acked, what="the message")
    assert keys(said) == ["queue.waiting", "queue.opened"]


def test_a_busy_store_holds_the_batch_in_hand_and_nothing_overtakes_it(hub, monkeypatch, run, said):
    orders = Played(*arrivals(0, 6))
    real, refusing = type(hub.store).add, threading.Event()
    refusing.set()

    def add(store, batch):
        if refusing.is_set():
            raise StoreBusy("no write lock")
        return real(store, batch)

    monkeypatch.setattr(type(hub.store), "add", add)
    run(orders)
    wait_until(lambda: len(orders.held) > 5, what="several pauses")
    assert (len(orders.in_hand), len(orders.opens), orders.acked) == (3, 1, [])
    assert orders.held[:4] == [0.25, 0.5, 1.0, 2.0]
    refusing.clear()
    wait_until(lambda: len(orders.acked) == 6, what="all six")
    assert orders.acked == [f"m-{number}" for number in range(6)]
    assert keys(said) == ["queue.opened", "queue.held", "queue.resumed"]


def test_an_acknowledgement_that_is_lost_makes_a_duplicate_and_no_second_message(hub, run):
    orders = Played(*arrivals(0, 3))
    orders.ack_faults.append(BrokerUnavailable("the connection broke"))
    run(orders)
    wait_until(lambda: len(orders.acked) == 3, what="three, at the second time")
    assert len(orders.opens) == 2
    assert hub.store.conservation().messages == 3


def test_a_fault_of_our_own_ends_as_a_refused_row_and_the_next_one_goes(hub, monkeypatch, run):
    real = flow.arrived

    def arrived(queue, arrival, *rest):
        if arrival.message_id == "m-1":
            raise RecursionError("deep")
        return real(queue, arrival, *rest)

    monkeypatch.setattr(flow, "arrived", arrived)
    orders = Played(*arrivals(0, 3))
    run(orders)
    wait_until(lambda: len(orders.acked) == 3, what="three")
    assert hub.store.conservation().messages == 2
    [row] = hub.store.refused()
    assert (row.message_id, row.code) == ("m-1", 50000)


def test_a_stop_finishes_the_batch_in_hand_and_closes(hub, monkeypatch, run):
    orders = Played(*arrivals(0, 3))
    entered, told = threading.Event(), threading.Event()

    add = type(hub.store).add

    def slow(store, batch):
        entered.set()
        told.wait(5)
        return add(store, batch)

    monkeypatch.setattr(type(hub.store), "add", slow)
    made = run(orders)
    assert entered.wait(5)
    orders.waiting.extend(arrivals(3, 6))
    threading.Timer(1.0, told.set).start()  # the batch is in hand until the stop was surely told
    assert made.stop(10)
    assert (orders.acked, orders.is_closed, len(orders.waiting)) == (["m-0", "m-1", "m-2"], True, 3)


def test_a_new_configuration_starts_replaces_and_stops(workspace, hub, run):
    orders, lines = Played(), Played()
    run(orders, lines)
    wait_until(lambda: orders.opens and lines.opens, what="both")
    system = workspace / "adapters" / "stock" / "system.yaml"

    def applied(text):
        system.write_text(text, "utf-8")
        apply(hub.store, workspace)
        hub.catalogs.refresh()

    text = SYSTEM.replace("BROKER", AMQP)
    applied(text.replace("prefetch: 50", "prefetch: 60"))
    wait_until(lambda: len(lines.opens) == 2, seconds=2, what="the changed one's new consumer")
    # What it reads is looked up for each batch: no new connection for that
    applied(text.replace("prefetch: 50", "prefetch: 60").replace("nobody wants it", "nobody at all"))
    time.sleep(0.5)
    assert (len(orders.opens), len(lines.opens)) == (1, 2)
    applied(text[: text.index("  orders:\n")] + text[text.index("  lines:\n") :])
    wait_until(lambda: orders.is_closed, seconds=2, what="the end of the one that is gone")
    assert len(lines.opens) == 3
