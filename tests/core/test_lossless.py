"""Numbers arrive as they were sent: from the bytes of a post to the bytes of a delivery, by plain paths unchanged, by
`$dec_*` exact.
"""

from datetime import UTC, datetime
from decimal import Decimal, localcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core import json
from hub.core.config.mapping import compile_mapping

NOW = datetime(2026, 6, 1, tzinfo=UTC)
MAPPING = compile_mapping(
    {
        "from": "oms/order.created@1",
        "to": "erp/cost.post@1",
        "fields": {
            "id": "id",
            "nested": {"amount": "lines[0].amount"},
            "lines": {"each": "lines", "fields": {"amount": "amount", "source": "$source.id"}},
            "whole": {"copy": "lines", "except": ["note"]},
            "chosen": {"when": "$exists(id)", "value": "id"},
        },
    },
)


def sent(number):
    return b'{"id": %s, "lines": [{"amount": %s, "note": "x"}]}' % (number, number)


def arrived(raw):
    return json.encode(MAPPING.apply(json.decode(raw), now=NOW))


def expected(number):
    one = b'{"id":N,"nested":{"amount":N},"lines":[{"amount":N,"source":N}],"whole":[{"amount":N}],"chosen":N}'
    return one.replace(b"N", number)


@pytest.mark.parametrize(
    "number",
    [
        b"1234567890123456789",
        b"9007199254740993",
        b"-9223372036854775808",
        b"0.10",
        b"19.99",
        b"1234567890123456.78",
        b"1.10",
        b"0.000001",
        b"100.00",
    ],
)
def test_a_number_arrives_as_it_was_sent(number):
    assert arrived(sent(number)) == expected(number)


@settings(max_examples=500, deadline=None)
@given(
    st.integers(-(2**63), 2**63 - 1)
    | st.decimals(
        allow_nan=False, allow_infinity=False, places=2, min_value=Decimal(-(10**17)), max_value=Decimal(10**17)
    )
)
def test_whatever_number_it_is(number):
    text = f"{number:f}".encode() if isinstance(number, Decimal) else str(number).encode()
    assert arrived(sent(text)) == expected(text)


@settings(max_examples=500, deadline=None)
@given(
    *[
        st.decimals(
            allow_nan=False, allow_infinity=False, places=2, min_value=Decimal(-(10**15)), max_value=Decimal(10**15)
        )
    ]
    * 2
)
def test_money_is_exact(price, other):
    sums = compile_mapping(
        {
            "from": "oms/order.created@1",
            "to": "erp/cost.post@1",
            "fields": {"sum": "$dec_add(price, other)", "product": "$dec_round($dec_mul(price, other), 4)"},
        },
    )
    made = sums.apply({"price": f"{price:f}", "other": f"{other:f}"}, now=NOW)
    with localcontext(prec=60):
        assert Decimal(made["sum"]) == price + other
        assert Decimal(made["product"]) == (price * other).quantize(Decimal("0.0001"))
