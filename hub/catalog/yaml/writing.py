"""How texts are written into YAML files, so that every reader takes them for just those texts."""

from __future__ import annotations

import json
import re

_SAFE = re.compile(r"[A-Za-z][A-Za-z0-9 _./@()'-]*", re.ASCII)
# to some reader of YAML these are no text
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def text_for(text: str) -> str:
    """A text as a value or a key, in block or in flow style: as it stands where that is safe, else in quotes."""
    is_plain = _SAFE.fullmatch(text) and not text.endswith(" ") and text.lower() not in _WORDS
    return text if is_plain else json.dumps(text, ensure_ascii=False)
