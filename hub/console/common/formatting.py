"""How values are shown: times, durations, sizes, numbers, ids. Pure; the words are the language's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from hub.core.documents import times

Say = Callable[..., str]

_STEPS = ((86_400.0, "ago.days"), (3_600.0, "ago.hours"), (60.0, "ago.minutes"))
_FINE_S = 5  # under a minute in steps of this: a page that says nothing new must stay the same, byte for byte


def ago(instant: datetime, now: datetime, say: Say) -> str:
    """How long ago, in one unit; `in …` for what lies ahead."""
    seconds = (now - instant).total_seconds()
    ahead, seconds = seconds < 0, abs(seconds)
    for size, word in _STEPS:
        if seconds >= size:
            return say(f"{word}.ahead" if ahead else word, number=int(seconds // size))
    if seconds < _FINE_S:
        return say("ago.now")
    return say("ago.seconds.ahead" if ahead else "ago.seconds", number=int(seconds // _FINE_S) * _FINE_S)


def exact(instant: datetime, zone: str) -> str:
    """To the second, with the offset: 2026-06-01 12:30:05 +08:00."""
    return times.shown(instant, zone)


def length(span: timedelta | float | None) -> str:
    """A duration in one or two units: 812 ms, 4.2 s, 3 min 20 s, 2 h 5 min, 3 d 4 h. Numbers are seconds."""
    if span is None:
        return "–"
    seconds = span.total_seconds() if isinstance(span, timedelta) else float(span)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    for large, small, of, per in ((86_400, 3_600, "d", "h"), (3_600, 60, "h", "min"), (60, 1, "min", "s")):
        if seconds >= large:
            whole, rest = divmod(int(seconds), large)
            return f"{whole} {of} {rest // small} {per}" if rest // small else f"{whole} {of}"
    return "–"


def size(number: int | None) -> str:
    """Bytes, in steps of 1 000: 812 B, 4.2 kB, 17 MB."""
    if number is None:
        return "–"
    value, unit = float(number), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1_000 or unit == "TB":
            break
        value /= 1_000
    return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"


def count(number: float | None) -> str:
    """A number with thin spaces between thousands: 1 234 567."""
    if number is None:
        return "–"
    return f"{number:,}".replace(",", "\u202f")


def short(id_: str) -> str:
    """An id so that two of one list differ: its random end, with the first letters. UUIDv7 of one second begin
    alike.
    """
    return id_ if len(id_) <= 12 else f"{id_[:4]}…{id_[-6:]}"


def spark(values: list[float], width: int = 96, height: int = 24) -> str:
    """The points of a polyline over `values`, oldest first; the highest touches the top."""
    if len(values) < 2:
        return ""
    top = max(*values, 1e-9)
    step = width / (len(values) - 1)
    return " ".join(
        f"{index * step:.1f},{height - 1 - (height - 2) * max(value, 0) / top:.1f}"
        for index, value in enumerate(values)
    )
