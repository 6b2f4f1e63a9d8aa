"""What a value can be, as far as a contract or an expression says: for checks before anything is sent. In doubt it says
so, and never guesses.

A `Shape` is what may stand at one place: its kinds, its finite values if there are few, its length, format and so on.
Objects and arrays of a contract are followed lazily, so that recursive schemas cost nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import reduce
from typing import Any, TypeAlias

from hub.core.schemas.bounds import lengths_of, span_of
from hub.core.schemas.ranges import ANY, Range

MISSING = "missing"
SCALARS = frozenset({"string", "number", "integer", "boolean"})
MAX_ALTERNATIVES = 24
MAX_CONJUNCTS = 64
SAFE = 2**53

Conjunct: TypeAlias = "tuple[dict[str, Any], ...]"


@dataclass(frozen=True, slots=True)
class Schema:
    """Schemas that all hold for one value, within their document. `seen` keeps what its fields were found to be."""

    root: dict[str, Any]
    nodes: Conjunct
    seen: dict[str, Shape] = field(default_factory=dict, compare=False, repr=False)


# not frozen, as they are made by the million, and a frozen one takes twice as long to make; nobody changes one
@dataclass(slots=True)
class Shape:
    """What may stand at a place. `kinds` None: undecided. `values`: the only scalars that it can be, None if they are
    many.

    `many`: a path over an array, which gives nothing, one or an array of many. `schemas`: where its objects and arrays
    come from; `fields` and `item`: of those that an expression makes, which are never empty if `filled`. `span` bounds
    its numbers, `between` its texts.
    """

    kinds: frozenset[str] | None = None
    values: frozenset[Any] | None = None
    shortest: int | None = None
    longest: int | None = None
    span: Range = ANY
    between: Range = ANY
    patterns: frozenset[str] = frozenset()
    filled: bool = False
    hollow: bool = False  # a path over a list: it gives nothing only where the list is empty
    is_computed: bool = False  # its bounds are those of arithmetic: it need not reach them
    formats: frozenset[str] = frozenset()
    many: bool = False
    schemas: tuple[Schema, ...] = ()
    fields: Mapping[str, Shape] | None = None
    item: Shape | None = None
    personal: bool = False
    # a number that a double may not hold: its contract says that it goes beyond 2**53, or that it is money
    long_number: bool = False
    known: Mapping[str, Shape] | None = None  # fields of which a condition has proven more than their contract says
    # names that closed contracts do not have, met on the way
    unknown: tuple[str, ...] = field(default=(), compare=False)

    @property
    def is_decided(self) -> bool:
        return self.kinds is not None

    def may(self, kind: str) -> bool:
        """Whether it can be of this kind, as far as is known."""
        return self.kinds is not None and kind in self.kinds

    def without(self, *kinds: str) -> Shape:
        return (
            self
            if self.kinds is None or self.kinds.isdisjoint(kinds)
            else replace(self, kinds=self.kinds.difference(kinds))
        )

    def only(self, *kinds: str) -> Shape:
        """What it is where it is of these kinds."""
        return (
            self
            if self.kinds is None or self.kinds.issubset(kinds)
            else replace(self, kinds=self.kinds.intersection(kinds))
        )

    def also(self, *kinds: str) -> Shape:
        if self.kinds is None:
            return self
        hollow = self.hollow and MISSING not in kinds
        return (
            self
            if self.kinds.issuperset(kinds) and hollow is self.hollow
            else replace(self, kinds=self.kinds.union(kinds), hollow=hollow)
        )


_WHOLE = (frozenset({"object"}), frozenset({"array"}))
_HOLLOW = (frozenset({MISSING}), frozenset({"null"}), frozenset({MISSING, "null"}))

UNDECIDED = Shape()
NOTHING = Shape(frozenset({MISSING}))


def of_kind(*kinds: str, **more: Any) -> Shape:
    return Shape(frozenset(kinds), **more)


def of_value(value: Any) -> Shape:
    """What a constant is."""
    match value:
        case None:
            return of_kind("null")
        case bool():
            return of_kind("boolean", values=frozenset({value}))
        case int() | float() | Decimal():
            return of_kind(
                "integer" if value == int(value) else "number", values=frozenset({value}), span=Range(value, value)
            )
        case str():
            return of_kind("string", values=frozenset({value}), shortest=len(value), longest=len(value))
        case list():
            return of_kind(
                "array", item=union([of_value(one) for one in value]) if value else NOTHING, filled=bool(value)
            )
        case dict():
            return of_kind("object", fields={name: of_value(one) for name, one in value.items()})
        case _:
            return UNDECIDED


def union(shapes: Iterable[Shape]) -> Shape:
    """What is one of several."""
    found = list(shapes)
    if not found:
        return NOTHING
    if len(found) == 1:
        return found[0]
    if any(one.kinds is None for one in found):
        return replace(UNDECIDED, unknown=tuple(name for one in found for name in one.unknown))
    real = [one for one in found if one.kinds not in _HOLLOW]
    texts = [one for one in real if one.may("string")]
    return Shape(
        kinds=frozenset().union(*(one.kinds or () for one in found)),
        values=frozenset().union(*(one.values or () for one in real))
        if real and all(one.values is not None for one in real)
        else None,
        shortest=min((one.shortest or 0 for one in texts), default=None)
        if texts and all(one.shortest is not None for one in texts)
        else None,
        longest=max((one.longest or 0 for one in texts), default=None)
        if texts and all(one.longest is not None for one in texts)
        else None,
        span=_hull([one.span for one in real if one.may("number") or one.may("integer")]),
        between=_hull([one.between for one in texts]),
        patterns=frozenset.intersection(*(one.patterns for one in texts)) if texts else frozenset(),
        hollow=any(one.hollow for one in found) and all(one.hollow for one in found if one.may(MISSING)),
        is_computed=any(one.is_computed for one in real),
        filled=all(one.filled for one in real if one.may("array")) and any(one.may("array") for one in real),
        formats=frozenset.intersection(*(one.formats for one in texts)) if texts else frozenset(),
        many=any(one.many for one in found),
        schemas=tuple(schema for one in real for schema in one.schemas),
        fields=_joined([one.fields for one in real if one.fields is not None])
        if any(one.fields is not None for one in real)
        else None,
        item=union([one.item for one in real if one.item is not None])
        if any(one.item is not None for one in real)
        else None,
        personal=any(one.personal for one in found),
        long_number=any(one.long_number for one in found),
        unknown=tuple(name for one in found for name in one.unknown),
    )


def _hull(ranges: list[Range]) -> Range:
    return ANY if not ranges or any(one is ANY for one in ranges) else reduce(Range.hull, ranges)


def _joined(objects: list[Mapping[str, Shape]]) -> dict[str, Shape]:
    names = {name for one in objects for name in one}
    return {name: union([one.get(name, NOTHING) for one in objects]) for name in names}


def of_schema(root: dict[str, Any], node: Any | None = None) -> Shape:
    """What a contract, or one of its schemas, allows."""
    return _shape(
        Schema(root, (root if node is None else node,))
        if isinstance(root if node is None else node, dict)
        else Schema(root, ({},))
    )


def _shape(schema: Schema) -> Shape:
    if len(schema.nodes) == 1 and _JOINING.isdisjoint(schema.nodes[0]):
        return _one(schema.root, list(schema.nodes))
    alternatives = list(_alternatives(schema.root, list(schema.nodes)))
    if not alternatives or len(alternatives) > MAX_ALTERNATIVES:
        return UNDECIDED
    return union([_one(schema.root, nodes) for nodes in alternatives])


_JOINING = frozenset({"$ref", "allOf", "anyOf", "oneOf"})


def _alternatives(
    root: dict[str, Any], nodes: list[Any], seen: frozenset[int] = frozenset()
) -> Iterator[list[dict[str, Any]]]:
    """The conjunctions that a value can fulfil: references and allOf joined, one branch of each anyOf and oneOf
    chosen.
    """
    flat: list[dict[str, Any]] = []
    waiting = list(nodes)
    while waiting:
        node = waiting.pop(0)
        if not isinstance(node, dict) or any(node is one for one in flat):
            continue
        flat.append(node)
        if len(flat) > MAX_CONJUNCTS:
            return
        waiting += node.get("allOf", ())
        target = _resolve(root, node.get("$ref"))
        if target is not None and id(target) not in seen:
            waiting.append(target)
    chosen = [node for node in flat if ("anyOf" in node or "oneOf" in node) and id(node) not in seen]
    if not chosen:
        yield flat
        return
    node = chosen[0]
    for branch in node.get("anyOf") or node.get("oneOf") or ():
        yield from _alternatives(root, [*flat, branch], seen | {id(node)})


def _resolve(root: dict[str, Any], ref: Any) -> Any:
    if not isinstance(ref, str) or not ref.startswith("#"):
        return None
    found: Any = root
    for part in ref[2:].split("/") if ref != "#" else ():
        found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
    return found


_ALL = frozenset({"string", "number", "integer", "boolean", "null", "object", "array"})


def _one(root: dict[str, Any], nodes: list[dict[str, Any]]) -> Shape:
    kinds = _ALL
    values: frozenset[Any] | None = None
    for node in nodes:
        kinds &= _kinds(node)
        given = node.get("enum", [node["const"]] if "const" in node else None)
        if given is not None:
            of = [one for one in given if not isinstance(one, dict | list)]
            kinds &= frozenset(kind for one in given for kind in _kind_of(one))
            known = frozenset(one for one in of if one is not None)
            values = known if values is None else values & known
    if values is not None and kinds & {"object", "array"}:
        values = None
    formats = frozenset(str(node["format"]) for node in nodes if "format" in node)
    least, most = lengths_of(nodes, values, formats) if "string" in kinds else (None, None)
    return Shape(
        kinds=kinds - {"integer"} if "number" in kinds else kinds,
        values=values,
        shortest=least,
        longest=most,
        span=span_of(nodes, values) if kinds & {"number", "integer"} else ANY,
        patterns=frozenset(node["pattern"] for node in nodes if isinstance(node.get("pattern"), str))
        if "string" in kinds
        else frozenset(),
        formats=formats,
        schemas=(Schema(root, tuple(nodes)),) if kinds & {"object", "array"} else (),
        personal=any("x-pii" in node for node in nodes),
        long_number=bool(kinds & {"number", "integer"}) and any(_is_long(node) for node in nodes),
    )


def _kinds(node: dict[str, Any]) -> frozenset[str]:
    given = node.get("type")
    if given is None:
        return _ALL
    found = frozenset([given] if isinstance(given, str) else given)
    return found | {"integer"} if "number" in found else found


def _kind_of(value: Any) -> tuple[str, ...]:
    kinds = of_value(value).kinds or frozenset()
    return (*kinds, "number") if "integer" in kinds else tuple(kinds)


def _is_long(node: dict[str, Any]) -> bool:
    if node.get("x-money") or node.get("format") == "int64":
        return True
    return any(
        isinstance(node.get(word), int | Decimal) and abs(node[word]) > SAFE
        for word in ("maximum", "minimum", "exclusiveMaximum", "exclusiveMinimum")
    )


def field_of(shape: Shape, name: str) -> Shape:
    """What `name` of it is: missing where it may not be there, or where it is no object. Over an array: of each
    element.
    """
    if shape.known is not None and name in shape.known:
        return shape.known[name] if shape.kinds is None or shape.kinds in _WHOLE else shape.known[name].also(MISSING)
    if shape.kinds is None:
        return replace(UNDECIDED, unknown=shape.unknown)
    found: list[Shape] = []
    if shape.may("object"):
        found += [_property(schema, name) for schema in shape.schemas if _is_object(schema)]
        if shape.fields is not None:
            found.append(shape.fields.get(name, replace(NOTHING, unknown=(name,))))
    if shape.may("array"):
        element = item_of(shape)
        inner = field_of(element, name)
        over = _over(inner)
        if not inner.may(MISSING):
            over = (
                over.without(MISSING)
                if least_elements(shape)
                else replace(over, hollow=not shape.kinds & {MISSING, "null"})
            )
        found.append(over)
    if shape.kinds - {"object", "array"}:
        found.append(NOTHING)
    made = union(found) if found else NOTHING
    # A name that one kind of object has is known, even if another has not.
    known = [one for one in found if not one.unknown and one.kinds not in _HOLLOW]
    unknown = shape.unknown if known else (*shape.unknown, *made.unknown)
    if unknown == made.unknown and made.personal >= shape.personal and made.many >= shape.many:
        return made
    return replace(made, unknown=unknown, personal=made.personal or shape.personal, many=made.many or shape.many)


def least_elements(shape: Shape) -> int:
    """How many elements its arrays have at least."""
    arrays = [schema for schema in shape.schemas if all("array" in _kinds(node) for node in schema.nodes)]
    if not arrays:
        return int(shape.filled)
    return min(
        max([node["minItems"] for node in schema.nodes if isinstance(node.get("minItems"), int)], default=0)
        for schema in arrays
    )


def _over(inner: Shape) -> Shape:
    """What a path over an array gives of its elements: nothing, one, or an array of several; arrays of arrays become
    one.
    """
    if inner.kinds is None:
        return inner
    element = inner.without(MISSING, "array")
    if inner.may("array"):
        element = union([element, item_of(inner)]) if element.kinds else item_of(inner)
    return replace(element.also("array", MISSING), item=element, many=True, unknown=inner.unknown)


def _is_object(schema: Schema) -> bool:
    return all("object" in _kinds(node) for node in schema.nodes)


def _property(schema: Schema, name: str) -> Shape:
    found = schema.seen.get(name)
    if found is None:
        found = schema.seen[name] = _found_property(schema, name)
    return found


def _found_property(schema: Schema, name: str) -> Shape:
    found = [node["properties"][name] for node in schema.nodes if name in node.get("properties", {})]
    if not found:
        if any(
            node.get("additionalProperties") is False or node.get("unevaluatedProperties") is False
            for node in schema.nodes
        ):
            return replace(NOTHING, unknown=(name,))
        return replace(UNDECIDED, unknown=())
    shape = _shape(Schema(schema.root, tuple(one for one in found if isinstance(one, dict))))
    is_required = any(name in node.get("required", ()) for node in schema.nodes)
    return shape if is_required else shape.also(MISSING)


def item_of(shape: Shape) -> Shape:
    """What its elements are. Of what is no array, the value itself: that is how the language sees it."""
    if shape.kinds is None:
        return UNDECIDED
    found = [shape.item] if shape.item is not None else []
    for schema in shape.schemas:
        if all("array" in _kinds(node) for node in schema.nodes):
            items = [node["items"] for node in schema.nodes if isinstance(node.get("items"), dict)]
            found.append(_shape(Schema(schema.root, tuple(items))) if items else UNDECIDED)
    if shape.kinds - {"array", MISSING, "null"}:
        found.append(replace(shape.without("array", MISSING, "null"), item=None, many=False))
    return union(found) if found else UNDECIDED


def names_of(shape: Shape) -> frozenset[str]:
    """All names that its objects have, as far as contracts and expressions say; over arrays, of their elements."""
    found = set(shape.fields or ())
    for schema in shape.schemas:
        for node in schema.nodes:
            found |= node.get("properties", {}).keys()
    if shape.may("array"):
        element = item_of(shape)
        if element.schemas != shape.schemas:
            found |= names_of(element)
    return frozenset(found)


def required_of(shape: Shape) -> frozenset[str]:
    """The names that every object of it must have."""
    each = [
        frozenset(name for node in schema.nodes for name in node.get("required", ()))
        for schema in shape.schemas
        if _is_object(schema)
    ]
    return frozenset.intersection(*each) if each else frozenset()


def is_closed(shape: Shape) -> bool:
    """Whether no other names than its own may stand in it."""
    objects = [schema for schema in shape.schemas if _is_object(schema)]
    closing = ("additionalProperties", "unevaluatedProperties")
    return bool(objects) and all(
        any(node.get(word) is False for node in schema.nodes for word in closing) for schema in objects
    )
