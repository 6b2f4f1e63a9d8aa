"""Durations as engineers write them: 800ms, 10s, 30m, 2h, 3d."""

from __future__ import annotations

import re
from datetime import timedelta

PATTERN = r"[0-9]{1,9}(ms|s|m|h|d)"
_FORM = re.compile(r"([0-9]{1,9})(ms|s|m|h|d)", re.ASCII)
_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
_LONGEST = timedelta(days=3650)


def parse(text: str) -> timedelta:
    """Reads one duration, up to ten years. Raises ValueError."""
    found = _FORM.fullmatch(text)
    if not found:
        raise ValueError("a duration is a whole number and a unit: 800ms, 10s, 30m, 2h or 3d")
    # Compared before the multiplication: a large number of days overflows timedelta with another error.
    if int(found[1]) > _LONGEST // _UNITS[found[2]]:
        raise ValueError("a duration is at most 3650d")
    return int(found[1]) * _UNITS[found[2]]
