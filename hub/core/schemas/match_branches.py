"""The branches of two choices, brought together: by a field whose value names the branch, by type, or as they stand
where that proves enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

from hub.core.schemas.change_effects import same
from hub.core.schemas.normalize import NUMBERS, Conjunction, conjunction, kind_of

# What tells a branch from its neighbours: the values of a field, or types, as texts. No two branches of a list share
# one.
Keys: TypeAlias = Sequence[frozenset[str]]


@dataclass(frozen=True, slots=True)
class BranchPairs:
    """By their numbers: branches that belong together, and those that one list alone has. `names` are for people."""

    pairs: tuple[tuple[int, int], ...]
    gone: tuple[int, ...]
    come: tuple[int, ...]
    names: tuple[tuple[str, ...], tuple[str, ...]]


def pair(
    old_root: Any,
    old: tuple[str, list[Any]],
    new_root: Any,
    new: tuple[str, list[Any]],
    required: tuple[set[str], set[str]],
) -> BranchPairs | None:
    """Which branch of `old` is which of `new`. None where comparing them one by one would prove nothing.

    Branches that exclude each other may be compared one by one, whether the list says oneOf or anyOf. Of anyOf it is
    enough that each old branch is within its new one, whichever that is.
    """
    one = [conjunction(old_root, branch) for branch in old[1]]
    other = [conjunction(new_root, branch) for branch in new[1]]
    for before, after in _keyed(one, other, required):
        if _exclude(before) and _exclude(after):
            return _by_keys(before, after)
    if old[0] != new[0] or old[0] != "anyOf":
        return None
    return _as_they_stand(old[1], new[1])


def _keyed(
    one: list[Conjunction], other: list[Conjunction], required: tuple[set[str], set[str]]
) -> list[tuple[Keys, Keys]]:
    """What may tell them apart, the fields first."""
    names = [set(node.words.get("properties", {})) for node in (*one, *other)]
    shared = sorted(set.intersection(*names)) if names else []
    found = [(_tags(one, name, required[0]), _tags(other, name, required[1])) for name in shared]
    kinds = ([_kinds(node) for node in one], [_kinds(node) for node in other])
    return [(before, after) for before, after in found if before is not None and after is not None] + [kinds]


def _tags(nodes: list[Conjunction], name: str, required: set[str]) -> Keys | None:
    """The values of one field that each branch must have; None where one takes others, or none at all."""
    found = []
    for node in nodes:
        schema = node.words["properties"][name]
        values = (
            [schema["const"]]
            if isinstance(schema, dict) and "const" in schema
            else schema.get("enum")
            if isinstance(schema, dict)
            else None
        )
        if values is None or name not in {*required, *node.words.get("required", ())}:
            return None
        if node.kinds != {"object"}:
            return None  # what is no object has no field, and would be of every branch
        found.append(frozenset(f"{name} {_text(value)}" for value in values))
    return found


def _kinds(node: Conjunction) -> frozenset[str]:
    return frozenset("number" if kind in NUMBERS else kind for kind in node.kinds)


def _text(value: Any) -> str:
    return f"{kind_of(value)} {Decimal(value).normalize() if kind_of(value) == 'number' else value}"


def _exclude(keys: Keys) -> bool:
    return all(not one & other for number, one in enumerate(keys) for other in keys[number + 1 :])


def _by_keys(before: Keys, after: Keys) -> BranchPairs | None:
    pairs = [(number, place) for number, one in enumerate(before) for place, other in enumerate(after) if one & other]
    olds, news = [one for one, _ in pairs], [other for _, other in pairs]
    if len(set(olds)) != len(olds) or len(set(news)) != len(news):
        return None  # one became two, or two became one
    return BranchPairs(
        tuple(pairs),
        tuple(number for number in range(len(before)) if number not in olds),
        tuple(number for number in range(len(after)) if number not in news),
        (_names(before), _names(after)),
    )


def _names(keys: Keys) -> tuple[str, ...]:
    return tuple(" or ".join(sorted(one)) for one in keys)


def _as_they_stand(old: list[Any], new: list[Any]) -> BranchPairs:
    pairs: list[tuple[int, int]] = []
    for number, one in enumerate(old):
        place = next(
            (
                place
                for place, other in enumerate(new)
                if same(one, other) and place not in [known for _, known in pairs]
            ),
            None,
        )
        if place is not None:
            pairs.append((number, place))
    olds, news = {one for one, _ in pairs}, {other for _, other in pairs}
    # The rest in its order: any pairing proves what it proves.
    left, right = (
        [one for one in range(len(old)) if one not in olds],
        [one for one in range(len(new)) if one not in news],
    )
    both = min(len(left), len(right))
    pairs += zip(left[:both], right[:both], strict=True)
    numbered = (
        tuple(f"number {number + 1}" for number in range(len(old))),
        tuple(f"number {number + 1}" for number in range(len(new))),
    )
    return BranchPairs(tuple(pairs), tuple(left[both:]), tuple(right[both:]), numbered)
