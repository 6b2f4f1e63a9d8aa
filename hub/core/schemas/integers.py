"""Whole numbers where a contract wants them: `1.0`, `100.00` and `1E+2` are integers to JSON Schema, and to few readers
of JSON. Pure.

What a contract calls an integer leaves as one, with all of its digits; what it calls a number keeps the digits that it
was written with.
"""

from __future__ import annotations

from decimal import Context, Decimal
from typing import Any

from hub.core import json
from hub.core.message import Json
from hub.core.schemas.contract import Contract
from hub.core.schemas.types import field_of, item_of, of_schema

_EXACT = Context(prec=json.MAX_DIGITS)
MAX_PREFIX = 32  # elements that a contract may describe each by its place (`prefixItems`); the others are alike
MAX_PLACES = 10_000  # of one contract that are remembered; names under `additionalProperties` are anybody's


def declared(contract: Contract | None, value: Json) -> Json:
    """`value`, which fits the contract, with an integer at each place that the contract says is one. Nothing is changed
    in place.
    """
    if contract is None or not _has_whole(value):
        return value
    return _taken(contract, value, ())  # type: ignore[no-any-return]


def plain(value: int | Decimal) -> int | Decimal:
    """One spelling for equal numbers: 1, 1.0 and 1E+0 are 1; 1.50 is 1.5. Beyond 64 bits a whole number stays a
    Decimal, without an exponent.
    """
    if not isinstance(value, Decimal):
        return value
    if value == value.to_integral_value():
        return int(value) if json.LOW <= value <= json.HIGH else Decimal(int(value))
    return value.normalize(_EXACT)


def text_of(value: int | Decimal) -> str:
    """The same as a text, for keys: equal numbers have one."""
    found = plain(value)
    return f"{found:f}" if isinstance(found, Decimal) else str(found)


def _has_whole(value: Json) -> bool:
    """Whether there is a whole number with a point or an exponent in it. Nearly no message has one, and each pays for
    this look.
    """
    waiting: list[Any] = [[value]]
    while waiting:
        here = waiting.pop()
        for member in here.values() if type(here) is dict else here:
            kind = type(member)
            if kind is dict or kind is list:
                waiting.append(member)
            elif kind is Decimal and member == member.to_integral_value():
                return True
    return False


def _taken(contract: Contract, value: Any, at: tuple[str | int, ...]) -> Any:
    kind = type(value)
    if kind is Decimal:
        return plain(value) if value == value.to_integral_value() and _is_integer(contract, at) else value
    if kind is dict:
        made = {name: _taken(contract, member, (*at, name)) for name, member in value.items()}
        return made if any(made[name] is not member for name, member in value.items()) else value
    if kind is list:
        elements = [_taken(contract, member, (*at, min(index, MAX_PREFIX))) for index, member in enumerate(value)]
        return elements if any(one is not member for one, member in zip(elements, value, strict=True)) else value
    return value


def _is_integer(contract: Contract, at: tuple[str | int, ...]) -> bool:
    """What the contract says of a place."""
    known = contract.integers.get(at)
    if known is None:
        if len(contract.integers) >= MAX_PLACES:
            contract.integers.clear()
        known = contract.integers[at] = _says_integer(contract, at)
    return known


def _says_integer(contract: Contract, at: tuple[str | int, ...]) -> bool:
    shape = of_schema(contract.schema)
    for step in at:
        shape = item_of(shape) if isinstance(step, int) else field_of(shape, step)
    numbers = (shape.kinds or frozenset()) & {"integer", "number"}
    if not numbers:  # under a pattern, another name, an element by its place: whatever its schemas say in one voice
        types = contract.types_at(list(at))
        return "integer" in types and "number" not in types
    return numbers == {"integer"} or (
        shape.values is not None
        and all(isinstance(one, int) for one in shape.values if isinstance(one, int | Decimal | float))
    )
