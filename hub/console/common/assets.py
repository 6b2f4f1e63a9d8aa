"""What browsers load beside the pages: one style sheet, one script, and two libraries as their makers publish them
(static/vendor/vendor.json).

A file's name holds the hash of its content, so it may be kept for ever, and a new one is a new name.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "static"
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is served. `name` holds the hash."""

    name: str
    content: bytes
    kind: str


def read_assets() -> dict[str, Asset]:
    """All of them, by the name that templates use: `console.css`, `vendor/htmx.min.js`."""
    found = {}
    for path in sorted(FOLDER.rglob("*")):
        if path.suffix in _TYPES:
            content = path.read_bytes()
            name = f"{path.stem}.{hashlib.sha256(content).hexdigest()[:12]}{path.suffix}"
            found[path.relative_to(FOLDER).as_posix()] = Asset(name, content, _TYPES[path.suffix])
    return found
