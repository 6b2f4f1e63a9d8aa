"""A query as a message: by the kinds that the contract wants, and refused where two names exclude each other."""

from decimal import Decimal

import pytest

from hub.core.config.query import message_of
from hub.core.errors import Refused

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "sku": {"type": "string"},
        "limit": {"type": "integer"},
        "price": {"type": "number"},
        "open": {"type": "boolean"},
        "skus": {"type": "array", "items": {"type": "string"}},
        "sizes": {"type": "array", "items": {"type": "integer"}},
        "near": {"type": "object", "properties": {"city": {"type": "string"}, "km": {"type": "integer"}}},
        "either": {"type": ["string", "integer"]},
        "none": {"type": ["integer", "null"]},
        "a.b": {"type": "string"},
    },
}


@pytest.mark.parametrize(
    ("fields", "made"),
    [
        ({"sku": "007"}, {"sku": "007"}),
        ({"limit": "10"}, {"limit": 10}),
        ({"limit": "12345678901234567"}, {"limit": 12345678901234567}),
        ({"price": "0.10"}, {"price": Decimal("0.10")}),
        ({"open": "true"}, {"open": True}),
        ({"open": "yes"}, {"open": "yes"}),
        ({"limit": "ten"}, {"limit": "ten"}),
        ({"limit": "010"}, {"limit": "010"}),
        ({"skus": "A,B"}, {"skus": ["A", "B"]}),
        ({"sizes": "1,2"}, {"sizes": [1, 2]}),
        ({"skus": ""}, {"skus": []}),
        ({"near.city": "北京", "near.km": "5"}, {"near": {"city": "北京", "km": 5}}),
        ({"either": "5"}, {"either": "5"}),
        ({"none": ""}, {"none": None}),
        ({"a.b": "x"}, {"a.b": "x"}),
        ({"unknown": "1"}, {"unknown": "1"}),
        ({}, {}),
    ],
)
def test_fields_are_read_as_the_contract_wants_them(fields, made):
    assert message_of(fields, SCHEMA) == made


@pytest.mark.parametrize(
    "fields", [{"sku": "1", "sku.x": "2"}, {"near.city": "1", "near": "2"}, {".".join("abcdefghij"): "1"}]
)
def test_names_that_exclude_each_other_are_refused(fields):
    with pytest.raises(Refused):
        message_of(fields, SCHEMA)
