"""The structural difference of two documents: what was added, removed, changed or moved, each at its JSON pointer.
Pure.

Members of objects are the same by their name. Elements of lists are the same by what they hold; else by a field that
tells them apart (a sku, a line number); else by their place. What was removed here and added there with the same
content, once on each side, has moved, where the content is no word that stands in many fields. A number is what is
written: 1 and 1.0 differ, as they do on the wire.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from hub.core.json import canonical, escape
from hub.core.message import Json

MAX_CHANGES = 2_000  # of one difference; whoever looks at more looks at the documents
MAX_ALIGNED = 2_000  # elements of two lists together: beyond it they are compared by their place
LEAST_TELLING = 4  # digits of a number that is taken for the same one elsewhere
# a word of a code list, such as NORMAL; a small number as text
_CODE_WORD = re.compile(r"[A-Z][A-Z_-]*|[0-9]{1,3}", re.ASCII)
_TRIVIAL = frozenset({b"null", b"true", b"false", b'""', b"{}", b"[]", b"0", b"1"})  # too common to say that they moved


class Kind(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    MOVED = "moved"  # from `origin` to `pointer`; of a list's element, that its place among the others is another


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `pointer` is a place of the new document, of a removed value one of the old; "" is the whole.
    `origin`: where it stood before.
    """

    kind: Kind
    pointer: str
    old: Json = None
    new: Json = None
    origin: str | None = None

    def as_json(self) -> dict[str, Json]:
        told: dict[str, Json] = {"kind": self.kind.value, "pointer": self.pointer}
        if self.kind is not Kind.ADDED:
            told["old"] = self.old
        if self.kind is not Kind.REMOVED:
            told["new"] = self.new
        if self.origin is not None:
            told["from"] = self.origin
        return told


def difference(old: Json, new: Json) -> list[Change]:
    """All changes in the order of the documents, at most MAX_CHANGES; [] where both are the same."""
    changes = _moved(list(_compared(old, new, "", "")))
    return changes[:MAX_CHANGES]


