"""Which places of its source an expression reads: the paths from its context, through steps, filters, blocks and
bindings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from hub.core.expressions.syntax import read
from hub.core.expressions.tree import (
    Binary,
    Bind,
    Block,
    Call,
    Chain,
    Condition,
    Filter,
    Focus,
    Group,
    Lambda,
    Literal,
    Name,
    Node,
    Regex,
    Sort,
    Special,
    Step,
    Variable,
    children,
)

Names: TypeAlias = tuple[str, ...]
Places: TypeAlias = tuple[Names, ...]

# what they give stands where what they got stands
_HANDING_ON = frozenset({"distinct", "reverse", "sort", "shuffle", "filter", "append"})


def paths(text: str, base: Names = (), bound: Mapping[str, Names] | None = None) -> list[Names]:
    """All paths that the expression reads, each once, in the order of the text. `bound` are variables that stand for
    places.

    Raises ValueError for what the reader does not know. An unknown variable is read as a place of its own, `$name`.
    """
    found: dict[Names, None] = {}
    scope: dict[str, Places] = {"": (base,), "$": ((),), **{name: (place,) for name, place in (bound or {}).items()}}
    for place in _of(read(text), (base,), scope, found):
        found.setdefault(place)
    # What only led to something deeper is not read for itself.
    return [place for place in found if not any(other != place and other[: len(place)] == place for other in found)]


def _of(node: Node, here: Places, scope: dict[str, Places], found: dict[Names, None]) -> Places:  # noqa: C901, PLR0912  # one case per kind of node
    """Where the node's value stands; what is read on the way is noted in `found`."""
    match node:
        case Name(text=text):
            return tuple((*place, text) for place in here)
        case Special(sign=sign):
            return tuple((*place, sign) for place in here)
        case Variable(name=name):
            return here if name == "" else scope.get(name, ((f"${name}",),))
        case Step(left=left, right=right):
            return _of(right, _of(left, here, scope, found), scope, found)
        case Filter(base=base, predicate=predicate):
            places = _of(base, here, scope, found)
            if predicate is not None and not isinstance(predicate, Literal):
                _note(predicate, places, scope, found)
            return places
        case Sort(base=base, terms=terms):
            places = _of(base, here, scope, found)
            for term in terms:
                _note(term, places, scope, found)
            return places
        case Focus(base=base, name=name):
            places = _of(base, here, scope, found)
            scope[name] = places
            return places
        case Group(base=base, pairs=pairs):
            places = _of(base, here, scope, found)
            for pair in pairs:
                for one in pair:
                    _note(one, places, scope, found)
            return ()
        case Bind(name=name, value=value):
            scope[name] = _of(value, here, scope, found)
            return scope[name]
        case Block(parts=parts):
            inner = dict(scope)
            results = [_of(part, here, inner, found) for part in parts]
            return results[-1] if results else ()
        case Condition(test=test, then=then, other=other):
            _note(test, here, scope, found)
            return _of(then, here, scope, found) + (_of(other, here, scope, found) if other is not None else ())
        case Binary(sign="?:" | "??", left=left, right=right):
            return _of(left, here, scope, found) + _of(right, here, scope, found)
        case Call():
            return _call(node, here, scope, found)
        case Chain(left=left, right=right):
            call = (
                Call(right.function, (left, *right.arguments), right.at)
                if isinstance(right, Call)
                else Call(right, (left,), node.at)
            )
            return _call(call, here, scope, found)
        case Literal() | Regex():
            return ()
        case _:
            for child in children(node):
                _note(child, here, scope, found)
            return ()


def _call(node: Call, here: Places, scope: dict[str, Places], found: dict[Names, None]) -> Places:
    """What a function is given is read; a function among its arguments is over what stands before it."""
    given: Places = ()
    for argument in node.arguments:
        if isinstance(argument, Lambda):
            inner = {**scope, **dict.fromkeys(argument.parameters, given)}
            _note(argument.body, here, inner, found)
        elif argument is not None:
            places = _of(argument, here, scope, found)
            for place in places:
                found.setdefault(place)
            given = given or places
    name = node.function.name if isinstance(node.function, Variable) else ""
    return given if name in _HANDING_ON else ()


def _note(node: Node, here: Places, scope: dict[str, Places], found: dict[Names, None]) -> None:
    for place in _of(node, here, scope, found):
        found.setdefault(place)


def called(node: Node) -> Iterator[str]:
    """The functions that an expression calls, by name."""
    if isinstance(node, Call) and isinstance(node.function, Variable):
        yield node.function.name
    if isinstance(node, Chain) and isinstance(node.right, Variable):
        yield node.right.name
    for child in children(node):
        yield from called(child)
