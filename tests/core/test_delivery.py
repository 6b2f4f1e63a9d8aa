"""What an answer means for a delivery, and the table of states."""

from datetime import UTC, datetime, timedelta

import pytest

from hub.core.adapter import Reply
from hub.core.errors import Cause, GiveUp, Reason, TryLater, Unknown
from hub.core.message import Disposition, Message, Ref
from hub.core.model.delivery import (
    ENDED,
    TRANSITIONS,
    Claim,
    Dead,
    Delivered,
    InDoubt,
    InDoubtPolicy,
    NewDelivery,
    Retry,
    Status,
    WhenDead,
    judge,
)
from hub.core.model.retry import RetryPolicy

NOW = datetime(2026, 6, 1, 9, 30, tzinfo=UTC)
REF = Ref("wms", "outbound.create", 1)
MESSAGE = Message("m1", Ref("oms", "outbound.requested", 1), NOW, "ak", "http", b"{}", "t", "r", Disposition.ROUTED, 1)
POLICY = RetryPolicy(attempts=3, first=timedelta(seconds=10), full_jitter=False, give_up_after=timedelta(days=1))
WHY = Cause(Reason.SERVER_ERROR, "The target answered 500.")


def claim(spent=1, age=timedelta(0)):
    return Claim(
        "d1",
        MESSAGE,
        "outbound",
        REF,
        None,
        "K",
        1,
        spent + 5,
        spent,
        NOW - age,
        NOW,
        "token",
        NOW + timedelta(seconds=60),
    )


def judged(answer, in_doubt=InDoubtPolicy.RESEND, **more):
    return judge(answer, claim(**more), policy=POLICY, in_doubt=in_doubt, jitter=0.5, now=NOW)


def test_a_reply_is_delivered_with_the_keys_that_it_named():
    assert judged(Reply(keys=(("outboundNo", "W1"),), already=True)) == Delivered((("outboundNo", "W1"),), already=True)


def test_what_cannot_be_helped_is_dead_at_once():
    assert judged(GiveUp(WHY)) == Dead(WHY)


def test_not_now_is_a_retry_that_honours_what_the_target_asked_for():
    assert judged(TryLater(WHY)) == Retry(WHY, 10)
    assert judged(TryLater(WHY, after_s=120), spent=2) == Retry(WHY, 120)


@pytest.mark.parametrize("spent_and_age", [{"spent": 3}, {"spent": 1, "age": timedelta(days=1)}])
@pytest.mark.parametrize("answer", [TryLater(WHY), Unknown(WHY)])
def test_the_last_attempt_or_old_age_ends_it(answer, spent_and_age):
    outcome = judged(answer, **spent_and_age)
    assert isinstance(outcome, Dead)
    assert outcome.why.reason is Reason.EXHAUSTED
    assert WHY.text in outcome.why.text
    assert outcome.why.fix


def test_old_age_is_not_said_to_be_the_last_attempt():
    outcome = judged(TryLater(WHY), spent=1, age=timedelta(days=2))
    assert "Attempt 1 of 3" not in outcome.why.text
    assert "1 day" in outcome.why.text


def test_what_may_have_happened_goes_by_the_targets_policy():
    assert judged(Unknown(WHY)) == InDoubt(WHY, InDoubtPolicy.RESEND, 10)
    assert judged(Unknown(WHY), InDoubtPolicy.PARK) == InDoubt(WHY, InDoubtPolicy.PARK)


def test_what_may_have_happened_is_never_dead_where_a_person_must_decide():
    assert judged(Unknown(WHY), InDoubtPolicy.PARK, spent=3, age=timedelta(days=9)) == InDoubt(WHY, InDoubtPolicy.PARK)


def test_every_state_is_in_the_table_and_goes_to_known_states_only():
    assert set(TRANSITIONS) == set(Status)
    assert all(after <= set(Status) and state not in after for state, after in TRANSITIONS.items())


def test_what_has_ended_stays_so_and_nothing_else_does():
    assert {state for state, after in TRANSITIONS.items() if not after} == ENDED


def test_every_state_can_be_reached_and_every_open_one_can_end():
    def reach(start):
        seen, waiting = set(), [start]
        while waiting:
            state = waiting.pop()
            if state not in seen:
                seen.add(state)
                waiting += TRANSITIONS[state]
        return seen

    assert reach(Status.PENDING) == set(Status)
    assert all(reach(state) & ENDED for state in Status)


def test_only_a_claim_leads_to_delivery_but_for_a_person_who_knows():
    assert {state for state, after in TRANSITIONS.items() if Status.DELIVERED in after} == {
        Status.LEASED,
        Status.UNKNOWN,
    }
    assert {state for state, after in TRANSITIONS.items() if Status.LEASED in after} == {Status.PENDING}


def test_the_lane_is_the_targets_system():
    assert NewDelivery("d", "r", REF).lane == claim().lane == "wms"
    assert NewDelivery("d", "r", REF).when_dead is WhenDead.PARK
