"""What a file may hold, said as data: one table serves the reader and the published JSON Schema, so the two cannot
part.

A shape reads a node into plain values (text, int, timedelta, Expression, dict, list), and writes each thing that is
wrong to the findings with its place. What could not be read is None in the result, and reading goes on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.catalog.yaml.codes import Check
from hub.catalog.yaml.file_reading import FileContext, Shape, wrong_kind
from hub.catalog.yaml.findings import did_you_mean, nearest, shown
from hub.catalog.yaml.leaves import Text
from hub.catalog.yaml.yaml_documents import List, Map, Node, Scalar
from hub.core.message import Json

# a message: what may be shown; any other text may be a secret in a wrong place
_NAMED = re.compile(r"[a-z][\w-]*/[\w.@-]+")


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of `least` to `most` elements of one shape. Elements that could not be read are None, so that positions
    hold.
    """

    element: Shape
    least: int = 1
    most: int = 1_000

    def read(self, node: Node, reading: FileContext) -> list[Any] | None:
        if not isinstance(node, List):
            own = node.text.removeprefix("-").strip() if isinstance(node, Scalar) else ""
            if isinstance(node, Scalar) and _NAMED.fullmatch(own):
                text = (
                    "there is no blank behind the -"
                    if node.text.startswith("-")
                    else "a single value stands where a list is wanted"
                )
                reading.fault(node, Check.WRONG_TYPE, text, f"write [{shown(own)}], or begin a line with - for each")
            else:
                wrong_kind(node, reading, "a list")
            return None
        if not self.least <= len(node.elements) <= self.most:
            reading.fault(
                node,
                Check.OUT_OF_RANGE,
                f"the list has {len(node.elements)} elements",
                f"write {self.least} to {self.most}",
            )
        return [self.element.read(element, reading) for element in node.elements[: self.most]]

    def schema(self) -> dict[str, Json]:
        return {"type": "array", "items": self.element.schema(), "minItems": self.least, "maxItems": self.most}


