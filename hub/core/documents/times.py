"""Times as text: RFC 3339 with an offset, and local times whose zone a contract names. Strict, where the standard
library guesses.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

_LOCAL = r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?"
_LOCAL_TIME = re.compile(_LOCAL, re.ASCII)
_FRACTION = re.compile(r"\.\d{1,9}", re.ASCII)
_DATE_TIME = re.compile(_LOCAL + r"(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)", re.ASCII)


def shown(instant: datetime, zone: str, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """A time for people: of the hub's zone, with its offset, so that nobody takes it for another's."""
    local = instant.astimezone(ZoneInfo(zone))
    offset = f"{local:%z}"
    return f"{local:{form}} {offset[:3]}:{offset[3:5]}"


def is_date_time(text: str) -> bool:
    """RFC 3339 with an offset, on a day that exists. Second 60 is refused: most readers cannot hold it."""
    return _exists(_DATE_TIME.fullmatch(text))


def is_local_date_time(text: str) -> bool:
    """The same without an offset; a contract's `x-zone` says where (seed 002 section 2.2 writes
    2025-11-22T10:00:00).
    """
    return _exists(_LOCAL_TIME.fullmatch(text))


def instant(text: str, zone: str = "") -> datetime:
    """The instant that a text means, in UTC: RFC 3339 with an offset, or without one in `zone`. Raises ValueError with
    what to write instead.

    A local time that a clock change skips or repeats is the earlier reading (PEP 495, fold 0).
    """
    if is_date_time(text):
        return datetime.fromisoformat(_cut(text).replace("z", "Z").replace("t", "T")).astimezone(UTC)
    if not is_local_date_time(text):
        raise ValueError("it is no time; send RFC 3339, such as 2025-11-22T10:00:00+08:00")
    if not zone:
        raise ValueError(
            "it is a local time, and nothing says where; send an offset, or name the zone in the route (zone: Asia/Shanghai)"
        )
    return datetime.fromisoformat(_cut(text)).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def _cut(text: str) -> str:
    """Fractions to the microsecond: that is what an instant holds."""
    return _FRACTION.sub(lambda found: found[0][:7].ljust(7, "0"), text)


def _exists(found: re.Match[str] | None) -> bool:
    if found is None:
        return False
    year, month, day, hour, minute, second = map(int, found.groups())
    try:
        datetime(year, month, day, hour, minute, second)  # noqa: DTZ001  only whether there is such a time
    except ValueError:
        return False
    return True
