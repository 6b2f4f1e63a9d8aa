"""How a partner learns that a contract version will end: Deprecation (RFC 9745), Sunset (RFC 8594) and links to what comes after."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from email.utils import format_datetime

from hub.core.message import Ref
from hub.core.system import LIVE, Version


def headers(ref: Ref, versions: Mapping[int, Version]) -> tuple[tuple[str, str], ...]:
    """The headers of an answer to a post under a deprecated version. A sunset that would lie before the deprecation is left out."""
    version = versions[ref.version]
    since, sunset = _midnight(version.since), _midnight(version.sunset)
    found = [("deprecation", f"@{int(since.timestamp())}")] if since is not None else []
    if sunset is not None and (since is None or sunset >= since):
        found.append(("sunset", format_datetime(sunset, usegmt=True)))
    newer = [number for number, known in versions.items() if number > ref.version and known.state in LIVE]
    if newer:
        found.append(("link", f'</api/v{max(newer)}/{ref.system}/{ref.name}>; rel="successor-version"'))
    return tuple(found)


def _midnight(text: str) -> datetime | None:
    """A date of system.yaml as an instant; None where it says nothing."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
