"""The OpenAPI schemas of answers, made from their declarations in hub.flow.answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

from hub.flow.answers.fields import Keywords

Schema = dict[str, Any]
_PLAIN: dict[object, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}


def envelope(data: Any, name: str, components: dict[str, Schema]) -> Schema:
    """The unified envelope (seed 003 §2.2) around `data`, as a reference; it and all that it refers to is added to
    `components`.
    """
    members = {"code": int, "message": str, "data": data, "traceId": str, "timestamp": int}
    components[f"{name}Envelope"] = _object(members, set(members), components)
    return _reference(f"{name}Envelope")


def _reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(members: Mapping[str, Any], required: set[str] | frozenset[str], components: dict[str, Schema]) -> Schema:
    return {
        "type": "object",
        "properties": {name: _schema(kind, components) for name, kind in members.items()},
        "additionalProperties": False,
        **({"required": sorted(required)} if required else {}),
    }


def _schema(kind: Any, components: dict[str, Schema]) -> Schema:
    """The schema of a field's type."""
    if is_typeddict(kind):
        if kind.__name__ not in components:
            components[kind.__name__] = {}  # it may refer to itself
            hints = get_type_hints(kind, include_extras=True)
            components[kind.__name__] = _object(hints, kind.__required_keys__, components)
        return _reference(kind.__name__)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {"enum": [member.value for member in kind]}
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is NotRequired:
        return _schema(arguments[0], components)
    if origin is Annotated:
        return _annotated(kind, components)
    if origin in (Union, UnionType):
        return _nullable(next(argument for argument in arguments if argument is not NoneType), components)
    if origin in (list, Sequence):
        return {"type": "array", "items": _schema(arguments[0], components)}
    if origin in (dict, Mapping):
        return {"type": "object", "additionalProperties": _schema(arguments[1], components)}
    return {"type": _PLAIN[kind]} if kind in _PLAIN else {}


def _annotated(kind: Any, components: dict[str, Schema]) -> Schema:
    schema = _schema(kind.__origin__, components)
    for note in kind.__metadata__:
        if isinstance(note, Keywords):
            schema |= note.members
        else:
            schema = _schema(note, components)
    return schema


def _nullable(kind: Any, components: dict[str, Schema]) -> Schema:
    schema = _schema(kind, components)
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    if "type" in schema:
        schema["type"] = [schema["type"], "null"]
    if "enum" in schema:
        schema["enum"] = [*schema["enum"], None]
    return schema
