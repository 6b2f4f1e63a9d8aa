"""What two contracts say of one value, compared word by word: its types, its values, its range, length, pattern and
format. Exact where that can be decided.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from hub.core.schemas.change_effects import ABSENT, MADE, Effect, SchemaChange, same
from hub.core.schemas.normalize import NUMBERS, Conjunction, kind_of
from hub.core.schemas.patterns import beyond, is_within
from hub.core.schemas.specimen import FORMATS, TEXTS, specimen

At = tuple[str, ...]
# One of each kind, and a text that is of no known format: what a schema that says anything at all mostly refuses.
ANYTHING: Final[tuple[Any, ...]] = ("\x01", "text", 1, Decimal("1.5"), True, None, {}, [])
MAX_LENGTH = 10_000  # of a text or list that is made to show a limit
_KINDS: dict[str, Any] = {"number": Decimal("1.5"), "integer": 1, "boolean": True, "null": None}
_COUNTS = {
    "minLength": ("string", "at least so many characters:"),
    "maxLength": ("string", "at most so many characters:"),
    "minItems": ("array", "at least so many elements:"),
    "maxItems": ("array", "at most so many elements:"),
    "minProperties": ("object", "at least so many fields:"),
    "maxProperties": ("object", "at most so many fields:"),
}


def limits(old: Conjunction, new: Conjunction, at: At, items: tuple[Any, Any]) -> Iterator[SchemaChange]:
    """All differences in what a single value may be. `items`: an element that fits the old one, and one that fits the
    new one.
    """
    yield from _kinds(old, new, at)
    yield from _values(old, new, at)
    shared = (_wide(old.kinds)) & (_wide(new.kinds))
    if "number" in shared:
        yield from _range(old, new, at)
        yield from _multiples(old.words.get("multipleOf"), new.words.get("multipleOf"), at)
    for word, (kind, said) in _COUNTS.items():
        if kind in shared:
            yield from _count(word, said, old, new, at, items)
    if "string" in shared:
        for word in ("pattern", "format"):
            yield from _asked(word, old.words, new.words, at)
    if "array" in shared and old.words.get("uniqueItems") != new.words.get("uniqueItems"):
        is_asked = "uniqueItems" in new.words
        text = "No two elements may be equal now" if is_asked else "Elements may be equal now"
        yield SchemaChange(
            at, text, Effect.NARROWS if is_asked else Effect.WIDENS, ([items[0 if is_asked else 1]] * 2,)
        )
    for word in ("x-pii", "x-money", "x-unit", "x-zone"):
        if old.words.get(word) != new.words.get(word):
            yield SchemaChange(at, f"{word} was {old.words.get(word)!r} and is {new.words.get(word)!r}", Effect.SAME)


def _wide(kinds: frozenset[str]) -> frozenset[str]:
    """The kinds, whole numbers among the numbers."""
    return frozenset("number" if kind in NUMBERS else kind for kind in kinds)


def _lacks(kind: str, kinds: frozenset[str]) -> bool:
    return kind not in kinds and not (kind == "integer" and "number" in kinds)


def _kinds(old: Conjunction, new: Conjunction, at: At) -> Iterator[SchemaChange]:
    said = " or ".join(sorted(new.kinds)) or "nothing"
    for kind in sorted(old.kinds):
        if _lacks(kind, new.kinds):
            yield SchemaChange(at, f"It may no longer be {kind}; it may be {said}", Effect.NARROWS, _of_kind(kind, old))
    for kind in sorted(new.kinds):
        if _lacks(kind, old.kinds):
            yield SchemaChange(at, f"It may now be {kind} too", Effect.WIDENS, _of_kind(kind, new))


def _of_kind(kind: str, node: Conjunction) -> tuple[Any, ...]:
    given = tuple(
        one
        for one in node.words.get("enum", ())
        if kind_of(one) == kind or (kind == "integer" and kind_of(one) == "number")
    )
    return (*given, specimen({**node.words, "type": kind}), *((_KINDS[kind],) if kind in _KINDS else ()))


def _values(old: Conjunction, new: Conjunction, at: At) -> Iterator[SchemaChange]:
    before, after = old.words.get("enum"), new.words.get("enum")
    if before is None and after is None:
        return
    if before is None:
        assert after is not None
        yield SchemaChange(
            at,
            f"Only {', '.join(map(repr, after[:8]))} {'are' if len(after) > 1 else 'is'} taken now",
            Effect.NARROWS,
            (*_free(old), *ANYTHING),
        )
    elif after is None:
        yield SchemaChange(at, "Any value is taken now", Effect.WIDENS, (*_free(new), *ANYTHING))
    else:
        for value in before:
            if not any(same(value, one) for one in after):
                yield SchemaChange(at, f"The value {value!r} is no longer taken", Effect.NARROWS, (value,))
        for value in after:
            if not any(same(value, one) for one in before):
                yield SchemaChange(at, f"The value {value!r} is new", Effect.WIDENS, (value,))


def _free(node: Conjunction) -> tuple[Any, ...]:
    """Values of each kind that the node may be, whatever else is said of it."""
    return tuple(specimen({**node.words, "type": kind}) for kind in sorted(node.kinds))


# A bound: its value, and whether the value itself is shut out. None: there is none.
_Bound = tuple[Any, bool] | None


def _range(old: Conjunction, new: Conjunction, at: At) -> Iterator[SchemaChange]:
    for is_low, said in ((True, "at least"), (False, "at most")):
        before, after = _bound(old, is_low=is_low), _bound(new, is_low=is_low)
        if before == after:
            continue
        is_tighter = before is None or (after is not None and _is_tighter(after, before, is_low=is_low))
        told = (
            f"It must be {_worded(after, said)}; {'it was ' + _worded(before, said) if before else 'there was no limit'}"
            if after
            else ""
        )
        text = told or f"There is no limit any more; it was {_worded(before, said)}"
        yield SchemaChange(
            at,
            text,
            Effect.NARROWS if is_tighter else Effect.WIDENS,
            _near(*((after, before) if is_tighter else (before, after))),
        )


def _bound(node: Conjunction, *, is_low: bool) -> _Bound:
    """The one bound that minimum and exclusiveMinimum (or the two of the other end) come to; a whole number's is a
    whole number, and within.
    """
    words = ("minimum", "exclusiveMinimum") if is_low else ("maximum", "exclusiveMaximum")
    bounds = [(node.words[word], word.startswith("exclusive")) for word in words if word in node.words]
    if not bounds:
        return None
    value, is_out = bounds[0]
    for bound in bounds[1:]:
        if _is_tighter(bound, (value, is_out), is_low=is_low):
            value, is_out = bound
    if "number" in node.kinds:
        return value, is_out
    whole = math.ceil(value) if is_low else math.floor(value)
    return (whole + (1 if is_low else -1) if is_out and whole == value else whole), False


def _is_tighter(one: tuple[Any, bool], other: tuple[Any, bool], *, is_low: bool) -> bool:
    if one[0] == other[0]:
        return one[1] and not other[1]
    return bool(one[0] > other[0]) if is_low else bool(one[0] < other[0])


def _worded(bound: _Bound, said: str) -> str:
    if bound is None:
        return "without a limit"
    return f"{'more' if said == 'at least' else 'less'} than {bound[0]}" if bound[1] else f"{said} {bound[0]}"


def _near(*bounds: _Bound) -> tuple[Any, ...]:
    """Numbers on and beside the bounds, the tighter one first: one of them is within the one and beyond the other."""
    there = [Decimal(bound[0]) for bound in bounds if bound is not None]
    found = [one + step for one in there for step in (-1, 1, 0, Decimal("-0.5"), Decimal("0.5"))]
    found.append(sum(there, Decimal()) / len(there))
    return tuple(int(one) if one == one.to_integral_value() else one for one in dict.fromkeys(found))


def _multiples(before: Any, after: Any, at: At) -> Iterator[SchemaChange]:
    if before == after:
        return
    if before is None or (after is not None and after % before == 0):
        was = f"; it was of {before}" if before is not None else ""
        yield SchemaChange(
            at,
            f"It must be a multiple of {after} now{was}",
            Effect.NARROWS,
            (before or 1, after + (before or 1), after - (before or 1)),
        )
    elif after is None or before % after == 0:
        yield SchemaChange(
            at,
            f"It need no longer be a multiple of {before}",
            Effect.WIDENS,
            (after or 1, before + (after or 1), before - (after or 1)),
        )
    else:
        yield SchemaChange(at, f"It was a multiple of {before}, and is one of {after}", Effect.UNDECIDED)


def _count(
    word: str, said: str, old: Conjunction, new: Conjunction, at: At, items: tuple[Any, Any]
) -> Iterator[SchemaChange]:
    is_low = word.startswith("min")
    none = 0 if is_low else None  # at least none is no limit
    before, after = old.words.get(word, none), new.words.get(word, none)
    if before == after:
        return
    is_tighter = before is None or (after is not None and (after > before if is_low else after < before))
    text = f"It must have {said} {after}; " + (f"it was {before}" if before else "there was no limit")
    if after in (None, 0):
        text = f"There is no limit any more; it was {said} {before}"
    # What has one too few or one too many for the tighter of the two.
    tight = int((after if is_tighter else before) or 0)
    number = tight - 1 if is_low else tight + 1
    yield SchemaChange(
        at,
        text,
        Effect.NARROWS if is_tighter else Effect.WIDENS,
        _of_size(word, max(number, 0), items[0 if is_tighter else 1]),
    )


def _of_size(word: str, number: int, item: Any) -> tuple[Any, ...]:
    if number > MAX_LENGTH or word.endswith("Properties"):
        return (ABSENT,)
    if word.endswith("Items"):
        return ([item] * number,)
    return ("x" * number, *((text * number)[:number] for text in TEXTS))


def _asked(word: str, old: dict[str, Any], new: dict[str, Any], at: At) -> Iterator[SchemaChange]:
    before, after = old.get(word), new.get(word)
    if before == after:
        return
    length = min(int(max(old.get("minLength", 0), new.get("minLength", 0))), MAX_LENGTH)
    texts = tuple(FORMATS.values()) if word == "format" else ()
    values = (
        "\x01" * max(length, 1),
        "no such thing",
        *(text + "x" * (length - len(text)) for text in (*texts, *TEXTS)),
        MADE,
    )
    if before is None:
        yield SchemaChange(at, f"`{word}` is asked for now: {after!r}", Effect.NARROWS, values)
    elif after is None:
        yield SchemaChange(at, f"`{word}` is no longer asked for; it was {before!r}", Effect.WIDENS, values)
    else:
        # Of simple patterns it is decided which takes all that the other takes; of others, a text that shows the
        # contrary is found or is not.
        is_pattern = word == "pattern"
        narrows, widens = (tuple(beyond(before, after)), tuple(beyond(after, before))) if is_pattern else ((), ())
        if not (is_pattern and is_within(before, after)):
            yield SchemaChange(
                at,
                f"`{word}` was {before!r} and is {after!r}: some of what was taken is refused",
                Effect.MAY_NARROW,
                (*narrows, *values),
            )
        if not (is_pattern and is_within(after, before)):
            yield SchemaChange(
                at,
                f"`{word}` was {before!r} and is {after!r}: some of what was refused is taken",
                Effect.MAY_WIDEN,
                (*widens, *values),
            )
