"""The forms of texts that contracts name (`format`), and pictures of `$date`: which of them exclude each other, and
which a pattern never takes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import product

from hub.core.analysis.narrowed_values import matches

# No text is of two of these forms.
_APART = frozenset({"date-time", "date", "time", "uuid", "email", "ipv4", "ipv6", "duration", "uri"})
_PICTURE = re.compile(r"yyyy|SSS|XXX|MM|dd|HH|mm|ss")
_DAYS = [(year, month, day) for month, day, year in product(range(1, 13), (1, 15, 28), range(1900, 2101))] + [
    (2026, 1, 29),
    (2026, 1, 30),
    (2026, 1, 31),
]
_TIMES = ((0, 0, 0), (8, 15, 30), (12, 0, 59), (23, 59, 9))
_FRACTIONS = ("", ".1", ".123", ".000", ".123456", ".123456789")
_ZONES = ("Z", "+08:00", "-05:00", "+00:00", "z")
_UUIDS = (
    "7d444840-9dc0-11d1-b245-5ffdce74fad2",
    "00000000-0000-4000-8000-000000000000",
    "FFFFFFFF-FFFF-4FFF-BFFF-FFFFFFFFFFFF",
    "12345678-1234-5678-9234-123456789012",
    "aaaaaaaa-aaaa-7aaa-aaaa-aaaaaaaaaaaa",
)


def are_apart(one: str, other: str) -> bool:
    """Whether no text can be of both forms. A picture such as yyyyMMdd is a form too, and is none of the named ones."""
    if one == other or other not in _APART:
        return False
    return one in _APART or _PICTURE.search(one) is not None


@lru_cache(maxsize=4_000)
def never_meets(form: str, pattern: str) -> bool:
    """Whether a pattern takes none of many texts of a form, of all its spellings. False: it takes one, or that is not
    decided.
    """
    seen = False
    for text in _texts(form):
        seen = True
        if matches(pattern, text) is not False:
            return False
    return seen


def _texts(form: str) -> Iterator[str]:
    if form == "uuid":
        yield from _UUIDS
    elif form == "date":
        yield from (f"{year:04}-{month:02}-{day:02}" for year, month, day in _DAYS)
    elif form == "date-time":
        for fraction, zone, time in product(_FRACTIONS, _ZONES, _TIMES):
            yield f"2026-01-31T{time[0]:02}:{time[1]:02}:{time[2]:02}{fraction}{zone}"
        for (year, month, day), zone in product(_DAYS, _ZONES[:2]):
            yield f"{year:04}-{month:02}-{day:02}T08:15:30{zone}"
    elif _PICTURE.search(form):
        for (year, month, day), time in [*product(_DAYS, _TIMES[1:2]), *product(_DAYS[:1], _TIMES)]:
            words = {
                "yyyy": f"{year:04}",
                "MM": f"{month:02}",
                "dd": f"{day:02}",
                "HH": f"{time[0]:02}",
                "mm": f"{time[1]:02}",
                "ss": f"{time[2]:02}",
                "SSS": "123",
                "XXX": "+08:00",
            }
            yield _PICTURE.sub(lambda found, words=words: words[found[0]], form)  # type: ignore[misc]
