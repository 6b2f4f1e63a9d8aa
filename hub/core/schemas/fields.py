"""The fields of a contract, to be read: path, kind, whether it is required, what its values may be. In the words of
refusals, so that both say the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from hub.core.documents.pointers import ELEMENT, names_in
from hub.core.json import escape
from hub.core.schemas import fault_texts
from hub.core.schemas.contract import Contract
from hub.core.schemas.specimen import resolved
from hub.core.schemas.types import MISSING, Shape, field_of, is_closed, item_of, names_of, of_schema, required_of

MAX_DEPTH = 8
_BEYOND = ("if", "not", "contains", "dependentSchemas", "dependentRequired", "propertyNames")  # what no table can say


@dataclass(frozen=True, slots=True)
class Field:
    """One field, or the elements of an array (`tags[]`), or the values under any other name (`extras.*`).

    `values`: the only ones that it may have, as JSON writes them but for quotes. `patterns`: regular expressions, all
    of which it must meet.
    `place`: the same as `path` as a pointer, `*` for each element (`/items/*/sku`). `is_personal`: it, or what it is
    part of, is marked `x-pii`.
    """

    path: str
    kind: str
    is_required: bool
    limits: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    about: str = ""
    place: str = ""
    is_personal: bool = False


def fields(contract: Contract) -> list[Field]:
    """All fields, the required ones first within their object."""
    found = _below(of_schema(contract.schema), "", "", 0, frozenset())
    return [replace(one, is_personal=_is_personal(contract, one.place)) for one in found]


def _is_personal(contract: Contract, place: str) -> bool:
    """Whether it is marked; `*` stands for each element, and for each other name."""
    names = names_in(place)
    return contract.is_personal([0 if name == ELEMENT else name for name in names]) or contract.is_personal([*names])


def takes_others(contract: Contract) -> bool:
    """Whether fields that the contract does not have are let through."""
    return not is_closed(of_schema(contract.schema))


def beyond(contract: Contract) -> list[str]:
    """The keywords by which the whole message is bound, and which no table of fields can say."""
    words = (*_BEYOND, "anyOf", "oneOf")
    return [word for word in words if any(word in node for node in _same(contract.schema, contract.schema))]


def _below(shape: Shape, under: str, at: str, depth: int, above: frozenset[int]) -> Iterator[Field]:
    here = frozenset(
        id(node)
        for schema in shape.schemas
        for node in schema.nodes
        if "properties" in node or "additionalProperties" in node
    )
    # A schema that contains itself is told once: below it the same would stand again, in as many ways as it has fields.
    if depth > MAX_DEPTH or (here and here <= above):
        return
    above |= here
    required = required_of(shape)
    for name in sorted(names_of(shape), key=lambda one: (one not in required, one)):
        nodes = [
            (schema.root, node["properties"][name])
            for schema in shape.schemas
            for node in schema.nodes
            if name in node.get("properties", {})
        ]
        yield from _one(
            f"{under}{name}",
            f"{at}/{escape(name)}",
            field_of(shape, name),
            nodes,
            depth,
            above,
            is_required=name in required,
        )
    for schema in shape.schemas:
        for node in schema.nodes:
            if isinstance(node.get("additionalProperties"), dict):
                rest = node["additionalProperties"]
                yield from _one(
                    f"{under}*",
                    f"{at}/{ELEMENT}",
                    of_schema(schema.root, rest),
                    [(schema.root, rest)],
                    depth,
                    above,
                    is_required=False,
                )


def _one(
    path: str,
    place: str,
    shape: Shape,
    nodes: list[tuple[dict[str, Any], Any]],
    depth: int,
    above: frozenset[int],
    *,
    is_required: bool,
) -> Iterator[Field]:
    kind = " or ".join(sorted((shape.kinds or frozenset({"anything"})) - {MISSING}))
    yield replace(_described(path, kind, nodes, is_required=is_required), place=place)
    if shape.may("object"):
        yield from _below(shape.without("array"), f"{path}.", place, depth + 1, above)
    if shape.may("array"):
        element = item_of(shape)
        if element.may("object"):
            yield from _below(element, f"{path}[].", f"{place}/{ELEMENT}", depth + 1, above)
        else:
            items = [
                (root, one["items"])
                for root, node in nodes
                for one in _same(root, node)
                if isinstance(one.get("items"), dict)
            ]
            if items:
                yield from _one(f"{path}[]", f"{place}/{ELEMENT}", element, items, depth + 1, above, is_required=False)


def _described(path: str, kind: str, nodes: list[tuple[dict[str, Any], Any]], *, is_required: bool) -> Field:
    limits: dict[str, None] = {}  # in their order, each once
    values: dict[str, None] = {}
    patterns: dict[str, None] = {}
    about = ""
    for root, start in nodes:
        for node in _same(root, start):
            limits |= dict.fromkeys(_limits(node))
            values |= dict.fromkeys(
                _written(one) for one in node.get("enum", [node["const"]] if "const" in node else [])
            )
            patterns |= dict.fromkeys([str(node["pattern"])] if "pattern" in node else [])
            about = about or str(node.get("description") or node.get("title") or "")
    return Field(path, kind, is_required, tuple(limits), tuple(values), tuple(patterns), about)


def _same(root: dict[str, Any], start: Any) -> Iterator[dict[str, Any]]:
    """A schema and all that must hold with it: what it refers to, what it is made of, and the only real branch of a
    choice (`or null`).
    """
    waiting, seen = [start], set()
    while waiting:
        node = waiting.pop(0)
        if not isinstance(node, dict) or id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        waiting += node.get("allOf", ())
        waiting += [target] if (target := resolved(root, node.get("$ref"))) is not None else []
        for word in ("anyOf", "oneOf"):
            branches = _branches(node, word)
            waiting += branches if len(branches) == 1 else []


def _branches(node: dict[str, Any], word: str) -> list[Any]:
    return [branch for branch in node.get(word, ()) if branch != {"type": "null"}]


def _limits(node: dict[str, Any]) -> Iterator[str]:
    yield from fault_texts.bounds(node)
    yield from fault_texts.forms(node)
    if "x-unit" in node:
        yield f"in {node['x-unit']}"
    if node.get("x-money"):
        yield "money, of which all digits are kept"
    if "x-pii" in node:
        yield "personal"
    if "default" in node:
        yield f"{_written(node['default'])} where it is missing"
    if node.get("deprecated"):
        yield "deprecated"
    for word in ("anyOf", "oneOf"):
        branches = _branches(node, word)
        told = [
            fault_texts.want(branch)
            for branch in branches
            if isinstance(branch, dict) and "properties" not in branch and "$ref" not in branch
        ]
        if len(branches) > 1:
            yield (
                "either " + "; or ".join(told)
                if len(told) == len(branches)
                else f"one of {len(branches)} forms: see the schema"
            )
    beyond = [word for word in _BEYOND if word in node]
    if beyond:
        yield f"see the schema for its {' and '.join(beyond)}"


def _written(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