@dataclass(frozen=True, slots=True)
class MapOf:
    """Names of one form, each with a value of one shape. A name whose value could not be read stays, with None."""

    name: Text
    value: Shape
    most: int = 5_000

    def read(self, node: Node, reading: FileContext) -> dict[str, Any] | None:
        if not isinstance(node, Map):
            wrong_kind(node, reading, "a mapping")
            return None
        if len(node.entries) > self.most:
            reading.fault(node, Check.TOO_LARGE, f"{len(node.entries)} names stand here", f"write up to {self.most}")
            return None
        values: dict[str, Any] = {}
        for key, value in node.entries:
            if self.name.read(Scalar(key.line, key.column, key.text, quoted=True), reading) is not None:
                values[key.text] = self.value.read(value, reading)
        return values

    def schema(self) -> dict[str, Json]:
        names: Json = {"pattern": f"^(?:{self.name.pattern})$"}
        return {
            "type": "object",
            "propertyNames": names,
            "additionalProperties": self.value.schema(),
            "maxProperties": self.most,
        }


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a record."""

    shape: Shape
    about: str = ""
    required: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """A mapping with known keys. `later`: keys of the language that this version of the hub does not have; whoever
    writes one must know.
    """

    keys: Mapping[str, Key]
    later: frozenset[str] = frozenset()
    what: str = ""
    excludes: tuple[tuple[str, str], ...] = field(default=())

    def read(self, node: Node, reading: FileContext) -> dict[str, Any] | None:
        if not isinstance(node, Map):
            wrong_kind(node, reading, self.what or "a mapping")
            return None
        values: dict[str, Any] = {}
        meant: set[str] = set()
        for key, value in node.entries:
            known = self.keys.get(key.text)
            if known is not None:
                values[key.text] = known.shape.read(value, reading)
            elif key.text in self.later:
                reading.fault(
                    key,
                    Check.NOT_YET,
                    f"{key.text} is not in this version of the hub",
                    "take it out; nothing would happen",
                )
            else:
                missing = [name for name in self.keys if node.get(name) is None]
                reading.fault(
                    key,
                    Check.UNKNOWN_KEY,
                    f"{shown(key.text)} is not a key of {self.what}",
                    did_you_mean(key.text, missing),
                )
                meant.add(nearest(key.text, missing) or "")
        # A key that was misspelt is not missing as well: one mistake, one finding.
        for name, key_ in self.keys.items():
            if key_.required and node.get(name) is None and name not in meant:
                reading.fault(
                    node, Check.MISSING_KEY, f"{self.what} has no {name}", f"add {name}: {key_.about}".rstrip(": ")
                )
        for one, other in self.excludes:
            if node.get(one) is not None and node.get(other) is not None:
                reading.fault(node, Check.EXCLUDES, f"{one} and {other} stand together", "keep one of them")
        return values

    def schema(self) -> dict[str, Json]:
        properties: dict[str, Json] = {}
        for name, key in self.keys.items():
            described: dict[str, Json] = {"description": key.about} if key.about else {}
            properties[name] = {**described, **key.shape.schema()}
        required: Json = [name for name, key in self.keys.items() if key.required]
        return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


@dataclass(frozen=True, slots=True)
class Either:
    """One shape for a text, another for a mapping or list."""

    scalar: Shape
    other: Shape

    def read(self, node: Node, reading: FileContext) -> Any:
        return (self.scalar if isinstance(node, Scalar) else self.other).read(node, reading)

    def schema(self) -> dict[str, Json]:
        return {"anyOf": [self.scalar.schema(), self.other.schema()]}


@dataclass(frozen=True, slots=True)
class OneOrMore:
    """One of a shape, or a list of such. Reads as (list, whether it was written as one); elements that could not be
    read are None.
    """

    element: Shape
    most: int = 100

    def read(self, node: Node, reading: FileContext) -> tuple[list[Any], bool] | None:
        if not isinstance(node, List):
            return [self.element.read(node, reading)], False
        values = ListOf(self.element, most=self.most).read(node, reading)
        return None if values is None else (values, True)

    def schema(self) -> dict[str, Json]:
        return {"anyOf": [self.element.schema(), ListOf(self.element, most=self.most).schema()]}


@dataclass(frozen=True, slots=True)
class Single:
    """A mapping with exactly one name: `{wms/outbound.create@1: {...}}`. Reads as (name, value)."""

    of: MapOf

    def read(self, node: Node, reading: FileContext) -> tuple[str, Any] | None:
        values = self.of.read(node, reading)
        if not isinstance(node, Map) or values is None:
            return None
        if len(node.entries) != 1:
            reading.fault(
                node,
                Check.OUT_OF_RANGE,
                f"{len(node.entries)} names stand in one element",
                "begin a new line with - for each",
            )
            return None
        return next(iter(values.items()), None)

    def schema(self) -> dict[str, Json]:
        return {**self.of.schema(), "minProperties": 1, "maxProperties": 1}


@dataclass(frozen=True, slots=True)
class Fork:
    """A mapping that begins with one word reads as that word's shape, `{word: value}`; any other as `other`."""

    word: str
    shape: Shape
    other: Shape

    def read(self, node: Node, reading: FileContext) -> Any:
        if isinstance(node, Map) and node.get(self.word) is not None:
            return Record({self.word: Key(self.shape)}, what=f"an element with {self.word}").read(node, reading)
        return self.other.read(node, reading)

    def schema(self) -> dict[str, Json]:
        mine: dict[str, Json] = {
            "type": "object",
            "properties": {self.word: self.shape.schema()},
            "required": [self.word],
            "additionalProperties": False,
        }
        return {"anyOf": [mine, self.other.schema()]}


def published(shape: Shape, title: str) -> dict[str, Json]:
    """The JSON Schema of a whole file."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **shape.schema()}
