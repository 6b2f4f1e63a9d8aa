"""What an expression can give, inferred from what it is over. Paths, objects, arrays, conditions, operators and the
functions; what it cannot tell is undecided.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from hub.core.analysis.function_types import FUNCTIONS, HIDING, IN_DOUBLES, NAMES, OF_NUMBER, OF_TEXT, TOTAL, joined
from hub.core.analysis.narrowing import narrow
from hub.core.expressions.syntax import tree
from hub.core.expressions.tree import (
    Array,
    Binary,
    Bind,
    Block,
    Call,
    Chain,
    Condition,
    Filter,
    Lambda,
    Literal,
    Name,
    Negate,
    Node,
    Object,
    Step,
    Variable,
)
from hub.core.schemas.ranges import ANY, Range, negative, plus, times
from hub.core.schemas.types import (
    MISSING,
    NOTHING,
    SAFE,
    UNDECIDED,
    Shape,
    field_of,
    item_of,
    least_elements,
    names_of,
    of_kind,
    of_value,
    union,
)


@dataclass(frozen=True, slots=True)
class Oddity:
    """Something in an expression that cannot be meant: `code` is a word of its own, `text` says what."""

    code: str
    text: str
    fix: str = ""


@dataclass(slots=True)
class InferenceScope:
    """What an expression is over, and what was odd in it."""

    value: Shape
    variables: dict[str, Shape] = field(default_factory=dict)
    tables: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    odd: list[Oddity] = field(default_factory=list)
    are_names_known: bool = False  # whether `variables` are all that is bound: another name is a slip
    touched: bool = False  # the engine computed it: not a plain path, which is copied as it is


def infer(text: str, over: InferenceScope) -> Shape:
    """What the expression gives. Oddities are added to `over.odd`."""
    node = tree(text)
    return UNDECIDED if node is None else _of(node, over)


def _of(node: Node, over: InferenceScope) -> Shape:  # noqa: C901, PLR0912  # one case per kind of node
    match node:
        case Literal(value=value):
            return of_value(value)
        case Name(text=name):
            return _named(over.value, name, over)
        case Variable(name=name):
            return over.value if name == "" else _bound(name, over)
        case Step():
            return _step(node, over)
        case Filter():
            return _filtered(node, over)
        case Array(items=items):
            over.touched = True
            parts = [(one, _of(one, over)) for one in items if not (isinstance(one, Binary) and one.sign == "..")]
            shapes = [shape for _, shape in parts]
            ranges = [of_kind("integer")] if len(shapes) < len(items) else []
            # Nothing in an array leaves no place; a list is laid out flat in it, but for one that is written out there.
            flat = [shape.without(MISSING) if isinstance(one, Array) else _laid_out(shape) for one, shape in parts]
            is_filled = any(
                one.many or not one.may("array") for one in shapes if one.kinds is not None and MISSING not in one.kinds
            )
            return of_kind("array", item=union([*flat, *ranges]) if flat or ranges else NOTHING, filled=is_filled)
        case Object(pairs=pairs):
            over.touched = True
            made = {
                key.value: _of(value, over)
                for key, value in pairs
                if isinstance(key, Literal) and isinstance(key.value, str)
            }
            return of_kind("object", fields=made) if len(made) == len(pairs) else UNDECIDED
        case Block(parts=parts):
            shapes = [_of(one, over) for one in parts]
            return shapes[-1] if shapes else NOTHING
        case Bind(name=name, value=value):
            over.variables[name] = _of(value, over)
            return over.variables[name]
        case Condition(test=test, then=then, other=other):
            over.touched = True
            _of(test, over)
            otherwise = (
                _of(other, over if isinstance(other, Literal) else _where(test, over, holds=False))
                if other is not None
                else NOTHING
            )
            return union([_narrowed(test, then, over), otherwise])
        case Negate(value=value):
            over.touched = True
            return _number([_of(value, over)], over, "-")
        case Binary():
            over.touched = True
            return _binary(node, over)
        case Call():
            over.touched = True
            return _call(node, over)
        case Chain(left=left, right=right):
            over.touched = True
            return _chained(left, right, over)
        case _:
            over.touched = True
            return UNDECIDED


def _laid_out(shape: Shape) -> Shape:
    if shape.many or not shape.may("array"):
        return item_of(shape) if shape.many else shape.without(MISSING)
    rest = shape.without("array", MISSING)
    return union([rest, item_of(shape.only("array"))]) if rest.kinds else item_of(shape.only("array"))


def _bound(name: str, over: InferenceScope) -> Shape:
    if name not in over.variables and over.are_names_known and name not in NAMES:
        known = [f"${one}" for one in over.variables if one != "$"]
        over.odd.append(Oddity("unknown_name", f"${name}", ", ".join(sorted(known))))
    return over.variables.get(name, UNDECIDED)


def _named(base: Shape, name: str, over: InferenceScope) -> Shape:
    found = field_of(base, name)
    if name in found.unknown and base.kinds is not None:
        known = sorted(names_of(base))
        over.odd.append(Oddity("unknown_path", name, ", ".join(known)))
        return UNDECIDED  # one mistake is one finding: what a field that is not there would do is not told as well
    return replace(found, unknown=()) if found.unknown else found


def _step(node: Step, over: InferenceScope) -> Shape:
    if isinstance(node.right, Filter) and node.right.predicate is None:
        # [] at the end is about the whole path
        return _filtered(Filter(Step(node.left, node.right.base, node.at), None, node.at), over)
    left = _of(node.left, over)
    if isinstance(node.right, Name):
        before = len(over.odd)
        shape = _named(left, node.right.text, over)
        root = _root(node.left)
        if len(over.odd) > before and root not in (None, "", "$", "source"):
            over.odd[-1] = Oddity("unknown_member", f"${root} has no {node.right.text}", over.odd[-1].fix)
        return shape
    if left.kinds is None:
        over.touched = True
        return UNDECIDED
    over.touched = True
    inner = _of(node.right, _within(over, item_of(left) if left.may("array") else left.without(MISSING)))
    if inner.kinds is None:
        return inner
    if not left.may("array"):
        return inner.also(MISSING) if left.may(MISSING) else inner
    element = inner.without("array", MISSING)
    made = replace(
        element.also("array", MISSING),
        item=union([element, item_of(inner)]) if inner.may("array") else element,
        many=True,
    )
    if inner.may(MISSING) or inner.may("array") or left.may(MISSING):
        return made
    return made.without(MISSING) if least_elements(left) else replace(made, hollow=True)


def _root(node: Node) -> str | None:
    """The variable that a path begins at."""
    match node:
        case Variable(name=name):
            return name
        case Step(left=left) | Filter(base=left):
            return _root(left)
        case _:
            return None


def _within(over: InferenceScope, value: Shape) -> InferenceScope:
    return InferenceScope(value, over.variables, over.tables, over.odd, over.are_names_known)


def _index(node: Node) -> int | None:
    """The number in `[0]` and `[-1]`."""
    match node:
        case Literal(value=int() | Decimal() as value) if not isinstance(value, bool):
            return math.floor(value)
        case Negate(value=Literal(value=int() | Decimal() as value)) if not isinstance(value, bool):
            return math.floor(-value)
        case _:
            return None


def _where(test: Node, over: InferenceScope, *, holds: bool) -> InferenceScope:
    """The same value where a test holds, or does not."""
    return _within(over, narrow(over.value, test, holds=holds))


def _filtered(node: Filter, over: InferenceScope) -> Shape:
    base = _of(node.base, over)
    if base.kinds is None:
        return base
    if node.predicate is None:
        over.touched = True
        kept = of_kind("array", item=item_of(base).without(MISSING), personal=base.personal)
        return kept.also(MISSING) if base.may(MISSING) else kept
    index = _index(node.predicate)
    if index is not None:
        element = item_of(base) if base.may("array") else base
        is_there = -least_elements(base) <= index < least_elements(base) and not base.may(MISSING)
        return replace(element if is_there or not base.may("array") else element.also(MISSING), many=False)
    over.touched = True
    _of(node.predicate, _within(over, item_of(base)))
    if not base.may("array"):
        return base.also(MISSING)
    element = item_of(base).without(MISSING)
    return replace(element.also("array", MISSING), item=element, many=True)


def _narrowed(test: Node, then: Node, over: InferenceScope) -> Shape:
    """What `then` gives where `test` holds: `$exists(a) ? a` is there, `a != null ? a` is not null, and so `a ? a`; and
    what is no plain path alike.
    """
    if isinstance(then, Literal):
        return _of(then, over)
    shape = _of(then, _where(test, over, holds=True))
    proven = {_same(one) for one in _proven(test)}
    return shape.without(MISSING, "null") if _same(then) in proven and shape.kinds is not None else shape


def _proven(test: Node) -> list[Node]:
    match test:
        case Call(function=Variable(name="exists" | "boolean"), arguments=arguments):
            return [one for one in arguments if one is not None]
        case Binary(sign="and", left=left, right=right):
            return [*_proven(left), *_proven(right)]
        case Binary(sign="!=", left=left, right=Literal(value=None)):
            return [left]
        case Binary(sign=">", left=Call(function=Variable(name="count"), arguments=(one,)), right=Literal()) if (
            one is not None
        ):
            return [one]
        case Block(parts=(one,)):
            return _proven(one)
        case Binary() | Literal():
            return []
        case _:
            return [test]


def _same(node: Node) -> object:
    """The node without its places, so that two of one text are equal."""
    return _bare(node)


def _bare(value: object) -> object:
    if isinstance(value, tuple):
        return tuple(_bare(one) for one in value)
    if hasattr(value, "__dataclass_fields__"):
        return (
            type(value).__name__,
            *(_bare(getattr(value, name)) for name in value.__dataclass_fields__ if name != "at"),
        )
    return value


_COMPARING = frozenset({"=", "!=", "<", "<=", ">", ">=", "in", "and", "or"})


def _binary(node: Binary, over: InferenceScope) -> Shape:
    left, right = _of(node.left, over), _of(node.right, over)
    match node.sign:
        case "&":
            return joined(left, right)
        case "?:" | "??":
            kept = left.without(MISSING, "null") if node.sign == "?:" else left.without(MISSING)
            return union([kept, right])
        case "<" | "<=" | ">" | ">=":
            for one in (left, right):
                if _is_beyond(one):
                    fix = "compare what is smaller, or its text: $string(field)"
                    over.odd.append(
                        Oddity(
                            "lost_digits",
                            f"{node.sign} compares doubles, and the contract allows more digits than they hold",
                            fix,
                        )
                    )
            shape = of_kind("boolean")
            return shape.also(MISSING) if left.may(MISSING) or right.may(MISSING) else shape
        case sign if sign in _COMPARING:
            return of_kind("boolean")
        case "..":
            return of_kind("array", item=of_kind("integer"))
        case sign:
            return _number([left, right], over, sign)


def _number(shapes: Sequence[Shape], over: InferenceScope, sign: str) -> Shape:
    for one in shapes:
        if one.kinds is not None and one.kinds - {MISSING} and not one.kinds & {"number", "integer"}:
            kind = (
                "a list"
                if one.may("array")
                else "a text"
                if one.may("string")
                else " or ".join(sorted(one.kinds - {MISSING}))
            )
            fix = "use $number(...), or $dec_add and its kin for money" if one.may("string") else "compute with numbers"
            over.odd.append(Oddity("no_number", f"{sign} stands beside {kind}", fix))
        if one.long_number:
            over.odd.append(
                Oddity(
                    "lost_digits",
                    f"{sign} computes in doubles, and the contract allows more digits than they hold",
                    "use $dec_add, $dec_mul or $dec_round",
                )
            )
    if any(one.kinds is None for one in shapes):
        return of_kind("number")
    whole = sign != "/" and all(not one.may("number") for one in shapes)
    shape = of_kind("integer" if whole else "number", span=_span(shapes, sign), is_computed=True)
    return shape.also(MISSING) if any(one.may(MISSING) for one in shapes) else shape


def _span(shapes: Sequence[Shape], sign: str) -> Range:
    if len(shapes) == 1:
        return negative(shapes[0].span)
    one, other = (shape.span for shape in shapes)
    return (
        plus(one, other)
        if sign == "+"
        else plus(one, negative(other))
        if sign == "-"
        else times(one, other)
        if sign == "*"
        else ANY
    )


def _is_beyond(shape: Shape) -> bool:
    """Whether a contract says that its numbers go beyond what a double holds; beyond it, the engine is given a text."""
    span = shape.span
    is_long = (span.high is not None and span.high > SAFE) or (span.low is not None and span.low < -SAFE)
    return is_long and (shape.may("integer") or shape.may("number"))


def handed_over(shape: Shape) -> Oddity | None:
    """What is odd in a number that goes through the engine: beyond 2**53 it comes out as a text."""
    inner = list((shape.fields or {}).values()) + ([shape.item] if shape.item is not None else [])
    if _is_beyond(shape) or any(handed_over(one) is not None for one in inner):
        text = "the contract allows more digits than a double holds, and the engine makes a text of such a number"
        return Oddity("lost_digits", text, "copy it by a plain path, in a leaf of its own: {when: ..., value: field}")
    return None


def _chained(left: Node, right: Node, over: InferenceScope) -> Shape:
    if isinstance(right, Call) and None not in right.arguments:
        return _call(Call(right.function, (left, *right.arguments), right.at), over)
    if isinstance(right, Variable) and right.name in FUNCTIONS:
        return _call(Call(right, (left,), right.at), over)
    _of(left, over)
    return UNDECIDED


_LISTS = (frozenset({"array"}), frozenset({"array", MISSING}))


def _call(node: Call, over: InferenceScope) -> Shape:
    for one in node.arguments:
        if isinstance(one, Lambda):
            return UNDECIDED  # what a function makes of each is not followed
    shapes = [_of(one, over) for one in node.arguments if one is not None]
    if not isinstance(node.function, Variable):
        return UNDECIDED
    if None in node.arguments:
        return UNDECIDED
    name = node.function.name
    if name == "table":
        return _table(node, over)
    makes = FUNCTIONS.get(name)
    if makes is None:
        return UNDECIDED
    _judge_argument(name, shapes, over)
    if (
        name in IN_DOUBLES
        and shapes
        and (_is_beyond(shapes[0]) or (shapes[0].kinds in _LISTS and _is_beyond(item_of(shapes[0]))))
    ):
        text = f"${name} computes in doubles, and the contract allows more digits than they hold"
        over.odd.append(
            Oddity("lost_digits", text, "copy it as it is, or use $string, $dec_add, $dec_mul or $dec_round")
        )
    made = makes(shapes)
    # What is missing gives nothing, but for the few that answer for it.
    if name not in TOTAL and shapes and (shapes[0].kinds is None or shapes[0].may(MISSING)) and made.kinds is not None:
        made = made.also(MISSING) if shapes[0].kinds is not None else made
    is_personal = any(one.personal for one in shapes) and name not in HIDING
    return made if made.personal is is_personal else replace(made, personal=is_personal)


def _judge_argument(name: str, shapes: Sequence[Shape], over: InferenceScope) -> None:
    """A function over what it can never take."""
    wanted = "string" if name in OF_TEXT else "number" if name in OF_NUMBER else None
    if wanted is None or not shapes or shapes[0].kinds is None:
        return
    kinds = shapes[0].kinds - {MISSING}
    fits = {"string"} if wanted == "string" else {"number", "integer"}
    if kinds and not kinds & fits:
        over.odd.append(
            Oddity(
                "wrong_argument",
                f"${name} takes a {wanted}, and gets {' or '.join(sorted(kinds))}",
                "convert it first: $string(...), $number(...)",
            )
        )


def _table(node: Call, over: InferenceScope) -> Shape:
    if not node.arguments or not isinstance(node.arguments[0], Literal):
        return UNDECIDED
    table = over.tables.get(str(node.arguments[0].value))
    return union([of_value(value) for value in table.values()]) if table else UNDECIDED
