"""The JSON Schema of a mapping's fields, for editors: a leaf is an expression, one of five forms, or an object of
leaves. Read by `core.config.mapping`.
"""

from __future__ import annotations

from collections.abc import Mapping

from hub.core.message import Json

# Which keys each form may have. An object with others is one of fields: a target may itself have a field that is called
# `copy` or `when`.
FORMS: Mapping[str, frozenset[str]] = {
    "each": frozenset({"each", "fields", "value"}),
    "copy": frozenset({"copy", "except"}),
    "table": frozenset({"table", "of", "otherwise"}),
    "const": frozenset({"const"}),
    "when": frozenset({"when", "value", "otherwise"}),
}


def form_of(leaf: Json) -> str | None:
    """Which form of a leaf this is, by the rule of `core.config.mapping`; None for an expression, or an object of
    fields.
    """
    if not isinstance(leaf, dict):
        return None
    return next(
        (
            word
            for word, known in FORMS.items()
            if word in leaf and leaf.keys() <= known and (len(leaf) > 1 or word in ("copy", "const"))
        ),
        None,
    )


def _ref(name: str) -> dict[str, Json]:
    return {"$ref": f"#/$defs/{name}"}


def _form(about: str, properties: dict[str, Json], *required: str, **more: Json) -> dict[str, Json]:
    return {
        "type": "object",
        "description": about,
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
        **more,
    }


def _is_of_form(word: str) -> Json:
    """The rule of `form_of` as a schema."""
    known: list[Json] = [*sorted(FORMS[word])]
    return {
        "required": [word],
        "propertyNames": {"enum": known},
        "minProperties": 1 if word in ("copy", "const") else 2,
    }


_ANY: Json = {}
DEFINITIONS: Json = {
    "expression": {
        "type": "string",
        "minLength": 1,
        "description": "a path such as consignee.name, or JSONata; a fixed value is {const: value}",
    },
    "fields": {"type": "object", "additionalProperties": _ref("leaf")},
    "each": _form(
        "an array: an object, or a value, for each element of a list",
        {"each": _ref("expression"), "fields": _ref("fields"), "value": _ref("leaf")},
        "each",
        anyOf=[{"required": ["fields"]}, {"required": ["value"]}],
    ),
    "copy": _form(
        "the value as it stands, without some of its fields",
        {"copy": _ref("expression"), "except": {"type": "array", "items": {"type": "string"}}},
        "copy",
    ),
    "table": _form(
        "a row of a code list",
        {"table": {"type": "string", "minLength": 1}, "of": _ref("expression"), "otherwise": _ANY},
        "table",
        "of",
    ),
    "const": _form("a fixed value", {"const": _ANY}, "const"),
    "when": _form(
        "a leaf where the condition holds, and perhaps another where it does not",
        {"when": _ref("expression"), "value": _ref("leaf"), "otherwise": _ref("leaf")},
        "when",
        "value",
    ),
    "leaf": {
        "anyOf": [
            _ref("expression"),
            *(_ref(word) for word in FORMS),
            {**_ref("fields"), "not": {"anyOf": [_is_of_form(word) for word in FORMS]}},
        ]
    },
}
