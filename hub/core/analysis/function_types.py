"""What the functions of expressions give, by what they are given: kinds, values, lengths, bounds and formats. What is
not here is undecided.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from hub.core.expressions.functions import BUILT_IN, OWN
from hub.core.schemas.ranges import Range
from hub.core.schemas.types import MISSING, NOTHING, UNDECIDED, Shape, item_of, least_elements, of_kind, of_value, union

MAX_VALUES = 64  # of a text that is made of texts of which all values are known
NAMES = BUILT_IN | OWN
_NUMBERS = frozenset({"number", "integer"})
_PICTURE = re.compile(r"yyyy|SSS|XXX|MM|dd|HH|mm|ss")
_PICTURES = {
    "yyyy-MM-dd": "date",
    "HH:mm:ssXXX": "time",
    "yyyy-MM-ddTHH:mm:ssXXX": "date-time",
    "yyyy-MM-ddTHH:mm:ss.SSSXXX": "date-time",
    "rfc3339": "date-time",
}


def joined(left: Shape, right: Shape) -> Shape:
    """`left & right`: what is missing is the empty text."""
    personal = left.personal or right.personal
    sides = [_texts(left), _texts(right)]
    if all(side is not None for side in sides) and len(sides[0] or ()) * len(sides[1] or ()) <= MAX_VALUES:
        return replace(
            union([of_value(one + other) for one in sides[0] or () for other in sides[1] or ()]), personal=personal
        )
    longest = (
        left.longest + right.longest
        if left.longest is not None and right.longest is not None and _is_text(left) and _is_text(right)
        else None
    )
    least = [0 if one.may(MISSING) or not _is_text(one) else one.shortest or 0 for one in (left, right)]
    return of_kind("string", shortest=sum(least) or None, longest=longest, personal=personal)


def _is_text(shape: Shape) -> bool:
    return shape.kinds is not None and shape.kinds <= {"string", MISSING}


def _texts(shape: Shape) -> list[str] | None:
    """All texts that it can be, where they are known."""
    if shape.kinds is None or not _is_text(shape) or (shape.values is None and shape.may("string")):
        return None
    found = sorted(str(one) for one in shape.values or ()) if shape.may("string") else []
    return [*found, ""] if shape.may(MISSING) else found


def _first(shapes: Sequence[Shape]) -> Shape:
    return shapes[0] if shapes else UNDECIDED


def _only(shapes: Sequence[Shape], place: int) -> Any:
    """The constant that is given at a place; None where it is none."""
    values = shapes[place].values if place < len(shapes) else None
    return next(iter(values)) if values and len(values) == 1 else None


def _text(**more: Any) -> Callable[[Sequence[Shape]], Shape]:
    return lambda _: of_kind("string", **more)


def _changed(change: Callable[[str], str]) -> Callable[[Sequence[Shape]], Shape]:
    """A function that makes of each text another, no longer than it was."""

    def makes(shapes: Sequence[Shape]) -> Shape:
        shape = _first(shapes)
        if shape.values is not None and all(isinstance(one, str) for one in shape.values):
            return union([of_value(change(str(one))) for one in sorted(map(str, shape.values))])
        return of_kind("string", longest=shape.longest)

    return makes


def _cut(shapes: Sequence[Shape]) -> Shape:
    """$substring(text, start, length): as long as its third argument at most, and as what is left behind the start."""
    start, length = _only(shapes, 1), _only(shapes, 2)
    longest = _first(shapes).longest
    if longest is not None and isinstance(start, int) and start > 0:
        longest = max(longest - start, 0)
    bounds = [one for one in (longest, length if isinstance(length, int) else None) if one is not None]
    return of_kind("string", longest=min(bounds, default=None))


def _as_text(shapes: Sequence[Shape]) -> Shape:
    shape = _first(shapes)
    if _is_text(shape):
        return shape.without(MISSING)
    if (
        shape.kinds is not None
        and shape.kinds - {MISSING} == {"integer"}
        and shape.span.low is not None
        and shape.span.high is not None
    ):
        return of_kind("string", longest=max(len(str(int(shape.span.low))), len(str(int(shape.span.high)))))
    return of_kind("string")


def _read_number(shapes: Sequence[Shape]) -> Shape:
    """$number(x): a number stays what it is; of a text of digits alone a whole number comes."""
    shape = _first(shapes)
    if shape.kinds is not None and shape.kinds <= _NUMBERS | {MISSING}:
        return shape.without(MISSING)
    is_whole = _is_text(shape) and (any(_DIGITS.fullmatch(one) for one in shape.patterns) or _are_whole(shape.values))
    return of_kind("integer" if is_whole else "number")


_DIGITS = re.compile(r"\^(?:(?:\\d|\[[0-9]-[0-9]\]|[0-9])(?:[+*?]|\{\d+(?:,\d*)?\})?)+\$")


def _are_whole(values: frozenset[Any] | None) -> bool:
    return bool(values) and all(isinstance(one, str) and one.isdecimal() for one in values or ())


def _of_date(shapes: Sequence[Shape]) -> Shape:
    """$date(value, from, to, zone): a number for the two epochs, else a text of its picture."""
    picture = _only(shapes, 2)
    if picture in ("epoch_s", "epoch_ms"):
        return of_kind("integer")
    if not isinstance(picture, str):
        return UNDECIDED
    if picture in _PICTURES:
        name = _PICTURES[picture]
        return of_kind(
            "string",
            formats=frozenset({name}),
            shortest={"date": 10, "time": 14}.get(name, 25),
            longest={"date": 10, "time": 14}.get(name),
        )
    length = len(picture) + 3 * picture.count("XXX")
    is_plain = not set(_PICTURE.sub("", picture)) & set("yMdHmsSX")
    return of_kind(
        "string",
        formats=frozenset({picture}) if is_plain and _PICTURE.search(picture) else frozenset(),
        shortest=length,
        longest=length,
    )


def _from_millis(shapes: Sequence[Shape]) -> Shape:
    return of_kind("string", formats=frozenset({"date-time"}), shortest=24) if len(shapes) == 1 else of_kind("string")


def _is_filled(shape: Shape) -> bool:
    """Whether a list, or a path over one, has at least one element; a single value always is one."""
    if shape.kinds is None or shape.may(MISSING):
        return False
    return shape.many or not shape.may("array") or least_elements(shape) > 0


def _sum(shapes: Sequence[Shape]) -> Shape:
    """$sum of what is missing gives nothing. A list that may be empty is taken for one that is not, as its contract
    could say by minItems.
    """
    shape = _first(shapes)
    kinds = item_of(shape).kinds
    made = of_kind("integer" if kinds is not None and kinds and kinds - {MISSING} <= {"integer"} else "number")
    return made.also(MISSING) if shape.may(MISSING) and not shape.hollow else made


def _extreme(shapes: Sequence[Shape]) -> Shape:
    """$max and $min: one of the elements; nothing, where there may be none."""
    shape = _first(shapes)
    item = item_of(shape)
    if item.kinds is None:
        return of_kind("number")
    made = replace(item.without(MISSING), many=False, values=None if shape.may("array") else item.values)
    return made if _is_filled(shape) else made.also(MISSING)


def _average(shapes: Sequence[Shape]) -> Shape:
    made = of_kind("number", span=item_of(_first(shapes)).span, is_computed=True)
    return made if _first(shapes).kinds is None or _is_filled(_first(shapes)) else made.also(MISSING)


def _rounded(shapes: Sequence[Shape]) -> Shape:
    places = _only(shapes, 1)
    is_whole = (
        len(shapes) == 1
        or (isinstance(places, int) and places <= 0)
        or not (_first(shapes).may("number") or _first(shapes).kinds is None)
    )
    return of_kind("integer" if is_whole else "number")


def _absolute(shapes: Sequence[Shape]) -> Shape:
    kinds = (_first(shapes).kinds or frozenset({"number"})) & _NUMBERS
    return of_kind(*(kinds or {"number"}), span=Range(0, None), is_computed=True)


def _power(shapes: Sequence[Shape]) -> Shape:
    exponent = _only(shapes, 1)
    is_whole = (
        isinstance(exponent, int | Decimal)
        and exponent >= 0
        and exponent == int(exponent)
        and not _first(shapes).may("number")
    )
    return of_kind("integer" if is_whole and _first(shapes).may("integer") else "number")


def _listed(shapes: Sequence[Shape]) -> Shape:
    return of_kind("array", item=item_of(_first(shapes)), filled=_is_filled(_first(shapes)))


def _appended(shapes: Sequence[Shape]) -> Shape:
    """$append(a, b): a list, but for one that is missing beside what is no list."""
    if len(shapes) != 2 or any(one.kinds is None for one in shapes):
        return UNDECIDED
    if not any(one.kinds == frozenset({"array"}) for one in shapes):
        return UNDECIDED
    return of_kind(
        "array",
        item=union([item_of(one) for one in shapes if one.kinds != frozenset({MISSING})]),
        filled=any(map(_is_filled, shapes)),
    )


def _looked_up(shapes: Sequence[Shape]) -> Shape:
    """$lookup(object, key): one of the object's members; nothing where it has no such."""
    if len(shapes) != 2 or shapes[0].fields is None or shapes[0].schemas:
        return UNDECIDED
    keys = shapes[1].values
    if keys is None or not _is_text(shapes[1]):
        return union(shapes[0].fields.values()).also(MISSING)
    found = union([shapes[0].fields.get(str(key), NOTHING) for key in sorted(map(str, keys))])
    return found.also(MISSING) if shapes[1].may(MISSING) else found


