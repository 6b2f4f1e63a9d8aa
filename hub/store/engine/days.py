"""Ids and days: a UUIDv7 begins with the millisecond of its making, so that the day is told from the id. Days are in
UTC.

PostgreSQL cuts its large tables by ranges of ids, one for each day; a statement that names the range as a literal
touches those days only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

_UUID7 = re.compile(r"([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII)
_DAY_MS = 86_400_000
ONE = timedelta(days=1)
EPOCH = date(1970, 1, 1)


def floor(day: date) -> str:
    """What stands before every id of `day`, and after every id of the day before."""
    text = f"{(day - EPOCH).days * _DAY_MS:012x}"
    return f"{text[:8]}-{text[8:]}"


def day_of(id_: str) -> date | None:
    """The day on which an id was made; None for an id that is no UUIDv7, or of a day that no calendar has."""
    found = _UUID7.fullmatch(id_)
    if found is None:
        return None
    try:
        return EPOCH + timedelta(days=int(found[1] + found[2], 16) // _DAY_MS)
    except OverflowError:
        return None


def of(instant: datetime) -> date:
    return instant.astimezone(UTC).date()


def span(ids: Iterable[str]) -> tuple[date, date] | None:
    """The first and the last day of `ids`; None where one of them tells no day."""
    days = {day_of(id_) for id_ in ids}
    known = {day for day in days if day is not None}
    return (min(known), max(known)) if known and len(known) == len(days) else None


def within(column: str, ids: Iterable[str]) -> str:
    """A further condition on `column`, which is one of `ids`: the range of their days. Literals: planners cut by what
    they can read.

    Empty where an id tells no day: then every part is looked at, and the answer is the same.
    """
    found = span(ids)
    return "" if found is None else f" AND {column} >= '{floor(found[0])}' AND {column} < '{floor(found[1] + ONE)}'"
