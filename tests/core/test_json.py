"""The strict decoder: rows B1 and B19 to B30 of the catalogue of bad input, and that nothing is lost on the way
through.
"""

import json
from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.errors import Code, Refused
from hub.core.json import Limits, canonical, decode, encode

BAD = [
    ("B1 no body", b"", Code.EMPTY_BODY),
    ("B1 white space", b" \n", Code.EMPTY_BODY),
    ("B19 cut off", b'{"a": [1, 2', Code.MALFORMED_JSON),
    ("B19 cut off in text", b'{"a": "b', Code.MALFORMED_JSON),
    ("B19 trailing comma", b'{"a": 1,}', Code.MALFORMED_JSON),
    ("B19 comment", b'{"a": 1 // one\n}', Code.MALFORMED_JSON),
    ("B19 single quotes", b"{'a': 1}", Code.MALFORMED_JSON),
    ("B19 two documents", b"{}{}", Code.MALFORMED_JSON),
    ("B19 text after the end", b"{} x", Code.MALFORMED_JSON),
    ("B19 control character in text", b'"\x07"', Code.MALFORMED_JSON),
    ("a name twice", b'{"a":1,"a":2}', Code.MALFORMED_JSON),
    ("a name twice, with white space", b'{"a" : 1, "a"\n:\t2, "b":3}', Code.MALFORMED_JSON),
    ("a name twice, hidden by white space elsewhere", b'{"a" :1,"b":1,"b":2}', Code.MALFORMED_JSON),
    ("a name twice, hidden by a tab", b'{"a"\t:1,"b":1,"b":2}', Code.MALFORMED_JSON),
    ("a name twice, once escaped", b'{"a":1,"\\u0061":2}', Code.MALFORMED_JSON),
    ("a name twice, deep below", b'[{"x":[{"a":"\\":","a":2}]}]', Code.MALFORMED_JSON),
    ("B21 100 000 arrays", b"[" * 100_000, Code.TOO_DEEP),
    ("B21 65 arrays", b"[" * 65 + b"]" * 65, Code.TOO_DEEP),
    ("B21 10 000 objects", b'{"a":' * 10_000 + b"1" + b"}" * 10_000, Code.TOO_DEEP),
    ("B22 a million elements", b"[" + b"1," * 999_999 + b"1]", Code.TOO_MANY_VALUES),
    ("B22 a million empty arrays", b"[" + b"[]," * 999_999 + b"[]]", Code.TOO_MANY_VALUES),
    ("B22 100 000 elements", b"[" + b"1," * 99_999 + b"1]", Code.TOO_MANY_VALUES),
    ("B22 100 001 names", json.dumps(dict.fromkeys(map(str, range(100_001)), 1)).encode(), Code.TOO_MANY_VALUES),
    ("B22 a name of a million characters", b'{"' + b"a" * 1_000_000 + b'":1}', Code.TOO_MANY_VALUES),
    ("B23 NaN", b'{"a":NaN}', Code.MALFORMED_JSON),
    ("B23 Infinity", b"Infinity", Code.MALFORMED_JSON),
    ("B23 -Infinity", b"[-Infinity]", Code.MALFORMED_JSON),
    ("B24 1e400", b'{"a":1e400}', Code.NUMBER_OUT_OF_RANGE),
    ("B24 -1e400", b'{"a":-1e400}', Code.NUMBER_OUT_OF_RANGE),
    ("B24 1e-400", b"[1e-400]", Code.NUMBER_OUT_OF_RANGE),
    ("B24 an exponent that Decimal cannot hold", b"1e99999999999999999999", Code.NUMBER_OUT_OF_RANGE),
    ("B24 a fraction of 5 000 digits", b"0." + b"1" * 5_000, Code.NUMBER_OUT_OF_RANGE),
    ("B25 5 000 digits", b'{"a":' + b"9" * 5_000 + b"}", Code.NUMBER_OUT_OF_RANGE),
    ("B25 2^63", b'{"a":[9223372036854775808]}', Code.NUMBER_OUT_OF_RANGE),
    ("B25 -2^63-1", b"-9223372036854775809", Code.NUMBER_OUT_OF_RANGE),
    ("B25 01", b"01", Code.MALFORMED_JSON),
    ("B25 +1", b"+1", Code.MALFORMED_JSON),
    ("B25 1_000", b"1_000", Code.MALFORMED_JSON),
    ("B25 fullwidth digits", "１２".encode(), Code.MALFORMED_JSON),
    ("B27 0xFF", b'"\xff"', Code.INVALID_UTF8),
    ("B27 in a name", b'{"\xff":1}', Code.INVALID_UTF8),
    ("B27 outside of text", b"{}\xff", Code.INVALID_UTF8),
    ("B27 overlong", b'"\xc0\xaf"', Code.INVALID_UTF8),
    ("B27 a cut sequence", b'"\xe5\xbc"', Code.INVALID_UTF8),
    ("B27 Latin-1", '"Müller"'.encode("latin-1"), Code.INVALID_UTF8),
    ("B27 a surrogate in UTF-8", b'"\xed\xa0\x80"', Code.INVALID_UTF8),
    ("B28 BOM", b"\xef\xbb\xbf{}", Code.MALFORMED_JSON),
    ("B28 UTF-16 with mark", '{"a":1}'.encode("utf-16"), Code.MALFORMED_JSON),
    ("B28 UTF-16 without mark", '{"a":1}'.encode("utf-16-le"), Code.MALFORMED_JSON),
    ("B28 UTF-32", '{"a":1}'.encode("utf-32"), Code.MALFORMED_JSON),
    ("B29 a lone surrogate", b'"\\ud800"', Code.INVALID_UNICODE),
    ("B29 a lone second half", b'{"a":"\\udc00"}', Code.INVALID_UNICODE),
    ("B29 a reversed pair", b'"\\udc00\\ud800"', Code.INVALID_UNICODE),
    ("B29 a half, then a letter", b'"\\ud800\\u0041"', Code.INVALID_UNICODE),
    ("B29 a half in a name", b'{"\\ud800x":1}', Code.INVALID_UNICODE),
    ("B30 NUL", b'{"a":["\\u0000"]}', Code.INVALID_UNICODE),
    ("B30 NUL in a name", b'{"\\u0000":1}', Code.INVALID_UNICODE),
]


