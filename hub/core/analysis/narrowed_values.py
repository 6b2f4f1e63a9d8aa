"""What of a shape is left once its value is known to be, or not to be, one of some values."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from typing import Any

from hub.core.schemas.ranges import ANY, Range
from hub.core.schemas.types import MISSING, Shape

NUMBERS = frozenset({"number", "integer"})


def with_true(found: Shape) -> Shape:
    kinds = found.without(MISSING, "null")
    if kinds.kinds == frozenset({"boolean"}):
        return settled_shape(
            replace(kinds, values=frozenset({True}) if kinds.values is None else kinds.values & {True})
        )
    return kinds


def could_be(found: Shape, value: object) -> bool:
    """Whether a constant may stand there, by its kind, the values that are known, bounds, lengths and patterns."""
    kinds = found.kinds or frozenset()
    if value is None:
        return "null" in kinds
    if isinstance(value, bool):
        return "boolean" in kinds and (found.values is None or any(one is value for one in found.values))
    if isinstance(value, str):
        is_sized = (found.longest is None or len(value) <= found.longest) and (
            found.shortest is None or len(value) >= found.shortest
        )
        is_known = found.values is None or value in found.values
        return (
            "string" in kinds
            and is_known
            and is_sized
            and found.between.holds(value)
            and all(matches(one, value) is not False for one in found.patterns)
        )
    is_known = found.values is None or any(one == value and not isinstance(one, bool) for one in found.values)
    is_whole = value == int(value) if isinstance(value, int | Decimal) else True
    return bool(kinds & NUMBERS) and is_known and found.span.holds(value) and ("number" in kinds or is_whole)


def matches(pattern: str, text: str) -> bool | None:
    """Whether a text meets a contract's pattern; None where this reader of patterns is not of the contract's mind."""
    try:
        return re.search(pattern, text) is not None
    except (re.error, RecursionError):
        return None


def among(found: Shape, values: frozenset[object]) -> Shape:
    """What is one of these values: of the kinds that they are of, without bounds that they meet anyhow."""
    kept = [value for value in values if could_be(found, value)]
    scalars = [value for value in kept if value is not None]
    texts = [value for value in scalars if isinstance(value, str)]
    numbers: list[Any] = [
        value for value in scalars if isinstance(value, int | Decimal) and not isinstance(value, bool)
    ]
    kinds = {"null"} if None in kept else set()
    kinds |= {"string"} if texts else set()
    kinds |= {"boolean"} if any(isinstance(value, bool) for value in scalars) else set()
    if numbers:
        kinds |= {"integer" if all(value == int(value) for value in numbers) else "number"}
    return replace(
        found,
        kinds=frozenset(kinds),
        values=frozenset(scalars),
        shortest=min(map(len, texts), default=found.shortest),
        longest=max(map(len, texts), default=found.longest),
        span=Range(min(numbers), max(numbers)) if numbers else found.span,
    )


def other_than(found: Shape, values: frozenset[object], *, holds: bool) -> Shape:
    """`!=` holds only of what is there; where `=` does not hold, it may be missing."""
    shape = found.without(MISSING) if holds else found
    if None in values:
        shape = shape.without("null")
    if shape.values is not None:
        shape = replace(
            shape,
            values=frozenset(
                one for one in shape.values if not any(one == value and type(one) is type(value) for value in values)
            ),
        )
    elif (
        shape.kinds is not None
        and shape.kinds - {MISSING} == {"boolean"}
        and all(isinstance(value, bool) for value in values)
    ):
        shape = replace(shape, values=frozenset({True, False}) - values)
    return settled_shape(shape)


def bounded(found: Shape, sign: str, value: Any, *, holds: bool) -> Shape:
    """A comparison holds only between two numbers or two texts, and of neither that is missing."""
    is_high = sign.startswith("<")
    bound = Range(None, value, high_open=sign == "<") if is_high else Range(value, None, low_open=sign == ">")
    own = frozenset({"string"}) if isinstance(value, str) else NUMBERS
    shape = found.only(*own) if holds else found
    shape = (
        replace(shape, between=shape.between.meet(bound))
        if isinstance(value, str)
        else replace(shape, span=shape.span.meet(bound))
    )
    if shape.values is not None:
        is_text = isinstance(value, str)
        kept = frozenset(
            one
            for one in shape.values
            if isinstance(one, bool) or isinstance(one, str) is not is_text or bound.holds(one)
        )
        shape = replace(shape, values=kept)
    return settled_shape(shape)


def sized(found: Shape, sign: str, value: int, *, holds: bool) -> Shape:
    shape = found.only("string") if holds else found
    least, most = shape.shortest, shape.longest
    if sign in ("<", "<=", "="):
        most = min(one for one in (most, value - (sign == "<")) if one is not None)
    if sign in (">", ">=", "="):
        least = max(one for one in (least, value + (sign == ">")) if one is not None)
    return settled_shape(replace(shape, shortest=least, longest=most))


def settled_shape(shape: Shape) -> Shape:
    """Without the kinds of which nothing is left."""
    if shape.kinds is None:
        return shape
    dead = set()
    values = shape.values
    if shape.between.is_empty() or (
        shape.longest is not None and (shape.longest < 0 or (shape.shortest or 0) > shape.longest)
    ):
        dead.add("string")
    if values is not None:
        dead |= set() if any(isinstance(one, str) for one in values) else {"string"}
        dead |= set() if any(isinstance(one, bool) for one in values) else {"boolean"}
        dead |= (
            set()
            if any(isinstance(one, int | float | Decimal) and not isinstance(one, bool) for one in values)
            else set(NUMBERS)
        )
    span = shape.span if shape.may("number") else shape.span.whole() if shape.span is not ANY else ANY
    if span.is_empty():
        dead |= NUMBERS
    return shape.without(*dead)
