"""Which deliveries have a try whose outcome nobody saw: what makes a target's conflict "still under way" and no
refusal.
"""

from hub.core.errors import Cause, Reason
from hub.core.model.delivery import InDoubt, InDoubtPolicy, Retry
from tests.support.making import claim, laid, settled

WHY = Cause(Reason.NO_ANSWER, "it was sent, and no answer came")


def test_a_try_without_a_word_is_doubted_and_an_answered_one_is_not(store):
    answered, silent, lost, fresh = (laid() for _ in range(4))
    store.add([answered, silent])
    for one in claim(store):
        is_silent = one.id == silent.deliveries[0].id
        store.settle([settled(one, InDoubt(WHY, InDoubtPolicy.RESEND) if is_silent else Retry(WHY, 0.0))])
    store.add([lost])
    while not any(one.id == lost.deliveries[0].id for one in claim(store, lease_s=0.0)):
        store.expire()
    store.expire()
    store.add([fresh])
    ids = [one.deliveries[0].id for one in (answered, silent, lost, fresh)]
    assert {silent.deliveries[0].id, lost.deliveries[0].id} <= store.doubted(ids)
    assert fresh.deliveries[0].id not in store.doubted(ids)
    assert store.doubted([]) == frozenset()
    # Doubt stays, whatever later tries were told: nobody has seen how the first one ended
    for one in claim(store):
        store.settle([settled(one, Retry(WHY, 60.0))])
    assert silent.deliveries[0].id in store.doubted(ids)
