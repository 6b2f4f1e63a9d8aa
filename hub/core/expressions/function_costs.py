"""What the functions of expressions work and make: measured, where the engine does not look at its clock within them
(`$split`, `$match`, `$replace` with a regular expression, `$distinct`, `$spread`, `$string`, `$sort`, all of a single
text). What is not in this table counts as costly.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Function:
    """Per weight of its arguments: `times` units of work, `makes` as much; `once` for each call. `makes` of nothing:
    one value.
    """

    times: float = 1 / 8
    makes: float = 0.0
    once: float = 0.5
    squared: float = 0.0  # of their square
    is_joining: bool = False  # what it is given beside its first argument goes into what it makes


UNKNOWN = Function(times=1, makes=16, squared=1 / 8, is_joining=True)
FREE_PICTURE = Function(times=8, makes=16, squared=1 / 8)
_OURS = 4.0  # a call from the engine into Python

EACH = frozenset({"map", "filter", "reduce", "each", "sift", "single", "sort"})
# what they are told how to write
PICTURES = frozenset({"formatNumber", "formatInteger", "parseInteger", "fromMillis", "toMillis", "date"})
# So many arguments; where there is one less, the context is the first.
OF_CONTEXT = {
    "contains": 2,
    "split": 2,
    "match": 2,
    "replace": 3,
    "substring": 2,
    "substringBefore": 2,
    "substringAfter": 2,
    "formatNumber": 2,
    "pad": 2,
}
OF_CONTEXT |= {"now": 0, "millis": 0, "formatBase": 2, "formatInteger": 2, "parseInteger": 2}

LIBRARY: dict[str, Function] = {
    **dict.fromkeys("abs ceil floor round sqrt power not boolean exists type".split(), Function(times=1 / 16)),
    **dict.fromkeys("count average max min sum number contains error assert".split(), Function()),
    "length": Function(),
    **dict.fromkeys("lowercase uppercase trim substring substringBefore substringAfter".split(), Function(makes=1)),
    **dict.fromkeys("append zip".split(), Function(times=1 / 4, makes=1, is_joining=True)),
    "merge": Function(times=1 / 2, makes=1, is_joining=True),
    "keys": Function(times=1 / 2, makes=1),
    "lookup": Function(times=1 / 64, makes=1),
    "reverse": Function(times=1 / 4, makes=1),
    "spread": Function(times=1, makes=2),
    "distinct": Function(times=1 / 2, makes=1, squared=1 / 512),
    "sort": Function(times=2, makes=1),
    "join": Function(times=1 / 4, makes=1, is_joining=True),
    "string": Function(times=1 / 4, makes=4),
    "split": Function(times=4, makes=16),
    "match": Function(times=8, makes=80),
    "replace": Function(times=1, makes=1, once=_OURS),
    "pad": Function(makes=1, once=_OURS),
    "base64encode": Function(makes=2),
    "base64decode": Function(makes=1),
    **dict.fromkeys(
        "encodeUrl encodeUrlComponent decodeUrl decodeUrlComponent".split(), Function(times=1, makes=4, once=_OURS)
    ),
    "toMillis": Function(once=2 * _OURS),
    "fromMillis": Function(makes=1, once=2),
    **dict.fromkeys("formatNumber formatBase formatInteger parseInteger".split(), Function(makes=8, once=2)),
    **dict.fromkeys("now millis random shuffle eval".split(), Function(once=_OURS)),
    "dec_add": Function(times=1 / 2, makes=1, once=_OURS),
    "dec_mul": Function(times=1 / 2, makes=10, once=2 * _OURS),
    "dec_round": Function(times=1 / 2, makes=1, once=_OURS),
    "table": Function(makes=1, once=_OURS),
    "date": Function(makes=1, once=2 * _OURS),
    "mask": Function(makes=1, once=_OURS),
    "uuid5": Function(times=1 / 4, makes=1, once=2 * _OURS),
    "single": Function(),
}
