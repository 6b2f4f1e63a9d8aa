"""Generated expressions over generated orders: our layer and the pure-Python implementation of JSONata give the same,
or both an error.
"""

import jsonata
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.core.errors import GiveUp
from hub.core.expressions.expression import compile_expression
from hub.core.expressions.prepared import MISSING
from tests.core.test_expression import NOW

_TEXT = st.sampled_from(["customer.name", "customer.level", "orderNo", "items[0].sku", "'x'", "note"])
_NUMBER = st.sampled_from(
    [
        "total",
        "count",
        "items[0].quantity",
        "$sum(items.quantity)",
        "$count(items)",
        "$max(items.quantity)",
        "2",
        "0.5",
        "$sum(items.(price * quantity))",
    ]
)
# Sorting is left out: of one element the engine gives the element, the pure one a list; where it matters, [] behind the
# path says which.
_MANY = st.sampled_from(
    [
        "items.sku",
        "items.quantity",
        "items[quantity > 2].sku",
        "items.tags",
        "[1, 2, 3]",
        "items.price",
        "$map(items, function($i) { $i.sku })",
    ]
)


def _grown(inner):
    return st.one_of(
        st.tuples(inner, st.sampled_from([" = ", " != "]), inner).map("".join),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}) ? ({two[1]}) : 'none'"),
        st.tuples(inner, inner).map(lambda two: f"[{two[0]}, {two[1]}]"),
        st.tuples(inner, inner).map(lambda two: f"{{'a': {two[0]}, 'b': {two[1]}}}"),
        inner.map(lambda one: f"$exists({one})"),
        inner.map(lambda one: f"$boolean({one})"),
        inner.map(lambda one: f"($v := {one}; $v)"),
        st.tuples(inner, inner).map(lambda two: f"($exists({two[0]}) and $boolean({two[1]}))"),
    )


_EXPRESSIONS = st.recursive(
    st.one_of(
        _TEXT,
        _NUMBER,
        _MANY,
        st.tuples(_NUMBER, st.sampled_from([" + ", " - ", " * "]), _NUMBER).map("".join),
        st.tuples(_NUMBER, st.sampled_from([" < ", " <= ", " > ", " >= "]), _NUMBER).map("".join),
        st.tuples(_TEXT, _TEXT).map(lambda two: f"{two[0]} & '/' & {two[1]}"),
        _TEXT.map(lambda one: f"$uppercase({one})"),
        _TEXT.map(lambda one: f"$substring({one}, 0, 2)"),
        _TEXT.map(lambda one: f"$length({one})"),
        st.just("$join(items.sku, ',')"),
        _MANY.map(lambda one: f"$count({one})"),
        _MANY.map(lambda one: f"$distinct({one})"),
    ),
    _grown,
    max_leaves=5,
)
_ITEM = st.fixed_dictionaries(
    {"sku": st.sampled_from(["S1", "S2", "s3"]), "quantity": st.integers(1, 5)},
    optional={
        "price": st.sampled_from([1.5, 2, 19.99]),
        "tags": st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=2),
    },
)
_ORDERS = st.fixed_dictionaries(
    {
        "orderNo": st.sampled_from(["SO-1", "上海-2"]),
        "items": st.lists(_ITEM, min_size=1, max_size=3),
        "total": st.sampled_from([0, 19.5, 100]),
    },
    optional={
        "count": st.integers(0, 3),
        "note": st.sampled_from(["", "gift"]),
        "customer": st.fixed_dictionaries({"name": st.just("王"), "level": st.sampled_from(["GOLD", "SILVER"])}),
    },
)


def ours(text, order):
    try:
        found = compile_expression(text, limit_ms=5_000).evaluate(order, now=NOW)
    except (GiveUp, ValueError):
        return "error"
    return None if found is MISSING else plain(found)


def pure(text, order):
    try:
        return plain(jsonata.Jsonata(text).evaluate(order))
    except Exception:
        return "error"


def plain(value):
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return [plain(member) for member in value]
    return value if value is None or isinstance(value, bool | str) else ("number", float(f"{float(value):.12g}"))


@settings(max_examples=1_000, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(_EXPRESSIONS, _ORDERS)
def test_two_implementations_agree_on_generated_expressions(text, order):
    assert ours(text, order) == pure(text, order)
