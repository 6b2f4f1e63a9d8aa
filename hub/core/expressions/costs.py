"""The reader of costs: what each node of an expression works and makes at most, as terms of the message's weight.

`near` is work over the context, which iterations share out among their elements; `far` is over what stands outside,
done once for each element. So with sizes: what `near_size` says is made of all elements together, `far_size` by each.
An element of a list is entered by turning what was near outside into far inside, variables and the context alike, so
that every nested iteration makes a product.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from hub.core.expressions import tree
from hub.core.expressions.cost_terms import ENTRY, MESSAGE, NONE, TELLING, Cost, Terms, constant
from hub.core.expressions.function_costs import EACH, FREE_PICTURE, LIBRARY, OF_CONTEXT, PICTURES, UNKNOWN
from hub.core.expressions.node_costs import (
    MAX_WIDTH,
    NEAR,
    NODE_WORK,
    ONE,
    SCALAR,
    Closure,
    Scope,
    Value,
    Work,
    copies_in,
    counted_in,
    held_in,
    is_text,
    joins,
    number_of,
    total,
)

MAX_COUNT = 10_000  # elements that ranges of literal numbers may make, one within another
MAX_GROWTH = 64  # times that a text or a list may be repeated
MAX_LOOKS = 20_000  # nodes that are looked at, those of a function once for each call
MAX_CALLS = 20  # of functions within each other
DEPTH = 64  # levels of a message: each descendant stands in `**` once for each of them
SORTED = 8  # comparisons of one element
_LOOK_UP = "sort or group the list once before ($m := list{key: value}), and look values up by their key"
_EACH_OF_EACH = "it goes through a list once for each element of a list"


class _TooMuch(Exception): ...  # a signal inside this module


class Reader:
    def __init__(self) -> None:
        self._unbounded = ("", "")
        self._said = ("", "")
        self._growth: dict[str, int] = {}
        self._calls: list[tree.Lambda] = []
        self._looks = 0
        self._names_outside = False

    def cost(self, node: tree.Node) -> Cost:
        """Raises RecursionError."""
        scope: dict[str, Value | Closure] = {"": NEAR, "$": NEAR}
        try:
            work = self._work(node, scope)
        except _TooMuch:
            work = Work()
            self._never_ends("its functions call each other again and again", "write what they do once")
        focuses = sum(isinstance(part, tree.Focus) for part in tree.walk(node))
        near, far = work.near + work.size.scaled(1 / 32) + ENTRY, work.far
        # The engine has all of what a path names at hand while it joins: nothing of it is shared out.
        for _ in range(focuses):
            near, far = near * MESSAGE, far * MESSAGE
        if focuses:
            self._say("@ and # join each with each", _LOOK_UP)
        if self._unbounded[0]:
            return Cost(is_unbounded=True, why=self._unbounded[0], instead=self._unbounded[1])
        # What is bound from outside is handed to the engine too.
        cost = Cost(near, far + MESSAGE.scaled(TELLING) if self._names_outside else far)
        return replace(cost, why=self._said[0], instead=self._said[1]) if cost.degree > 1 else cost

    def _work(self, node: tree.Node, scope: Scope) -> Work:  # noqa: C901, PLR0912  # one case per kind of node
        self._looks += 1
        if self._looks > MAX_LOOKS:
            raise _TooMuch
        match node:
            case tree.Literal():
                return Work(far_size=constant(1 + (len(node.value) / 16 if isinstance(node.value, str) else 0)))
            case tree.Name():
                return self._named(held_in(scope, ""))
            case tree.Special():
                return self._step(tree.Step(tree.Variable("", node.at), node, node.at), scope)
            case tree.Variable():
                self._names_outside |= node.name not in scope
                held = held_in(scope, node.name)
                return Work(NONE, NODE_WORK, held.near, held.far)
            case tree.Step():
                return self._step(node, scope)
            case tree.Filter():
                return self._filter(node, scope)
            case tree.Sort():
                base = self._work(node.base, scope)
                return self._each(base, node.terms, scope, times=SORTED).sized(base.near_size, base.far_size)
            case tree.Group():
                return self._each(
                    self._work(node.base, scope), [part for pair in node.pairs for part in pair], scope, times=4
                )
            case tree.Focus():
                return self._work(node.base, scope)
            case tree.Call():
                return self._call(node, scope)
            case tree.Chain():
                return self._chain(node, scope)
            case tree.Block():
                return self._block(node, dict(scope))
            case tree.Bind():
                return self._bind(node, dict(scope))
            case tree.Binary() if node.sign == "..":
                return self._range(node, scope)
            case tree.Binary():
                return self._binary(node, scope)
            case tree.Transform():
                return self._transform(NEAR, node, scope)
            case tree.Array() | tree.Object():
                self._grown(node)
                return self._all(tree.children(node), scope)
            case tree.Condition():
                return self._all(tree.children(node), scope)
            case tree.Lambda():  # a value, that nobody calls here
                return Work()
            case _:
                return self._all(tree.children(node), scope)

    def _all(self, nodes: Iterable[tree.Node], scope: Scope) -> Work:
        works = [self._work(node, scope) for node in nodes] or [Work()]
        whole = Work(far=NODE_WORK).plus(*works)
        return whole.sized(total(work.near_size for work in works), total(work.far_size for work in works) + ONE)

    # -- paths

    def _named(self, held: Value) -> Work:
        return Work(held.near.scaled(1 / 16), NODE_WORK, held.near, held.far)

    def _step(self, node: tree.Step, scope: Scope) -> Work:
        base, right = self._work(node.left, scope), node.right
        if isinstance(right, tree.Name) or (isinstance(right, tree.Special) and right.sign == "*"):
            # A field of a variable is one look; a longer path may lead through a list. Its limit says so, which the
            # engine keeps here.
            far = (
                NONE
                if isinstance(node.left, tree.Variable) and isinstance(right, tree.Name)
                else base.far_size.scaled(1 / 64)
            )
            return replace(base, near=base.near + base.near_size.scaled(1 / 16), far=base.far + far + NODE_WORK)
        if isinstance(right, tree.Special) and right.sign == "**":
            if any(isinstance(part, tree.Special) and part.sign == "**" for part in tree.walk(node.left)):
                self._say("it goes through all descendants of all descendants", "name the path")
                return Work(near=MESSAGE * MESSAGE, near_size=MESSAGE * MESSAGE)
            whole = replace(base, near=base.near + base.near_size.scaled(0.5), far=base.far + base.far_size.scaled(0.5))
            return whole.sized(base.near_size.scaled(DEPTH), base.far_size.scaled(DEPTH))
        if isinstance(right, tree.Special):  # the parent: all of it for each
            return base.sized(base.near_size * MESSAGE, base.far_size * MESSAGE)
        return self._each(base, [right], scope)

    def _filter(self, node: tree.Filter, scope: Scope) -> Work:
        base = self._work(node.base, scope)
        if node.predicate is None or isinstance(node.predicate, tree.Literal):
            return base
        return self._each(base, [node.predicate], scope).sized(base.near_size, base.far_size)

    def _each(self, base: Work, bodies: Iterable[tree.Node], scope: Scope, *, times: float = 1.0) -> Work:
        """`bodies` once for each of `base`, which is their context."""
        inner: dict[str, Value | Closure] = {**{name: held.outside() for name, held in scope.items()}, "": NEAR}
        works = [self._work(body, inner) for body in bodies] or [Work()]
        body = Work().plus(*works)
        body = body.sized(total(work.near_size for work in works), total(work.far_size for work in works))
        return self._times(base, body, times)

    def _times(self, base: Work, body: Work, times: float = 1.0) -> Work:
        near, far = base.near_size.repeated(), base.far_size.repeated()
        products = (base.near_size * body.far, base.far_size * body.far)
        if any(product.degree > max(1, body.far.degree) for product in products) and body.far.degree:
            self._say(_EACH_OF_EACH, _LOOK_UP)
        count = base.count * body.count
        if count > MAX_COUNT:
            self._never_ends(
                f"it makes more than {MAX_COUNT} elements of ranges", "make fewer, or none: a table has the values"
            )
        return Work(
            base.near + (body.near * near + products[0]).scaled(times),
            base.far + (body.near * far + products[1]).scaled(times),
            body.near_size * near + base.near_size * body.far_size,
            body.near_size * far + base.far_size * body.far_size,
            count,
        )

    # -- blocks and operators

    def _block(self, node: tree.Block, scope: dict[str, Value | Closure]) -> Work:
        """What a part binds, those behind it see."""
        works = [
            self._bind(part, scope) if isinstance(part, tree.Bind) else self._work(part, scope) for part in node.parts
        ]
        return Work(far=NODE_WORK).plus(*works)

    def _bind(self, node: tree.Bind, scope: dict[str, Value | Closure]) -> Work:
        if isinstance(node.value, tree.Lambda):
            scope[node.name] = Closure(node.value, scope)
            if any(isinstance(part, tree.Variable) and part.name == node.name for part in tree.walk(node.value.body)):
                self._recursive(node.name)
            return Work()
        work = self._work(node.value, scope)
        self._growth[node.name] = self._grown(node.value)
        scope[node.name] = Value(work.near_size, work.far_size)
        return work

    def _binary(self, node: tree.Binary, scope: Scope) -> Work:
        self._grown(node)
        left, right = self._work(node.left, scope), self._work(node.right, scope)
        both = Work(far=NODE_WORK).plus(left, right)
        near_size, far_size = left.near_size + right.near_size, left.far_size + right.far_size
        if node.sign == "&":
            both = replace(both, near=both.near + near_size.scaled(1 / 16), far=both.far + far_size.scaled(1 / 32))
            # a list becomes its JSON
            parts = [(work, 1 if is_text(part) else 2) for work, part in ((left, node.left), (right, node.right))]
            return both.sized(
                total(work.near_size.scaled(times) for work, times in parts),
                total(work.far_size.scaled(times) for work, times in parts),
            )
        if node.sign == "in":
            both = replace(both, near=both.near + near_size.scaled(1 / 8), far=both.far + right.far_size.scaled(1 / 8))
        elif node.sign in ("?:", "??"):
            return both.sized(near_size, far_size)
        else:
            # Two values are compared no further than the smaller of them goes.
            is_far = bool(left.far_size.degree and right.far_size.degree)
            both = replace(
                both, near=both.near + near_size.scaled(1 / 32), far=both.far + far_size.scaled(1 / 16 if is_far else 0)
            )
        return both.sized(NONE, ONE)

    def _range(self, node: tree.Binary, scope: Scope) -> Work:
        low, high = number_of(node.left), number_of(node.right)
        if low is not None and high is not None:
            count = max(1, int(high - low) + 1)
            return Work(NONE, constant(1 + count / 8), NONE, constant(count), count)
        last = counted_in(node.right)
        if last is not None and low is not None:
            counted = self._all(
                [part for part in last.arguments if part is not None] or [tree.Variable("", node.at)], scope
            )
            times = 16 if isinstance(last.function, tree.Variable) and last.function.name == "length" else 1
            return replace(
                counted,
                near=counted.near + counted.near_size.scaled(times / 8),
                far=counted.far + counted.far_size.scaled(times / 8),
            ).sized(counted.near_size.scaled(times), counted.far_size.scaled(times) + constant(abs(low)))
        self._never_ends(
            "a range ends where a number of the message says",
            "go through the list itself, or end the range with $count(list) or a number",
        )
        return Work()

    def _transform(self, over: Value, node: tree.Transform, scope: Scope) -> Work:
        """All of what it is over is copied."""
        copy = Work(over.near.scaled(4), over.far.scaled(4) + ONE, over.near, over.far)
        pattern = self._work(node.pattern, {**{name: held.outside() for name, held in scope.items()}, "": over})
        changes = self._each(pattern, [part for part in (node.update, node.delete) if part is not None], scope, times=2)
        return copy.plus(changes).sized(copy.near_size + changes.near_size, copy.far_size + changes.far_size)

    # -- functions

    def _chain(self, node: tree.Chain, scope: Scope) -> Work:
        right = node.right
        if isinstance(right, tree.Transform):
            left = self._work(node.left, scope)
            made = self._transform(Value(left.near_size, left.far_size), right, scope)
            return left.plus(made)
        function, arguments = (right.function, right.arguments) if isinstance(right, tree.Call) else (right, ())
        return self._call(tree.Call(function, (node.left, *arguments), node.at), scope)

    def _call(self, node: tree.Call, scope: Scope) -> Work:
        arguments = [part for part in node.arguments if part is not None]
        if isinstance(node.function, tree.Lambda):
            return self._apply(
                Closure(node.function, scope), [self._work(part, scope) for part in arguments], arguments
            )
        name = node.function.name if isinstance(node.function, tree.Variable) else ""
        held = scope.get(name) if name else Value()
        if isinstance(held, Closure):
            return self._apply(held, [self._work(part, scope) for part in arguments], arguments, name)
        if held is not None:
            said = f"${name} is called, and" if name else "what it calls"
            self._never_ends(f"{said} may be any function", "call functions by their own names")
            return Work()
        if name in EACH and len(arguments) >= 2:
            return self._iteration(name, arguments, scope)
        return self._known(name, node, arguments, scope)

    def _known(self, name: str, node: tree.Call, arguments: list[tree.Node], scope: Scope) -> Work:
        self._grown(node)
        known = LIBRARY.get(name, UNKNOWN)
        if len(arguments) < OF_CONTEXT.get(name, 1):
            arguments = [tree.Variable("", node.at), *arguments]
        works = [self._work(part, scope) for part in arguments if not isinstance(part, tree.Regex | tree.Lambda)]
        whole = Work().plus(*works)
        near_size, far_size = total(work.near_size for work in works), total(work.far_size for work in works)
        pattern = arguments[1] if len(arguments) > 1 else None
        if isinstance(pattern, tree.Regex):
            known = replace(known, times=max(known.times, 8.0), once=known.once + 8, makes=known.makes * 2)
        if name in PICTURES and any(not isinstance(part, tree.Literal | tree.Object) for part in arguments[1:]):
            known = FREE_PICTURE
        if name == "pad" and len(arguments) > 1:
            width = number_of(arguments[1])
            if width is None or abs(width) > MAX_WIDTH:
                self._never_ends(
                    "$pad makes a text as wide as it is told", f"write the width as a number of at most {MAX_WIDTH}"
                )
            else:
                far_size += constant(abs(width) / 16)
        whole = replace(
            whole,
            near=whole.near + near_size.scaled(known.times),
            far=whole.far + far_size.scaled(known.times) + constant(known.once),
        )
        if known.squared:
            square = near_size + far_size
            square = (square * square).scaled(known.squared)
            whole = replace(
                whole,
                near=whole.near + (square if near_size.of[1] or near_size.degree else NONE),
                far=whole.far if near_size.degree else whole.far + square,
            )
        if not known.makes:
            return whole.sized(NONE, ONE)
        whole = whole.sized(near_size.scaled(known.makes), far_size.scaled(known.makes))
        return self._repeating(name, arguments, works, whole, scope)

    def _repeating(self, name: str, arguments: list[tree.Node], works: list[Work], whole: Work, scope: Scope) -> Work:
        """What `$join` and `$replace` put in, as often as the message says."""
        part = (
            arguments[1]
            if name == "join" and len(arguments) > 1
            else arguments[2]
            if name == "replace" and len(arguments) > 2
            else None
        )
        if part is None:
            return whole
        times = 1 if name == "join" else 16  # a separator for each element, a replacement for each character
        if isinstance(part, tree.Literal):
            length = times * (1 + len(str(part.value)) / 16)
            made = whole.sized(whole.near_size.scaled(length), whole.far_size.scaled(length))
        elif isinstance(part, tree.Lambda):
            made = self._over(
                works[0].sized(works[0].near_size.scaled(times), works[0].far_size.scaled(times)), part, scope, ["near"]
            )
            return Work(
                whole.near + made.near,
                whole.far + made.far,
                whole.near_size + made.near_size,
                whole.far_size + made.far_size,
                made.count,
            )
        else:
            self._say(
                f"${name} repeats a text of the message as often as the message says",
                "write that text into the expression",
            )
            made = (
                whole.sized(works[0].size * whole.size.scaled(times), NONE)
                if works[0].near_size.degree
                else whole.sized(NONE, whole.size * whole.size)
            )
        return replace(made, near=made.near + made.near_size.scaled(1 / 8), far=made.far + made.far_size.scaled(1 / 8))

    def _iteration(self, name: str, arguments: list[tree.Node], scope: Scope) -> Work:
        base, function = self._work(arguments[0], scope), arguments[1]
        first = self._work(arguments[2], scope) if len(arguments) > 2 else Work(far_size=NONE)
        base = replace(base, near=base.near + first.near, far=base.far + first.far)
        held = (
            scope.get(function.name)
            if isinstance(function, tree.Variable)
            else Closure(function, scope)
            if isinstance(function, tree.Lambda)
            else None
        )
        if not isinstance(held, Closure):
            library = (
                LIBRARY.get(function.name, UNKNOWN) if isinstance(function, tree.Variable) and held is None else UNKNOWN
            )
            if name != "reduce" and library.makes <= 4 and not library.squared and not library.is_joining:
                return replace(
                    base,
                    near=base.near + base.near_size.scaled(2 + library.times),
                    far=base.far + base.far_size.scaled(2 + library.times),
                )
            square = base.size * base.size
            return replace(base, near=base.near + square, near_size=square)
        kinds = {
            "sort": ["near", "near"],
            "each": ["near", "near", "far"],
            "sift": ["near", "near", "far"],
            "reduce": ["far", "near", "one", "far"],
        }
        work = self._over(
            base,
            held.function,
            held.scope,
            kinds.get(name, ["near", "one", "far"]),
            times=SORTED if name == "sort" else 1,
        )
        if name in ("filter", "single", "sift", "sort"):
            return work.sized(base.near_size, base.far_size)
        if name == "reduce":
            added = self._over(base, held.function, held.scope, ["one", "near", "one", "far"]).size
            return self._reduction(held.function, work, added).sized(
                added + base.near_size + first.near_size, base.far_size + first.far_size
            )
        return work

    def _over(self, base: Work, function: tree.Lambda, scope: Scope, kinds: list[str], *, times: float = 1.0) -> Work:
        """A function for each of `base`: its parameters are its own, the context is where it was written."""
        values = {"near": NEAR, "far": Value(NONE, base.size + ONE), "one": SCALAR}
        inner: dict[str, Value | Closure] = {name: held.outside() for name, held in scope.items()}
        inner |= {
            parameter: values[kinds[place] if place < len(kinds) else "far"]
            for place, parameter in enumerate(function.parameters)
        }
        body = self._called(function, inner)
        return self._times(base, replace(body, far=body.far + ONE), times)

    def _reduction(self, function: tree.Lambda, work: Work, added: Terms) -> Work:
        """`added`: by all elements together."""
        if not function.parameters:
            return work
        held = function.parameters[0]
        uses = sum(isinstance(part, tree.Variable) and part.name == held for part in tree.walk(function.body))
        grows = any(joins(part) for part in tree.walk(function.body))
        if grows and uses > 1:
            self._never_ends(
                f"$reduce repeats ${held} within itself", f"use ${held} once in each step, or $join and $map"
            )
        elif grows and uses:
            self._say(
                f"$reduce copies ${held} for each element",
                "build the list with $map or $filter, and join it once with $join",
            )
            work = replace(work, near=work.near + MESSAGE * added)
        return work

    def _apply(self, held: Closure, works: list[Work], arguments: list[tree.Node], name: str = "") -> Work:
        inner: dict[str, Value | Closure] = {variable: value.outside() for variable, value in held.scope.items()}
        inner |= {
            parameter: Value(work.near_size, work.far_size)
            for parameter, work in zip(held.function.parameters, works, strict=False)
        }
        inner |= dict.fromkeys(held.function.parameters[len(works) :], SCALAR)
        growth = dict(self._growth)
        self._growth |= {
            parameter: self._grown(part) for parameter, part in zip(held.function.parameters, arguments, strict=False)
        }
        body = self._called(held.function, inner, name)
        self._growth = growth
        return Work().plus(*works, body)

    def _called(self, function: tree.Lambda, inner: Scope, name: str = "") -> Work:
        if function in self._calls or len(self._calls) > MAX_CALLS:
            self._recursive(name)
            return Work()
        self._calls.append(function)
        body = self._work(function.body, inner)
        self._calls.pop()
        return body

    # -- growth, and what is said

    def _grown(self, node: tree.Node) -> int:
        number = copies_in(node, self._growth)
        repeated = (
            [part.name for part in tree.walk(node) if isinstance(part, tree.Variable) and part.name in self._growth]
            if number > MAX_GROWTH
            else []
        )
        if len(repeated) > len(set(repeated)):
            self._never_ends(
                "it repeats a text or a list within itself, again and again",
                "build what is wanted once, with $join over a list",
            )
        return number

    def _recursive(self, name: str) -> None:
        what = f"${name}" if name else "a function"
        self._never_ends(
            f"{what} calls itself", "go through a list with $map, $filter or $reduce, which end where the list ends"
        )

    def _say(self, why: str, instead: str) -> None:
        self._said = self._said if self._said[0] else (why, instead)

    def _never_ends(self, why: str, instead: str) -> None:
        self._unbounded = self._unbounded if self._unbounded[0] else (why, instead)
