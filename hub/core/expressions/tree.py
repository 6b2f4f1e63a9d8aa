"""The tree of an expression: what `core.expressions.syntax` reads, and the walks over it. Positions (`at`) are offsets
in the expression's text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Literal:
    """A text, number, true, false or null."""

    value: Any
    at: int


@dataclass(frozen=True, slots=True)
class Regex:
    at: int


@dataclass(frozen=True, slots=True)
class Name:
    """A field of the context."""

    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Variable:
    """`$name`; `$` is the context (empty name), `$$` the whole input (name `$`)."""

    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Special:
    """`*` any field, `**` any descendant, `%` the parent."""

    sign: str
    at: int


@dataclass(frozen=True, slots=True)
class Step:
    """`left.right`: `right` over each of `left`."""

    left: Node
    right: Node
    at: int


@dataclass(frozen=True, slots=True)
class Filter:
    """`base[predicate]`: an index or a condition; without a predicate (`[]`) the result is kept an array."""

    base: Node
    predicate: Node | None
    at: int


@dataclass(frozen=True, slots=True)
class Group:
    """`base{key: value}`."""

    base: Node
    pairs: tuple[tuple[Node, Node], ...]
    at: int


@dataclass(frozen=True, slots=True)
class Sort:
    """`base^(>a, b)`."""

    base: Node
    terms: tuple[Node, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Focus:
    """`base@$name` or `base#$name`."""

    base: Node
    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Array:
    items: tuple[Node, ...]
    at: int
    ends: tuple[int, ...] = field(default=(), compare=False)  # where the text of each item is over at the latest


@dataclass(frozen=True, slots=True)
class Object:
    pairs: tuple[tuple[Node, Node], ...]
    at: int


@dataclass(frozen=True, slots=True)
class Block:
    """`(a; b)`: the last one's value."""

    parts: tuple[Node, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Condition:
    """`test ? then : other`."""

    test: Node
    then: Node
    other: Node | None
    at: int


@dataclass(frozen=True, slots=True)
class Binary:
    """`+ - * / % & = != < <= > >= and or in .. ?: ??`."""

    sign: str
    left: Node
    right: Node
    at: int
    end: int = field(default=0, compare=False)  # where the text of `right` is over at the latest


@dataclass(frozen=True, slots=True)
class Negate:
    value: Node
    at: int


@dataclass(frozen=True, slots=True)
class Bind:
    """`$name := value`."""

    name: str
    value: Node
    at: int


@dataclass(frozen=True, slots=True)
class Lambda:
    parameters: tuple[str, ...]
    body: Node
    at: int


@dataclass(frozen=True, slots=True)
class Call:
    """`function(arguments)`; a `?` among the arguments is partial application, and stands as None."""

    function: Node
    arguments: tuple[Node | None, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Chain:
    """`left ~> right`."""

    left: Node
    right: Node
    at: int


@dataclass(frozen=True, slots=True)
class Transform:
    """`|pattern|update, delete|`."""

    pattern: Node
    update: Node
    delete: Node | None
    at: int


Node: TypeAlias = (
    Literal
    | Regex
    | Name
    | Variable
    | Special
    | Step
    | Filter
    | Group
    | Sort
    | Focus
    | Array
    | Object
    | Block
    | Condition
    | Binary
    | Negate
    | Bind
    | Lambda
    | Call
    | Chain
    | Transform
)


def start(node: Node) -> int:
    """Where the text of a node begins: at the first of what is below it."""
    return min(one.at for one in walk(node))


def walk(node: Node) -> Iterator[Node]:
    """The node, and all below it, from left to right."""
    yield node
    for child in children(node):
        yield from walk(child)


def children(node: Node) -> Iterator[Node]:
    """The nodes right below."""
    for one in fields(node):
        yield from _nodes(getattr(node, one.name))


def _nodes(value: Any) -> Iterator[Node]:
    if isinstance(value, tuple):
        for one in value:
            yield from _nodes(one)
    elif hasattr(value, "at"):
        yield value
