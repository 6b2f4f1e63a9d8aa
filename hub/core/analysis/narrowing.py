"""What a condition proves of what it is over: a field that exists is not missing, one that equals a value is that
value; and whether it can hold at all.

Where a condition does not hold, less is proven: `a = 1` does not hold of an `a` that is missing either (and neither
does `a != 1`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import reduce

from hub.core.analysis.narrowed_values import NUMBERS, among, bounded, other_than, sized, with_true
from hub.core.expressions.syntax import tree
from hub.core.expressions.tree import Array, Binary, Block, Call, Literal, Name, Negate, Node, Step, Variable
from hub.core.schemas.types import MISSING, Shape, field_of, union

_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "!=": "!="}
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}


@dataclass(frozen=True, slots=True)
class Fact:
    """What one part of a condition says of one field. `is_there`: it holds only of a field that is there. `said`: in
    words.
    """

    names: tuple[str, ...]
    change: Callable[[Shape], Shape]
    said: str
    is_there: bool = True
    is_presence: bool = False  # it says that it is there, and no more: that may be said of a path over a list, too


@dataclass(frozen=True, slots=True)
class Never:
    """Why a condition cannot hold. `fact`: the part that cannot, with what its field can be before it; None: it is
    false as it stands.
    """

    fact: Fact | None = None
    before: Shape | None = None
    wanted: frozenset[object] = frozenset()


def narrowed(shape: Shape, text: str, *, holds: bool = True) -> Shape:
    """The shape of what a condition holds for, or does not."""
    node = tree(text)
    return shape if node is None else narrow(shape, node, holds=holds)


def narrow(shape: Shape, node: Node, *, holds: bool = True) -> Shape:
    """The same for a condition that is read already."""
    match node:
        case Block(parts=(one,)):
            return narrow(shape, one, holds=holds)
        case Binary(sign="and", left=left, right=right) if holds:
            return narrow(narrow(shape, left), right)
        case Binary(sign="or", left=left, right=right) if not holds:
            return narrow(narrow(shape, left, holds=False), right, holds=False)
        case Binary(sign="or", left=left, right=right):
            return _either(shape, left, right)
        case Call(function=Variable(name="not"), arguments=(one,)) if one is not None:
            # $not of what is missing gives nothing, which is as good as false.
            return narrow(shape, one, holds=not holds) if holds or _is_boolean(one) else shape
        case _:
            fact = _fact(node, holds=holds)
            return (
                shape
                if fact is None
                else _with(shape, list(fact.names), fact.change, is_there=fact.is_there, is_presence=fact.is_presence)
            )


def never(shape: Shape, node: Node) -> Never | None:
    """Why a condition cannot hold of what is of this shape; None where it may."""
    match node:
        case Block(parts=(one,)):
            return never(shape, one)
        case Literal(value=value):
            return Never() if not value else None
        case Binary(sign="and", left=left, right=right):
            return never(shape, left) or never(narrow(shape, left), right)
        case Binary(sign="or", left=left, right=right):
            first = never(shape, left)
            return first if first is not None and never(shape, right) is not None else None
        case Call(function=Variable(name="not"), arguments=(one,)) if one is not None:
            return always(shape, one)
        case _:
            fact = _fact(node, holds=True)
            return None if fact is None else _refuted(shape, fact, node)


def always(shape: Shape, node: Node) -> Never | None:
    """Why the negation of a condition cannot hold; None where it may."""
    match node:
        case Block(parts=(one,)):
            return always(shape, one)
        case Literal(value=value):
            return Never() if value else None
        case Call(function=Variable(name="not"), arguments=(one,)) if one is not None:
            return never(shape, one)
        case Binary(sign="or", left=left, right=right):
            return always(shape, left) or always(narrow(shape, left, holds=False), right)
        case Binary(sign="and"):
            return None
        case _:
            fact = _fact(node, holds=False)
            return None if fact is None else _refuted(shape, fact, node)


def _refuted(shape: Shape, fact: Fact, node: Node) -> Never | None:
    before = _at(shape, fact.names)
    if before is None:
        return None
    after = fact.change(before)
    wanted = literals(node.right) or literals(node.left) or frozenset() if isinstance(node, Binary) else frozenset()
    return Never(fact, before, wanted) if after.kinds is not None and not after.kinds else None


def _at(shape: Shape, names: tuple[str, ...]) -> Shape | None:
    """What a path finds; None where that is not known well enough: over lists, or where a name is none of the
    contract's.
    """
    for name in names:
        if shape.kinds is None or shape.may("array"):
            return None
        shape = field_of(shape, name)
    return (
        None
        if shape.kinds is None
        or shape.many
        or shape.unknown
        or (shape.may("array") and len(shape.kinds - {MISSING, "null", "array"}))
        else shape
    )


def _either(shape: Shape, left: Node, right: Node) -> Shape:
    """What holds of both sides' fields: a field of which both say something is either; of any other nothing is
    known.
    """
    sides = []
    for side in (left, right):
        facts = list(_facts(side))
        if len({fact.names for fact in facts}) != 1:
            return shape
        sides.append((facts[0].names, narrow(shape, side), all(fact.is_there for fact in facts)))
    (names, one, is_there), (others, other, is_there_too) = sides
    if names != others or _at(shape, names) is None:
        return shape
    either = union([found for side in (one, other) if (found := _at(side, names)) is not None])
    return _with(shape, list(names), lambda _: either, is_there=is_there and is_there_too)


def _facts(node: Node) -> Iterator[Fact]:
    match node:
        case Block(parts=(one,)):
            yield from _facts(one)
        case Binary(sign="and" | "or", left=left, right=right):
            yield from _facts(left)
            yield from _facts(right)
        case _:
            fact = _fact(node, holds=True)
            if fact is not None:
                yield fact


def _is_boolean(node: Node) -> bool:
    """Whether it always gives true or false, also of what is missing."""
    match node:
        case Block(parts=(one,)):
            return _is_boolean(one)
        case Binary(sign="=" | "!=" | "in" | "and" | "or") | Call(function=Variable(name="exists")):
            return True
        case _:
            return False


def _fact(node: Node, *, holds: bool) -> Fact | None:
    """What a part that has no parts itself says; None where it says nothing that is followed here."""
    match node:
        case Binary(sign="=" | "!=" | "in" | "<" | "<=" | ">" | ">=" as sign, left=left, right=right):
            values = literals(right) if sign == "in" or not isinstance(right, Array) else None
            if values is None and sign != "in" and not isinstance(left, Array):
                return (
                    None
                    if (mirrored := literals(left)) is None
                    else _compared(right, _MIRRORED[sign], mirrored, holds=holds)
                )
            return None if values is None else _compared(left, sign, values, holds=holds)
        case Call(function=Variable(name="exists"), arguments=(one,)) if one is not None:
            names = path_of(one)
            if names is None:
                return None
            if holds:
                return Fact(tuple(names), lambda found: found.without(MISSING), "is there", is_presence=True)
            return Fact(tuple(names), lambda found: found.only(MISSING), "is not there", is_there=False)
        case Name() | Step() | Call(function=Variable(name="boolean")):
            names = path_of(
                node.arguments[0]
                if isinstance(node, Call) and node.arguments and node.arguments[0] is not None
                else node
            )
            if names is None:
                return None
            # Where it does not hold, it may be missing, null, false, 0, "", {} or []: that is not followed.
            return Fact(tuple(names), with_true, "holds", is_presence=True) if holds else None
        case _:
            return None


def _compared(left: Node, sign: str, values: frozenset[object], *, holds: bool) -> Fact | None:
    match left:
        case Call(function=Variable(name="length"), arguments=(one,)) if one is not None:
            names, [value] = path_of(one), list(values)[:1] or [None]
            if (
                names is None
                or len(values) != 1
                or not isinstance(value, int)
                or isinstance(value, bool)
                or not (holds or sign in _OPPOSITE)
            ):
                return None
            length, sign = value, sign if holds else _OPPOSITE[sign]
            return Fact(
                tuple(names),
                lambda found: sized(found, sign, length, holds=holds),
                f"has a length {sign} {length}",
                is_there=holds,
            )
        case Call(function=Variable(name="type"), arguments=(one,)) if one is not None and sign in ("=", "!="):
            names = path_of(one)
            if names is None or not all(isinstance(value, str) for value in values):
                return None
            kinds = frozenset(kind for value in values for kind in (NUMBERS if value == "number" else {str(value)}))
            is_it = (sign == "=") is holds
            said = f"is {'' if is_it else 'not '}of type {', '.join(sorted(map(str, values)))}"
            return Fact(
                tuple(names), lambda found: found.only(*kinds) if is_it else found.without(*kinds), said, is_there=holds
            )
        case _:
            names = path_of(left)
            if names is None:
                return None
    shown = ", ".join(sorted(map(repr, values)))
    if sign in ("=", "in") or (sign == "!=" and len(values) == 1):
        is_among = (sign != "!=") is holds
        if is_among and not holds:  # `!=` does not hold of what is missing
            return Fact(
                tuple(names),
                lambda found: among(found, values).also(*(found.kinds or frozenset()) & {MISSING}),
                f"is {shown}",
                is_there=False,
            )
        if is_among:
            return Fact(tuple(names), lambda found: among(found, values), f"is {shown}")
        return Fact(
            tuple(names), lambda found: other_than(found, values, holds=holds), f"is not {shown}", is_there=holds
        )
    [value] = list(values)[:1] or [None]
    if len(values) != 1 or isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        return None
    sign = sign if holds else _OPPOSITE[sign]
    return Fact(
        tuple(names), lambda found: bounded(found, sign, value, holds=holds), f"is {sign} {value!r}", is_there=holds
    )


def path_of(node: Node) -> list[str] | None:
    """The names of a plain path; None for anything else."""
    match node:
        case Block(parts=(one,)):
            return path_of(one)
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
        case Negate(value=Literal(value=int() | Decimal() as value)):
            return frozenset({-value})
        case Array(items=items) if items:
            each = [literals(one) for one in items if not isinstance(one, Array)]
            known = [one for one in each if one is not None]
            return frozenset().union(*known) if len(known) == len(items) else None
        case _:
            return None


def _with(
    shape: Shape, names: list[str], change: Callable[[Shape], Shape], *, is_there: bool, is_presence: bool = False
) -> Shape:
    """The shape with one of its fields changed, however deep; if it `is_there`, so is what is around it. Lists on the
    way are left as they are, but for what a path over one gives, if it is known to give something.
    """
    first, rest = names[0], names[1:]
    if shape.kinds is None or (
        shape.may("array") and (not is_presence or rest or shape.kinds - {"array", MISSING, "null"})
    ):
        return shape
    inner = field_of(shape.only("array") if shape.may("array") else shape, first)
    if inner.kinds is None or inner.unknown:
        return shape
    if rest:
        inner = _with(inner, rest, change, is_there=is_there, is_presence=is_presence)
        kept = "array" if inner.may("array") else "object"
        inner = (
            inner.only(kept)
            if is_there and inner.may(kept) and not (inner.may("array") and inner.may("object"))
            else inner
        )
    elif is_presence:
        inner = inner.without(MISSING) if inner.many else change(inner)
    elif not (inner.may("array") and inner.many):
        inner = change(inner)
    return replace(shape, known={**(shape.known or {}), first: inner})


def proven(shape: Shape, texts: tuple[tuple[str, bool], ...]) -> Shape:
    """The shape after several conditions, each with whether it holds."""
    return reduce(lambda known, one: narrowed(known, one[0], holds=one[1]), texts, shape)


def reaching(shape: Shape, names: tuple[str, ...], number: int) -> Shape:
    """The shape whose numbers at a path reach so far, where no bound is said of them."""

    def change(found: Shape) -> Shape:
        if not found.may("integer") and not found.may("number"):
            return found
        span = found.span
        is_high = number > 0 and span.high is None
        is_low = number < 0 and span.low is None
        return replace(
            found,
            span=replace(span, high=number) if is_high else replace(span, low=number) if is_low else span,
            is_computed=True,
        )

    return _with(shape, list(names), change, is_there=False)
