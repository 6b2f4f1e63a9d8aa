"""The reader of expressions: it takes what the engine takes, and knows where everything stands."""

import jsonata
import jsonatapy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.expressions.syntax import read
from hub.core.expressions.tree import (
    Array,
    Binary,
    Block,
    Call,
    Chain,
    Condition,
    Filter,
    Lambda,
    Literal,
    Name,
    Negate,
    Object,
    Step,
    Variable,
    walk,
)

GOOD = [
    "orderNo", "consignee.name", "items[0].sku", "items[quantity > 5].sku", "items.sku[]", "$sum(items.(price * quantity))", "'Gift: ' & note",
    "a ? b : c", "a ? b", "a = 1 and b != 'x' or c in ['a', \"b\"]", "$exists(a) and $not(b)", "[1..5]", "{'a': b, 'c': [d, e]}", "($x := a; $x + 1)",
    "function($x, $y) { $x + $y }", "items ~> $map(function($i) { $i.sku })", "items^(>price, sku)", "items{sku: quantity}", "`odd name`.b", "**.sku", "*.a", "a.%.b",
    "items#$i.{'n': $i}", "items@$i.$i.sku", "$substring(?, 0, 3)", "$match(a, /ab+c/i)", "a ~> |b|{'c': 1}|", "a ~> |b|{'c': 1}, 'd'|", "-a + -1", "a/b/c", "a % 2",
    "$$.a", "$source.a", "$", "/* note */ a /* more */ . b", "a.(b; c)", 'a[b="x"][0]', "$f(1)(2)", "and.or.in", "a ?: b", "a ?? b", "1.5e3 * 2", "'A\\u0041'",
    "function($x)<n:n>{$x}(5)", "$a.b.$c(d)", "{}", "[]", "()", "a < b", "a<=b", "$x.y[z].(w)",
]  # fmt: skip
BAD = [
    "",
    "a +",
    "(a",
    "[a",
    "{a}",
    "a..b..c)",
    "a ? ",
    "a b",
    "'open",
    "$x := ",
    "1 := 2",
    "a.",
    "@",
    "a[",
    "function(x){1}",
    "|a|",
    "a,b",
    "#",
    "a ^ b",
]


@pytest.mark.parametrize("text", GOOD)
def test_what_the_engine_takes_is_read(text):
    jsonatapy.compile(text)
    assert read(text) is not None


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_expression_is_refused(text):
    with pytest.raises(ValueError):
        read(text)


def test_trees_have_the_shape_that_the_language_says():
    assert read("a.b.c") == Step(Step(Name("a", 0), Name("b", 2), 1), Name("c", 4), 3)
    assert read("a + b * c") == Binary("+", Name("a", 0), Binary("*", Name("b", 4), Name("c", 8), 6), 2)
    assert read("a or b and c") == Binary("or", Name("a", 0), Binary("and", Name("b", 5), Name("c", 11), 7), 2)
    assert read("a[0].b") == Step(Filter(Name("a", 0), Literal(0, 2), 1), Name("b", 5), 4)
    assert read("a.b[0]") == Step(Name("a", 0), Filter(Name("b", 2), Literal(0, 4), 3), 1)
    assert read("-a.b") == Negate(Step(Name("a", 1), Name("b", 3), 2), 0)
    assert isinstance(read("a ? b : c ? d : e").other, Condition)
    assert read("$f(a, ?)") == Call(Variable("f", 0), (Name("a", 3), None), 2)
    assert read("[1..n]") == Array((Binary("..", Literal(1, 1), Name("n", 4), 2),), 0)
    assert read("{'a': b}") == Object(((Literal("a", 1), Name("b", 6)),), 0)
    assert isinstance(read("a ~> $f ~> $g"), Chain)
    assert isinstance(read("(a; b)"), Block)
    assert read("function($x){$x}") == Lambda(("x",), Variable("x", 13), 0)


def test_walking_meets_every_name():
    names = {
        node.text
        for node in walk(read("$sum(items[price > 1].(price * quantity)) & a{b: c}"))
        if isinstance(node, Name)
    }
    assert names == {"items", "price", "quantity", "a", "b", "c"}


_ATOM = st.sampled_from(
    ["a", "b.c", "1", "'x'", "$y", "$", "true", "`odd`", "*", "[1,2]", "{'k': a}", "items[0]", "-1"]
)
_EXPRESSIONS = st.recursive(
    _ATOM,
    lambda inner: st.one_of(
        st.tuples(
            inner, st.sampled_from(["+", "*", "&", "=", "<", " and ", " or ", " in ", ".", "~>", "!=", "-", "/"]), inner
        ).map("".join),
        st.tuples(inner, inner, inner).map(lambda parts: f"{parts[0]} ? {parts[1]} : {parts[2]}"),
        inner.map(lambda one: f"({one})"),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}; {two[1]})"),
        st.tuples(inner, inner).map(lambda two: f"{two[0]}[{two[1]}]"),
        inner.map(lambda one: f"$sum({one})"),
        st.tuples(inner, inner).map(lambda two: f"{two[0]}{{'k': {two[1]}}}"),
    ),
    max_leaves=8,
)


@settings(max_examples=500, deadline=None)
@given(_EXPRESSIONS)
def test_what_two_engines_read_is_read_and_what_they_refuse_is_refused(text):
    def reads(make):
        try:
            make(text)
        except (ValueError, IndexError, jsonata.JException):  # the pure one trips over a comment that does not end
            return False
        return True

    engine, pure = reads(jsonatapy.compile), reads(jsonata.Jsonata)
    if engine and pure:
        assert reads(read)
