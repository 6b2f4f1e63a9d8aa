"""Sharing: however processes come and go, their parts together never exceed the cap, and nobody waits for ever."""

from hypothesis import given
from hypothesis import strategies as st

from hub.core.model.sharing import at_once, fair

NAMES = [f"w{number}" for number in range(6)]


@given(
    st.integers(1, 64),
    st.none() | st.integers(1, 6),
    st.lists(st.tuples(st.sampled_from(NAMES), st.booleans()), max_size=60),
)
def test_all_parts_together_never_exceed_the_cap(most, holders, turns):
    # Given processes that take their part and leave in any order
    held = {}
    for name, comes in turns:
        if not comes:
            held.pop(name, None)
            continue
        held[name] = fair(
            most, {other: number for other, number in held.items() if other != name}, name, holders=holders
        )
        # Then at no moment is more held than there is, or by more than may
        assert sum(held.values()) <= most
        assert holders is None or sum(number > 0 for number in held.values()) <= holders


@given(st.integers(1, 64), st.integers(2, 6))
def test_after_a_round_or_two_everybody_has_an_even_part(most, count):
    held = {}
    for _ in range(3):
        for name in NAMES[:count]:
            held[name] = fair(most, {other: number for other, number in held.items() if other != name}, name)
    # Then what is held differs by one at most, and where there are enough places nobody is without
    assert max(held.values()) - min(held.values()) <= 1
    assert min(held.values()) >= 1 or most < count


def test_who_is_alone_leaves_one_of_many_free_so_that_another_can_begin_at_once():
    assert fair(32, {}, "w1") == 31
    assert fair(32, {"w1": 31}, "w2") == 1
    assert fair(4, {}, "w1") == 4


def test_a_small_rate_is_one_process_at_a_time():
    assert [at_once(None), at_once(0.5), at_once(19.9), at_once(200)] == [None, 1, 1, 20]
    assert fair(32, {}, "w1", holders=1) == 32
    assert fair(32, {"w1": 32}, "w2", holders=1) == 0
    assert fair(32, {"w2": 0}, "w1", holders=1) == 32
