"""Contracts: rows B20 to B37 and B66 to B71 of the catalogue of bad input, and faults that say what to write."""

from datetime import UTC, datetime
from decimal import Decimal

import jsonschema
import pytest

from hub.core.errors import Fault
from hub.core.json import decode
from hub.core.message import Ref
from hub.core.schemas.contract import compile_contract

REF = Ref("wms", "outbound.confirmed", 2)
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "A warehouse has shipped an outbound order",
    "type": "object",
    "required": ["orderNo", "actualItems"],
    "additionalProperties": False,
    "properties": {
        "orderNo": {
            "type": "string",
            "pattern": "^[A-Z0-9]+$",
            "minLength": 3,
            "maxLength": 20,
            "x-example": "OMS202511220001",
        },
        "shippedTime": {"type": "string", "format": "local-date-time", "x-zone": "Asia/Shanghai"},
        "at": {"type": "string", "format": "date-time"},
        "express": {"type": "boolean"},
        "amount": {"type": "string", "pattern": "^(0|[1-9][0-9]{0,12})\\.[0-9]{2}$", "maxLength": 16, "x-money": True},
        "weight": {"type": "number", "minimum": 0, "maximum": 1000},
        "currency": {"enum": ["CNY", "USD"]},
        "kind": {"const": "SHIPPED"},
        "signer": {"type": "string", "maxLength": 20, "x-pii": "name"},
        "consignee": {"type": "object", "x-pii": "address", "properties": {"city": {"type": "string", "maxLength": 5}}},
        "party": {"anyOf": [{"type": "string", "minLength": 2}, {"type": "object", "required": ["code"]}]},
        "one": {"oneOf": [{"type": "integer"}, {"type": "number", "minimum": 10}]},
        "tags": {"type": "array", "uniqueItems": True, "maxItems": 3, "items": {"type": "string", "maxLength": 8}},
        "names": {"type": "object", "propertyNames": {"maxLength": 3}, "maxProperties": 2},
        "actualItems": {
            "type": "array",
            "minItems": 1,
            "maxItems": 100,
            "items": {
                "type": "object",
                "required": ["sku", "quantity"],
                "additionalProperties": False,
                "properties": {
                    "sku": {"type": "string", "maxLength": 20, "minLength": 1},
                    "quantity": {"type": "integer", "minimum": 1, "maximum": 1_000_000},
                    "phone": {"type": "string", "maxLength": 11, "x-pii": "phone"},
                },
            },
        },
    },
}
CONTRACT = compile_contract(REF, SCHEMA)
GOOD = {"orderNo": "OMS202511220001", "actualItems": [{"sku": "SKU001", "quantity": 2}]}


def check(**more):
    return CONTRACT.check({**GOOD, **more})


def item(**more):
    return check(actualItems=[{"sku": "SKU001", "quantity": 2, **more}])


def test_what_fits_has_no_faults():
    assert CONTRACT.check(GOOD) == []
    assert (
        check(
            shippedTime="2025-11-22T10:00:00",
            at="2025-11-22T10:00:00.123+08:00",
            weight=Decimal("5.0"),
            tags=["a", "b"],
        )
        == []
    )


def test_a_fault_says_where_what_what_is_wanted_and_what_to_write():
    assert item(quantity="2") == [
        Fault(
            "/actualItems/0/quantity",
            "string, 1 character",
            "integer, at least 1, at most 1000000",
            "send 2, without quotes",
        )
    ]


TAKEN = [
    ("B25 1.0 as an integer", item(quantity=Decimal("1.0"))),
    ("B37 a gift weighs nothing", check(weight=0)),
    ("B36 Z", check(at="2025-11-22T10:00:00Z")),
    ("B36 29 February of a leap year", check(at="2024-02-29T00:00:00+00:00")),
    ("B30 emoji and control characters in free text", item(sku="👨‍👩‍👧\u202e\x07")),
]


