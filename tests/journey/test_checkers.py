"""A checker that cannot turn red proves nothing: each is shown the trace of its bug."""

from tests.support import checkers

DELIVERIES = [
    {"id": "d1", "lane": "wms", "order_key": "SO-1", "seq": 1, "status": "delivered"},
    {"id": "d2", "lane": "wms", "order_key": "SO-1", "seq": 2, "status": "delivered"},
]
EFFECTS = [{"key": "d1", "start": 10, "end": 12}, {"key": "d2", "start": 12, "end": 14}]


def test_a_good_run_has_no_findings():
    assert checkers.lost(["a"], ["a", "b"]) == []
    assert (
        checkers.doubled(EFFECTS)
        == checkers.disordered(EFFECTS, DELIVERIES)
        == checkers.unapplied(EFFECTS, DELIVERIES)
        == checkers.undelivered(DELIVERIES)
        == []
    )


def test_a_post_that_the_store_does_not_have_is_lost():
    assert checkers.lost(["a", "b"], ["a"]) == ["b"]


def test_a_new_key_per_attempt_or_a_second_effect_is_doubled():
    assert checkers.doubled([*EFFECTS, EFFECTS[0]]) == ["d1"]


def test_effects_that_overlap_or_go_back_are_disordered():
    assert checkers.disordered([EFFECTS[0], {"key": "d2", "start": 11, "end": 14}], DELIVERIES)
    assert checkers.disordered([EFFECTS[0], {"key": "d2", "start": 1, "end": 2}], DELIVERIES)


def test_what_was_settled_before_it_was_sent_is_unapplied():
    assert checkers.unapplied(EFFECTS[:1], DELIVERIES) == ["d2"]


def test_what_stands_still_is_undelivered():
    assert checkers.undelivered([{**DELIVERIES[0], "status": "pending"}]) == ["d1 pending"]
