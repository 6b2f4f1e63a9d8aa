"""What is often written in an expression by those who come from other languages, and what JSONata wants instead."""

from __future__ import annotations

import re

_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'')
_SLIPS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"[\u201c\u201d\u2018\u2019]"), "write plain quotes, ' or \""),
    (re.compile(r"\$?\{\{?\s*([A-Za-z_][\w.]*)\s*\}\}?"), "write the path alone: {0}"),
    (re.compile(r"={2,3}"), "write = to compare: JSONata has no =="),
    (re.compile(r"!=="), "write !="),
    (re.compile(r"<>"), "write !="),
    (re.compile(r"&&"), "write and"),
    (re.compile(r"\|\|"), "write or"),
    (re.compile(r"(?:^|[\s(])!(?!=)"), "write $not(...)"),
    (re.compile(r"(?i)\b(?:is\s+(?:not\s+)?null)\b"), "write field = null, or $exists(field)"),
    (re.compile(r"\u3002|\uff0c|\uff08|\uff09|\uff1a|\uff1b"), "write the signs of JSONata in half width: . , ( ) : ;"),
)


def hint(text: str) -> str:
    """What to write instead; empty where no such slip is seen."""
    bare = _TEXT.sub("''", text)
    for pattern, fix in _SLIPS:
        found = pattern.search(bare)
        if found:
            return fix.format(*found.groups())
    if re.fullmatch(r"[A-Za-z0-9_]+(?: [A-Za-z0-9_]+)+", text):
        return f"a fixed text is {{const: {text}}}"
    return ""