@pytest.mark.parametrize("faults", [row[1] for row in TAKEN], ids=[row[0] for row in TAKEN])
def test_what_is_taken(faults):
    assert faults == []


REFUSED = [
    ("B20 null", CONTRACT.check(None), ""),
    ("B20 a number", CONTRACT.check(42), ""),
    ("B20 a text", CONTRACT.check("x"), ""),
    ("B20 an array", CONTRACT.check([]), ""),
    ("B25 1.5 as an integer", item(quantity=Decimal("1.5")), "/actualItems/0/quantity"),
    ("B25 2^53+1", item(quantity=2**53 + 1), "/actualItems/0/quantity"),
    ("B26 12,50", check(amount="12,50"), "/amount"),
    ("B26 1e3", check(amount="1e3"), "/amount"),
    ("B26 blanks", check(amount=" 12.00 "), "/amount"),
    ("B26 a final newline", check(amount="12.00\n"), "/amount"),
    ("B26 Arabic digits", check(amount="٣.00"), "/amount"),
    ("B30 a control character in an identifier", check(orderNo="OMS\x1b1"), "/orderNo"),
    ("B31 fullwidth in an identifier", check(orderNo="ＡB1"), "/orderNo"),
    ("B31 small letters in an identifier", check(orderNo="abc"), "/orderNo"),
    ("B31 an identifier with a blank", check(orderNo="AB1 "), "/orderNo"),
    ("B32 5 MB in a field of 20", item(sku="x" * 5_000_000), "/actualItems/0/sku"),
    ("B33 __proto__", CONTRACT.check({**GOOD, "__proto__": 1}), "/__proto__"),
    ("B34 a field of ours", check(is_admin=True), "/is_admin"),
    ("B35 true as text", check(express="true"), "/express"),
    ("B35 1 for a boolean", check(express=1), "/express"),
    ("B35 true for an integer", item(quantity=True), "/actualItems/0/quantity"),
    ("B35 text for an array", check(actualItems="SKU001"), "/actualItems"),
    ("B36 30 February", check(at="2026-02-30T10:00:00Z"), "/at"),
    ("B36 month 13", check(at="2026-13-01T10:00:00Z"), "/at"),
    ("B36 zeros", check(at="0000-00-00T00:00:00Z"), "/at"),
    ("B36 second 60", check(at="2026-12-31T23:59:60Z"), "/at"),
    ("B36 24:00", check(at="2026-01-01T24:00:00Z"), "/at"),
    ("B36 +25:00", check(at="2026-01-01T10:00:00+25:00"), "/at"),
    ("B36 +08:60", check(at="2026-01-01T10:00:00+08:60"), "/at"),
    ("B36 a week date", check(at="2026-W01-1T10:00:00Z"), "/at"),
    ("B36 basic form", check(at="20260101T101010Z"), "/at"),
    ("B36 a blank for T", check(at="2026-01-01 10:00:00Z"), "/at"),
    ("B36 no zone", check(at="2026-01-01T10:00:00"), "/at"),
    ("B36 fullwidth digits", check(at="２026-01-01T10:00:00Z"), "/at"),
    ("B36 a final newline", check(at="2026-01-01T10:00:00Z\n"), "/at"),
    ("B36 epoch in ms", check(at=1780306200000), "/at"),
    ("B36 an offset where the contract names the zone", check(shippedTime="2025-11-22T10:00:00+08:00"), "/shippedTime"),
    ("B36 a local day that is none", check(shippedTime="2025-02-30T10:00:00"), "/shippedTime"),
    ("B37 a negative quantity", item(quantity=-1), "/actualItems/0/quantity"),
    ("B37 10^15 pieces", item(quantity=10**15), "/actualItems/0/quantity"),
    ("B37 currency usd", check(currency="usd"), "/currency"),
    ("B37 three places", check(amount="1.234"), "/amount"),
    ("a missing field", CONTRACT.check({"orderNo": "ABC"}), "/actualItems"),
    ("an empty array", check(actualItems=[]), "/actualItems"),
    ("a wrong constant", check(kind="X"), "/kind"),
    ("an element twice", check(tags=["a", "a"]), "/tags"),
    ("a name that is too long", check(names={"abcd": 1}), "/names"),
    ("null for a text", check(orderNo=None), "/orderNo"),
    ("no part of anyOf fits", check(party=5), "/party"),
    ("two parts of oneOf fit", check(one=12), "/one"),
    ("no part of oneOf fits", check(one="x"), "/one"),
]


