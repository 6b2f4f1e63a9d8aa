"""A checker that cannot turn red proves nothing: each is shown the trace of its bug."""

from dataclasses import replace

from hub.core.model.delivery import Status
from hub.store import Conservation
from hub.store.accounts.acts import Verdict
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


HISTORY = [{"name": "m-1", "outcome": "ok", "message": "one"}, {"name": "m-2", "outcome": "info", "message": None}]
STORED = [{"id": "d1", "message": "one", "status": "delivered"}, {"id": "d2", "message": "two", "status": "delivered"}]
NAMES = [("m-1", "one"), ("m-2", "two")]


def queue(history=HISTORY, effects=EFFECTS, deliveries=STORED, names=NAMES):
    return {kind: found for kind, found in checkers.total_queue(history, effects, deliveries, names).items() if found}


def test_a_queue_that_is_whole_names_what_happened_unheard_alone():
    assert queue() == {"recovered": ["m-2"]}


def test_a_queue_names_what_was_lost_before_and_after_the_store():
    assert queue(names=NAMES[1:])["lost"] == ["m-1"]
    assert queue(effects=EFFECTS[:1])["lost"] == ["d2"]


def test_a_queue_names_what_stands_still():
    assert queue(deliveries=[STORED[0], {**STORED[1], "status": "leased"}])["stuck"] == ["d2 leased"]


def test_a_queue_names_what_nobody_posted():
    assert queue(effects=[*EFFECTS, {"key": "d3"}])["unexpected"] == ["d3"]
    assert queue(history=HISTORY[:1])["unexpected"] == ["m-2"]


def test_a_queue_names_what_was_refused_and_delivered():
    assert queue(history=[HISTORY[0], {**HISTORY[1], "outcome": "fail"}])["refused"] == ["m-2"]


def test_a_repeat_with_another_id_is_renamed():
    assert checkers.renamed(HISTORY) == []
    assert checkers.renamed([*HISTORY, {"name": "m-1", "outcome": "ok", "message": "other"}]) == ["m-1"]


REQUESTS = [
    {"key": "d1", "message": "one", "path": "/orders", "span": "s1", "status": None},
    {"key": "d1", "message": "one", "path": "/orders", "span": "s2", "status": 200},
]
ATTEMPTS = [
    {"delivery": "d1", "number": 1, "span": "s1", "status": None},
    {"delivery": "d1", "number": 2, "span": "s2", "status": 200},
]


def test_a_second_effect_or_key_of_one_message_at_one_address_is_found():
    assert checkers.repeated(REQUESTS[:1]) == checkers.two_keys(REQUESTS) == []
    assert checkers.repeated(REQUESTS) == ["one /orders"]
    assert checkers.two_keys([REQUESTS[0], {**REQUESTS[1], "key": "d1-2"}]) == ["one /orders"]


def test_requests_and_attempts_that_do_not_know_each_other_are_untrue():
    assert checkers.attempt_truth(REQUESTS, ATTEMPTS) == []
    assert checkers.attempt_truth(REQUESTS, ATTEMPTS[1:]) == ["s1 has no attempt"]
    assert checkers.attempt_truth([*REQUESTS, REQUESTS[0]], ATTEMPTS) == ["s1 was sent 2 times"]
    assert checkers.attempt_truth(REQUESTS, [{**ATTEMPTS[0], "status": 200}, ATTEMPTS[1]]) == [
        "attempt 1 of d1 says 200"
    ]


def test_books_that_do_not_add_up_are_unaccounted():
    good = Conservation(
        messages=1, routed=1, unrouted=0, filtered=0, planned=1, by_status={Status.DELIVERED: 1}, hollow=0
    )
    assert checkers.conserved(good, 1) == []
    assert checkers.conserved(replace(good, planned=2), 1) == ["1 unaccounted"]
    assert checkers.conserved(good, 2) == ["1 messages ever, 2 accepted"]
    assert checkers.conserved(replace(good, pruned={"dead": 1, "planned": 1}), 1) == ["1 dead pruned"]


def test_acts_and_records_that_do_not_know_each_other_are_unrecorded():
    whole, done = Verdict(1, "1:x"), [("key.made", "k1")]
    assert checkers.audited(whole, done, done) == []
    assert checkers.audited(whole, [], done) == ["key.made k1 has no record"]
    assert checkers.audited(whole, [*done, *done], done) == ["key.made k1 was not done"]
    assert checkers.audited(replace(whole, broken=1, text="Record 1 was altered."), done, done) == [
        "Record 1 was altered."
    ]


def test_what_is_overdue_again_and_again_is_late():
    assert checkers.late([(0.0, {"d1"}), (1.0, {"d2"}), (9.0, {"d1"})], 5.0) == []
    assert checkers.late([(0.0, {"d1"}), (1.0, {"d1"}), (9.0, {"d1"})], 5.0) == ["d1"]


def test_a_neighbour_that_makes_others_wait_is_seen():
    alone = {"a": [1.0] * 99 + [10.0], "b": [1.0] * 100}
    assert checkers.isolated(alone, {"a": [1.2] * 99 + [12.0], "b": [1.2] * 100}) == []
    assert checkers.isolated(alone, {"a": [1.0] * 90 + [20.0] * 10, "b": [1.0] * 100}) == [
        "p99 20.0 ms beside it, 1.0 ms without"
    ]
    assert checkers.isolated(alone, {"a": [1.0] * 100}) == ["b got nothing"]
