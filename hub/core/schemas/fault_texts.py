"""A contract's faults in words: what stands there, what is wanted, what to write instead. No personal value is
repeated.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

MAX_SHOWN = 64  # characters of a value that an answer may repeat
MAX_OPTIONS = 20  # values of an `enum` that an answer lists

_BOUNDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
}
_COUNTS = {
    "minLength": ("at least", "character"),
    "maxLength": ("at most", "character"),
    "minItems": ("at least", "item"),
    "maxItems": ("at most", "item"),
    "minProperties": ("at least", "field"),
    "maxProperties": ("at most", "field"),
}
_FORMATS = {"date-time": "a time of RFC 3339 with an offset, such as 2025-11-22T10:00:00+08:00"}
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?", re.ASCII)


def counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def kind_of(value: Any) -> str:
    """The JSON type's name."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float | Decimal):
        return "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def got(value: Any, *, is_personal: bool, is_of_wrong_type: bool) -> str:
    """What stands there: type and length, and the value itself where it is short, not personal, and of the type that is
    wanted.
    """
    kind = kind_of(value)
    if isinstance(value, list | dict):
        return f"{kind}, {counted(len(value), 'item' if isinstance(value, list) else 'field')}"
    text = value if isinstance(value, str) else str(value).lower()
    length = f", {counted(len(text), 'character')}" if isinstance(value, str) else ""
    is_shown = not (
        is_personal
        or value is None
        or (isinstance(value, str) and is_of_wrong_type)
        or len(text) > MAX_SHOWN
        or not text.isprintable()
    )
    return f"{kind}{length}: {text}" if is_shown else kind + length


def want(node: Any) -> str:
    """What a schema wants, in words: its type, its bounds, its form."""
    if not isinstance(node, dict):
        return "nothing" if node is False else "any value"
    if "const" in node:
        return f"just {_shown(node['const'])}"
    if "enum" in node:
        options = node["enum"]
        return (
            "one of "
            + ", ".join(_shown(option) for option in options[:MAX_OPTIONS])
            + (", …" if len(options) > MAX_OPTIONS else "")
        )
    words = [" or ".join(_kinds(node))] if "type" in node else []
    words += bounds(node)
    if "pattern" in node:
        words.append(f"of the form {node['pattern'][:100]}")
    words += forms(node)
    if "required" in node and "properties" not in node:
        words.append("with " + ", ".join(node["required"]))
    for choice, text in (("anyOf", "{}"), ("oneOf", "just one of: {}")):
        if choice in node:
            words.append(text.format("; or ".join(want(branch) for branch in node[choice])))
    return ", ".join(words) or "another value"


def bounds(node: dict[str, Any]) -> list[str]:
    """How much it may be: of numbers their size, of texts their length, of arrays and objects their count."""
    words = [text.format(node[bound]) for bound, text in _BOUNDS.items() if bound in node]
    return words + [f"{text} {counted(node[bound], noun)}" for bound, (text, noun) in _COUNTS.items() if bound in node]


def forms(node: dict[str, Any]) -> list[str]:
    """What form it has, beside its pattern."""
    return ([_format(node)] if "format" in node else []) + (["each item once"] if node.get("uniqueItems") else [])


def fix(node: Any, keyword: str, value: Any) -> str:
    """What to write instead."""
    if not isinstance(node, dict):
        return "leave it out"
    if keyword == "type":
        return _other_type(node, value)
    if keyword == "enum":
        return _nearest(value, node["enum"])
    if keyword == "format":
        return f"send {_format(node)}"
    return f"send {want(node)}"


def did_you_mean(name: str, known: Iterable[str], otherwise: str) -> str:
    names = list(known)
    folded = [other for other in names if other.lower() == name.lower()]
    near = folded or difflib.get_close_matches(name, names, 1)
    return f"did you mean {near[0]}?" if near else otherwise


def _other_type(node: dict[str, Any], value: Any) -> str:
    kinds = _kinds(node)
    if isinstance(value, str):
        if "integer" in kinds or "number" in kinds:
            return (
                f"send {value}, without quotes"
                if len(value) <= 20 and _NUMBER.fullmatch(value)
                else "send a number, without quotes"
            )
        if "boolean" in kinds:
            return (
                f"send {value}, without quotes" if value in {"true", "false"} else "send true or false, without quotes"
            )
    if "array" in kinds:
        return "put it in [ ]"
    if value is None:
        return f"leave the field out, or send {want(node)}"
    if "string" in kinds and isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return "send it in quotes"
    return f"send {want(node)}"


def _nearest(value: Any, options: list[Any]) -> str:
    return (
        did_you_mean(str(value), [str(option) for option in options], "send one of them, in the same letters")
        if isinstance(value, str)
        else "send one of them"
    )


def _format(node: dict[str, Any]) -> str:
    if node["format"] == "local-date-time":
        return f"a time such as 2025-11-22T10:00:00, which is read in {node.get('x-zone')}"
    return _FORMATS.get(node["format"], f"a text in the format {node['format']}")


def _kinds(node: dict[str, Any]) -> list[str]:
    kinds = node.get("type", [])
    return kinds if isinstance(kinds, list) else [kinds]


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else "null" if value is None else str(value)[:MAX_SHOWN]
