"""Plain paths (`consignee.name`, `items[0].sku`, `items.0.sku`, `$source.orderNo`): read and followed here, losslessly;
no engine sees them.
"""

from __future__ import annotations

import re
from typing import Any, Final

from hub.core.expressions.prepared import MISSING

HAND_OVER: Final = object()  # an index after an array: JSONata's rules for it are the engine's business
_NAME = r"[^\W\d]\w*"
_PLAIN = re.compile(rf"(?:\$(?:\$|{_NAME})?(?=\.\D|\[|$)|{_NAME})(?:\.{_NAME}|\.[0-9]{{1,6}}|\[[0-9]{{1,6}}\])*")
_STEP = re.compile(r"\w+")
_WORDS = frozenset({"true", "false", "null", "and", "or", "in", "function"})  # not paths, though they look like one


def plain_path(text: str) -> tuple[str | int, ...] | None:
    """The steps of a plain path over the value itself, names and indexes; None for anything else. `$` is the value: no
    step at all.
    """
    root, steps = read_plain(text)
    return steps if root is None else None


def read_plain(text: str) -> tuple[str | None, tuple[str | int, ...] | None]:
    text = text.strip()
    if not _PLAIN.fullmatch(text):
        return None, None
    names = _STEP.findall(text)
    root = None
    if text.startswith("$") and text[1:2] not in {"", "$", ".", "["}:
        root = names.pop(0)
    if _WORDS & set(names):
        return None, None
    return root, tuple(int(step) if step.isdecimal() else step for step in names)


def follow(value: Any, steps: tuple[str | int, ...]) -> Any:  # noqa: C901  # called for each field of a message
    # an array was met on the way: from here on many are followed at once, and what they give is flattened
    is_sequence = False
    last = len(steps) - 1
    for place, step in enumerate(steps):
        if isinstance(step, str):
            if type(value) is dict:
                if step not in value:
                    return MISSING
                value = value[step]
            elif type(value) is list:
                if place == last and (only := _only_array(value, step)) is not None:
                    return only
                is_sequence = True
                value = _each(value, step)
            else:
                return MISSING
        elif is_sequence:
            return HAND_OVER
        elif type(value) is list:
            if step >= len(value):
                return MISSING
            value = value[step]
        elif step or value is MISSING:  # [0] of a single value is the value itself, as JSONata has it
            return MISSING
    if is_sequence:
        return MISSING if not value else value[0] if len(value) == 1 else value
    return value


def _only_array(values: list[Any], name: str) -> list[Any] | None:
    """At the end of a path, an array that only one element has is the result itself: neither flattened nor unwrapped.
    None: it is not so.
    """
    only: list[Any] | None = None
    for value in values:
        if type(value) is dict and name in value:
            member = value[name]
            if only is not None or type(member) is not list:
                return None
            only = member
        elif type(value) is list and _each(value, name):
            return None
    return only


def _each(values: list[Any], name: str) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if type(value) is list:
            found += _each(value, name)
        elif type(value) is dict and name in value:
            member = value[name]
            if type(member) is list:
                found += member
            else:
                found.append(member)
    return found
