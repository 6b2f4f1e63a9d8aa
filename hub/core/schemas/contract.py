"""A contract: the JSON Schema 2020-12 of one version of one message, compiled once. Its faults say where, what, what is
wanted, what to write.

Beside the standard's keywords there are annotations (`x-…`), and one format of ours: `local-date-time` with `x-zone`
names the zone of a time that is written without an offset (seed 002 §2.2 writes 2025-11-22T10:00:00).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import jsonschema
import jsonschema_rs

from hub.core import json
from hub.core.documents.times import is_date_time, is_local_date_time
from hub.core.errors import Busy, Fault, GiveUp
from hub.core.expressions import evaluation_door, evaluation_jobs
from hub.core.expressions.expression import Expression, compile_expression
from hub.core.expressions.prepared import size
from hub.core.json import escape
from hub.core.message import Json, Ref
from hub.core.schemas import fault_texts
from hub.core.schemas.expansion import looks_of

MAX_FAULTS = 50
CHECKED_HERE = 100_000  # looks at values, in a millisecond or a few
FEW = 24  # looks at one value: with no more of them no message is counted first
TOLD_HERE = 2_000
MAX_SCHEMA_NODES = 20_000
DRAFT = "https://json-schema.org/draft/2020-12/schema"

MASK = "***"

_KEYWORDS = frozenset(
    "$schema $id $ref $defs $comment $anchor title description default examples deprecated readOnly writeOnly type enum const multipleOf maximum"
    " exclusiveMaximum minimum exclusiveMinimum maxLength minLength pattern maxItems minItems uniqueItems maxContains minContains contains"
    " prefixItems items maxProperties minProperties required dependentRequired dependentSchemas properties patternProperties"
    " additionalProperties propertyNames allOf anyOf oneOf not if then else format unevaluatedProperties unevaluatedItems"
    " contentEncoding contentMediaType".split(),
)
# their names are the writer's, not keywords
_NAMED = frozenset({"properties", "patternProperties", "$defs", "dependentSchemas"})
_SINGLE = frozenset(
    {
        "items",
        "additionalProperties",
        "propertyNames",
        "contains",
        "not",
        "if",
        "then",
        "else",
        "unevaluatedProperties",
        "unevaluatedItems",
    }
)
_LISTED = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_IN_PLACE = frozenset({"allOf", "anyOf", "oneOf", "if", "then", "else", "not"})  # schemas of the same value
_WORDED_BY_ITSELF = frozenset({"type", "enum", "const"})


@dataclass(frozen=True, slots=True)
class Contract:
    """One version of one message. `pii` are the schema's personal places, as tuples of property names, with `*` for
    items.
    """

    ref: Ref
    schema: dict[str, Json]
    pii: frozenset[tuple[str, ...]] = frozenset()
    _validator: Any = field(default=None, repr=False, compare=False)
    # `x-consistent`: what must hold between fields, and what to say where it does not
    rules: tuple[tuple[Expression, str], ...] = ()
    # what `core.schemas.integers` found of places
    integers: dict[tuple[str | int, ...], bool] = field(default_factory=dict, repr=False, compare=False)

    looks: int = 1  # the most sub-schemas that apply to one value

    def contradictions(self, value: Json, *, now: datetime) -> list[Fault]:
        """What fields say against each other, in a value that fits; [] where nothing does. Raises GiveUp where a rule
        cannot be computed.
        """
        return [
            Fault("", "fields that contradict each other", rule.text, text)
            for rule, text in self.rules
            if not rule.holds(value, now=now)
        ]

    def check(self, value: Json) -> list[Fault]:
        """All faults of `value`, up to 50; [] when it fits. Raises Busy where there was no time to see; NeedsTime where
        an event loop must not tell them.
        """
        if self.looks > FEW and evaluation_door.is_open() and self.looks * size(value) > CHECKED_HERE:
            return self._away(value, is_unfit=False)
        if self._validator.is_valid(value):
            return []
        # To say what is wrong costs a hundred times what it costs to see it: each branch of each choice says why it
        # does not fit.
        return (
            self._away(value, is_unfit=True)
            if evaluation_door.is_open() and self.looks * size(value) > TOLD_HERE
            else self.faults(value)
        )

    def _away(self, value: Json, *, is_unfit: bool) -> list[Fault]:
        try:
            return evaluation_jobs.check(json.encode({"ref": str(self.ref), "schema": self.schema}), value)
        except GiveUp as error:
            if isinstance(error, Busy) and not is_unfit:
                raise
            return [
                Fault(
                    "",
                    "more faults than can be told",
                    f"a message of {self.ref}",
                    "compare it with the contract, part by part",
                )
            ]

    def faults(self, value: Json) -> list[Fault]:
        """The same in place, whatever it costs."""
        faults = (fault for error in self._validator.iter_errors(value) for fault in self._faults(error))
        return list(dict.fromkeys(islice(faults, MAX_FAULTS)))

    def _faults(self, error: Any) -> Iterator[Fault]:
        path, name = list(error.instance_path), error.kind.name
        keyword = str(error.schema_path[-1]) if error.schema_path else ""
        node = _at(self.schema, error.schema_path if name == "falseSchema" else error.schema_path[:-1])
        match name:
            case "required":
                missing = str(error.kind.property)
                wanted = [fault_texts.want(below) for below in _below(self.schema, [node], missing)]
                yield Fault(
                    _pointer([*path, missing]),
                    "nothing",
                    wanted[0] if wanted else "a value; the field is required",
                    f"add {missing}",
                )
            case "additionalProperties" | "unevaluatedProperties":
                known = node.get("properties", {}) if isinstance(node, dict) else {}
                for unknown in error.kind.unexpected:
                    instead = fault_texts.did_you_mean(str(unknown), known, "leave it out")
                    yield Fault(
                        _pointer([*path, unknown]),
                        "a field that the contract does not have",
                        "only fields of the contract",
                        instead,
                    )
            case "propertyNames":
                inner = error.kind.error
                is_shown = not self.is_personal(path)
                shown = f"the name {str(inner.instance)[: fault_texts.MAX_SHOWN]}" if is_shown else "a name"
                yield Fault(
                    _pointer(path),
                    shown,
                    f"names with {fault_texts.want(_at(self.schema, inner.schema_path[:-1]))}",
                    "send another name",
                )
            case "anyOf" | "oneOf" if (branch := _meant(error)) is not None:
                for inner in branch:
                    yield from self._faults(inner)
            case _:
                yield self._fault(path, keyword, node, error.instance)

    def _fault(self, path: list[Any], keyword: str, node: Any, value: Any) -> Fault:
        got = fault_texts.got(value, is_personal=self.is_personal(path), is_of_wrong_type=keyword == "type")
        if keyword in {"not", "contains", "minContains", "maxContains", "if"}:
            return Fault(_pointer(path), got, f"what `{keyword}` of the contract allows", "see the contract")
        return Fault(_pointer(path), got, fault_texts.want(node), fault_texts.fix(node, keyword, value))

    def masked(self, value: Json, at: tuple[str | int, ...] = ()) -> Json:
        """`value`, which stands at `at`, with everything personal in it masked, however deep. For whatever people or
        logs may see.
        """
        if self.is_personal(list(at)):
            return MASK
        if isinstance(value, dict):
            return {name: self.masked(member, (*at, name)) for name, member in value.items()}
        if isinstance(value, list):
            return [self.masked(member, (*at, index)) for index, member in enumerate(value)]
        return value

    def describes(self, path: list[Any]) -> bool:
        """Whether it says anything of what stands there. What it says nothing of may be anything, personal too."""
        nodes: list[Any] = [self.schema]
        for step in path:
            nodes = _below(self.schema, nodes, step)
        return bool(nodes)

    def types_at(self, path: list[Any]) -> frozenset[str]:
        """All types that its schemas name for what stands there, in whichever branch."""
        nodes: list[Any] = [self.schema]
        for step in path:
            nodes = _below(self.schema, nodes, step)
        named = [node.get("type", ()) for node in _same_value(self.schema, nodes)]
        return frozenset(one for types in named for one in ([types] if isinstance(types, str) else types))

    def is_personal(self, path: list[Any]) -> bool:
        """Whether the value, or one that it is part of, stands under `x-pii`. Follows the path, so that it holds in
        recursive schemas too.
        """
        nodes = list(_same_value(self.schema, [self.schema]))
        for step in path:
            if any("x-pii" in node for node in nodes):
                return True
            nodes = list(_same_value(self.schema, _below(self.schema, nodes, step)))
        return any("x-pii" in node for node in nodes)


def compile_contract(ref: Ref, schema: Json) -> Contract:
    """Compiles a schema. Raises ValueError with all that is wrong with it, a line each, `#/place: reason`."""
    if not isinstance(schema, dict):
        raise ValueError("#: a contract is a JSON object")  # noqa: TRY004  one kind of error for all that is wrong with a contract
    if schema.get("$schema", DRAFT) != DRAFT:
        raise ValueError(f"#/$schema: contracts are written in JSON Schema 2020-12; write {DRAFT}")
    parts = sum(1 for _ in _nodes(schema))
    if parts > MAX_SCHEMA_NODES:
        raise ValueError(f"#: the schema has {parts} parts; at most {MAX_SCHEMA_NODES} are taken")
    wrong = _meta(schema) or [*_unknown(schema)]
    if wrong:
        raise ValueError("\n".join(wrong))
    looks = looks_of(schema)  # before it is compiled, or drawn: either may follow each of them
    try:
        validator = jsonschema_rs.Draft202012Validator(
            schema,
            formats={"date-time": is_date_time, "local-date-time": is_local_date_time},
            validate_formats=True,
            ignore_unknown_formats=False,
            pattern_options=jsonschema_rs.RegexOptions(),
            offline=True,  # a `$ref` to somewhere else is refused, never fetched
        )
    except (ValueError, jsonschema_rs.ValidationError) as error:
        raise ValueError(f"#: {error}") from error
    return Contract(ref, schema, _personal(schema), validator, _rules(schema), looks=looks)


def _rules(schema: dict[str, Any]) -> tuple[tuple[Expression, str], ...]:
    """`x-consistent: {"sentence": "expression"}` at the top of a contract: sums, and names that stand once. JSON Schema
    cannot say these.
    """
    written = schema.get("x-consistent", {})
    if not isinstance(written, dict):
        raise ValueError('#/x-consistent: write {"what to say": "an expression that must hold"}')  # noqa: TRY004  one kind of error
    rules: list[tuple[Expression, str]] = []
    for text, expression in written.items():
        try:
            rules.append((compile_expression(str(expression)), text))
        except ValueError as error:
            raise ValueError(f"#{_pointer(['x-consistent', text])}: {error}") from error
    return tuple(rules)


def _meta(schema: dict[str, Any]) -> list[str]:
    if jsonschema_rs.meta.is_valid(schema):
        return []
    # The slow one has the better words: it says which keyword, and where.
    errors = jsonschema.Draft202012Validator(jsonschema.Draft202012Validator.META_SCHEMA).iter_errors(schema)
    return [f"#{_pointer(list(error.absolute_path))}: {error.message[:200]}" for error in errors][:MAX_FAULTS]


def _unknown(schema: Any, path: tuple[Any, ...] = ()) -> Iterator[str]:
    """What the standard lets pass in silence: keywords that nobody knows, and those that this house forbids."""
    for place, node in _nodes(schema, path):
        for word, value in node.items():
            if word not in _KEYWORDS and not word.startswith("x-"):
                instead = fault_texts.did_you_mean(word, sorted(_KEYWORDS), "annotations begin with x-")
                yield f"#{_pointer([*place, word])}: unknown keyword {word!r}; {instead}"
            if word == "multipleOf" and isinstance(value, Decimal | float):
                text = "readers disagree on multipleOf with a fraction; write money as text with x-money, or count in the smallest unit"
                yield f"#{_pointer([*place, word])}: {text}"
            if word == "$ref" and not str(value).startswith("#"):
                yield f"#{_pointer([*place, word])}: $ref to {str(value)[:100]!r}; a contract refers to itself alone, as in #/$defs/address"
        if node.get("format") == "local-date-time" and not _is_zone(node.get("x-zone")):
            yield f"#{_pointer(list(place))}: format local-date-time wants x-zone, such as Asia/Shanghai; it is {node.get('x-zone')!r}"


def _nodes(schema: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    """All schemas within a schema, each with its place."""
    stack: list[tuple[tuple[Any, ...], Any]] = [(path, schema)]
    while stack:
        place, node = stack.pop()
        if not isinstance(node, dict):
            continue
        yield place, node
        for word, value in node.items():
            if word in _NAMED and isinstance(value, dict):
                stack.extend(((*place, word, name), child) for name, child in value.items())
            elif word in _SINGLE:
                stack.append(((*place, word), value))
            elif word in _LISTED and isinstance(value, list):
                stack.extend(((*place, word, index), child) for index, child in enumerate(value))


def _is_zone(name: Any) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        return False
    return True


def _personal(schema: dict[str, Any]) -> frozenset[tuple[str, ...]]:
    """The places under `x-pii`, through references and choices. A recursive schema is followed once; `is_personal`
    follows it for ever.
    """
    if not any("x-pii" in node for _, node in _nodes(schema)):
        return frozenset()
    found: set[tuple[str, ...]] = set()
    waiting: list[tuple[tuple[str, ...], list[Any], frozenset[int]]] = [((), [schema], frozenset())]
    while waiting:
        path, starts, above = waiting.pop()
        nodes = [node for node in _same_value(schema, starts) if id(node) not in above]
        if any("x-pii" in node for node in nodes):
            found.add(path)
            continue  # what is below it is personal with it
        seen = above | {id(node) for node in nodes}
        names = {name for node in nodes for name in node.get("properties", {})}
        waiting += [((*path, name), _below(schema, nodes, name), seen) for name in names]
        items = [child for node in nodes for child in (*node.get("prefixItems", ()), node.get("items"))]
        if items:
            waiting.append(((*path, "*"), items, seen))
    return frozenset(found)


def _same_value(root: dict[str, Any], nodes: list[Any]) -> Iterator[dict[str, Any]]:
    """These schemas, and all that they apply to the same value: references, choices, conditions."""
    waiting, seen = list(nodes), set()
    while waiting:
        node = waiting.pop()
        if not isinstance(node, dict) or id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        for word in _IN_PLACE & node.keys():
            waiting += node[word] if isinstance(node[word], list) else [node[word]]
        waiting += node.get("dependentSchemas", {}).values()
        if str(node.get("$ref", "")).startswith("#/"):
            waiting.append(
                _at(root, [part.replace("~1", "/").replace("~0", "~") for part in str(node["$ref"])[2:].split("/")])
            )
        elif node.get("$ref") == "#":
            waiting.append(root)


def _below(root: dict[str, Any], nodes: list[Any], step: Any) -> list[Any]:
    """The schemas of what stands at `step` in a value of these schemas."""
    found: list[Any] = []
    for node in _same_value(root, nodes):
        if isinstance(step, int):
            found += [
                node.get("items"),
                node.get("contains"),
                node.get("unevaluatedItems"),
                *node.get("prefixItems", [])[step : step + 1],
            ]
        elif step in node.get("properties", {}):
            found.append(node["properties"][step])
        else:
            found += [
                *node.get("patternProperties", {}).values(),
                node.get("additionalProperties"),
                node.get("unevaluatedProperties"),
            ]
    return [node for node in found if isinstance(node, dict)]


def _meant(error: Any) -> list[Any] | None:
    """Of a choice's branches the one that the value means: the only one whose type and constants it has. None if there
    is no such one.
    """
    branches = getattr(error.kind, "context", [])
    meant = [
        branch
        for branch in branches
        if branch and not any(_is_of_another_kind(inner, error.instance_path) for inner in branch)
    ]
    return meant[0] if len(meant) == 1 and all(branches) else None


def _is_of_another_kind(inner: Any, path: list[Any]) -> bool:
    depth = len(inner.instance_path) - len(path)
    return (depth == 0 and inner.kind.name in _WORDED_BY_ITSELF) or (
        depth == 1 and inner.kind.name in {"const", "enum"}
    )


def _at(schema: Any, path: list[Any]) -> Any:
    for step in path:
        if isinstance(schema, dict):
            schema = schema.get(step, schema.get(str(step), {}))
        elif isinstance(schema, list) and str(step).isdecimal() and int(step) < len(schema):
            schema = schema[int(step)]
        else:
            return {}
    return schema


def _pointer(path: list[Any]) -> str:
    return "".join("/" + escape(str(step)) for step in path)
