"""Two schemas gone through side by side: fields, elements and branches, each difference with its place. What is found
is proven elsewhere (compat).

What this says nothing of is the same in both: so it must tell of everything that it does not follow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hub.core.schemas.change_effects import ABSENT, MADE, Effect, SchemaChange, same
from hub.core.schemas.limits import ANYTHING, At, limits
from hub.core.schemas.match_branches import BranchPairs, pair
from hub.core.schemas.normalize import Conjunction, conjunction
from hub.core.schemas.specimen import specimen

MAX_NODES = 5_000  # pairs of schemas that are looked at; choices within choices multiply


@dataclass(slots=True)
class Walk:
    """One comparison, from the roots of two schemas on."""

    old: Any
    new: Any
    _left: int = MAX_NODES
    _moved: bool = field(init=False)

    def __post_init__(self) -> None:
        is_told = isinstance(self.old, dict) and isinstance(self.new, dict)
        self._moved = not same(self.old.get("$defs"), self.new.get("$defs")) if is_told else True

    def changes(self) -> Iterator[SchemaChange]:
        if not same(self.old, self.new):
            yield from self._nodes(self.old, self.new, (), frozenset())

    def _nodes(
        self, old: Any, new: Any, at: At, above: frozenset[tuple[frozenset[int], frozenset[int]]]
    ) -> Iterator[SchemaChange]:
        if self._is_same(old, new):
            return
        one, other = conjunction(self.old, old), conjunction(self.new, new)
        here = (one.ids, other.ids)
        if here in above:
            return  # a schema within itself: what differs was told where it was met first
        self._left -= 1
        if self._left < 0:
            if self._left == -1:
                yield SchemaChange(at, "There is more than can be compared from here on", Effect.UNDECIDED)
            return
        within = above | {here}
        yield from self._left_over(one, other, old, new, at)
        items = (specimen(self.old, one.words.get("items", {})), specimen(self.new, other.words.get("items", {})))
        yield from limits(one, other, at, items)
        yield from self._apart(one, other, at)
        yield from self._fields(one, other, at, within)
        yield from self._elements(one, other, at, within)
        yield from self._choices(one, other, at, within)

    def _is_same(self, old: Any, new: Any) -> bool:
        """Written alike, and what it refers to is alike too."""
        if not same(old, new):
            return False
        return not _refers(old) or not (self._moved or _refers_to_root(old))

    def _left_over(self, one: Conjunction, other: Conjunction, old: Any, new: Any, at: At) -> Iterator[SchemaChange]:
        """`unevaluated…` judges what all the rest leaves over: it means the same only where the rest names the same
        fields, in the same parts.
        """
        if not {"unevaluatedProperties", "unevaluatedItems"} & (one.apart.keys() | other.apart.keys()):
            return
        if not self._is_same(_naming(old), _naming(new)):
            yield SchemaChange(at, "What it leaves over to `unevaluated…` may have changed", Effect.UNDECIDED)

    def _apart(self, one: Conjunction, other: Conjunction, at: At) -> Iterator[SchemaChange]:
        for word in sorted(one.apart.keys() | other.apart.keys()):
            before, after = one.apart.get(word), other.apart.get(word)
            if not same(before, after):
                yield SchemaChange(at, f"`{word}` changed", Effect.UNDECIDED)
            elif not self._is_same(before, after):
                yield SchemaChange(at, f"What `{word}` refers to changed, perhaps", Effect.UNDECIDED)

    def _fields(self, one: Conjunction, other: Conjunction, at: At, within: Any) -> Iterator[SchemaChange]:
        before, after = one.words.get("properties", {}), other.words.get("properties", {})
        is_plain = one.is_plain and other.is_plain
        if is_plain and one.is_closed != other.is_closed:
            text = (
                "Fields that it does not have are refused now"
                if other.is_closed
                else "Fields that it does not have are taken now"
            )
            yield SchemaChange(
                (*at, "somethingElse"), text, Effect.NARROWS if other.is_closed else Effect.WIDENS, ("text",)
            )
        for name in sorted(before.keys() - after.keys()):
            yield from _come_or_gone(
                (*at, name), self.old, before[name], is_plain=is_plain, is_closed=other.is_closed, is_gone=True
            )
        for name in sorted(after.keys() - before.keys()):
            yield from _come_or_gone(
                (*at, name), self.new, after[name], is_plain=is_plain, is_closed=one.is_closed, is_gone=False
            )
        was, now = set(one.words.get("required", ())), set(other.words.get("required", ()))
        for name in sorted(now - was):
            yield SchemaChange((*at, name), "The field is required now", Effect.NARROWS, (ABSENT,))
        for name in sorted(was - now):
            yield SchemaChange((*at, name), "The field is no longer required", Effect.WIDENS, (ABSENT,))
        for name in sorted(before.keys() & after.keys()):
            yield from self._nodes(before[name], after[name], (*at, name), within)

    def _elements(self, one: Conjunction, other: Conjunction, at: At, within: Any) -> Iterator[SchemaChange]:
        if "items" in one.words or "items" in other.words:
            yield from self._nodes(one.words.get("items", {}), other.words.get("items", {}), (*at, "*"), within)

    def _choices(self, one: Conjunction, other: Conjunction, at: At, within: Any) -> Iterator[SchemaChange]:
        if self._is_same(one.choices, other.choices):
            return
        if {"unevaluatedProperties", "unevaluatedItems"} & (one.apart.keys() | other.apart.keys()):
            yield SchemaChange(at, "Its branches changed, and with them what they leave over", Effect.UNDECIDED)
        before = [(word, branches) for word, lists in sorted(one.choices.items()) for branches in lists]
        after = [(word, branches) for word, lists in sorted(other.choices.items()) for branches in lists]
        if len(before) > 1 or len(after) > 1:
            yield SchemaChange(
                at,
                "Which of its branches belong together is not clear: there are several lists of them",
                Effect.UNDECIDED,
            )
        elif not before or not after:
            text = "It must be of one of several forms now" if after else "It need no longer be of one of several forms"
            yield SchemaChange(at, text, Effect.NARROWS if after else Effect.WIDENS, (MADE, *ANYTHING))
        else:
            required = (set(one.words.get("required", ())), set(other.words.get("required", ())))
            yield from self._branches(
                before[0], after[0], pair(self.old, before[0], self.new, after[0], required), at, within
            )

    def _branches(
        self,
        before: tuple[str, list[Any]],
        after: tuple[str, list[Any]],
        paired: BranchPairs | None,
        at: At,
        within: Any,
    ) -> Iterator[SchemaChange]:
        if paired is None:
            yield SchemaChange(at, f"`{after[0]}` changed, and its branches cannot be told apart", Effect.UNDECIDED)
            return
        for old, new in paired.pairs:
            chosen = ({id(before[1]): old}, {id(after[1]): new})
            for found in self._nodes(before[1][old], after[1][new], at, within):
                yield replace(found, chosen=({**chosen[0], **found.chosen[0]}, {**chosen[1], **found.chosen[1]}))
        for number in paired.gone:
            chosen_: tuple[Mapping[int, int], Mapping[int, int]] = ({id(before[1]): number}, {})
            yield SchemaChange(
                at, f"It may no longer be of the form {paired.names[0][number]}", Effect.NARROWS, (MADE,), chosen_
            )
        for number in paired.come:
            chosen_ = ({}, {id(after[1]): number})
            yield SchemaChange(
                at, f"It may now be of the form {paired.names[1][number]} too", Effect.WIDENS, (MADE,), chosen_
            )


def _come_or_gone(
    at: At, root: Any, schema: Any, *, is_plain: bool, is_closed: bool, is_gone: bool
) -> Iterator[SchemaChange]:
    """A field that one of the two does not describe. `is_closed`: that one refuses what it does not describe."""
    if not is_plain:
        yield SchemaChange(at, "The field is gone, or new; what stands there may be judged otherwise", Effect.UNDECIDED)
    elif is_closed:
        text = "The field is gone, and refused where it is sent" if is_gone else "The field is new"
        yield SchemaChange(at, text, Effect.NARROWS if is_gone else Effect.WIDENS, (specimen(root, schema),))
    elif schema is not True and schema != {}:
        text = (
            "The field is no longer described; whatever stands there is taken"
            if is_gone
            else "The field is described now; what stood there may not fit"
        )
        yield SchemaChange(at, text, Effect.WIDENS if is_gone else Effect.NARROWS, ANYTHING)


def _naming(node: Any) -> Any:
    """The schema without what it says of its fields and elements, but for which there are."""
    if isinstance(node, dict):
        return {
            word: sorted(content)
            if word == "properties" and isinstance(content, dict)
            else word == "items" or _naming(content)
            for word, content in node.items()
        }
    return [_naming(one) for one in node] if isinstance(node, list) else node


def _refers(node: Any) -> bool:
    if isinstance(node, dict):
        return "$ref" in node or any(_refers(one) for one in node.values())
    return isinstance(node, list) and any(_refers(one) for one in node)


def _refers_to_root(node: Any) -> bool:
    """Whether a reference leads elsewhere than into `$defs`: then any change of the document may be behind it."""
    if isinstance(node, dict):
        return ("$ref" in node and not str(node["$ref"]).startswith("#/$defs/")) or any(
            _refers_to_root(one) for one in node.values()
        )
    return isinstance(node, list) and any(_refers_to_root(one) for one in node)
