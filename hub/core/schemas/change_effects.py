"""What a change of a contract does to documents; and what was found where, with values that may show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

ABSENT: Final = object()  # a value: nothing stands at the place
MADE: Final = object()  # a value: whatever fits the schema at the place


class Effect(StrEnum):
    """What a change does to documents."""

    NARROWS = "narrows"  # some that were taken are refused now: breaks senders
    WIDENS = "widens"  # some that were refused can come now: may break receivers
    MAY_NARROW = "may narrow"  # it takes no more than before; no small document shows that it takes less
    MAY_WIDEN = "may widen"  # it takes no less than before; no small document shows that it takes more
    SAME = "same"  # says more, takes the same
    UNDECIDED = "undecided"  # it may do either


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """One difference, before it is proven. `values`: what may stand at the place in a document that shows it, tried in
    turn.

    `chosen`: of the lists of branches on the way, by their id, which branch; for the old contract and for the new one.
    """

    at: tuple[str, ...]
    text: str
    effect: Effect
    values: tuple[Any, ...] = (ABSENT,)
    chosen: tuple[Mapping[int, int], Mapping[int, int]] = field(default=({}, {}))


def same(one: Any, other: Any) -> bool:
    """Equal as JSON: 1 is not true, though Python says so; 1 and 1.0 are one number."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)