def _any_boolean(_: Sequence[Shape]) -> Shape:
    return of_kind("boolean")


def _counted(_: Sequence[Shape]) -> Shape:
    return of_kind("integer", span=Range(0, None))


FUNCTIONS: Mapping[str, Callable[[Sequence[Shape]], Shape]] = {
    **dict.fromkeys(
        ("join", "replace", "base64encode", "base64decode", "formatNumber", "formatInteger", "formatBase", "type"),
        _text(),
    ),
    **dict.fromkeys(
        (
            "encodeUrl",
            "encodeUrlComponent",
            "decodeUrl",
            "decodeUrlComponent",
            "mask",
            "dec_add",
            "dec_mul",
            "dec_round",
            "pad",
        ),
        _text(),
    ),
    "uppercase": _changed(str.upper),
    "lowercase": _changed(str.lower),
    "trim": _changed(lambda text: " ".join(text.split())),
    **dict.fromkeys(
        ("substringBefore", "substringAfter"), lambda shapes: of_kind("string", longest=_first(shapes).longest)
    ),
    "string": _as_text,
    "substring": _cut,
    "date": _of_date,
    "fromMillis": _from_millis,
    "now": _text(formats=frozenset({"date-time"}), shortest=24, longest=24),
    "uuid5": _text(shortest=36, longest=36, formats=frozenset({"uuid"})),
    **dict.fromkeys(("length", "count"), _counted),
    **dict.fromkeys(("floor", "ceil", "millis", "toMillis", "parseInteger"), lambda _: of_kind("integer")),
    "number": _read_number,
    "sum": _sum,
    "average": _average,
    "power": _power,
    "sqrt": lambda _: of_kind("number"),
    "round": _rounded,
    "abs": _absolute,
    **dict.fromkeys(("max", "min"), _extreme),
    **dict.fromkeys(("boolean", "not", "exists", "contains"), _any_boolean),
    "split": lambda _: of_kind("array", item=of_kind("string"), filled=True),
    "keys": lambda _: of_kind("string", "array", MISSING, item=of_kind("string"), many=True),
    **dict.fromkeys(("reverse", "sort", "shuffle"), _listed),
    "distinct": _first,
    "append": _appended,
    "lookup": _looked_up,
}
# what they give of what is missing they say themselves
TOTAL = frozenset({"exists", "count", "now", "millis", "append", "sum", "max", "min", "average"})
HIDING = frozenset({"mask", "exists", "boolean", "count", "length", "not", "uuid5", "contains", "type"})
IN_DOUBLES = frozenset(
    {"sum", "average", "max", "min", "round", "abs", "floor", "ceil", "sqrt", "power", "number", "formatNumber"}
)
OF_TEXT = frozenset(
    "uppercase lowercase trim substring substringBefore substringAfter length contains split pad replace toMillis parseInteger".split(),
)
OF_NUMBER = frozenset(
    {"floor", "ceil", "round", "abs", "sqrt", "power", "formatNumber", "formatInteger", "formatBase", "fromMillis"}
)
