"""One file of a workspace → nodes that know their line and column. YAML is read strictly: no tags, no double keys, no
bombs.

We walk the parser's events ourselves instead of taking the loader's values: the loader drops unknown tags in silence,
turns `012` into 12 and dates into objects, and unfolds nine lines of aliases into millions of nodes. Here a scalar
stays the text that was written, and what it means is the schema's business (`shape`). Nothing in a file is ever
executed or fetched.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, TypeAlias, assert_never

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from hub.catalog.yaml.codes import Check
from hub.catalog.yaml.findings import Findings, shown
from hub.catalog.yaml.malformed import slip
from hub.core.errors import Finding
from hub.core.message import Json

MAX_CHARACTERS = 512 * 1024  # the parser takes about 20 µs a character
MAX_DEPTH = 32
MAX_NODES = 100_000  # aliases counted as often as they stand

Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Scalar:
    line: int
    column: int
    text: str
    quoted: bool  # also block scalars


@dataclass(frozen=True, slots=True)
class List:
    line: int
    column: int
    elements: tuple[Node, ...]
    flow: bool = False


@dataclass(frozen=True, slots=True)
class Map:
    line: int
    column: int
    entries: tuple[tuple[Scalar, Node], ...]
    flow: bool = False

    def get(self, key: str) -> Node | None:
        return next((value for name, value in self.entries if name.text == key), None)


Node: TypeAlias = "Scalar | List | Map"


@dataclass(frozen=True, slots=True)
class Document:
    """A file's nodes. `root` is None where the file could not be parsed; `faults` say why, and what else is wrong with
    its form.
    """

    file: str
    root: Node | None
    faults: tuple[Finding, ...]

    def place(self, path: Sequence[str | int]) -> tuple[int, int]:
        """Where the value at `path` stands, or the nearest thing above it that there is. A key's own place for a value
        of a mapping.
        """
        node = self.root
        place = (node.line, node.column) if node is not None else (1, 1)
        for step in path:
            if isinstance(node, Map):
                entry = next(((key, value) for key, value in node.entries if key.text == str(step)), None)
                if entry is None:
                    break
                place, node = (entry[0].line, entry[0].column), entry[1]
            elif isinstance(node, List) and isinstance(step, int) and step < len(node.elements):
                node = node.elements[step]
                place = (node.line, node.column)
            else:
                break
        return place


@lru_cache(maxsize=512)
def read_yaml(file: str, text: str) -> Document:
    """Reads one YAML document. Cached by its text: a workspace that is loaded again parses only what has changed."""
    findings = Findings()
    root = None
    if _is_readable(file, text, findings):
        root = _Composer(file, findings).compose(text)
        if root is None and not findings.found:
            findings.add(
                file,
                (1, 1),
                Check.EMPTY,
                "the file is empty",
                "delete it, or write what it should hold; empty does not mean none",
            )
    return Document(file, root, tuple(findings.found))


_FAST = find_spec("_ruamel_yaml") is not None
_FORBIDDEN = re.compile(
    "[^\t\n\r\\x20-\\x7e\\xa0-\\u2027\\u202a-\\ud7ff\\ue000-\\ufefe\\uff00-\\ufffd\\U00010000-\\U0010ffff]"
)
_DEEP = re.compile(r"(?:[\[{]\s*){" + str(MAX_DEPTH + 1) + "}")


def _is_readable(file: str, text: str, findings: Findings) -> bool:
    if len(text) > MAX_CHARACTERS:
        findings.add(
            file,
            (1, 1),
            Check.TOO_LARGE,
            f"the file has {len(text)} characters; the hub reads up to {MAX_CHARACTERS}",
            "split it",
        )
        return False
    if found := _FORBIDDEN.search(text):
        name = "a byte order mark" if found[0] == "\ufeff" else f"the control character U+{ord(found[0]):04X}"
        findings.add(
            file,
            place_at(text, found.start()),
            Check.NOT_TEXT,
            f"{name} stands in the text",
            "save the file as UTF-8 without it",
        )
        return False
    # Counted before the parser sees it: deep nesting costs it seconds.
    if found := _DEEP.search(text):
        findings.add(
            file,
            place_at(text, found.start()),
            Check.TOO_LARGE,
            f"brackets are nested more than {MAX_DEPTH} deep",
            "flatten it",
        )
        return False
    return True


def place_at(text: str, offset: int) -> tuple[int, int]:
    """Line and column, from 1, of the character at `offset`."""
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1


def _events(text: str) -> Iterable[Any]:
    """The events of a text: by the fast parser, thirty times faster, where it is installed and finds nothing wrong;
    else by the one with the better words.
    """
    if _FAST:
        try:
            return list(YAML(typ="safe", pure=False).parse(text))
        except (YAMLError, ValueError):
            pass  # the other one says what is wrong
    return YAML(typ="safe", pure=True).parse(text)  # type: ignore[no-any-return]


def _tag(event: Any) -> Any:
    """A tag that stands in the text; the two parsers keep it in two places."""
    return getattr(event, "ctag", None) or event.tag


@dataclass(slots=True)
class _Frame:
    """A list or mapping that has begun and not yet ended."""

    event: Any
    children: list[Node] = field(default_factory=list)


class _TooMuchError(Exception):
    """A limit was hit; the finding is written."""


class _Composer:
    """Events → nodes, with a stack of our own instead of recursion."""

    def __init__(self, file: str, findings: Findings) -> None:
        self.file = file
        self.findings = findings
        self.anchors: dict[str, tuple[Node, int]] = {}
        self.nodes = 0
        self.documents = 0
        self.mark = (1, 1)

    def compose(self, text: str) -> Node | None:
        stack: list[_Frame] = []
        root: Node | None = None
        try:
            for event in _events(text):
                self.mark = (event.start_mark.line + 1, event.start_mark.column + 1)
                node = self._node(event, stack)
                if node is None:
                    continue
                if stack:
                    stack[-1].children.append(node)
                elif self.documents == 1:
                    root = node
        except _TooMuchError:
            return None
        except MarkedYAMLError as error:
            self._malformed(text, error)
            return None
        except (YAMLError, ValueError) as error:
            self._fault(
                self.mark, Check.NOT_YAML, f"this is not YAML: {shown(str(error))}", "write it as the template does"
            )
            return None
        # A comment alone gives no event, `---` alone an empty scalar: both say nothing.
        return None if isinstance(root, Scalar) and not root.text and not root.quoted else root

    def _node(self, event: Any, stack: list[_Frame]) -> Node | None:
        """The node that `event` completes, if it does."""
        match event:
            case DocumentStartEvent():
                self._document(event)
            case ScalarEvent() | SequenceStartEvent() | MappingStartEvent():
                self._spend(1)
                if _tag(event) is not None:
                    self._fault(
                        self.mark,
                        Check.TAG,
                        f"the tag {shown(str(event.tag))} stands before a value",
                        "take the tag out; if it begins a text, quote it",
                    )
                if isinstance(event, ScalarEvent):
                    self._readable(event.value)
                    return self._remember(event, Scalar(*self.mark, event.value, quoted=bool(event.style)), 1)
                if len(stack) >= MAX_DEPTH:
                    self._fault(self.mark, Check.TOO_LARGE, f"nested more than {MAX_DEPTH} deep", "flatten it")
                    raise _TooMuchError
                stack.append(_Frame(event))
            case SequenceEndEvent() | MappingEndEvent():
                return self._close(stack.pop())
            case AliasEvent():
                return self._alias(event.anchor)
        return None

    def _document(self, event: Any) -> None:
        self.documents += 1
        if self.documents > 1:
            self._fault(
                self.mark,
                Check.NOT_ONE_DOCUMENT,
                "a second document begins here",
                "one document a file; take the --- out or make a second file",
            )
            raise _TooMuchError
        if event.version or event.tags:
            self._fault(
                (1, 1),
                Check.NOT_ONE_DOCUMENT,
                "a % directive stands before the document",
                "take it out; files are YAML 1.2",
            )

    def _spend(self, count: int) -> None:
        self.nodes += count
        if self.nodes > MAX_NODES:
            text = f"more than {MAX_NODES} values, aliases counted as often as they stand"
            self._fault(self.mark, Check.TOO_LARGE, text, "split the file, or write fewer aliases")
            raise _TooMuchError

    def _remember(self, event: Any, node: Node, weight: int) -> Node:
        if event.anchor:
            self.anchors[str(event.anchor)] = (node, weight)
        return node

    def _readable(self, text: str) -> None:
        # Escapes make signs that the text of the file did not show: "\\0", and half of a surrogate pair.
        if found := _FORBIDDEN.search(text):
            self._fault(
                self.mark,
                Check.NOT_TEXT,
                f"an escape makes U+{ord(found[0]):04X}, which no message may hold",
                "take it out",
            )

    def _alias(self, name: str) -> Node:
        # An anchor counts once its node has ended, so an alias inside its own anchor finds nothing: no circle can
        # arise.
        known = self.anchors.get(str(name))
        if known is None:
            fix = f"a value that begins with * needs quotes; an alias needs its anchor &{shown(str(name))} before it"
            self._fault(self.mark, Check.ALIAS, f"*{shown(str(name))} is an alias of nothing", fix)
            return Scalar(*self.mark, "?", quoted=True)
        self._spend(known[1])
        return known[0]

    def _close(self, frame: _Frame) -> Node:
        event = frame.event
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        node: Node
        if isinstance(event, SequenceStartEvent):
            node = List(line, column, tuple(frame.children), flow=bool(event.flow_style))
        else:
            node = Map(line, column, tuple(self._entries(frame)), flow=bool(event.flow_style))
        return self._remember(event, node, weigh(node) if event.anchor else 0)

    def _entries(self, frame: _Frame) -> list[tuple[Scalar, Node]]:
        first: dict[str, Scalar] = {}
        entries: list[tuple[Scalar, Node]] = []
        for key, value in zip(frame.children[::2], frame.children[1::2], strict=True):
            here = (key.line, key.column)
            if not isinstance(key, Scalar):
                # What was odd inside of it is the same slip: `{{orderNo}}` is a mapping with a mapping for its key.
                inner = [
                    one
                    for one in self.findings.found
                    if one.code == Check.NEEDS_QUOTES and one.line == key.line and one.column > key.column
                ]
                self.findings.found[:] = [one for one in self.findings.found if one not in inner]
                self._fault(
                    here,
                    Check.NEEDS_QUOTES,
                    "a key is a list or a mapping",
                    "a path stands alone, as in orderNo; any other expression in quotes",
                )
                continue
            if key.text == "<<" and not key.quoted:
                self._fault(here, Check.ALIAS, "<< is a merge key, which YAML 1.2 does not have", "write the keys out")
                continue
            if key.text in first:
                lines = f"in line {first[key.text].line} and in line {key.line}"
                self._fault(
                    here, Check.DUPLICATE_KEY, f"the key {shown(key.text)} stands twice: {lines}", "keep one of them"
                )
                continue
            if frame.event.flow_style and isinstance(value, Scalar) and not value.text and not value.quoted:
                text = f"{shown(key.text)} has no value: inside {{}} a comma ends the value before it"
                self._fault(here, Check.NEEDS_QUOTES, text, "put the expression in quotes")
                continue
            first[key.text] = key
            entries.append((key, value))
        return entries

    def _malformed(self, text: str, error: MarkedYAMLError) -> None:
        found = slip(text, error)
        self._fault(found.place, found.code, found.text, found.fix)

    def _fault(self, place: tuple[int, int], code: Check, text: str, fix: str) -> None:
        self.findings.add(self.file, place, code, text, fix)


def weigh(node: Node) -> int:
    """How many values `node` has when every alias is written out."""
    match node:
        case Scalar():
            return 1
        case List():
            return 1 + sum(weigh(element) for element in node.elements)
        case Map():
            return 1 + sum(1 + weigh(value) for _, value in node.entries)
        case _:
            assert_never(node)


_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?P<rest>\.[0-9]+)?(?P<power>[eE][+-]?[0-9]{1,3})?", re.ASCII)
# What one reader takes for a number, a truth or nothing, and another for text. JSON's own ways to write them are not
# among these.
_TWO_WAYS = re.compile(
    r"[-+]?0[0-9_]+|[-+]?[0-9][0-9_]*_[0-9_]*|\+[0-9.]+|[-+]?0[xXoObB][0-9a-fA-F_]+|[-+]?\.[0-9]+|[-+]?[0-9]+\.(?:[eE].*)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)|True|TRUE|False|FALSE|Null|NULL|~|",
    re.ASCII,
)


def plain(node: Node, file: str, findings: Findings) -> Json:
    """A node as a JSON value, where no schema says what is wanted. Fractions are Decimal; dates, NO and on are the text
    they look like.
    """
    match node:
        case List():
            return [plain(element, file, findings) for element in node.elements]
        case Map():
            return {key.text: plain(value, file, findings) for key, value in node.entries}
        case Scalar():
            if node.quoted:
                return node.text
            if _TWO_WAYS.fullmatch(node.text):
                what = shown(node.text) or "nothing"
                findings.add(
                    file,
                    (node.line, node.column),
                    Check.AMBIGUOUS,
                    f"{what} is read in different ways",
                    f'quote it: "{shown(node.text)}"',
                )
                return None
            return _word(node.text)
        case _:
            assert_never(node)


def _word(text: str) -> Json:
    if text in ("true", "false"):
        return text == "true"
    if text == "null":
        return None
    found = _NUMBER.fullmatch(text)
    if not found or len(text) > 64:
        return text
    return Decimal(text) if found["rest"] or found["power"] else int(text)