@pytest.mark.parametrize(("raw", "code"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_what_is_refused_and_with_which_code(raw, code):
    with pytest.raises(Refused) as caught:
        decode(raw)
    assert caught.value.code is code
    [fault] = caught.value.faults
    assert fault.got
    assert fault.want
    assert fault.fix
    assert len(caught.value.text) < 300


GOOD = [
    ("B20 null", b"null", None),
    ("B20 a number", b" 42 ", 42),
    ("B21 64 arrays", b"[" * 64 + b"]" * 64, None),
    ("B22 99 999 elements", b"[" + b"1," * 99_998 + b"1]", None),
    ("B24 0.1 stays 0.1", b"0.1", Decimal("0.1")),
    ("B25 2^53+1", b"9007199254740993", 2**53 + 1),
    ("B25 a whole number of 19 digits", b"-9223372036854775808", -(2**63)),
    ("B25 22 digits of a fraction", b"1234567890.123456789012", Decimal("1234567890.123456789012")),
    ("B25 2^53+1 with a fraction", b"9007199254740993.0", Decimal("9007199254740993.0")),
    ("B25 minus zero", b"-0", 0),
    ("B30 control characters, escaped", b'"\\u0007\\u001b\x7f"', "\x07\x1b\x7f"),
    ("B30 separators, direction, zero width, emoji", '"\u2028\u202e\u200b👨‍👩‍👧"'.encode(), "\u2028\u202e\u200b👨‍👩‍👧"),
    ("B30 an escaped pair", b'"\\ud83d\\ude00"', "😀"),
    ("not NUL, but a backslash and six letters", b'"\\\\u0000"', "\\u0000"),
    ("B33 names that other languages look up", b'{"__proto__":1,"$ref":2}', {"__proto__": 1, "$ref": 2}),
    ("a quote and a colon in text", b'{"a":"\\":\\":"}', {"a": '":":'}),
    (
        "the same name in two objects",
        b'{"a":{"a":1},"b":[{"a":2},{"a":3}]}',
        {"a": {"a": 1}, "b": [{"a": 2}, {"a": 3}]},
    ),
]


@pytest.mark.parametrize(("raw", "value"), [row[1:] for row in GOOD], ids=[row[0] for row in GOOD])
def test_what_is_taken(raw, value):
    found = decode(raw)
    if value is not None:
        assert found == value
        assert type(found) is type(value)


def test_a_refusal_says_the_position():
    with pytest.raises(Refused) as caught:
        decode(b'{"a": 1,\n "b": 2,}')
    assert "line 2, column 9" in caught.value.text
    assert "trailing comma" in caught.value.text


def test_a_name_that_stands_twice_is_named():
    with pytest.raises(Refused, match="'quantity' stands twice"):
        decode(b'{"sku":"A","quantity":1,"quantity":2}')


def test_a_number_out_of_range_has_its_pointer():
    with pytest.raises(Refused) as caught:
        decode(b'{"items":[{"q":1},{"a/b":9223372036854775808}]}')
    assert caught.value.faults[0].pointer == "/items/1/a~1b"


@pytest.mark.parametrize(
    ("raw", "limits", "code"),
    [
        (b'"1234567"', Limits(max_bytes=8), Code.TOO_LARGE),
        (b"[[]]", Limits(max_depth=1), Code.TOO_DEEP),
        (b"[1,1]", Limits(max_values=2), Code.TOO_MANY_VALUES),
        (b'{"abc":1}', Limits(max_name=2), Code.TOO_MANY_VALUES),
    ],
)
def test_limits_are_settings(raw, limits, code):
    assert decode(raw) is not None
    with pytest.raises(Refused) as caught:
        decode(raw, limits)
    assert caught.value.code is code


def test_b39_ten_thousand_names_cost_no_more_than_others():
    names = {f"a{number}": number for number in range(10_000)}
    assert decode(json.dumps(names).encode()) == names


@pytest.mark.parametrize(
    "text",
    ["1.10", "198.00", "0.1", "9007199254740993", "-9223372036854775808", "1234567890.123456789012", "1.0", "-0.00"],
)
def test_numbers_leave_as_they_came(text):
    assert encode(decode(text.encode())) == text.encode()


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("-Infinity"),
        {"a": [1, float("nan")]},
        "\ud800",
    ],
)
def test_what_json_cannot_say_is_not_written(value):
    with pytest.raises(ValueError):
        encode(value)
    with pytest.raises(ValueError):
        canonical(value)


def test_words_that_look_like_trouble_are_text():
    assert encode({"a": ["NaN", None, "Infinity", "null"]}) == b'{"a":["NaN",null,"Infinity","null"]}'


def test_canonical_bytes_do_not_depend_on_the_order_of_names():
    assert canonical({"b": 1, "a": {"d": Decimal("1.10"), "c": "张"}}) == '{"a":{"c":"张","d":1.10},"b":1}'.encode()


_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
_NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.decimals(
    allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=6
)
_VALUES = st.recursive(
    st.none() | st.booleans() | _NUMBERS | _TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(_TEXT, inner, max_size=5),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@given(_VALUES)
def test_what_is_written_is_read_again(value):
    assert decode(encode(value)) == value
    assert decode(canonical(value)) == value


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=60))
def test_no_bytes_escape_the_one_refusal(raw):
    with suppress(Refused):  # anything else that is raised fails the test
        decode(raw)
