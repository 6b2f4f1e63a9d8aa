"""How often a contract looks at one value is counted before anything follows it."""

import json
import time

import pytest

from hub.core.message import Ref
from hub.core.schemas.contract import compile_contract

REF = Ref("shop", "order", 1)


def levels(number, width, wrap):
    defs = {f"l{level}": wrap([{"$ref": f"#/$defs/l{level + 1}"}] * width) for level in range(number)}
    return {"$defs": {**defs, f"l{number}": {"type": "object"}}, "$ref": "#/$defs/l0"}


@pytest.mark.parametrize(
    "schema",
    [
        levels(12, 9, lambda parts: {"allOf": parts}),
        levels(12, 9, lambda parts: {"anyOf": parts}),
        levels(30, 2, lambda parts: {"oneOf": parts}),
        levels(30, 1, lambda parts: {"if": parts[0], "then": parts[0], "else": parts[0]}),
        levels(30, 1, lambda parts: {"dependentSchemas": {"a": parts[0], "b": parts[0]}}),
        levels(12, 9, lambda parts: {"allOf": [{"properties": {"x": part}} for part in parts]}),
        levels(30, 2, lambda parts: {"allOf": [{"items": part} for part in parts]}),
        levels(30, 2, lambda parts: {"allOf": [{"additionalProperties": part} for part in parts]}),
        {"anyOf": [{"properties": {"a": {"$ref": "#"}}}, {"properties": {"a": {"$ref": "#"}}}]},
        {"allOf": [{"$ref": "#"}]},
        {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"not": {"$ref": "#/$defs/a"}}}, "$ref": "#/$defs/a"},
    ],
)
def test_a_contract_that_multiplies_is_refused_at_once_at_its_place(schema):
    began = time.perf_counter()
    with pytest.raises(ValueError, match=r"^#.*(is checked by|without end)"):
        compile_contract(REF, schema)
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize(
    ("schema", "fits"),
    [
        (
            {"type": "object", "properties": {"kids": {"type": "array", "items": {"$ref": "#"}}}},
            {"kids": [{"kids": []}]},
        ),
        (
            {
                "$defs": {
                    "e": {
                        "oneOf": [
                            {
                                "type": "object",
                                "required": ["and"],
                                "properties": {"and": {"items": {"$ref": "#/$defs/e"}}},
                            },
                            {"type": "string"},
                        ]
                    }
                },
                "$ref": "#/$defs/e",
            },
            {"and": ["a", {"and": ["b"]}]},
        ),
        (
            {
                "properties": {f"f{number}": {"$ref": "#/$defs/text"} for number in range(2_000)},
                "$defs": {"text": {"type": "string"}},
            },
            {"f7": "x"},
        ),
        ({"anyOf": [{"const": number} for number in range(300)]}, 7),
        ({"$defs": {"a": {"type": "object"}}, "allOf": [{"$ref": "#/$defs/a"}] * 20}, {}),
    ],
)
def test_a_contract_that_repeats_itself_from_level_to_level_is_taken(schema, fits):
    contract = compile_contract(REF, json.loads(json.dumps(schema)))
    assert contract.check(fits) == []
    assert contract.looks <= 500
