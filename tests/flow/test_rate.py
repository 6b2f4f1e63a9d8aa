"""A rate, kept by one process: what is claimed ahead goes out evenly, in no second more than the cap, whoever else asks
meanwhile.
"""

import time

from hub.flow.context.token_bucket import AHEAD_S, FLOW, SAVED_S, Bucket


class Clock:
    """Time that passes when somebody waits."""

    def __init__(self, monkeypatch):
        self.now = time.monotonic()
        monkeypatch.setattr("hub.flow.context.token_bucket.time.monotonic", lambda: self.now)

    def sleep(self, seconds):
        self.now += seconds


def sent(clock, bucket, per_second, count):
    """When each of so many went, claimed ahead as often as needed."""
    at = []
    while len(at) < count:
        for _ in range(bucket.ahead(per_second, 1_000, patience_s=2.0, sleep=clock.sleep)):
            while wait := bucket.go(per_second, 1):
                clock.sleep(wait)
            at.append(clock.now)
    return at


def test_what_is_claimed_ahead_goes_evenly_and_in_no_second_more_than_the_cap(monkeypatch):
    clock = Clock(monkeypatch)
    bucket = Bucket(filled_at=clock.now)
    at = sent(clock, bucket, 200.0, 1_000)
    assert max(sum(one <= other < one + 1.0 for other in at) for one in at) <= 200
    assert abs(at[-1] - at[0] - len(at) / (200.0 * FLOW)) < 0.1
    # An idle second is saved up as a few only
    clock.sleep(1.0)
    again = sent(clock, bucket, 200.0, 50)
    assert sum(one == again[0] for one in again) <= 200.0 * SAVED_S


def test_a_claim_is_a_quarter_of_a_second_of_a_quick_rate_and_one_of_a_slow_one(monkeypatch):
    clock = Clock(monkeypatch)
    ask = {"patience_s": 2.0, "sleep": clock.sleep}
    assert Bucket(filled_at=clock.now).ahead(200.0, 1_000, **ask) == int(200 * FLOW * AHEAD_S)
    assert Bucket(filled_at=clock.now).ahead(200.0, 7, **ask) == 7
    assert Bucket(filled_at=clock.now).ahead(5.0, 1_000, **ask) == 1
    # Nobody holds a claim for a minute: one that may go so late is not claimed
    assert Bucket(filled_at=clock.now).ahead(1 / 60, 1_000, **ask) == 0


def test_who_waits_for_an_answer_takes_from_the_same_rate(monkeypatch):
    clock = Clock(monkeypatch)
    bucket = Bucket(filled_at=clock.now)
    assert bucket.take(10.0, 1, patience_s=0.25, sleep=clock.sleep) == 1
    assert bucket.go(10.0, 1) > 0
    assert bucket.take(10.0, 1, patience_s=0.05, sleep=clock.sleep) == 0
    clock.sleep(0.2)
    assert bucket.go(10.0, 1) == 0.0
    # A call of several counts as several: what follows waits so much longer
    clock.sleep(0.2)
    assert bucket.go(10.0, 4) == 0.0
    assert bucket.go(10.0, 1) > 0.3