@pytest.mark.parametrize(("faults", "pointer"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_is_refused_and_where(faults, pointer):
    assert [fault.pointer for fault in faults] == [pointer]
    [fault] = faults
    assert fault.got
    assert fault.want
    assert fault.fix
    assert max(map(len, (fault.got, fault.want, fault.fix))) < 300
    assert "jsonschema" not in str(fault)


@pytest.mark.parametrize(
    ("faults", "got", "want", "fix"),
    [
        (check(orderNo=None), "null", "string", "leave the field out, or send"),
        (item(quantity=0), "integer: 0", "at least 1", "at least 1"),
        (item(quantity=True), "boolean: true", "integer", "integer"),
        (item(sku=5), "integer: 5", "string", "in quotes"),
        (check(actualItems={"sku": "A", "quantity": 1}), "object, 2 fields", "array", "[ ]"),
        (check(currency="usd"), "string, 3 characters: usd", "one of CNY, USD", "did you mean USD?"),
        (check(kind="X"), "string, 1 character: X", "SHIPPED", "SHIPPED"),
        (check(express="true"), "string, 4 characters", "boolean", "send true, without quotes"),
        (check(at="2026-01-01T10:00:00"), "2026-01-01T10:00:00", "RFC 3339", "2025-11-22T10:00:00+08:00"),
        (check(zzz="x"), "", "", "leave it out"),
        (check(orderNO="x"), "", "", "did you mean orderNo?"),
        (CONTRACT.check({"orderNo": "ABC"}), "nothing", "array, at least 1", "add actualItems"),
        (check(party=5), "integer: 5", "string, at least 2 characters; or object", ""),
        (check(one=12), "integer: 12", "just one of", ""),
        (check(names={"abcd": 1}), "abcd", "at most 3 characters", ""),
        (check(names={"a": 1, "b": 2, "c": 3}), "object, 3 fields", "at most 2 fields", ""),
        (check(tags=["a", "a"]), "array, 2 items", "each item once", ""),
        (check(orderNo="abc"), "abc", "of the form ^[A-Z0-9]+$", ""),
    ],
)
def test_faults_are_in_words_that_help(faults, got, want, fix):
    [fault] = faults
    assert got in fault.got
    assert want in fault.want
    assert fix in fault.fix


def test_personal_values_are_not_repeated():
    faults = [
        *check(signer="Mallory Mallory Mallory"),
        *item(phone="138001380001"),
        *check(consignee={"city": "Atlantis"}),
        *check(consignee="Atlantis"),
        *item(phone=13800138000),
    ]
    assert len(faults) == 5
    assert all(
        "Mallory" not in str(fault) and "138001" not in str(fault) and "Atlantis" not in str(fault) for fault in faults
    )
    assert faults[0].got == "string, 23 characters"


def test_personal_names_are_not_repeated_where_the_object_is_personal():
    contract = compile_contract(
        REF, {"type": "object", "x-pii": "name", "additionalProperties": False, "maxProperties": 3, "properties": {}}
    )
    [fault] = contract.check({"x": 1})
    assert fault.got == "a field that the contract does not have"


def test_all_faults_are_listed_up_to_fifty():
    assert {fault.pointer for fault in CONTRACT.check({"orderNo": 1, "zz": 1, "express": 2})} == {
        "/actualItems",
        "/zz",
        "/express",
        "/orderNo",
    }
    assert len(check(actualItems=[{"sku": 1, "quantity": 0}] * 60)) == 50
    assert len(check(actualItems=[{"sku": 1, "quantity": 0}] * 50_000)) == 50


def test_a_long_or_unprintable_value_is_measured_and_not_shown():
    assert item(sku="x" * 100)[0].got == "string, 100 characters"
    assert check(orderNo="\x1b[31m")[0].got == "string, 5 characters"


def test_a_pointer_is_escaped():
    contract = compile_contract(REF, {"type": "object", "properties": {"a/b~c": {"type": "string", "maxLength": 1}}})
    assert contract.check({"a/b~c": 1})[0].pointer == "/a~1b~0c"


def test_pii_places_are_known_through_references_and_choices():
    schema = {
        "type": "object",
        "properties": {
            "to": {"$ref": "#/$defs/person"},
            "l": {"type": "array", "items": {"$ref": "#/$defs/person"}},
            "x": {"anyOf": [{"type": "string", "x-pii": "id"}]},
        },
        "$defs": {
            "person": {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "maxLength": 5, "x-pii": "name"},
                    "boss": {"$ref": "#/$defs/person"},
                },
            }
        },
    }
    contract = compile_contract(REF, schema)
    assert {("to", "name"), ("l", "*", "name"), ("x",)} <= contract.pii
    assert "Atlantis" not in str(
        contract.check({"to": {"name": "Atlantis"}})
        + contract.check({"to": {"boss": {"boss": {"boss": {"name": "Atlantis"}}}}})
    )
    [fault] = contract.check({"to": {"name": "Atlantis"}})
    assert fault.want == "string, at most 5 characters"


