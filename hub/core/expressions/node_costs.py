"""What `core.expressions.costs` says of one node of an expression, and what it knows of a variable. Values, and
questions to a node.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from hub.core.expressions.cost_terms import MESSAGE, NONE, Terms, constant
from hub.core.expressions.tree import Array, Binary, Block, Call, Lambda, Literal, Node, Object, Variable, children

MAX_WIDTH = 1_000  # of `$pad`
NODE = 0.125  # units, of any node
JOINING = frozenset({"append", "join", "merge", "string", "zip"})
NODE_WORK, ONE = constant(NODE), constant(1)


@dataclass(frozen=True, slots=True)
class Work:
    """`near` and `far` as above; `count`: elements that literal ranges make within each other."""

    near: Terms = NONE
    far: Terms = NODE_WORK
    near_size: Terms = NONE
    far_size: Terms = ONE
    count: int = 1

    def plus(self, *others: Work) -> Work:
        """One after another, of which the last is the result."""
        last = others[-1] if others else self
        parts = (self, *others)
        return Work(
            total(part.near for part in parts),
            total(part.far for part in parts),
            last.near_size,
            last.far_size,
            max(part.count for part in parts),
        )

    def sized(self, near_size: Terms, far_size: Terms) -> Work:
        return replace(self, near_size=near_size, far_size=far_size)

    @property
    def size(self) -> Terms:
        return self.near_size + self.far_size


@dataclass(frozen=True, slots=True)
class Value:
    """What a variable holds."""

    near: Terms = NONE
    far: Terms = NONE

    def outside(self) -> Value:
        return Value(NONE, self.near + self.far)


@dataclass(frozen=True, slots=True)
class Closure:
    function: Lambda
    scope: Mapping[str, Value | Closure]  # where it was written

    def outside(self) -> Closure:
        return self


Scope = Mapping[str, "Value | Closure"]  # the context has an empty name
NEAR, FAR, SCALAR = Value(MESSAGE), Value(NONE, MESSAGE), Value(NONE, ONE)


def held_in(scope: Scope, name: str) -> Value:
    held = scope.get(name, FAR)
    return held if isinstance(held, Value) else SCALAR


def total(parts: Iterable[Terms]) -> Terms:
    whole = NONE
    for part in parts:
        whole += part
    return whole


def number_of(node: Node) -> float | None:
    """A number that is written out."""
    value = getattr(node, "value", None)
    if not isinstance(node, Literal):  # a minus before a number
        value = getattr(value, "value", None)
        return (
            -float(value)
            if value is not None and not isinstance(value, str | bool) and not hasattr(value, "at")
            else None
        )
    return float(value) if value is not None and not isinstance(value, str | bool) else None


def is_text(node: Node) -> bool:
    return isinstance(node, Literal) or (isinstance(node, Binary) and node.sign == "&")


def joins(node: Node) -> bool:
    match node:
        case Binary():
            return node.sign == "&"
        case Array():
            return bool(node.items)
        case Call():
            return isinstance(node.function, Variable) and node.function.name in JOINING
        case _:
            return False


def counted_in(node: Node) -> Call | None:
    """`$count(list)` or `$length(text)`, and so many before or behind it."""
    if isinstance(node, Block) and len(node.parts) == 1:
        return counted_in(node.parts[0])
    if (
        isinstance(node, Binary)
        and node.sign in ("+", "-")
        and isinstance(number_of(node.right), float)
        and abs(number_of(node.right) or 0.0) <= MAX_WIDTH
    ):
        return counted_in(node.left)
    return (
        node
        if isinstance(node, Call) and isinstance(node.function, Variable) and node.function.name in ("count", "length")
        else None
    )


def copies_in(node: Node, growth: Mapping[str, int]) -> int:
    """How often what a node is made of stands in what it makes; literals count as one. `growth`: of what variables
    hold.
    """
    match node:
        case Variable():
            return growth.get(node.name, 1)
        case Binary() if node.sign == "&":
            return copies_in(node.left, growth) + copies_in(node.right, growth)
        case Array():
            return sum(copies_in(part, growth) for part in node.items)
        case Block() | Object():
            return max((copies_in(part, growth) for part in children(node)), default=1)
        case Call() if isinstance(node.function, Variable) and node.function.name in JOINING:
            return sum(copies_in(part, growth) for part in node.arguments if part is not None)
        case _:
            return 1
