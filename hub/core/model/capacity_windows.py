"""Windows of time for a capacity: so many per second, minute, hour, day or week, by the clock of a zone. Pure
arithmetic.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

PATTERN = r"[1-9][0-9]{0,8}/(s|second|min|minute|h|hour|d|day|week)"
_FORM = re.compile(r"([1-9][0-9]{0,8})/(s|second|min|minute|h|hour|d|day|week)", re.ASCII)
_UNITS = {"s": "second", "min": "minute", "h": "hour", "d": "day"}
_STEPS = {
    "second": timedelta(seconds=1),
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
}


@dataclass(frozen=True, slots=True)
class Quota:
    """At most `limit` in each window of one `unit`: second, minute, hour, day or week (from Monday), as the clocks of
    `zone` show it.
    """

    limit: int
    unit: str
    zone: str = "UTC"

    @property
    def per_second(self) -> float:
        """The same as a mean rate."""
        return self.limit / _STEPS[self.unit].total_seconds()

    def window(self, at: datetime) -> datetime:
        """When the window that holds `at` began, in UTC."""
        local = at.astimezone(ZoneInfo(self.zone))
        start = local.replace(microsecond=0)
        if self.unit != "second":
            start = start.replace(second=0)
        if self.unit in ("hour", "day", "week"):
            start = start.replace(minute=0)
        if self.unit in ("day", "week"):
            start = start.replace(hour=0, fold=0)
        if self.unit == "week":
            start -= timedelta(days=start.weekday())
        return start.astimezone(UTC)

    def next(self, start: datetime) -> datetime:
        """When the window after the one that began at `start` begins. A day of a clock change has 23 or 25 hours."""
        if self.unit in ("day", "week"):
            zone = ZoneInfo(self.zone)
            local = start.astimezone(zone)
            return (local.replace(tzinfo=None) + _STEPS[self.unit]).replace(tzinfo=zone).astimezone(UTC)
        return start + _STEPS[self.unit]


def quota(text: str, zone: str = "UTC") -> Quota:
    """Reads `5000/day`. Raises ValueError."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError("a capacity is a number per unit: 200/s, 50/min, 1000/h, 5000/day or 20000/week")
    return Quota(int(found[1]), _UNITS.get(found[2], found[2]), zone)
