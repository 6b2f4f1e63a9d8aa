"""What samples show that their contracts do not say: numbers beyond what a double holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from hub.core.message import Json, Ref
from hub.core.schemas.types import SAFE

Large: TypeAlias = tuple[tuple[str, ...], int]  # the names on the way, and the number
Seen: TypeAlias = Mapping[Ref, tuple[Large, ...]]


def large_numbers(samples: Iterable[tuple[Ref, Json]]) -> Seen:
    """Of each message, the whole numbers beyond ±2**53 that its samples have, outside of lists."""
    seen: dict[Ref, tuple[Large, ...]] = {}
    for ref, payload in samples:
        found = tuple(_large(payload, ()))
        if found:
            seen[ref] = (*seen.get(ref, ()), *found)
    return seen


def _large(value: Json, names: tuple[str, ...]) -> Iterator[Large]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _large(member, (*names, name))
    elif isinstance(value, int) and not isinstance(value, bool) and abs(value) > SAFE:
        yield names, value
