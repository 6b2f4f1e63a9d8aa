"""How often a contract looks at one value: what it applies to the same value multiplies, through references and from
level to level.

A schema of three kilobytes can ask for 9¹² looks at one number. So what may be asked is counted before the schema is
compiled or drawn, by the schema alone: at each place of a message, all sub-schemas that apply there, each as often as
it does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, TypeAlias

from hub.core.json import escape

MAX_LOOKS = 500  # sub-schemas that are applied to one value
MAX_WORK = 400_000  # of counting: some tenths of a second

Place: TypeAlias = "tuple[Any, ...]"
_LISTED = ("allOf", "anyOf", "oneOf")
_SINGLE = ("if", "then", "else", "not")


def looks_of(schema: dict[str, Any]) -> int:
    """The most sub-schemas that are applied to one value. Raises ValueError, `#/place: reason`, where those are too
    many.
    """
    counting = _Counting(schema)
    fault = counting.fault()
    if fault is not None:
        raise ValueError(fault)
    return counting.most


class _Counting:
    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._nodes: dict[int, tuple[Place, dict[str, Any]]] = {}
        self._closures: dict[int, Counter[int]] = {}
        self._work = 0
        self.most = 1

    def fault(self) -> str | None:
        start = Counter({self._known((), self._root): 1})
        waiting = [start]
        seen: set[frozenset[tuple[int, int]]] = set()
        while waiting:
            applied: Counter[int] = Counter()
            for node, number in waiting.pop().items():
                closure = self._closure(node, ())
                if isinstance(closure, str):
                    return closure
                for one, times in closure.items():
                    applied[one] += number * times
                self._work += len(closure)
            self.most = max(self.most, sum(applied.values()))
            if self.most > MAX_LOOKS:
                return self._too_often(applied)
            if self._work > MAX_WORK:
                return f"#: it is too intricate: the places of a message that its parts apply to cannot be told within {MAX_WORK} steps; use fewer choices"
            for below in self._below(applied):
                state = frozenset(below.items())
                if state not in seen:
                    seen.add(state)
                    waiting.append(below)
        return None

    def _too_often(self, applied: Counter[int]) -> str:
        place = self._nodes[applied.most_common(1)[0][0]][0]
        number = sum(applied.values())
        shown = str(number) if number < 10**9 else "more than a billion"
        return (
            f"#{''.join('/' + escape(str(step)) for step in place)}: one value is checked by {shown} parts of the schema; at most {MAX_LOOKS} are taken. "
            "Say each once: allOf, anyOf, oneOf and $ref multiply"
        )

    def _known(self, place: Place, node: dict[str, Any]) -> int:
        self._nodes.setdefault(id(node), (place, node))
        return id(node)

    def _closure(self, start: int, above: tuple[int, ...]) -> Counter[int] | str:
        """What applies to the value that `start` applies to, itself included; or why that has no end."""
        if start in self._closures:
            return self._closures[start]
        place, node = self._nodes[start]
        if start in above or len(above) > 200:
            return f"#{''.join('/' + escape(str(step)) for step in place)}: it refers to itself for one and the same value, without end"
        found = Counter({start: 1})
        for child_place, child in _in_place(self._root, place, node):
            inner = self._closure(self._known(child_place, child), (*above, start))
            if isinstance(inner, str):
                return inner
            self._work += len(inner)
            found.update(inner)
            if self._work > MAX_WORK:
                return f"#: it is too intricate: what applies to one value cannot be told within {MAX_WORK} steps; use fewer choices"
        self._closures[start] = found
        return found

    def _below(self, applied: Counter[int]) -> Iterator[Counter[int]]:  # noqa: C901  # one case per keyword
        """What applies to each value right below: by name, to any other name, and to the elements of a list."""
        names: dict[str, Counter[int]] = {}
        others: Counter[int] = Counter()
        elements: Counter[int] = Counter()
        for node, number in applied.items():
            place, schema = self._nodes[node]
            for word in ("properties", "patternProperties"):
                for name, child in _dict(schema.get(word)).items():
                    if isinstance(child, dict):
                        into = names.setdefault(name, Counter()) if word == "properties" else others
                        into[self._known((*place, word, name), child)] += number
            for word in ("additionalProperties", "unevaluatedProperties", "propertyNames"):
                if isinstance(child := schema.get(word), dict):
                    others[self._known((*place, word), child)] += number
            for word in ("items", "contains", "unevaluatedItems"):
                if isinstance(child := schema.get(word), dict):
                    elements[self._known((*place, word), child)] += number
            for index, child in enumerate(schema.get("prefixItems") or ()):
                if isinstance(child, dict):
                    elements[self._known((*place, "prefixItems", index), child)] += number
        # A name may fit a pattern too, and what is said of all others counts where no name is known: each is counted
        # with the patterns.
        yield from (named + others if others else named for named in names.values())
        if others:
            yield others
        if elements:
            yield elements


def _in_place(root: dict[str, Any], place: Place, node: dict[str, Any]) -> Iterator[tuple[Place, dict[str, Any]]]:  # noqa: C901  # one case per keyword
    for word in _LISTED:
        for index, child in enumerate(node.get(word) or ()):
            if isinstance(child, dict):
                yield (*place, word, index), child
    for word in _SINGLE:
        if isinstance(child := node.get(word), dict):
            yield (*place, word), child
    for name, child in _dict(node.get("dependentSchemas")).items():
        if isinstance(child, dict):
            yield (*place, "dependentSchemas", name), child
    reference = str(node.get("$ref", ""))
    if reference == "#":
        yield (), root
    elif reference.startswith("#/"):
        steps = tuple(step.replace("~1", "/").replace("~0", "~") for step in reference[2:].split("/"))
        target: Any = root
        for step in steps:
            target = (
                target.get(step) if isinstance(target, dict) else target[int(step)] if _is_index(target, step) else None
            )
        if isinstance(target, dict):
            yield steps, target


def _is_index(target: Any, step: str) -> bool:
    return isinstance(target, list) and step.isdecimal() and int(step) < len(target)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
