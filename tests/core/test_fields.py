"""Fields as people read them: everything that a contract says of a value, in the words of refusals."""

import pytest

from hub.core.message import Ref
from hub.core.schemas.contract import compile_contract
from hub.core.schemas.fields import beyond, fields, takes_others


def told(schema, **more):
    """The one field `a` of a contract, and whatever lies below it."""
    return {
        one.path: one
        for one in fields(
            compile_contract(Ref("shop", "order", 1), {"type": "object", "properties": {"a": schema}, **more})
        )
    }


@pytest.mark.parametrize(
    "schema, limits",
    [
        ({"type": "integer", "minimum": 1, "maximum": 9}, ("at least 1", "at most 9")),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 5}, ("more than 0", "less than 5")),
        ({"type": "integer", "multipleOf": 5}, ("a multiple of 5",)),
        ({"type": "string", "minLength": 1, "maxLength": 64}, ("at least 1 character", "at most 64 characters")),
        (
            {"type": "array", "minItems": 1, "maxItems": 3, "uniqueItems": True},
            ("at least 1 item", "at most 3 items", "each item once"),
        ),
        ({"type": "object", "minProperties": 1}, ("at least 1 field",)),
        ({"type": "number", "minimum": 0, "x-unit": "kg"}, ("at least 0", "in kg")),
        ({"type": "number", "x-money": True}, ("money, of which all digits are kept",)),
        ({"type": "string", "x-pii": "name"}, ("personal",)),
        ({"type": "string", "default": "NORMAL"}, ("NORMAL where it is missing",)),
        ({"type": "string", "deprecated": True}, ("deprecated",)),
        ({"type": "string", "format": "date"}, ("a text in the format date",)),
        (
            {"type": "string", "format": "local-date-time", "x-zone": "Asia/Shanghai"},
            ("a time such as 2025-11-22T10:00:00, which is read in Asia/Shanghai",),
        ),
        ({"allOf": [{"type": "integer", "minimum": 1}, {"maximum": 9}]}, ("at least 1", "at most 9")),
        ({"anyOf": [{"type": "string", "maxLength": 3}, {"type": "null"}]}, ("at most 3 characters",)),
        (
            {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "integer", "minimum": 7}]},
            ("either string, at most 3 characters; or integer, at least 7",),
        ),
        (
            {"oneOf": [{"type": "object", "properties": {"b": {}}}, {"type": "string"}]},
            ("one of 2 forms: see the schema",),
        ),
        ({"type": "string", "not": {"const": "x"}}, ("see the schema for its not",)),
    ],
)
def test_each_limit_has_its_words(schema, limits):
    assert told(schema)["a"].limits == limits


def test_limits_behind_a_reference_are_found():
    found = told(
        {"$ref": "#/$defs/no"},
        **{"$defs": {"no": {"type": "string", "pattern": "^[A-Z]+$", "maxLength": 9, "title": "An order's number"}}},
    )
    assert (found["a"].patterns, found["a"].limits, found["a"].about) == (
        ("^[A-Z]+$",),
        ("at most 9 characters",),
        "An order's number",
    )


def test_values_and_constants_are_listed_as_they_are_written():
    assert told({"enum": ["A|B", 1, True, None]})["a"].values == ("A|B", "1", "true", "null")
    assert told({"const": "x"})["a"].values == ("x",)


def test_elements_and_names_that_are_free_have_rows_of_their_own():
    found = told({"type": "array", "items": {"type": "string", "maxLength": 8}})
    assert found["a[]"].limits == ("at most 8 characters",)
    found = told({"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}})
    assert (found["a.*"].kind, found["a.*"].limits) == ("integer", ("at least 0",))
    found = told(
        {"type": "array", "items": {"type": "object", "required": ["b"], "properties": {"b": {"type": "boolean"}}}}
    )
    assert found["a[].b"].is_required


def test_a_contract_that_refers_to_itself_is_told_once():
    assert list(told({"$ref": "#"})) == ["a"]
    tree = {
        "type": "object",
        "properties": {name: {"type": "array", "items": {"$ref": "#/$defs/tree"}} for name in "bcdefgh"},
    }
    assert len(told({"$ref": "#/$defs/tree"}, **{"$defs": {"tree": tree}})) == 8


def test_what_binds_the_whole_message_is_named():
    shape = {"type": "object", "properties": {"a": {}, "b": {}}}
    assert beyond(compile_contract(Ref("shop", "order", 1), shape)) == []
    assert beyond(
        compile_contract(Ref("shop", "order", 1), {**shape, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]})
    ) == ["anyOf"]
    assert beyond(
        compile_contract(Ref("shop", "order", 1), {**shape, "if": {"required": ["a"]}, "then": {"required": ["b"]}})
    ) == ["if"]


def test_a_value_that_is_one_or_many_shows_both():
    found = told(
        {
            "anyOf": [
                {"type": "object", "properties": {"b": {"type": "string"}}},
                {"type": "array", "items": {"type": "object", "properties": {"c": {"type": "integer"}}}},
            ]
        }
    )
    assert {"a", "a.b", "a[].c"} <= set(found)
    assert "a.c" not in found


def test_whether_other_fields_are_let_through():
    shape = {"type": "object", "properties": {"a": {}}}
    assert takes_others(compile_contract(Ref("shop", "order", 1), shape))
    assert not takes_others(compile_contract(Ref("shop", "order", 1), {**shape, "additionalProperties": False}))
