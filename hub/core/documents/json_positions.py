"""Where in a JSON text, as a person wrote it, the value of a pointer stands. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

_MARK = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


def line_of(text: str, pointer: str) -> int | None:
    """The line, from 1, of the value at a JSON pointer, or of the nearest one around it that is there. None: the text
    is no JSON.
    """
    steps = [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]
    best: int | None = None
    deepest = -1
    try:
        for path, at in _values(text):
            if len(path) > deepest and list(path) == steps[: len(path)]:
                best, deepest = at, len(path)
    except (ValueError, IndexError, RecursionError):
        return None
    return text.count("\n", 0, best) + 1 if best is not None else None


def _values(text: str) -> Iterator[tuple[tuple[str, ...], int]]:
    """Each value's path with the place where it begins; a member's is that of its name."""
    path: list[str | int] = []
    opened: list[str] = []
    waits_for_name, name_at = False, -1
    for found in _MARK.finditer(text):
        mark = found[0]
        if mark in "}]":
            opened.pop()
            path.pop()
            waits_for_name = False
        elif mark == ",":
            if opened[-1] == "[":
                path[-1] = int(path[-1]) + 1
            waits_for_name = opened[-1] == "{"
        elif mark == ":":
            waits_for_name = False
        elif waits_for_name:
            path[-1], name_at = json.loads(mark), found.start()
        else:
            yield tuple(map(str, path)), name_at if opened and opened[-1] == "{" else found.start()
            if mark in "{[":
                opened.append(mark)
                path.append("" if mark == "{" else 0)
                waits_for_name = mark == "{"
