"""A file being read: where its findings go, and what every shape can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from hub.catalog.yaml.codes import Check
from hub.catalog.yaml.findings import Findings, nearest, shown
from hub.catalog.yaml.yaml_documents import List, Map, Node, Scalar
from hub.core.message import Json

QUOTE = "put the expression in quotes"


@dataclass(frozen=True, slots=True)
class FileContext:
    """The file being read, and where its findings go."""

    file: str
    findings: Findings

    def fault(self, node: Node, code: Check, text: str, fix: str = "") -> None:
        self.findings.add(self.file, (node.line, node.column), code, text, fix)


class Shape(Protocol):
    def read(self, node: Node, reading: FileContext) -> Any:
        """The value, or None with a finding."""

    def schema(self) -> dict[str, Json]:
        """The same as JSON Schema 2020-12, for editors."""


def lacks(node: Node, key: str) -> bool:
    """Whether a mapping has no such key, and none that is probably a misspelling of it (which is reported on its
    own).
    """
    return (
        isinstance(node, Map)
        and node.get(key) is None
        and nearest(key, [name.text for name, _ in node.entries]) is None
    )


def kind_of(node: Node) -> str:
    names: dict[type, str] = {Scalar: "a text", List: "a list", Map: "a mapping"}
    return names[type(node)]


def wrong_kind(node: Node, reading: FileContext, want: str) -> None:
    if isinstance(node, Scalar):
        got = f"the text {shown(node.text)}" if node.text else "nothing"
        # What stands in a wrong place may be a secret; a text is shown only where it is short enough to be a slip of
        # the pen.
        got = got if len(node.text) <= 20 else f"a text of {len(node.text)} characters"
        reading.fault(node, Check.WRONG_TYPE, f"{got} stands where {want} is wanted", f"write {want}")
        return
    fix = QUOTE if isinstance(node, Map) and node.flow else f"write {want}"
    reading.fault(node, Check.WRONG_TYPE, f"{kind_of(node)} stands where {want} is wanted", fix)
