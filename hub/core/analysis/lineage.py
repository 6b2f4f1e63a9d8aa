"""Where each field of a mapping's target comes from: the paths, tables, constants and functions that make it. Static:
no message is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from hub.core.documents.pointers import ELEMENT
from hub.core.expressions.read_paths import Names, called, paths
from hub.core.expressions.syntax import read
from hub.core.expressions.tree import Call, Filter, Literal, Name, Node, Step, Variable, walk
from hub.core.json import encode, escape
from hub.core.message import Json

_NUMBERED = re.compile(r"\.([0-9]{1,6})(?=\.|\[|$)")  # our plain paths have `items.0.sku` too


@dataclass(frozen=True, slots=True)
class Origin:
    """What makes one field. Paths are places of the whole source (`/items/*/sku`), in the order of the mapping, without
    repetition.

    `is_known` is False where an expression is beyond the reader: then what stands here may not be all.
    """

    paths: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    constants: tuple[Json, ...] = ()
    functions: tuple[str, ...] = ()
    is_known: bool = True

    def __or__(self, other: Origin) -> Origin:
        return Origin(
            _joined(self.paths, other.paths),
            _joined(self.tables, other.tables),
            self.constants + tuple(one for one in other.constants if one not in self.constants),
            _joined(self.functions, other.functions),
            self.is_known and other.is_known,
        )

    def as_json(self) -> dict[str, Json]:
        return {
            "paths": list(self.paths),
            "tables": list(self.tables),
            "constants": list(self.constants),
            "functions": list(self.functions),
            "known": self.is_known,
        }


class Way(StrEnum):
    """How a leaf makes its field."""

    COPY = "copy"  # the value of a place as it is
    EXPRESSION = "expression"
    CONSTANT = "constant"
    LOOKUP = "lookup"  # the row of a table, or what the route's `enrich` found
    EACH = "each"  # a list, element by element; what is in it has leaves of its own


@dataclass(frozen=True, slots=True)
class Leaf:
    """One way in which one field is made; a field that depends on a condition has several. `written` as in the file,
    for people.

    `value`: what it is made of; `decided`: what the conditions above it read. `without`: names that a copy leaves out.
    """

    field: str
    way: Way
    written: str
    value: Origin
    decided: Origin = Origin()
    conditions: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    @property
    def origin(self) -> Origin:
        return self.decided | self.value


def lineage(document: Json) -> dict[str, Origin]:
    """The origin of each target field of a mapping's document (plain values), by pointer, `/items/*/sku`."""
    found: dict[str, Origin] = {}
    for leaf in leaves(document):
        found[leaf.field] = found.get(leaf.field, Origin()) | leaf.origin
    return found


def leaves(document: Json) -> list[Leaf]:
    """All leaves of a mapping's document, in its order."""
    found: list[Leaf] = []
    if isinstance(document, dict):
        _leaf(document.get("fields", {}), "", (), _Above(), found)
    return found


def forwards(origins: Mapping[str, Origin], path: str) -> list[str]:
    """The target fields that a field of the source reaches, it or what is below it."""
    return [
        field
        for field, origin in origins.items()
        if any(one == path or one.startswith(f"{path}/") or path.startswith(f"{one}/") for one in origin.paths)
    ]


@dataclass(frozen=True, slots=True)
class _Above:
    """The conditions that decide whether a leaf is there."""

    origin: Origin = Origin()
    conditions: tuple[str, ...] = ()


