"""What serves again for a while: quick answers are asked for anew, and nobody waits for a slow one while the one before it is good enough."""

import threading

from hub.flow.kept import SHARE, SLOW_S, Kept
from tests.support.waiting import wait_until

COST_S = SLOW_S * 1.2


class Store:
    """Answers 1, 2, 3 …, each when its gate is open; the first takes a while."""

    def __init__(self, cost_s):
        self.cost_s, self.number, self.gate = cost_s, 0, threading.Event()

    def ask(self):
        self.number += 1
        if self.number == 1:
            threading.Event().wait(self.cost_s)  # that is what it takes
        else:
            self.gate.wait(30)
        return self.number


def test_a_slow_answer_serves_while_a_thread_asks_for_the_next():
    # Given an answer that took long, and is old by now
    store = Store(COST_S)
    kept = Kept(store.ask)
    assert kept.get() == 1
    wait_until(lambda: kept.age > SHARE * COST_S * 1.5, what="an old answer")
    # When many ask at once, then all have the old one, and the store is asked once more
    assert [kept.get() for _ in range(20)] == [1] * 20
    wait_until(lambda: store.number == 2, what="a new question")
    assert kept.get() == 1
    assert store.number == 2
    # When the new one is there, then all have that one
    store.gate.set()
    wait_until(lambda: kept.get() >= 2, what="the new answer")


def test_a_quick_answer_is_asked_for_at_once():
    store = Store(0)
    store.gate.set()
    kept = Kept(store.ask, least_s=0.05)
    assert [kept.get(), kept.get()] == [1, 1]
    wait_until(lambda: kept.age > 0.2, what="an old answer")
    assert kept.get() == 2
