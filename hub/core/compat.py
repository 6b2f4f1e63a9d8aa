"""Two contracts compared in plain words: what was taken and is refused now, what can come now and could not before, with a document that shows it.

*Safe for senders*: whatever the old one took, the new one takes. *Safe for receivers*: whatever the new one takes, the old one took. A change whose
document does not prove it on both compiled contracts is told as undecided, never as fine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from hub.core.contract import Contract
from hub.core.json import escape
from hub.core.message import Json
from hub.core.specimen import joined, specimen

MAX_DEPTH = 16
_MISSING: Final = object()
_CHOICES = (
    "oneOf",
    "anyOf",
    "allOf",
    "not",
    "if",
    "then",
    "else",
    "dependentSchemas",
    "dependentRequired",
    "patternProperties",
    "contains",
    "prefixItems",
    "propertyNames",
)


# What is compared word by word below, and what says nothing about documents.
_COMPARED = frozenset(
    "type enum const minimum exclusiveMinimum maximum exclusiveMaximum minLength maxLength minItems maxItems minProperties maxProperties pattern format"
    " uniqueItems multipleOf properties required additionalProperties items $ref $defs $schema $id $comment $anchor title description default examples"
    " deprecated readOnly writeOnly".split(),
) | set(_CHOICES)


class Effect(StrEnum):
    """What a change does to documents."""

    NARROWS = "narrows"  # some that were taken are refused now: breaks senders
    WIDENS = "widens"  # some that were refused can come now: may break receivers
    SAME = "same"  # says more, takes the same
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Change:
    """One change: where in a document (`/items/*/quantity`), what in a sentence, its effect, and a document that shows it."""

    pointer: str
    text: str
    effect: Effect
    example: Json = None

    def as_json(self) -> dict[str, Json]:
        return {"pointer": self.pointer, "text": self.text, "effect": self.effect.value, "example": self.example}


@dataclass(frozen=True, slots=True)
class Comparison:
    """All changes from one contract to another."""

    changes: tuple[Change, ...]

    @property
    def safe_for_senders(self) -> bool | None:
        """None: not decided."""
        return self._safe(Effect.NARROWS)

    @property
    def safe_for_receivers(self) -> bool | None:
        return self._safe(Effect.WIDENS)

    def _safe(self, breaking: Effect) -> bool | None:
        effects = {change.effect for change in self.changes}
        return False if breaking in effects else None if Effect.UNDECIDED in effects else True

    def as_json(self) -> dict[str, Json]:
        return {"safeForSenders": self.safe_for_senders, "safeForReceivers": self.safe_for_receivers, "changes": [change.as_json() for change in self.changes]}


@dataclass(frozen=True, slots=True)
class _Found:
    at: tuple[str, ...]
    text: str
    effect: Effect
    value: Any = _MISSING  # what stands at the place in a document that shows it


def compare(old: Contract, new: Contract) -> Comparison:
    """What changes from `old` to `new`."""
    changes = [_proven(one, old, new) for one in _nodes(old.schema, old.schema, new.schema, new.schema, (), 0)]
    rules = sorted({(text, rule.text) for rule, text in new.rules} ^ {(text, rule.text) for rule, text in old.rules})
    changes += [Change("", f"A rule between fields came, went or changed: {text} ({rule})", Effect.UNDECIDED) for text, rule in rules]
    return Comparison(tuple(change for number, change in enumerate(changes) if change not in changes[:number]))


def _proven(found: _Found, old: Contract, new: Contract) -> Change:
    """The change with its document, if one proves it: taken by one, refused by the other."""
    pointer = "".join(f"/{name if name == '*' else escape(name)}" for name in found.at)
    if found.effect in (Effect.SAME, Effect.UNDECIDED):
        return Change(pointer, found.text, found.effect)
    takes, refuses = (old, new) if found.effect is Effect.NARROWS else (new, old)
    is_absence = found.value is _MISSING
    document = _without(specimen(takes.schema, at=found.at), found.at) if is_absence else specimen(takes.schema, at=found.at, value=found.value)
    if not takes.check(document) and refuses.check(document):
        return Change(pointer, found.text, found.effect, document)
    return Change(pointer, f"{found.text} (no small document shows it: look at it)", Effect.UNDECIDED)


def _without(document: Any, at: tuple[str, ...]) -> Any:
    """The document without what stands at a place."""
    here = document
    for name in at[:-1]:
        here = here[0] if name == "*" and isinstance(here, list) and here else here.get(name) if isinstance(here, dict) else None
    if isinstance(here, dict):
        here.pop(at[-1], None)
    return document


def _nodes(old_root: Any, old: Any, new_root: Any, new: Any, at: tuple[str, ...], depth: int) -> Iterator[_Found]:
    if _same(old, new) and _same(old_root, new_root):
        return
    if depth > MAX_DEPTH or not isinstance(old, dict) or not isinstance(new, dict):
        if not _same(old, new):
            yield _Found(at, "It is written in another way", Effect.UNDECIDED)
        return
    yield from _unfollowed(old_root, old, new_root, new, at)
    one, other = joined(old_root, old), joined(new_root, new)
    for word in sorted((one.keys() | other.keys()) - _COMPARED):
        if not _same(one.get(word), other.get(word)) and not word.startswith("x-"):
            yield _Found(at, f"`{word}` changed", Effect.UNDECIDED)
    yield from _kinds(one, other, at)
    yield from _values(one, other, at)
    yield from _limits(one, other, at)
    for word in ("pattern", "format", "uniqueItems", "multipleOf"):
        yield from _asked(word, one.get(word), other.get(word), at)
    for word in ("x-pii", "x-money", "x-unit", "x-zone"):
        if one.get(word) != other.get(word):
            yield _Found(at, f"{word} was {one.get(word)!r} and is {other.get(word)!r}", Effect.SAME)
    yield from _fields(old_root, one, new_root, other, at, depth)
    if isinstance(one.get("items"), dict) and isinstance(other.get("items"), dict):
        yield from _nodes(old_root, one["items"], new_root, other["items"], (*at, "*"), depth + 1)
    elif one.get("items") != other.get("items"):
        yield _Found(at, "What its elements may be changed", Effect.UNDECIDED)


# Words whose schemas are compared as they are written, not followed. A reference in them may lead to something that changed.
_UNFOLLOWED = (*_CHOICES, "additionalProperties", "unevaluatedProperties", "unevaluatedItems")


def _unfollowed(old_root: Any, old: dict[str, Any], new_root: Any, new: dict[str, Any], at: tuple[str, ...]) -> Iterator[_Found]:
    moved = not _same(old_root.get("$defs"), new_root.get("$defs")) if isinstance(old_root, dict) and isinstance(new_root, dict) else True
    for word in _UNFOLLOWED:
        if not _same(old.get(word), new.get(word)):
            if word in _CHOICES:
                yield _Found(at, f"`{word}` changed", Effect.UNDECIDED)
        elif word in old and _refers(old[word]) and (moved or _refers_to_root(old[word])) and not _same(old_root, new_root):
            yield _Found(at, f"What `{word}` refers to changed, perhaps", Effect.UNDECIDED)


def _refers(node: Any) -> bool:
    if isinstance(node, dict):
        return "$ref" in node or any(_refers(one) for one in node.values())
    return isinstance(node, list) and any(_refers(one) for one in node)


def _refers_to_root(node: Any) -> bool:
    """Whether a reference leads elsewhere than into `$defs`: then any change of the document may be behind it."""
    if isinstance(node, dict):
        return ("$ref" in node and not str(node["$ref"]).startswith("#/$defs/")) or any(_refers_to_root(one) for one in node.values())
    return isinstance(node, list) and any(_refers_to_root(one) for one in node)


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON: 1 is not true, though Python says so; 1 and 1.0 are one number."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_same(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)


_EXAMPLES: dict[str, Any] = {"string": "text", "integer": 1, "number": Decimal("1.5"), "boolean": True, "null": None, "object": {}, "array": []}


def _kinds(one: dict[str, Any], other: dict[str, Any], at: tuple[str, ...]) -> Iterator[_Found]:
    before, after = _types(one), _types(other)
    if before is None or after is None or before == after:
        if before != after:
            yield _Found(at, f"Its type was {_said(before)} and is {_said(after)}", Effect.UNDECIDED)
        return
    for kind in sorted(before - after):
        if not (kind == "integer" and "number" in after):
            yield _Found(at, f"It may no longer be {kind}; it may be {_said(after)}", Effect.NARROWS, _example(kind, one))
    for kind in sorted(after - before):
        if not (kind == "integer" and "number" in before):
            yield _Found(at, f"It may now be {kind} too", Effect.WIDENS, _example(kind, other))


def _example(kind: str, node: dict[str, Any]) -> Any:
    return specimen({**node, "type": kind}) if kind in ("string", "integer", "array", "object") else _EXAMPLES[kind]


def _types(node: dict[str, Any]) -> frozenset[str] | None:
    given = node.get("type")
    return None if given is None else frozenset([given] if isinstance(given, str) else given)


def _said(kinds: frozenset[str] | None) -> str:
    return " or ".join(sorted(kinds)) if kinds is not None else "anything"


def _values(one: dict[str, Any], other: dict[str, Any], at: tuple[str, ...]) -> Iterator[_Found]:
    before = one.get("enum", [one["const"]] if "const" in one else None)
    after = other.get("enum", [other["const"]] if "const" in other else None)
    if _same(before, after):
        return
    if before is None:
        assert after is not None
        yield _Found(at, f"Only {', '.join(map(repr, after[:8]))} are taken now", Effect.NARROWS, specimen({**one, "type": one.get("type", "string")}))
    elif after is None:
        yield _Found(at, "Any value is taken now", Effect.WIDENS, specimen({**other, "type": other.get("type", "string")}))
    else:
        for value in before:
            if not any(_same(value, one_) for one_ in after):
                yield _Found(at, f"The value {value!r} is no longer taken", Effect.NARROWS, value)
        for value in after:
            if not any(_same(value, one_) for one_ in before):
                yield _Found(at, f"The value {value!r} is new", Effect.WIDENS, value)


_LOW = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "minLength": "at least so many characters:",
    "minItems": "at least so many elements:",
    "minProperties": "at least so many fields:",
}
_HIGH = {
    "maximum": "at most",
    "exclusiveMaximum": "less than",
    "maxLength": "at most so many characters:",
    "maxItems": "at most so many elements:",
    "maxProperties": "at most so many fields:",
}


def _limits(one: dict[str, Any], other: dict[str, Any], at: tuple[str, ...]) -> Iterator[_Found]:
    for word, said in (*_LOW.items(), *_HIGH.items()):
        before, after = one.get(word), other.get(word)
        if before == after:
            continue
        is_low = word in _LOW
        tightened = before is None or (after is not None and (after > before if is_low else after < before))
        bound = before if tightened else after  # what the wider one still takes
        value = _beyond(word, after if tightened else before, one if tightened else other, bound)
        text = (
            f"It must be {said} {after}" + (f"; it was {before}" if before is not None else "; there was no limit")
            if after is not None
            else f"There is no limit any more; it was {said} {before}"
        )
        yield _Found(at, text, Effect.NARROWS if tightened else Effect.WIDENS, value)


def _beyond(word: str, limit: Any, node: dict[str, Any], bound: Any) -> Any:
    """A value just beyond a limit, that the wider contract still takes."""
    match word:
        case "minimum" | "exclusiveMinimum":
            return limit - 1 if word == "minimum" and (bound is None or limit - 1 >= bound) else limit if word == "exclusiveMinimum" else bound
        case "maximum" | "exclusiveMaximum":
            return limit + 1 if word == "maximum" and (bound is None or limit + 1 <= bound) else limit if word == "exclusiveMaximum" else bound
        case "minLength":
            return "x" * max(int(limit) - 1, int(bound or 0))
        case "maxLength":
            return "x" * (int(limit) + 1)
        case "minItems" | "maxItems":
            number = max(int(limit) - 1, int(bound or 0)) if word == "minItems" else int(limit) + 1
            return [specimen(node, node.get("items", {})) for _ in range(number)] if number <= 10_000 else _MISSING
        case _:
            return _MISSING


def _asked(word: str, before: Any, after: Any, at: tuple[str, ...]) -> Iterator[_Found]:
    if before == after:
        return
    if before is None:
        value: Any = {"pattern": "\x01", "format": "no such thing"}.get(word, _MISSING)
        yield _Found(at, f"`{word}` is asked for now: {after!r}", Effect.NARROWS, value)
    elif after is None:
        yield _Found(
            at, f"`{word}` is no longer asked for; it was {before!r}", Effect.WIDENS, {"pattern": "\x01", "format": "no such thing"}.get(word, _MISSING)
        )
    else:
        yield _Found(at, f"`{word}` was {before!r} and is {after!r}", Effect.UNDECIDED)


def _fields(old_root: Any, one: dict[str, Any], new_root: Any, other: dict[str, Any], at: tuple[str, ...], depth: int) -> Iterator[_Found]:
    before, after = one.get("properties", {}), other.get("properties", {})
    was_closed, is_closed = one.get("additionalProperties") is False, other.get("additionalProperties") is False
    required, now_required = set(one.get("required", ())), set(other.get("required", ()))
    if was_closed != is_closed:
        text = "Fields that it does not have are refused now" if is_closed else "Fields that it does not have are taken now"
        yield _Found((*at, "somethingElse"), text, Effect.NARROWS if is_closed else Effect.WIDENS, "text")
    elif one.get("additionalProperties") != other.get("additionalProperties"):
        yield _Found(at, "What further fields may hold changed", Effect.UNDECIDED)
    for name in sorted(before.keys() - after.keys()):
        if is_closed:
            yield _Found((*at, name), "The field is gone, and refused where it is sent", Effect.NARROWS, specimen(old_root, before[name]))
        else:
            yield _Found((*at, name), "The field is no longer described; whatever stands there is taken", Effect.UNDECIDED)
    for name in sorted(after.keys() - before.keys()):
        if was_closed:
            yield _Found((*at, name), "The field is new", Effect.WIDENS, specimen(new_root, after[name]))
        else:
            yield _Found((*at, name), "The field is described now; what stood there before may not fit", Effect.UNDECIDED)
    for name in sorted(now_required - required):
        yield _Found((*at, name), "The field is required now", Effect.NARROWS)
    for name in sorted(required - now_required):
        yield _Found((*at, name), "The field is no longer required", Effect.WIDENS)
    for name in sorted(before.keys() & after.keys()):
        yield from _nodes(old_root, before[name], new_root, after[name], (*at, name), depth + 1)
