"""Simple patterns: what is decided of them is so, whatever text is tried."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.message import Ref
from hub.core.schemas.contract import compile_contract
from hub.core.schemas.patterns import atoms, beyond, is_within

_CLASSES = st.sampled_from(["[ab]", "[a-c]", "[abc-]", "a", "b", "\\d", "[0-2]", "[a0]", "[\\da]"])
_TIMES = st.sampled_from(["", "?", "*", "+", "{2}", "{1,2}", "{0,3}", "{2,}"])
_PATTERNS = st.lists(st.tuples(_CLASSES, _TIMES), max_size=3).map(
    lambda parts: "^" + "".join(a + b for a, b in parts) + "$"
)


@pytest.mark.parametrize(
    ("one", "other", "within"),
    [
        ("^[A-Z]{2}[0-9]{6}$", "^[A-Z]{2}[0-9]{6,8}$", True),
        ("^[A-Z]{2}[0-9]{6,8}$", "^[A-Z]{2}[0-9]{6}$", False),
        ("^[0-9]+$", "^\\d*$", True),
        ("^a+$", "^a$", False),
        ("^[a-z]$", "^[a-z0-9]$", True),
        ("^(a|b)$", "^(a|b)$", False),  # not of the simple kind
        ("a", "a", False),
        ("^a{3,1}$", "^a$", False),
        ("^[^a]$", "^[^a]$", False),
        ("^a.$", "^a.$", False),
    ],
)
def test_which_takes_all_that_another_takes(one, other, within):
    assert is_within(one, other) is within


@pytest.mark.parametrize(
    "pattern", ["^[z-a]$", "^\\w$", "^[a\\w]$", "^a|b$", "^a+?$", "^a{1}{2}$", "^$a$", "^[A-\\d]$", "^é$", "^a\\$"]
)
def test_what_readers_may_differ_on_is_not_decided(pattern):
    assert atoms(pattern) is None


@settings(max_examples=300, deadline=None)
@given(_PATTERNS, _PATTERNS, st.lists(st.text("abc012-", max_size=7), min_size=20, max_size=40))
def test_what_is_decided_is_so(one, other, texts):
    takes = [
        compile_contract(
            Ref("a", "b", 1), {"type": "object", "properties": {"x": {"type": "string", "pattern": pattern}}}
        )
        for pattern in (one, other)
    ]
    for text in [*texts, *beyond(one, other), *beyond(other, one)]:
        is_one, is_other = (not contract.check({"x": text}) for contract in takes)
        assert is_one is (re.fullmatch(one[1:-1], text, re.ASCII) is not None)
        assert not (is_within(one, other) and is_one and not is_other), text
    # And what it makes to show that one goes beyond the other is of the one
    assert all(re.fullmatch(one[1:-1], text, re.ASCII) for text in beyond(one, other))
