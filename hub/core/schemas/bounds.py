"""What schemas say of a text's length and of what a number lies between."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hub.core.schemas.patterns import text_lengths
from hub.core.schemas.ranges import ANY, Range

# The fewest and the most characters of a text of a format (RFC 3339, RFC 9562).
_OF_FORMAT: Mapping[str, tuple[int, int | None]] = {
    "date-time": (20, None),
    "date": (10, 10),
    "time": (9, None),
    "uuid": (36, 36),
}


def lengths_of(
    nodes: list[dict[str, Any]], values: frozenset[Any] | None, formats: frozenset[str]
) -> tuple[int | None, int | None]:
    """The fewest and the most characters that a text may have, as far as that is said."""
    if values is None and all(_LENGTHS.isdisjoint(node) for node in nodes):
        return None, None
    texts = [one for one in values or () if isinstance(one, str)]
    least = [node["minLength"] for node in nodes if isinstance(node.get("minLength"), int)] + [
        _OF_FORMAT[one][0] for one in formats if one in _OF_FORMAT
    ]
    most = [node["maxLength"] for node in nodes if isinstance(node.get("maxLength"), int)]
    most += [length for one in formats if one in _OF_FORMAT and (length := _OF_FORMAT[one][1]) is not None]
    for node in nodes:
        of_pattern = text_lengths(node["pattern"]) if isinstance(node.get("pattern"), str) else None
        if of_pattern is not None:
            least.append(of_pattern[0])
            most += [of_pattern[1]] if of_pattern[1] is not None else []
    if values is not None:
        least.append(min(map(len, texts), default=0))
        most.append(max(map(len, texts), default=0))
    return max(least, default=None), min(most, default=None)


_BOUNDS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})
_LENGTHS = frozenset({"minLength", "maxLength", "format", "pattern"})


def span_of(nodes: list[dict[str, Any]], values: frozenset[Any] | None) -> Range:
    """What its numbers lie between."""
    span = ANY
    for node in nodes:
        if _BOUNDS.isdisjoint(node):
            continue
        low, high, above, below = (
            node.get(word) for word in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
        )
        span = span.meet(Range(_number(low), _number(high))).meet(
            Range(_number(above), _number(below), low_open=True, high_open=True)
        )
    numbers = [one for one in values or () if isinstance(one, int | Decimal) and not isinstance(one, bool)]
    return span.meet(Range(min(numbers), max(numbers))) if numbers else span


def _number(value: Any) -> Any:
    return (
        value
        if isinstance(value, int | Decimal) and not isinstance(value, bool)
        else Decimal(repr(value))
        if isinstance(value, float)
        else None
    )