def _compared(old: Json, new: Json, was: str, is_: str) -> Iterator[Change]:
    """`was` and `is_`: where the two stand, each in its own document."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in dict.fromkeys((*old, *new)):
            at = escape(name)
            if name not in new:
                yield Change(Kind.REMOVED, f"{was}/{at}", old=old[name])
            elif name not in old:
                yield Change(Kind.ADDED, f"{is_}/{at}", new=new[name])
            else:
                yield from _compared(old[name], new[name], f"{was}/{at}", f"{is_}/{at}")
    elif isinstance(old, list) and isinstance(new, list):
        yield from _listed(old, new, was, is_)
    elif not _same(old, new):
        yield Change(Kind.CHANGED, is_, old, new, was if was != is_ else None)


def _same(old: Json, new: Json) -> bool:
    return type(old) is type(new) and (
        old == new if isinstance(old, str | bool) or old is None else canonical(old) == canonical(new)
    )


def _listed(old: list[Json], new: list[Json], was: str, is_: str) -> Iterator[Change]:
    pairs = _pairs(old, new)
    kept = _rising([other for other in pairs if other is not None])
    for index, other in enumerate(pairs):
        if other is None:
            yield Change(Kind.REMOVED, f"{was}/{index}", old=old[index])
    back = {other: index for index, other in enumerate(pairs) if other is not None}
    for index, one in enumerate(new):
        if index not in back:
            yield Change(Kind.ADDED, f"{is_}/{index}", new=one)
            continue
        before = f"{was}/{back[index]}"
        if index not in kept:
            yield Change(Kind.MOVED, f"{is_}/{index}", old[back[index]], one, before)
        yield from _compared(old[back[index]], one, before, f"{is_}/{index}")


def _pairs(old: Sequence[Json], new: Sequence[Json]) -> list[int | None]:
    """For each old element the place of the new one that it is; None where it is gone."""
    if len(old) + len(new) > MAX_ALIGNED:
        return [index if index < len(new) else None for index in range(len(old))]
    name = _telling(old, new)
    pairs: list[int | None] = [None] * len(old)
    _match(
        old,
        new,
        pairs,
        canonical if name is None else lambda one: canonical(one[name]) if isinstance(one, dict) else b"",
    )
    if name is not None:
        return pairs
    # What is left stands for what stood at its place among those that are left: its content was changed.
    taken = set(pairs)
    rest = [index for index in range(len(new)) if index not in taken]
    gone = [index for index, other in enumerate(pairs) if other is None]
    for index, other in zip(gone, rest, strict=False):
        pairs[index] = other
    return pairs


def _match(old: Sequence[Json], new: Sequence[Json], pairs: list[int | None], key: Callable[[Json], bytes]) -> None:
    places: dict[bytes, list[int]] = {}
    for index, one in enumerate(new):
        places.setdefault(key(one), []).append(index)
    for index, one in enumerate(old):
        free = places.get(key(one))
        if free:
            pairs[index] = free.pop(0)


def _telling(old: Sequence[Json], new: Sequence[Json]) -> str | None:
    """A field by which the elements of both lists are told apart, and of which most are in both; None where there is
    none.
    """
    before, after = ([one for one in side if isinstance(one, dict)] for side in (old, new))
    if not before or not after or len(before) + len(after) < len(old) + len(new):
        return None
    best: str | None = None
    most = 0
    for name in before[0]:
        if not all(isinstance(one.get(name), str | int) for one in (*before, *after)):
            continue
        was, is_ = ({canonical(one[name]) for one in side} for side in (before, after))
        if len(was) == len(before) and len(is_) == len(after) and len(was & is_) > most:
            best, most = name, len(was & is_)
    return best


def _rising(places: Sequence[int]) -> frozenset[int]:
    """The longest run of places that rises: these kept their order, the others moved. Patience sorting, n log n."""
    tails: list[int] = []
    ends: list[int] = []  # indexes into `places`
    before: list[int] = []
    for index, place in enumerate(places):
        spot = bisect_left(tails, place)
        before.append(ends[spot - 1] if spot else -1)
        if spot == len(tails):
            tails.append(place)
            ends.append(index)
        else:
            tails[spot], ends[spot] = place, index
    kept, index = set(), ends[-1] if ends else -1
    while index >= 0:
        kept.add(places[index])
        index = before[index]
    return frozenset(kept)


def _moved(changes: list[Change]) -> list[Change]:
    """Pairs what was removed with what was added elsewhere, where the content is the same and neither side has it
    twice.
    """
    split = _split(changes)
    gone = {
        key: change
        for key, change in _once(split, Kind.REMOVED, lambda change: change.old).items()
        if key not in _TRIVIAL
    }
    come = _once(split, Kind.ADDED, lambda change: change.new)
    moves = {id(come[key]): change for key, change in gone.items() if key in come and _is_telling(change, come[key])}
    sources = {id(change) for change in moves.values()}
    found: list[Change] = []
    for change in split:
        if id(change) in moves:
            source = moves[id(change)]
            found.append(Change(Kind.MOVED, change.pointer, source.old, change.new, source.pointer))
        elif id(change) not in sources:
            found.append(replace(change))
    return found


def _is_telling(gone: Change, come: Change) -> bool:
    """Whether equal content is no accident: two fields may both say NORMAL, and have nothing to do with each other."""
    if gone.pointer.rpartition("/")[2] == come.pointer.rpartition("/")[2] or isinstance(gone.old, dict | list):
        return True
    if isinstance(gone.old, str):
        return _CODE_WORD.fullmatch(gone.old) is None
    return len(canonical(gone.old)) >= LEAST_TELLING


def _split(changes: list[Change]) -> list[Change]:
    """What was removed or added whole falls into its leaves where one of them went elsewhere alone: a mapping that
    spreads an object is told so.
    """
    leaves = {
        side: Counter(key for change in changes if change.kind is side for key in _leaf_keys(change))
        for side in (Kind.REMOVED, Kind.ADDED)
    }
    whole = {
        side: {canonical(_content(change)) for change in changes if change.kind is side}
        for side in (Kind.REMOVED, Kind.ADDED)
    }
    found: list[Change] = []
    for change in changes:
        other = {Kind.REMOVED: Kind.ADDED, Kind.ADDED: Kind.REMOVED}.get(change.kind)
        content = _content(change)
        if other is None or not isinstance(content, dict | list) or canonical(content) in whole[other]:
            found.append(change)
        elif any(key in leaves[other] and key not in _TRIVIAL for key in _leaf_keys(change)):
            old, new = (content, None) if change.kind is Kind.REMOVED else (None, content)
            found += [
                Change(change.kind, pointer, leaf if old is not None else None, leaf if new is not None else None)
                for pointer, leaf in _leaves(content, change.pointer)
            ]
        else:
            found.append(change)
    return found


def _content(change: Change) -> Json:
    return change.old if change.kind is Kind.REMOVED else change.new


def _leaf_keys(change: Change) -> Iterator[bytes]:
    for _, leaf in _leaves(_content(change), ""):
        yield canonical(leaf)


def _leaves(value: Json, at: str) -> Iterator[tuple[str, Json]]:
    if isinstance(value, dict) and value:
        for name, member in value.items():
            yield from _leaves(member, f"{at}/{escape(name)}")
    elif isinstance(value, list) and value:
        for index, member in enumerate(value):
            yield from _leaves(member, f"{at}/{index}")
    else:
        yield at, value


def _once(changes: list[Change], kind: Kind, content: Callable[[Change], Json]) -> dict[bytes, Change]:
    """By content those that stand once on their side."""
    found: dict[bytes, list[Change]] = {}
    for change in changes:
        if change.kind is kind:
            found.setdefault(canonical(content(change)), []).append(change)
    return {key: rows[0] for key, rows in found.items() if len(rows) == 1}