def test_of_a_choice_the_branch_that_is_meant_is_spoken_of():
    assert [fault.pointer for fault in check(party={})] == ["/party/code"]
    tagged = {
        "oneOf": [
            {"properties": {"kind": {"const": kind}, field: {"type": "integer"}}, "required": ["kind", field]}
            for kind, field in (("A", "a"), ("B", "b"))
        ]
    }
    contract = compile_contract(REF, {"type": "object", **tagged})
    assert [fault.pointer for fault in contract.check({"kind": "B"})] == ["/b"]
    assert [fault.pointer for fault in contract.check({"kind": "C"})] == [""]


@pytest.mark.parametrize(
    ("schema", "value", "pointer"),
    [
        (False, 1, "/x"),
        ({"not": {"type": "string"}}, "s", "/x"),
        ({"contains": {"const": 1}, "minContains": 2}, [1], "/x"),
        ({"prefixItems": [True], "items": False}, [1, 2], "/x/1"),
        ({"if": {"required": ["a"]}, "then": {"required": ["b"]}}, {"a": 1}, "/x/b"),
        ({"dependentRequired": {"a": ["b"]}}, {"a": 1}, "/x/b"),
        ({"unevaluatedProperties": False}, {"a": 1}, "/x/a"),
        ({"type": ["string", "null"]}, 1, "/x"),
        ({"multipleOf": 3}, 4, "/x"),
        ({"type": "string", "format": "email"}, "x", "/x"),
    ],
)
def test_every_keyword_has_its_words(schema, value, pointer):
    [fault] = compile_contract(REF, {"properties": {"x": schema}}).check({"x": value})
    assert fault.pointer == pointer
    assert fault.got
    assert fault.want
    assert fault.fix