def _leaf(leaf: Json, field: str, base: Names, above: _Above, found: list[Leaf]) -> None:
    """Adds a leaf and what is below it; `base` is the element that expressions are over."""

    def add(way: Way, written: str, value: Origin, without: tuple[str, ...] = ()) -> None:
        found.append(Leaf(field, way, written, value, above.origin, above.conditions, without))

    if isinstance(leaf, str):
        add(_way(leaf), leaf, _origin(leaf, base))
    elif not isinstance(leaf, dict):
        return
    elif _is(leaf, "each", {"fields", "value"}):
        over = str(leaf["each"])
        places = _paths(over, base)
        add(Way.EACH, over, _origin(over, base))
        _leaf(
            leaf.get("fields", leaf.get("value")),
            f"{field}/{ELEMENT}",
            (*(places[0] if places else base), ELEMENT),
            above,
            found,
        )
    elif _is(leaf, "copy", {"except"}, is_alone=True):
        over, without = str(leaf["copy"]), leaf.get("except", [])
        names = tuple(str(name) for name in without) if isinstance(without, list) else ()
        add(Way.COPY if _way(over) is Way.COPY else Way.EXPRESSION, over, _origin(over, base), names)
    elif _is(leaf, "table", {"of", "otherwise"}):
        constants = (leaf["otherwise"],) if "otherwise" in leaf else ()
        add(
            Way.LOOKUP,
            f"{leaf['table']}[{leaf['of']}]",
            _origin(str(leaf["of"]), base) | Origin(tables=(str(leaf["table"]),), constants=constants),
        )
    elif _is(leaf, "const", set(), is_alone=True):
        add(Way.CONSTANT, encode(leaf["const"]).decode(), Origin(constants=(leaf["const"],)))
    elif _is(leaf, "when", {"value", "otherwise"}):
        test = str(leaf["when"])
        decided = above.origin | _origin(test, base)
        _leaf(leaf.get("value"), field, base, _Above(decided, (*above.conditions, test)), found)
        _leaf(leaf.get("otherwise"), field, base, _Above(decided, (*above.conditions, f"not({test})")), found)
    else:
        for name, child in leaf.items():
            _leaf(child, f"{field}/{escape(str(name))}", base, above, found)


def _way(text: str) -> Way:
    """How an expression makes its value: a place alone copies it."""
    try:
        tree = read(_spelled(text))
    except ValueError:
        return Way.EXPRESSION
    if isinstance(tree, Literal):
        return Way.CONSTANT
    if isinstance(tree, Call) and isinstance(tree.function, Variable) and tree.function.name == "table":
        return Way.LOOKUP
    if not _is_path(tree):
        return Way.EXPRESSION
    found = any(isinstance(node, Variable) and node.name not in ("", "$", "source") for node in walk(tree))
    return Way.LOOKUP if found else Way.COPY


def _is_path(node: Node) -> bool:
    match node:
        case Name() | Variable():
            return True
        case Step(left=left, right=right):
            return _is_path(left) and _is_path(right)
        case Filter(base=base, predicate=predicate):
            return _is_path(base) and (predicate is None or isinstance(predicate, Literal))
    return False


def _is(leaf: dict[str, Json], word: str, partners: set[str], *, is_alone: bool = False) -> bool:
    return word in leaf and leaf.keys() <= {word, *partners} and (is_alone or len(leaf) > 1)


def _spelled(text: str) -> str:
    return _NUMBERED.sub(r"[\1]", text) if re.fullmatch(r"[\w.$\[\]]+", text) and not text[0].isdigit() else text


def _paths(text: str, base: Names) -> list[Names]:
    try:
        return paths(_spelled(text), base, {"source": ()})
    except ValueError:
        return []


def _origin(text: str, base: Names) -> Origin:
    try:
        tree = read(_spelled(text))
    except ValueError:
        return Origin(is_known=False)
    tables = tuple(
        str(node.arguments[0].value)
        for node in walk(tree)
        if isinstance(node, Call)
        and isinstance(node.function, Variable)
        and node.function.name == "table"
        and node.arguments
        and isinstance(node.arguments[0], Literal)
    )
    places = tuple(
        "".join(f"/{name if name == ELEMENT else escape(name)}" for name in place) or "/"
        for place in _paths(text, base)
    )
    return Origin(places, tables, (), _joined((), tuple(f"${name}" for name in called(tree))))


def _joined(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(first + second))
