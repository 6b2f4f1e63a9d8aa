"""Versions whose end is near or over: a date in a file says when their posts are refused, and nobody changes anything
on that day.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hub.catalog.catalog import Catalog
from hub.catalog.yaml.codes import Check
from hub.catalog.yaml.findings import Findings
from hub.catalog.yaml.yaml_documents import read_yaml
from hub.core.config.system import LIVE, Version

NEAR = timedelta(days=30)


def judge(catalog: Catalog, findings: Findings, now: datetime | None = None) -> None:
    """Warns of versions that may be posted and end within NEAR, or have ended. `now`: the machine's clock, if it is not
    given.
    """
    at = now or datetime.now(UTC)
    for system in catalog.systems.values():
        for name, emit in system.emits.items():
            for number, version in emit.versions.items():
                text = _text(f"{emit.type}@{number}", version, at)
                if text:
                    file = f"adapters/{system.name}/system.yaml"
                    place = read_yaml(file, catalog.files.get(file, "")).place(
                        ("emits", name, "versions", str(number), "sunset")
                    )
                    findings.add(
                        file,
                        place,
                        Check.SUNSET,
                        text,
                        "write state: retired once nobody uses it (hub contracts can-retire), or a later day",
                    )


def _text(ref: str, version: Version, now: datetime) -> str:
    """What there is to say; nothing of what is far."""
    if version.state not in LIVE or version.ends_at is None or version.ends_at - now > NEAR:
        return ""
    if version.ends_at <= now:
        return f"{ref} is past its sunset on {version.sunset}: a post in it is refused with 410"
    return f"{ref} ends on {version.sunset}, in {(version.ends_at - now).days} days: from then on a post in it is refused with 410"
