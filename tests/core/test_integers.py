"""`1.0`, `100.00` and `1E+2` where a contract wants an integer: they leave as one, with every digit; numbers keep the
digits that they have.
"""

from decimal import Decimal

import pytest

from hub.core import json
from hub.core.config.events import hashed
from hub.core.config.query import message_of
from hub.core.message import Ref
from hub.core.schemas.contract import compile_contract
from hub.core.schemas.integers import declared, plain, text_of

WHOLE = {"type": "integer"}
SCHEMA = {
    "type": "object",
    "properties": {
        "n": WHOLE,
        "maybe": {"type": ["integer", "null"]},
        "either": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        "both": {"allOf": [{"type": "number"}, {"type": "integer"}]},
        "ref": {"$ref": "#/$defs/whole"},
        "one": {"enum": [1, 2, 3]},
        "price": {"type": "number"},
        "open": {"type": ["number", "string"]},
        "free": {},
        "items": {
            "type": "array",
            "items": {"type": "object", "properties": {"quantity": WHOLE, "weight": {"type": "number"}}},
        },
        "counts": {"type": "object", "additionalProperties": {"type": "integer"}},
        "coded": {"type": "object", "patternProperties": {"^q_": {"type": "integer"}}, "additionalProperties": False},
        "pair": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False},
        "list": {"type": "array", "items": WHOLE},
        "deep": {"$ref": "#/$defs/tree"},
    },
    "$defs": {
        "whole": WHOLE,
        "tree": {
            "type": "object",
            "properties": {"n": WHOLE, "below": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
        },
    },
}
CONTRACT = compile_contract(Ref("wms", "order", 1), SCHEMA)


@pytest.mark.parametrize(
    ("sent", "left"),
    [
        ('{"n":1.0}', '{"n":1}'),
        ('{"n":100.00}', '{"n":100}'),
        ('{"n":1E+2}', '{"n":100}'),
        ('{"n":-12e1}', '{"n":-120}'),
        ('{"n":0.0}', '{"n":0}'),
        ('{"n":9223372036854775807.0}', '{"n":9223372036854775807}'),
        ('{"n":1e25}', '{"n":10000000000000000000000000}'),
        ('{"n":123456789012345678901234567890.0}', '{"n":123456789012345678901234567890}'),
        ('{"maybe":2.0}', '{"maybe":2}'),
        ('{"maybe":null}', '{"maybe":null}'),
        ('{"either":3.0}', '{"either":3}'),
        ('{"either":"3.0"}', '{"either":"3.0"}'),
        ('{"both":4.0}', '{"both":4}'),
        ('{"ref":5.0}', '{"ref":5}'),
        ('{"one":2.0}', '{"one":2}'),
        ('{"price":10.00}', '{"price":10.00}'),
        ('{"price":1E+2}', '{"price":1E+2}'),
        ('{"open":10.0}', '{"open":10.0}'),
        ('{"free":10.0}', '{"free":10.0}'),
        (
            '{"items":[{"quantity":1.0,"weight":1.0},{"quantity":2}]}',
            '{"items":[{"quantity":1,"weight":1.0},{"quantity":2}]}',
        ),
        ('{"counts":{"SKU-1":1.0,"*":2.0}}', '{"counts":{"SKU-1":1,"*":2}}'),
        ('{"coded":{"q_1":1.0}}', '{"coded":{"q_1":1}}'),
        ('{"pair":["1.0",1.0]}', '{"pair":["1.0",1]}'),
        ('{"list":[1.0,2,3e0]}', '{"list":[1,2,3]}'),
        (
            '{"deep":{"n":1.0,"below":[{"n":2.0,"below":[{"n":3.0}]}]}}',
            '{"deep":{"n":1,"below":[{"n":2,"below":[{"n":3}]}]}}',
        ),
        ('{"other":1.0}', '{"other":1.0}'),
    ],
)
def test_what_the_contract_calls_an_integer_leaves_as_one(sent, left):
    value = json.decode(sent.encode())
    assert CONTRACT.check(value) == []
    assert json.encode(declared(CONTRACT, value)).decode() == left
    assert json.encode(value) == json.encode(json.decode(sent.encode()))  # and what came in is as it was


def test_what_has_nothing_to_change_is_the_same_value():
    value = json.decode(b'{"n":1,"price":1.5,"items":[{"quantity":2}]}')
    assert declared(CONTRACT, value) is value
    assert declared(None, {"n": Decimal("1.0")}) == {"n": Decimal("1.0")}


def test_names_that_strangers_choose_do_not_fill_the_memory():
    for number in range(30_000):
        declared(CONTRACT, {"counts": {f"SKU-{number}": Decimal("1.0")}})
    assert len(CONTRACT.integers) <= 10_000


@pytest.mark.parametrize(
    ("same", "text"),
    [
        (["1", "1.0", "1E+0", "1.00", "10e-1"], "1"),
        (["1.5", "1.50", "15E-1"], "1.5"),
        (["1E+30", "1" + "0" * 30], "1" + "0" * 30),
    ],
)
def test_equal_numbers_have_one_text(same, text):
    assert {text_of(Decimal(one)) for one in same} == {text}
    assert len({plain(Decimal(one)) for one in same}) == 1
    long = Decimal("0." + "123456789" * 10)
    assert text_of(long) == str(long)


def test_a_question_by_get_says_an_integer_in_any_spelling():
    made = [message_of({"n": text, "items.quantity": "x"}, SCHEMA)["n"] for text in ("100", "1e2", "100.0")]
    assert [declared(CONTRACT, {"n": one}) for one in made] == [{"n": 100}] * 3


def test_what_has_no_id_is_known_by_its_content_however_it_writes_numbers():
    same = [hashed(json.decode(raw)) for raw in (b'{"n":1,"p":2.5}', b'{"n":1.0,"p":2.50}', b'{"n":1e0,"p":25e-1}')]
    assert len({*same}) == 1
    assert hashed(json.decode(b'{"n":2,"p":2.5}')) not in same
