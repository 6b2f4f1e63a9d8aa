"""Identities of several parts: each must be there, wherever the expression puts them together."""

from datetime import UTC, datetime

import pytest

from hub.core.errors import GiveUp
from hub.core.expressions.expression import compile_expression

NOW = datetime(2026, 6, 1, tzinfo=UTC)
WHOLE = {
    "a": "A",
    "b": "B",
    "n": 7,
    "o": {"c": "C", "d e": "D"},
    "l": [{"x": "1", "y": "2"}, {"x": "3", "y": "4"}],
    "t": "long",
}


def of(text, value):
    return compile_expression(text, is_identity=True).evaluate(value, now=NOW)


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("a & '/' & b", "A/B"),
        ("a&b", "AB"),
        ("a & n", "A7"),
        ("o.c & '-' & a", "C-A"),
        ("o.`d e` & a", "DA"),
        ("(a & b) & '/' & (o.c)", "AB/C"),
        ("$uppercase(a & '/' & b)", "A/B"),
        ("t = 'long' ? a & '/' & b : a", "A/B"),
        ("t = 'short' ? a & '/' & zz : a", "A"),
        ("a & (zz ? '/' & zz : '')", "A"),
        ("$join(l.(x & ':' & y), ',')", "1:2,3:4"),
        ("$join([a, b], '/')", "A/B"),
        ("$join([a, 'x', $string(n)], '/')", "A/x/7"),
        ("($k := a & '#'; $k & b)", "A#B"),
        ("a & '/' & l[0].x", "A/1"),
        ("a /* & zz */ & '&' & b", "A&B"),
        ("a", "A"),
        ("$string(n)", "7"),
    ],
)
def test_what_is_whole_is_as_it_was(text, made):
    assert of(text, WHOLE) == made
    assert compile_expression(text).evaluate(WHOLE, now=NOW) == made


@pytest.mark.parametrize("missing", [{}, {"b": None}, {"b": ""}])
@pytest.mark.parametrize(
    "text",
    [
        "a & '/' & b",
        "b & '/' & a",
        "(a & '/') & b",
        "$lowercase(a & b)",
        "$uuid5('x', a & '/' & b)",
        "a & (true ? b & 'x' : a)",
        "$join([a, b], '/')",
    ],
)
def test_a_part_that_is_missing_null_or_empty_is_a_fault(text, missing):
    with pytest.raises(GiveUp) as error:
        of(text, {"a": "A", **missing})
    assert "The part b of" in error.value.why.text
    assert error.value.why.field == "/b"


@pytest.mark.parametrize(
    "text",
    [
        "$join(l.(x & ':' & y), ',')",
        "a & '/' & $string(zz)",
        "a & '/' & l[5].x",
        "o.c & o.zz",
        "a & (t = 'long' ? zz : b)",
    ],
)
def test_so_is_one_in_the_depth(text):
    value = {**WHOLE, "l": [{"x": "1", "y": "2"}, {"x": "3"}]}
    with pytest.raises(GiveUp):
        of(text, value)


def test_what_is_no_identity_may_lack_a_part():
    assert compile_expression("a & '/' & b").evaluate({"a": "A"}, now=NOW) == "A/"
