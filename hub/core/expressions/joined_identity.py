"""Identities put together of parts: `orderNo & '/' & lineNo`. A part that is missing makes no shorter identity, which
would be another thing's: it is a fault.

JSONata takes what is missing for an empty text, and `$join` leaves it out of a list. So an expression that gives an
identity is computed in another spelling, in which each such part must be there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hub.core.expressions.syntax import read
from hub.core.expressions.tree import Array, Binary, Call, Literal, Name, Node, Step, Variable, start, walk


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an identity, from `start` to `end` of the expression. `is_field`: it is a field, which must not be
    empty either.
    """

    start: int
    end: int
    is_field: bool


def parts(text: str) -> list[Part]:
    """What stands between `&`, and in a list that `$join` gets, wherever in the expression; fixed texts are none. []
    where the reader cannot read it.
    """
    try:
        tree = read(text)
    except ValueError:
        return []
    found = {part.start: part for node in walk(tree) for part in _of(node)}
    return [found[at] for at in sorted(found)]


def strict(text: str) -> str:
    """The expression in the spelling that fails where a part is missing; empty where it has no parts."""
    found = parts(text)
    if not found:
        return ""
    cuts: list[tuple[int, int, str]] = []
    for part in found:
        is_there = "$exists($_part) and $_part != null" + (" and $_part != ''" if part.is_field else "")
        cuts.append((part.start, 1, "($_part := ("))
        cuts.append((part.end, 0, f"\n); {is_there} ? $_part : $error('a part is missing'))"))
    # From the end on, so that places hold; where one part ends and the next begins, the end comes first.
    for at, _, piece in sorted(cuts, reverse=True):
        text = text[:at] + piece + text[at:]
    return text


def _of(node: Node) -> Iterator[Part]:
    match node:
        case Binary(sign="&", left=left, right=right, at=at, end=end):
            for one, over in ((left, at), (right, end)):
                if not isinstance(one, Literal) and not (isinstance(one, Binary) and one.sign == "&"):
                    yield _part(one, over)
        case Call(function=Variable(name="join"), arguments=(Array(items=items, ends=ends), *_)):
            yield from (_part(one, over) for one, over in zip(items, ends, strict=True) if not isinstance(one, Literal))


def _part(node: Node, end: int) -> Part:
    is_field = isinstance(node, Name | Variable) or (
        isinstance(node, Step) and all(isinstance(one, Name | Step | Variable) for one in walk(node))
    )
    return Part(start(node), end, is_field)
