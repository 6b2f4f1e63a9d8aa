"""A query as a message: `?sku=S1&limit=10&near.city=Beijing` by the kinds that the contract wants. Pure; the contract
judges what comes out.
"""

from __future__ import annotations

import re
from typing import Any

from hub.core.errors import Code, Fault, Refused
from hub.core.json import LIMITS, Limits, decode
from hub.core.message import Json
from hub.core.schemas.types import UNDECIDED, Shape, field_of, is_closed, item_of, names_of, of_schema

MAX_STEPS = 8
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.ASCII)


def message_of(fields: dict[str, str], schema: Any, limits: Limits = LIMITS) -> dict[str, Json]:
    """The object that a query's fields say. A dot goes into an object, a comma parts a list. Raises Refused: names that
    exclude each other.
    """
    made: dict[str, Json] = {}
    root = of_schema(schema)
    for name, text in fields.items():
        here, shape = made, root
        *steps, last = name.split(".") if name not in names_of(root) else [name]
        if len(steps) >= MAX_STEPS:
            raise _odd(name, "a name of too many parts")
        for step in steps:
            shape = _inner(shape, step)
            inner = here.setdefault(step, {})
            if not isinstance(inner, dict):
                raise _odd(name, "a name that goes into a single value")
            here = inner
        if last in here:
            raise _odd(name, "a name that stands for two things")
        here[last] = _value(text, _inner(shape, last), limits)
    return made


def _inner(shape: Shape, name: str) -> Shape:
    if is_closed(shape) and name not in names_of(shape):
        return UNDECIDED  # the contract says so in its own words
    return field_of(shape, name)


def _value(text: str, shape: Shape, limits: Limits) -> Json:
    """Text stays text where text may stand; what cannot be read as the kind that is wanted stays text too, and is
    refused by the contract.
    """
    kinds = shape.kinds or frozenset({"string"})
    if "string" in kinds:
        return text
    if "array" in kinds:
        return [_value(part, item_of(shape), limits) for part in text.split(",")] if text else []
    if kinds & {"integer", "number"} and _NUMBER.fullmatch(text):
        return decode(text.encode(), limits)
    if "boolean" in kinds and text in ("true", "false"):
        return text == "true"
    return None if "null" in kinds and text == "" else text


def _odd(name: str, got: str) -> Refused:
    fault = Fault(
        "/" + name.replace(".", "/")[:64],
        got,
        "one name per value, with dots into objects",
        "write ?sku=S1&near.city=Beijing",
    )
    return Refused(Code.BAD_REQUEST, "The query cannot be made a message.", [fault])
