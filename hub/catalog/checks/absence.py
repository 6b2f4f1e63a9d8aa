"""Why a leaf may be missing: by which parts of its source. Two leaves that miss the same part are missing together, and
so is the object of both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from hub.core.analysis.function_types import FUNCTIONS, TOTAL
from hub.core.analysis.narrowing import path_of
from hub.core.expressions.syntax import tree
from hub.core.expressions.tree import Binary, Block, Call, Literal, Negate, Node, Step, Variable
from hub.core.message import Json
from hub.core.schemas.types import MISSING, Shape, field_of

Cause: TypeAlias = tuple[object, ...]  # the path of what is missing, with `null` behind it where it is null
FormOf: TypeAlias = Callable[[Json], str | None]


@dataclass(frozen=True, slots=True)
class Absence:
    """`causes`: where the leaf is missing, one of them is so. `denied`: where the leaf is there, none of them is so."""

    causes: frozenset[Cause]
    denied: frozenset[Cause]

    def is_shared(self, others: Iterable[Absence]) -> bool:
        """Whether all others are missing too where this one is."""
        return all(self.causes <= other.denied for other in others)


_NEVER = Absence(frozenset(), frozenset())


def absence(leaf: Json, scope: Shape, form_of: FormOf) -> Absence:
    """Why a leaf of a mapping may be missing."""
    if isinstance(leaf, str):
        return _both(_of_text(leaf, scope))
    if not isinstance(leaf, dict):
        return _NEVER
    match form_of(leaf):
        case "const":
            return _NEVER
        case "copy" | "each" as form:
            return _both(_of_text(leaf[form], scope))
        case "table":
            return _NEVER if "otherwise" in leaf else _both(_of_text(leaf.get("of"), scope))
        case "when":
            return _of_case(leaf, scope, form_of)
        case _:
            parts = [absence(part, scope, form_of) for part in leaf.values()]
            if not parts:
                return _both(frozenset({("nothing",)}))
            return Absence(
                min((part.causes for part in parts), key=len), frozenset.intersection(*(part.denied for part in parts))
            )


def _both(causes: frozenset[Cause]) -> Absence:
    return Absence(causes, causes)


def _of_case(leaf: dict[str, Json], scope: Shape, form_of: FormOf) -> Absence:
    """Where its condition does not hold it is missing; where it holds, it is by what its value is made of."""
    value = absence(leaf.get("value"), scope, form_of)
    if "otherwise" in leaf:
        return _both(frozenset({("case", str(leaf))})) if value.causes else _NEVER
    unmet: Cause = ("unmet", " ".join(str(leaf.get("when")).split()))
    return Absence(value.causes | {unmet}, value.denied | {unmet})


def _of_text(text: Json, scope: Shape) -> frozenset[Cause]:
    node = tree(text) if isinstance(text, str) else None
    return frozenset({("unknown", str(text))}) if node is None else _of(node, scope)


def _of(node: Node, scope: Shape) -> frozenset[Cause]:
    names = path_of(node)
    if names is not None:
        return _of_path(names, scope)
    match node:
        case Literal():
            return frozenset()
        case Block(parts=(one,)) | Negate(value=one):
            return _of(one, scope)
        case Binary(sign="&" | "=" | "!=" | "in" | "and" | "or"):
            return frozenset()
        case Binary(sign="+" | "-" | "*" | "/" | "%", left=left, right=right):
            return _of(left, scope) | _of(right, scope)
        case Call(function=Variable(name=name), arguments=(first, *_)) if (
            first is not None and name in FUNCTIONS and name not in TOTAL
        ):
            return _of(first, scope)
        case Step(left=left) if path_of(left) is not None and not _at(path_of(left) or [], scope).may("array"):
            return _of(left, scope) | {("unknown", repr(node))}
        case _:
            return frozenset({("unknown", repr(node))})


def _of_path(names: list[str], scope: Shape) -> frozenset[Cause]:
    causes: set[Cause] = set()
    for depth, name in enumerate(names, 1):
        if scope.kinds is None or scope.may("array"):
            causes.add(("unknown", *names))
            break
        scope = field_of(scope.only("object") if scope.may("object") else scope, name)
        if scope.may(MISSING) or scope.kinds is None:
            causes.add(tuple(names[:depth]))
        if depth < len(names) and scope.kinds is not None and scope.kinds - {"object", "array", MISSING}:
            causes.add((*names[:depth], None))
    return frozenset(causes)


def _at(names: list[str], scope: Shape) -> Shape:
    for name in names:
        scope = field_of(scope, name)
    return scope
