"""The same call in curl: for a person who wants to try it by hand. Text alone; no key, no secret and no signature
stands in it.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence


def curl(method: str, url: str, headers: Sequence[tuple[str, str]], body: str) -> str:
    """Quoted for a POSIX shell, one option per line."""
    words = [
        f"curl --request {shlex.quote(method)} {shlex.quote(url)}",
        *(f"--header {shlex.quote(f'{name}: {value}')}" for name, value in headers),
    ]
    if body:
        words.append(f"--data-binary {shlex.quote(body)}")
    return " \\\n  ".join(words)
