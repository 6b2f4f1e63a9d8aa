"""What a condition proves of what it is over: a field that exists is not missing, one that equals a value is that value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hub.core.infer import tree
from hub.core.tree import Array, Binary, Block, Call, Literal, Name, Node, Step, Variable
from hub.core.types import MISSING, Shape, field_of


def narrowed(shape: Shape, text: str) -> Shape:
    """The shape of what a condition holds for: what exists is not missing, what equals a value is that value."""
    node = tree(text)
    return shape if node is None else _narrow(shape, node)


def _narrow(shape: Shape, node: Node) -> Shape:
    match node:
        case Block(parts=(one,)):
            return _narrow(shape, one)
        case Binary(sign="and", left=left, right=right):
            return _narrow(_narrow(shape, left), right)
        case Binary(sign="=" | "in", left=left, right=right):
            names, values = path_of(left), literals(right)
            if names is None or values is None:
                names, values = path_of(right), literals(left) if node.sign == "=" else None
            if names is None or values is None:
                return shape
            return _with(shape, names, lambda found: _among(found, values))
        case Binary(sign="!=", left=left, right=Literal(value=value)):
            names = path_of(left)
            return shape if names is None else _with(shape, names, lambda found: _other_than(found, value))
        case Call(function=Variable(name="exists"), arguments=(one,)) if one is not None:
            names = path_of(one)
            return shape if names is None else _with(shape, names, lambda found: found.without(MISSING))
        case Call(function=Variable(name="not"), arguments=(Binary(sign="=", left=left, right=right, at=at),)):
            return _narrow(shape, Binary("!=", left, right, at))
        case Name() | Step() | Call(function=Variable(name="boolean")):
            names = path_of(node.arguments[0] if isinstance(node, Call) and node.arguments and node.arguments[0] is not None else node)
            return shape if names is None else _with(shape, names, lambda found: found.without(MISSING, "null"))
        case _:
            return shape


def path_of(node: Node) -> list[str] | None:
    """The names of a plain path; None for anything else."""
    match node:
        case Name(text=text):
            return [text]
        case Step(left=left, right=Name(text=text)):
            before = path_of(left)
            return [*before, text] if before is not None else None
        case _:
            return None


def literals(node: Node) -> frozenset[object] | None:
    """The constants that stand there, one or a list of them; None for anything else."""
    match node:
        case Literal(value=value):
            return frozenset({value})
        case Array(items=items) if all(isinstance(one, Literal) for one in items):
            return frozenset(one.value for one in items if isinstance(one, Literal))
        case _:
            return None


def _with(shape: Shape, names: list[str], change: Callable[[Shape], Shape]) -> Shape:
    """The shape with one of its fields changed, however deep; what is around it is there then. Lists on the way are left as they are."""
    if shape.kinds is None or shape.may("array"):
        return shape
    first, rest = names[0], names[1:]
    inner = field_of(shape, first)
    if inner.kinds is None:
        return shape
    inner = _with(inner, rest, change).without(MISSING) if rest else change(inner)
    return replace(shape, known={**(shape.known or {}), first: inner})


def _among(found: Shape, values: frozenset[object]) -> Shape:
    kept = frozenset(value for value in values if value is not None)
    texts = [value for value in kept if isinstance(value, str)]
    if found.values is not None:
        kept &= found.values
    shape = found.without(MISSING) if None not in values else found
    longest = max((len(text) for text in texts), default=found.longest) if texts else found.longest
    return replace(shape.without("null") if None not in values else shape, values=kept, longest=longest)


def _other_than(found: Shape, value: object) -> Shape:
    if value is None:
        return found.without("null")
    return replace(found, values=found.values - {value}) if found.values is not None else found