BAD_SCHEMAS = [
    ("B66 a type that is none", {"type": "strnig"}, "strnig"),
    ("B66 no schema at all", [], "JSON object"),
    ("B66 another draft", {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"}, "2020-12"),
    (
        "a keyword that nobody knows",
        {"type": "object", "properties": {"a": {"type": "string", "maxlength": 5}}},
        "did you mean maxLength",
    ),
    ("a keyword of an older draft", {"definitions": {}}, "unknown keyword"),
    ("B70 multipleOf a fraction", {"multipleOf": Decimal("0.01")}, "smallest unit"),
    ("B70 multipleOf a float", {"multipleOf": 0.01}, "smallest unit"),
    ("B70 multipleOf 0", {"multipleOf": 0}, "multipleOf"),
    ("an unknown format", {"type": "string", "format": "datetime"}, "datetime"),
    ("look-around", {"type": "string", "pattern": "(?=a)b"}, "pattern"),
    ("look-around in names", {"patternProperties": {"(?!a)": {}}}, "patternProperties"),
    ("a back-reference", {"type": "string", "pattern": "(a)\\1"}, "pattern"),
    ("a pattern that is none", {"type": "string", "pattern": "("}, "pattern"),
    ("a reference over the network", {"$ref": "http://127.0.0.1:9/x.json"}, "\\$ref"),
    ("a reference to a file", {"$ref": "file:///etc/passwd"}, "\\$ref"),
    ("a reference to nothing", {"$ref": "#/$defs/nosuch"}, "nosuch"),
    ("a local time without a zone", {"type": "string", "format": "local-date-time"}, "x-zone"),
    ("a zone that is none", {"type": "string", "format": "local-date-time", "x-zone": "Mars/Base"}, "Mars/Base"),
    ("a negative length", {"type": "string", "maxLength": -1}, "maxLength"),
    ("B71 20 000 parts", {"properties": {str(number): {"type": "string"} for number in range(20_001)}}, "20002 parts"),
]


@pytest.mark.parametrize(("schema", "text"), [row[1:] for row in BAD_SCHEMAS], ids=[row[0] for row in BAD_SCHEMAS])
def test_a_wrong_schema_is_refused_when_it_is_read(schema, text):
    with pytest.raises(ValueError, match=text) as caught:
        compile_contract(REF, schema)
    assert str(caught.value).startswith("#")


def test_data_in_a_schema_is_not_read_as_keywords():
    compile_contract(
        REF,
        {
            "const": {"maxlength": 1},
            "enum": [{"pattren": 1}],
            "default": {"zz": 1},
            "examples": [{"zz": 1}],
            "properties": {"zz": {}, "type": {}},
        },
    )


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|a)*b$", "(.*a){25}"])
def test_b67_patterns_are_linear(pattern):
    contract = compile_contract(REF, {"type": "string", "pattern": pattern, "maxLength": 10_000})
    contract.check("a" * 5_000 + "!")


def test_decoded_numbers_are_compared_exactly():
    contract = compile_contract(REF, decode(b'{"type":"number","minimum":0.1,"maximum":9223372036854775806}'))
    assert contract.check(Decimal("0.1")) == []
    assert contract.check(9223372036854775807)
    assert contract.check(Decimal("0.0999999999999999999999"))


VALUES = [
    GOOD,
    {},
    [],
    None,
    {"orderNo": 5},
    {"orderNo": "ABC", "actualItems": []},
    {"orderNo": "A"},
    {**GOOD, "party": {}},
    {**GOOD, "one": 3},
    {**GOOD, "names": {"abcd": 1}},
]


@pytest.mark.parametrize("value", VALUES)
def test_the_oracle_agrees(value):
    assert (not CONTRACT.check(value)) is jsonschema.Draft202012Validator(SCHEMA).is_valid(value)


def test_fields_that_contradict_each_other_are_told_apart_from_a_wrong_shape():  # B38
    rule = "$round($sum(items.(price * quantity)), 2) = totalAmount"
    contract = compile_contract(
        Ref("a", "b", 1), {"type": "object", "x-consistent": {"totalAmount is the sum of the lines": rule}}
    )
    lines = [{"price": Decimal("99.00"), "quantity": 2}, {"price": Decimal("0.10"), "quantity": 3}]
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert contract.contradictions({"items": lines, "totalAmount": Decimal("198.30")}, now=now) == []
    [fault] = contract.contradictions({"items": lines, "totalAmount": Decimal("198.00")}, now=now)
    assert fault.fix == "totalAmount is the sum of the lines"
    with pytest.raises(ValueError, match="x-consistent"):
        compile_contract(Ref("a", "b", 1), {"x-consistent": {"broken": "a +"}})
