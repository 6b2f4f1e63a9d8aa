"""What serves again for a while: quick answers are asked for anew, and nobody waits for a slow one while the one before
it is good enough.
"""

import threading

import pytest

from hub.flow.context.query_cache import MADE, SHARE, SLOW_S, CachedQuery, QueryCache
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
    kept = CachedQuery(store.ask)
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
    kept = CachedQuery(store.ask, least_s=0.05)
    assert [kept.get(), kept.get()] == [1, 1]
    wait_until(lambda: kept.age > 0.2, what="an old answer")
    assert kept.get() == 2


def test_what_takes_long_is_made_once_for_all_who_watch():
    # Given something that is made in steps
    gate, begun, shelf = threading.Event(), [], QueryCache()

    def make(step):
        begun.append(1)
        step()
        gate.wait(30)
        return len(begun)

    # When several ask for it, then they see one making, and how far it is
    makings = {shelf.made("plan", "a", make, fresh_s=60) for _ in range(3)}
    assert len(makings) == 1
    making = makings.pop()
    assert making.wait(0.01) is None
    wait_until(lambda: making.steps == 1, what="the first step")
    gate.set()
    assert making.wait(30) == 1
    # And who asks again soon has the same, and later a new one
    assert shelf.made("plan", "a", make, fresh_s=60).wait(30) == 1
    assert shelf.made("plan", "a", make, fresh_s=0).wait(30) == 2


def test_what_cannot_be_made_is_told_to_who_asked():
    def make(_):
        raise LookupError("it is not kept")

    making = QueryCache().made("back", "a", make, fresh_s=60)
    with pytest.raises(LookupError, match="not kept"):
        making.wait(30)


def test_what_nobody_waits_for_any_more_ends():
    shelf, ended = QueryCache(), []

    def make(step):
        try:
            while True:
                step()
                threading.Event().wait(0.01)
        finally:
            ended.append(1)

    for key in range(MADE + 2):
        shelf.made("plan", key, make, fresh_s=60)
    wait_until(lambda: len(ended) == 2, what="the two oldest to end")
    for key in range(MADE * 2):
        shelf.made("plan", f"last {key}", lambda _: 1, fresh_s=60)
    wait_until(lambda: len(ended) == MADE + 2, what="all to end")
