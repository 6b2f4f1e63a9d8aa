"""What an expression may cost, told from its text: how its work grows with the message, and whether anything bounds it at all.

An estimate for two uses: the check warns, and `core.door` chooses where an expression runs. It is not a proof: what looks cheap and is not is
stopped by its time limit. `degree`: 1 grows with the size of the message, 2 with its square. `is_unbounded`: with nothing in the message.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from hub.core.syntax import read
from hub.core.tree import (
    Array,
    Binary,
    Bind,
    Block,
    Call,
    Chain,
    Filter,
    Group,
    Lambda,
    Literal,
    Name,
    Node,
    Object,
    Sort,
    Special,
    Step,
    Transform,
    Variable,
    children,
    walk,
)

MAX_COUNT = 10_000  # elements that ranges of literal numbers may make, one within another
MAX_GROWTH = 64  # times that a text or a list may be repeated
MAX_WIDTH = 1_000  # of `$pad`
WORK = 4_096  # values of a message, to the power of the degree, that are worked off in place: some milliseconds
_EACH = frozenset({"map", "filter", "reduce", "each", "sift", "single", "sort"})
_JOINING = frozenset({"append", "join", "merge", "string", "zip"})
# What goes through all of a list that it is given.
_WHOLE = frozenset({"append", "average", "count", "distinct", "join", "keys", "max", "merge", "min", "reverse", "spread", "sum", "zip"})


@dataclass(frozen=True, slots=True)
class Cost:
    """`why` and `instead` are empty where its writer need not be told."""

    degree: int = 1
    is_unbounded: bool = False
    why: str = ""
    instead: str = ""

    def is_heavy(self, values: int) -> bool:
        """Whether it is too much to be worked off in place over a message of so many values."""
        return self.is_unbounded or values**self.degree > WORK


@dataclass(frozen=True, slots=True)
class _Work:
    """`near`: over the context, which iterations share out; `far`: over what stands outside, once for each element."""

    near: int = 0
    far: int = 0
    count: int = 1  # elements that literal ranges make


LINEAR = Cost()
_UNREAD = Cost(degree=2)  # the engine takes it, our reader does not


@lru_cache(maxsize=20_000)
def cost_of(text: str) -> Cost:
    """Of an expression that is no plain path."""
    try:
        node = read(text)
    except ValueError:
        return _UNREAD
    reader = _Reader()
    try:
        work = reader.work(node, {})
    except RecursionError:
        return _UNREAD
    if reader.unbounded is not None:
        return reader.unbounded
    degree = max(1, work.near, work.far)
    if degree == 1:
        return LINEAR
    return Cost(degree, why=reader.why, instead=reader.instead)


_LOOK_UP = "sort or group the list once before ($m := list{key: value}), and look values up by their key"
_Scope = Mapping[str, "Lambda | str"]  # variables: a function, `near` (a parameter), or `far`


class _Reader:
    def __init__(self) -> None:
        self.unbounded: Cost | None = None
        self.why = ""
        self.instead = ""
        self._growth: dict[str, int] = {}
        self._calls: list[str] = []

    def work(self, node: Node, scope: _Scope) -> _Work:
        match node:
            case Literal():
                return _Work()
            case Name() | Special():
                return _Work(near=1)
            case Variable():
                return _Work(near=1) if node.name == "" or scope.get(node.name) == "near" else _Work()
            case Step() | Filter() | Sort() | Group():
                return self._over(node, scope)
            case Call():
                return self._call(node, scope)
            case Chain():
                right = node.right
                function, arguments = (right.function, right.arguments) if isinstance(right, Call) else (right, ())
                return self._call(Call(function, (node.left, *arguments), node.at), scope)
            case Block():
                inner = dict(scope)
                return _most([self._part(part, inner) for part in node.parts])
            case Bind():
                return self._bind(node, dict(scope))
            case Binary() if node.sign == "..":
                return self._range(node, scope)
            case Binary():
                self._grown(node)
                both = _most([self.work(node.left, scope), self.work(node.right, scope)])
                return replace(both, far=max(both.far, 1)) if node.sign == "in" and _is_far(node.right, scope) else both
            case Lambda():
                return self.work(node.body, {**scope, **dict.fromkeys(node.parameters, "near")})
            case Transform():
                return replace(_most([self.work(one, scope) for one in children(node)]), near=1)
            case _:
                self._grown(node)
                return _most([self.work(one, scope) for one in children(node)])

    def _part(self, part: Node, scope: dict[str, Lambda | str]) -> _Work:
        """A part of a block: what it binds, those behind it see."""
        return self._bind(part, scope) if isinstance(part, Bind) else self.work(part, scope)

    def _bind(self, node: Bind, scope: dict[str, Lambda | str]) -> _Work:
        if isinstance(node.value, Lambda):
            scope[node.name] = node.value
            if any(isinstance(one, Variable) and one.name == node.name for one in walk(node.value.body)):
                self._unbounded(f"${node.name} calls itself", "go through a list with $map, $filter or $reduce, which end where the list ends")
            return _Work()
        found = self.work(node.value, scope)
        self._growth[node.name] = self._grown(node.value)
        scope[node.name] = "far"
        return found

    def _over(self, node: Step | Filter | Sort | Group, scope: _Scope) -> _Work:
        base = node.left if isinstance(node, Step) else node.base
        bodies: list[Node]
        if isinstance(node, Step):
            bodies = [node.right]
            if isinstance(node.right, Special) and node.right.sign == "**" and any(isinstance(one, Special) and one.sign == "**" for one in walk(base)):
                self._say("it goes through all descendants of all descendants", "name the path")
                return _Work(near=2)
        elif isinstance(node, Filter):
            bodies = [node.predicate] if node.predicate is not None and not isinstance(node.predicate, Literal) else []
        elif isinstance(node, Sort):
            bodies = list(node.terms)
        else:
            bodies = [one for pair in node.pairs for one in pair]
        return self._each(base, bodies, scope)

    def _each(self, base: Node, bodies: Iterable[Node], scope: _Scope) -> _Work:
        """`bodies` once for each element of `base`."""
        whole = self.work(base, scope)
        is_far = _is_far(base, scope)
        for body in bodies:
            if isinstance(body, Name):
                continue  # a path: where it leads to one value, it costs nothing; where it leads to many, its time limit says so
            if is_far:
                whole = replace(whole, far=max(whole.far, 1))
            inner = self.work(body, scope)
            far = max(inner.far, 1) if _is_far(body, scope) and isinstance(body, Block | Array | Object) else inner.far
            if far:
                self._say("it goes through a list once for each element of a list", _LOOK_UP)
            near = max(whole.near, inner.near, (1 + far) if far and not is_far else 0)
            whole = _Work(near, max(whole.far, 1 + far if is_far else 0), whole.count * inner.count)
        if whole.count > MAX_COUNT:
            self._unbounded(f"it makes more than {MAX_COUNT} elements of ranges", "make fewer, or none: a table has the values")
        return whole

    def _call(self, node: Call, scope: _Scope) -> _Work:
        name = node.function.name if isinstance(node.function, Variable) else ""
        arguments = [one for one in node.arguments if one is not None]
        made_here = scope.get(name)
        if isinstance(made_here, Lambda):
            return self._apply(name, made_here, arguments, scope)
        if made_here is not None and not isinstance(node.function, Lambda):
            self._unbounded(f"${name} is called, and may be any function", "call functions by their own names")
            return _Work()
        if name in _EACH and len(arguments) >= 2:
            return self._iteration(name, arguments, scope)
        found = _most([self.work(one, scope) for one in arguments] or [_Work()])
        if name in _WHOLE and any(_is_far(one, scope) for one in arguments):
            found = replace(found, far=max(found.far, 1))
        self._grown(node)
        if name == "pad" and len(arguments) > 1 and not _is_small(arguments[1]):
            self._unbounded("$pad makes a text as wide as it is told", f"write the width as a number of at most {MAX_WIDTH}")
        if (name == "join" and len(arguments) > 1 and not isinstance(arguments[1], Literal)) or (
            name == "replace" and len(arguments) > 2 and not isinstance(arguments[2], Literal | Lambda)
        ):
            self._say(f"${name} repeats a text of the message as often as the message says", "write that text into the expression")
            found = replace(found, near=max(found.near, 2))
        return found

    def _iteration(self, name: str, arguments: list[Node], scope: _Scope) -> _Work:
        function = arguments[1]
        if isinstance(function, Variable) and isinstance(scope.get(function.name), Lambda):
            known = scope[function.name]
            assert isinstance(known, Lambda)
            function = known
        if not isinstance(function, Lambda):
            return self._each(arguments[0], [], scope)
        inner = {**scope, **dict.fromkeys(function.parameters, "near")}
        whole = self._each(arguments[0], [], scope)
        if _is_far(arguments[0], scope):
            whole = replace(whole, far=max(whole.far, 1))
        body = self.work(function.body, inner)
        if body.far:
            self._say("it goes through a list once for each element of a list", _LOOK_UP)
            whole = replace(whole, near=max(whole.near, 1 + body.far))
        whole = replace(whole, near=max(whole.near, body.near, 1), count=whole.count * body.count)
        if name == "reduce" and function.parameters:
            held = function.parameters[0]
            uses = sum(isinstance(one, Variable) and one.name == held for one in walk(function.body))
            grows = any(_joins(one) for one in walk(function.body))
            if grows and uses > 1:
                self._unbounded(f"$reduce repeats ${held} within itself", f"use ${held} once in each step, or $join and $map")
            elif grows and uses:
                self._say(f"$reduce copies ${held} for each element", "build the list with $map or $filter, and join it once with $join")
                whole = replace(whole, near=whole.near + 1)
        return whole

    def _apply(self, name: str, function: Lambda, arguments: list[Node], scope: _Scope) -> _Work:
        if name in self._calls or len(self._calls) > 20:
            self._unbounded(f"${name} calls itself", "go through a list with $map, $filter or $reduce, which end where the list ends")
            return _Work()
        self._calls.append(name)
        inner = {**scope, **dict.fromkeys(function.parameters, "near")}
        held = dict(self._growth)
        self._growth |= {parameter: self._grown(one) for parameter, one in zip(function.parameters, arguments, strict=False)}
        body = self.work(function.body, inner)
        self._growth = held
        self._calls.pop()
        return _most([body, *(self.work(one, scope) for one in arguments)])

    def _range(self, node: Binary, scope: _Scope) -> _Work:
        if isinstance(node.left, Literal) and isinstance(node.right, Literal):
            low, high = node.left.value, node.right.value
            is_number = all(isinstance(one, int | float) or hasattr(one, "to_integral_value") for one in (low, high))
            return _Work(count=max(1, int(high - low) + 1) if is_number else 1)
        if any(isinstance(one, Call) and isinstance(one.function, Variable) and one.function.name in ("count", "length") for one in walk(node.right)):
            return _most([_Work(near=1), self.work(node.left, scope), self.work(node.right, scope)])
        self._unbounded("a range ends where a number of the message says", "go through the list itself, or end the range with $count(list) or a number")
        return _Work()

    def _grown(self, node: Node) -> int:
        """How often what it is made of stands in what it makes; literals count as one."""
        match node:
            case Variable():
                return self._growth.get(node.name, 1)
            case Binary() if node.sign == "&":
                number = self._grown(node.left) + self._grown(node.right)
            case Array():
                number = sum(self._grown(one) for one in node.items)
            case Block() | Object():
                number = max((self._grown(one) for one in children(node)), default=1)
            case Call() if isinstance(node.function, Variable) and node.function.name in _JOINING:
                number = sum(self._grown(one) for one in node.arguments if one is not None)
            case _:
                return 1
        repeated = [one.name for one in walk(node) if isinstance(one, Variable) and one.name in self._growth]
        if number > MAX_GROWTH and len(repeated) > len(set(repeated)):
            self._unbounded("it repeats a text or a list within itself, again and again", "build what is wanted once, with $join over a list")
        return number

    def _say(self, why: str, instead: str) -> None:
        self.why, self.instead = self.why or why, self.instead or instead

    def _unbounded(self, why: str, instead: str) -> None:
        if self.unbounded is None:
            self.unbounded = Cost(degree=3, is_unbounded=True, why=why, instead=instead)


def _most(works: Iterable[_Work]) -> _Work:
    found = list(works)
    return _Work(max(one.near for one in found), max(one.far for one in found), max(one.count for one in found)) if found else _Work()


def _is_far(node: Node, scope: _Scope) -> bool:
    """Whether it is, or ends in, a path from outside the context: `$$`, or a variable that holds a value."""
    match node:
        case Variable():
            return node.name == "$" or scope.get(node.name) == "far" or (node.name not in scope and node.name not in ("", "$"))
        case Step():
            return _is_far(node.left, scope)
        case Filter() | Sort() | Group():
            return _is_far(node.base, scope)
        case Block():
            return bool(node.parts) and _is_far(node.parts[-1], scope)
        case Array():
            return any(_is_far(one, scope) for one in node.items)
        case Object():
            return any(_is_far(value, scope) for _, value in node.pairs)
        case _:
            return False


def _joins(node: Node) -> bool:
    match node:
        case Binary():
            return node.sign == "&"
        case Array():
            return bool(node.items)
        case Call():
            return isinstance(node.function, Variable) and node.function.name in _JOINING
        case _:
            return False


def _is_small(width: Node) -> bool:
    value = getattr(width, "value", None)
    if not isinstance(width, Literal):  # a minus before a number
        value = getattr(value, "value", None)
    return value is not None and not isinstance(value, str | bool) and abs(value) <= MAX_WIDTH
