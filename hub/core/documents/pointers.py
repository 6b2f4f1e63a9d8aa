"""Where the values of a path stand in a document: through lists, each with its own place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hub.core.message import Json

ELEMENT = "*"


def places(
    value: Json, names: Sequence[str], at: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], Json]]:
    """Each value that the path finds, with its place. A list is gone through whether or not the path says `*`."""
    if not names:
        yield at, value
    elif isinstance(value, list):
        rest = names[1:] if names[0] == ELEMENT else names
        for index, one in enumerate(value):
            yield from places(one, rest, (*at, index))
    elif isinstance(value, dict) and names[0] in value:
        yield from places(value[names[0]], names[1:], (*at, names[0]))


def names_in(place: str) -> list[str]:
    """The names on the way to a place that is written as a pointer; `/` and nothing are the whole."""
    return [name.replace("~1", "/").replace("~0", "~") for name in place.split("/")[1:] if name]
