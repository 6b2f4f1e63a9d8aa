"""How a partner learns that a contract version will end: Deprecation (RFC 9745), Sunset (RFC 8594) and links to what
comes after.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import format_datetime

from hub.core.config.system import LIVE, Version, VersionState, midnight
from hub.core.message import Ref


def headers(ref: Ref, versions: Mapping[int, Version]) -> tuple[tuple[str, str], ...]:
    """The headers of an answer to a post under a version that ends. A sunset that would lie before the deprecation is
    left out.
    """
    version = versions[ref.version]
    since = midnight(version.since)
    found = (
        [("deprecation", f"@{int(since.timestamp())}")]
        if since is not None and version.state is VersionState.DEPRECATED
        else []
    )
    if version.ends_at is not None:
        found.append(("sunset", format_datetime(version.ends_at, usegmt=True)))
    newer = [number for number, known in versions.items() if number > ref.version and known.state in LIVE]
    if newer:
        found.append(("link", f'</api/v{max(newer)}/{ref.system}/{ref.name}>; rel="successor-version"'))
    return tuple(found)
