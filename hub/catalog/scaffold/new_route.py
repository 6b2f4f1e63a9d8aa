"""A route added to routes.yaml as text: comments, order and every other byte stay as they are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hub.catalog.yaml.findings import Findings, shown
from hub.catalog.yaml.writing import text_for
from hub.catalog.yaml.yaml_documents import Map, Scalar, plain, read_yaml

FILE = "routes.yaml"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}", re.ASCII)


@dataclass(frozen=True, slots=True)
class NewRoute:
    """A route as it will stand there: from a message, to versions of others."""

    name: str
    source: str
    to: Sequence[str]
    about: str
    owner: str = ""

    def lines(self, indent: str, step: str) -> list[str]:
        """Its lines, as deep as its neighbours."""
        inner = indent + step
        owner = [f"{inner}owner: {text_for(self.owner)}"] if self.owner else [f"{inner}# owner: who answers for it"]
        to = [f"{inner}{step}- {one}" for one in self.to]
        return [
            f"{indent}{self.name}:",
            f"{inner}about: {text_for(self.about)}",
            *owner,
            f"{inner}from: {self.source}",
            f"{inner}to:",
            *to,
        ]


def with_route(text: str, route: NewRoute) -> str:
    """The text of routes.yaml with one more route, after the last.

    Raises ValueError for a name that is none or is taken, and where the file is not of a form that lines can be added
    to.
    """
    before = read_yaml(FILE, text).root
    if not isinstance(before, Map):
        raise ValueError(f"{FILE} cannot be read. Run hub check, and correct the file first.")  # noqa: TRY004  the file's fault, not the caller's
    if not _NAME.fullmatch(route.name):
        raise ValueError(
            f"{shown(route.name)} is not a route name. Write lower-case letters, digits and hyphens, such as outbound."
        )
    routes = before.get("routes")
    for key, _ in routes.entries if isinstance(routes, Map) else ():
        if key.text == route.name:
            raise ValueError(
                f"There is a route {route.name} already, at {FILE}:{key.line}. Choose another name, or extend that route."
            )
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += newline
    entry = next(((key, value) for key, value in before.entries if key.text == "routes"), None)
    if entry is None:
        at, added = _end(lines, len(lines)), ["routes:", *route.lines("  ", "  ")]
    elif isinstance(entry[1], Map) and not entry[1].flow:
        after = [key.line - 1 for key, _ in before.entries if key.line > entry[0].line]
        at, added = _end(lines, min(after, default=len(lines))), route.lines(*_indents(entry[1]))
    elif isinstance(entry[1], Scalar) and not entry[1].text:
        at, added = entry[0].line, route.lines("  ", "  ")
    else:
        raise ValueError(
            f"The file has the routes in {{}}. Write them as a YAML block, or add the route by hand:\n{_block(route)}"
        )
    made = "".join([*lines[:at], *(line + newline for line in added), *lines[at:]])
    if not _is_only_added(before, made, route):
        raise ValueError(
            f"The route cannot be added to {FILE} without changing the rest of the file. Add it by hand:\n{_block(route)}"
        )
    return made


def _block(route: NewRoute) -> str:
    return "\n".join(route.lines("  ", "  "))


def _indents(routes: Map) -> tuple[str, str]:
    """How deep a route's name stands, and how much deeper what is in it: as the first one has it."""
    [(name, body), *_] = routes.entries
    outer = name.column - 1
    inner = body.column - 1 if isinstance(body, Map) and not body.flow else outer + 2
    return " " * outer, " " * max(inner - outer, 1)


def _end(lines: list[str], end: int) -> int:
    """Where a block ends: blank lines before the next one, and comments that begin at its depth, are the next one's."""
    while end > 0 and (not lines[end - 1].strip() or lines[end - 1].startswith("#")):
        end -= 1
    return end


def _is_only_added(before: Map, text: str, route: NewRoute) -> bool:
    """Whether the new text says what the old one said, and this route: the proof that adding lines has changed nothing
    else.
    """
    document = read_yaml(FILE, text)
    if document.root is None or document.faults:
        return False
    one, other = plain(before, FILE, Findings()), plain(document.root, FILE, Findings())
    if not isinstance(one, dict) or not isinstance(other, dict):
        return False
    old, new = one.get("routes") or {}, other.get("routes")
    if not isinstance(old, dict) or not isinstance(new, dict) or list(new) != [*old, route.name]:
        return False
    rest = [{key: value for key, value in whole.items() if key != "routes"} for whole in (one, other)]
    return rest[0] == rest[1] and old == {name: row for name, row in new.items() if name != route.name}
