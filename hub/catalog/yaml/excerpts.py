"""Where something stands in a file of a workspace, with its text as it was written: comments, order and all."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from hub.catalog.yaml.yaml_documents import Map, Node, read_yaml


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Lines of a file, without the indent that all of them share. `line`: that of the first, from 1."""

    file: str
    line: int
    text: str


def excerpt(file: str, text: str, *path: str) -> Excerpt | None:
    """The entry at `path`, such as ("routes", "outbound"), up to what stands behind it; None where there is none."""
    node: Node | None = read_yaml(file, text).root
    lines = text.splitlines()
    first, end = 1, len(lines) + 1
    for step in path:
        if not isinstance(node, Map):
            return None
        places = [key.line for key, _ in node.entries]
        place = next((place for place, (key, _) in enumerate(node.entries) if key.text == step), None)
        if place is None:
            return None
        first, end = places[place], min([line for line in places[place + 1 :] if line > places[place]], default=end)
        node = node.entries[place][1]
    taken = lines[first - 1 : end - 1]
    # a comment above the next one is the next one's
    while taken and (not taken[-1].strip() or taken[-1].lstrip().startswith("#")):
        taken.pop()
    return Excerpt(file, first, textwrap.dedent("\n".join(taken)))
