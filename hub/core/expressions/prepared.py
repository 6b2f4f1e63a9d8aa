"""Values on their way into the engine: nothing, which is not null; and a value made ready once for many expressions."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final, TypeAlias

from hub.core.message import Json

SAFE_INTEGER = 2**53
SAFE_DIGITS = 15
COUNTED = 4_096  # values that are counted: beyond them it makes no difference


class _Missing:
    """What a path gives that finds nothing. Not the same as null."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()


class PreparedValue:
    """A value that several expressions are over, one after another: made ready for the engine once, and only if one
    needs it.
    """

    __slots__ = ("_ready", "_weight", "value")

    def __init__(self, value: Json) -> None:
        self.value = value
        self._ready: Any = MISSING
        self._weight = (-1, -1)  # what was weighed, and up to where

    def ready(self) -> Any:
        if self._ready is MISSING:
            self._ready = _into_engine(self.value)
        return self._ready

    def weight(self, most: int) -> int:
        known, up_to = self._weight
        if known < 0 or known > up_to < most:
            self._weight = known, _ = weigh(self.value, most), most
        return known


Over: TypeAlias = "Json | PreparedValue | _Missing"


def ready(value: Over) -> Any:
    return value.ready() if type(value) is PreparedValue else _into_engine(value)


def _into_engine(value: Any) -> Any:
    kind = type(value)
    if kind is str:
        return value
    if kind is dict:
        return {name: member if type(member) is str else _into_engine(member) for name, member in value.items()}
    if kind is list:
        return [_into_engine(member) for member in value]
    if kind is int:
        return value if -SAFE_INTEGER <= value <= SAFE_INTEGER else str(value)
    if kind is Decimal:
        return (
            float(value)
            if len(value.as_tuple().digits) <= SAFE_DIGITS and abs(value.adjusted()) <= 300
            else f"{value:f}"
        )
    return value


def size(value: Any) -> int:
    """How many values there are in it, counted up to what makes no difference any more."""
    number = 0
    waiting = [value]
    while waiting and number <= COUNTED:
        part = waiting.pop()
        number += 1
        if type(part) is dict:
            waiting.extend(part.values())
        elif type(part) is list:
            waiting.extend(part[: COUNTED + 1])
    return number


def weigh(value: Any, most: int) -> int:
    """Its values, and its characters by sixteen: what work over it grows with. Beyond `most` it is not gone on with."""
    if type(value) is PreparedValue:
        return value.weight(most)
    number = characters = 0
    waiting = [value]
    while waiting:
        part = waiting.pop()
        number += 1
        kind = type(part)
        if kind is str:
            characters += len(part)
        elif kind is dict:
            characters += sum(map(len, part))
            waiting.extend(part.values())
        elif kind is list:
            waiting.extend(part if len(part) <= most else part[: most + 1])
        if number + (characters >> 4) > most:
            break
    return number + (characters >> 4)
