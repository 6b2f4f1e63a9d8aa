"""Simple patterns, of which it can be decided whether one takes all that another takes: characters and classes in a
row, each so often, from ^ to $.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

MAX_TIMES = 200  # of one atom in a text that is made
_ATOM = re.compile(
    r"(\[[A-Za-z0-9_.:/+ \\-]+\]|\\d|[A-Za-z0-9_:/-])(\?|\*|\+|\{[0-9]{1,4}(?:,[0-9]{0,4})?\})?", re.ASCII
)
_DIGITS = frozenset("0123456789")


@dataclass(frozen=True, slots=True)
class Atom:
    """One of these characters, at least and at most so often; None: as often as one likes."""

    characters: frozenset[str]
    least: int
    most: int | None


def atoms(pattern: str) -> tuple[Atom, ...] | None:
    """The pattern's atoms; None where it is not of the simple kind."""
    if len(pattern) < 2 or pattern[0] != "^" or pattern[-1] != "$":
        return None
    found: list[Atom] = []
    at, end = 1, len(pattern) - 1
    while at < end:
        met = _ATOM.match(pattern, at, end)
        characters = _characters(met[1]) if met is not None else None
        if met is None or characters is None:
            return None
        least, most = _times(met[2])
        if most is not None and most < least:
            return None
        found.append(Atom(characters, least, most))
        at = met.end()
    return tuple(found)


@lru_cache(maxsize=4_000)
def text_lengths(pattern: str) -> tuple[int, int | None] | None:
    """The fewest and the most characters of the texts that a pattern takes; None where it is not of the simple kind."""
    found = atoms(pattern)
    if found is None:
        return None
    return sum(atom.least for atom in found), None if any(atom.most is None for atom in found) else sum(
        atom.most or 0 for atom in found
    )


def is_within(one: str, other: str) -> bool:
    """Whether `other` certainly takes every text that `one` takes. False: it does not, or that is not decided."""
    narrow, wide = atoms(one), atoms(other)
    if narrow is None or wide is None or len(narrow) != len(wide):
        return False
    return all(
        a.characters <= b.characters
        and a.least >= b.least
        and (b.most is None or (a.most is not None and a.most <= b.most))
        for a, b in zip(narrow, wide, strict=True)
    )


def beyond(one: str, other: str) -> Iterator[str]:
    """Texts of `one` that `other` may not take: with a character that it has not, or more or fewer of them."""
    wide, narrow = atoms(one), atoms(other)
    if wide is None or narrow is None or len(wide) != len(narrow):
        return
    plain = [min(atom.characters) * _usual(atom) for atom in wide]
    for place, (a, b) in enumerate(zip(wide, narrow, strict=True)):
        first = min(a.characters)
        others = sorted(a.characters - b.characters)
        if others and a.most != 0:
            yield "".join([*plain[:place], others[0] + plain[place][1:], *plain[place + 1 :]])
        if b.most is not None and (a.most is None or a.most > b.most) and b.most < MAX_TIMES:
            yield "".join([*plain[:place], first * (b.most + 1), *plain[place + 1 :]])
        if a.least < b.least <= MAX_TIMES:
            yield "".join([*plain[:place], first * (b.least - 1), *plain[place + 1 :]])


def _usual(atom: Atom) -> int:
    return min(max(atom.least, 1 if atom.most != 0 else 0), MAX_TIMES)


def _times(written: str | None) -> tuple[int, int | None]:
    if written is None:
        return 1, 1
    if written in ("?", "*", "+"):
        return int(written == "+"), 1 if written == "?" else None
    low, comma, high = written[1:-1].partition(",")
    return int(low), int(high) if high else None if comma else int(low)


def _characters(written: str) -> frozenset[str] | None:
    """The characters of a class, a digit or a single one; None for what is written in a way that readers may differ
    on.
    """
    if written == "\\d":
        return _DIGITS
    if not written.startswith("["):
        return frozenset(written)
    found: set[str] = set()
    rest = written[1:-1]
    while rest:
        if rest.startswith("\\"):
            if rest[1:2] == "d":
                found |= _DIGITS
            elif rest[1:2] in (".", "-", "/", "+"):
                found.add(rest[1])
            else:
                return None
            rest = rest[2:]
        elif len(rest) > 2 and rest[1] == "-":
            low, high = rest[0], rest[2]
            if not (low.isalnum() and high.isalnum() and low <= high):
                return None
            found |= {chr(number) for number in range(ord(low), ord(high) + 1)}
            rest = rest[3:]
        else:
            found.add(rest[0])
            rest = rest[1:]
    return frozenset(found)
