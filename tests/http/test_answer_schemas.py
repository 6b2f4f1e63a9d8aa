"""The schemas of answers in the OpenAPI document, made from their declarations."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, NotRequired, TypedDict

from hub.flow.answers.fields import AnyMembers, Id, Rate, Time, about, one_of
from hub.http.ops.answer_schemas import envelope
from tests.support.declared import faults


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


Inner = TypedDict("Inner", {"from": str})


class Outer(TypedDict):
    id: Id
    at: Time | None
    rate: Annotated[Rate, about("Per second.")]
    colour: Annotated[str, Colour] | None
    size: Annotated[str, one_of("small", "large")]
    inner: Inner | None
    inners: list[Inner]
    counts: Mapping[str, int]
    subject: AnyMembers
    body: object
    note: NotRequired[str]


def test_each_kind_of_a_field_has_its_schema():
    components = {}
    assert envelope(Outer, "Outer", components) == {"$ref": "#/components/schemas/OuterEnvelope"}
    assert components["OuterEnvelope"]["required"] == ["code", "data", "message", "timestamp", "traceId"]
    inner = {"$ref": "#/components/schemas/Inner"}
    assert components["Inner"]["properties"] == {"from": {"type": "string"}}
    assert components["Outer"]["properties"] == {
        "id": {"type": "string", "format": "uuid"},
        "at": {"type": ["string", "null"], "format": "date-time"},
        "rate": {"type": ["number", "null"], "description": "Per second."},
        "colour": {"enum": ["red", "blue", None]},
        "size": {"type": "string", "enum": ["small", "large"]},
        "inner": {"anyOf": [inner, {"type": "null"}]},
        "inners": {"type": "array", "items": inner},
        "counts": {"type": "object", "additionalProperties": {"type": "integer"}},
        "subject": {"type": "object", "additionalProperties": {}},
        "body": {},
        "note": {"type": "string"},
    }
    assert components["Outer"]["additionalProperties"] is False
    assert components["Outer"]["required"] == sorted(Outer.__required_keys__)


def test_an_answer_that_is_not_as_declared_is_told_apart():
    def said(**data):
        return {"code": 0, "message": "success", "data": data, "traceId": "", "timestamp": 1}

    assert not faults(Inner, said(**{"from": "a"}))
    for wrong in (said(), said(**{"from": None}), said(**{"from": "a", "to": "b"})):
        assert faults(Inner, wrong)
