"""What a file may hold, said as data: one table serves the reader and the published JSON Schema, so the two cannot part.

A shape reads a node into plain values (text, int, timedelta, Expression, dict, list), and writes each thing that is wrong to the
findings with its place. What could not be read is None in the result, and reading goes on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from typing import Any, Protocol
from zoneinfo import available_timezones

from hub.catalog import durations
from hub.catalog.codes import Check
from hub.catalog.documents import List, Map, Node, Scalar, plain
from hub.catalog.findings import Findings, did_you_mean, nearest, shown
from hub.core.expression import Expression, compile_expression
from hub.core.message import Json

QUOTE = "put the expression in quotes"
_SCALAR_TYPES: Json = ["string", "number", "boolean"]  # text is taken as it is written, so an editor may see a number


@dataclass(frozen=True, slots=True)
class Reading:
    """The file being read, and where its findings go."""

    file: str
    findings: Findings

    def fault(self, node: Node, code: Check, text: str, fix: str = "") -> None:
        self.findings.add(self.file, (node.line, node.column), code, text, fix)


class Shape(Protocol):
    def read(self, node: Node, reading: Reading) -> Any:
        """The value, or None with a finding."""

    def schema(self) -> dict[str, Json]:
        """The same as JSON Schema 2020-12, for editors."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text, as written: `1.10`, `012`, `NO` and dates stay what they are. `private`: its value is never quoted in a finding."""

    want: str = "a text"
    pattern: str = r".+"
    longest: int = 400
    private: bool = False

    def read(self, node: Node, reading: Reading) -> str | None:
        if not isinstance(node, Scalar):
            _wrong_kind(node, reading, self.want)
            return None
        if not node.quoted and node.text in ("", "~", "null", "Null", "NULL"):
            reading.fault(node, Check.WRONG_TYPE, f"nothing stands here; wanted is {self.want}", "write it, or take the key out")
            return None
        if len(node.text) > self.longest:
            reading.fault(node, Check.OUT_OF_RANGE, f"{len(node.text)} characters are too many", f"write up to {self.longest}")
            return None
        if not re.fullmatch(self.pattern, node.text, re.ASCII | re.DOTALL):
            got = "this" if self.private else shown(node.text)
            reading.fault(node, Check.OUT_OF_RANGE, f"{got} is not {self.want}", f"write {self.want}")
            return None
        return node.text

    def schema(self) -> dict[str, Json]:
        return {"type": _SCALAR_TYPES, "pattern": f"^(?:{self.pattern})$", "maxLength": self.longest}


@dataclass(frozen=True, slots=True)
class Word:
    """One of a few words. `later`: words of the language that this version of the hub does not have."""

    words: tuple[str, ...]
    later: tuple[str, ...] = ()

    def read(self, node: Node, reading: Reading) -> str | None:
        if not isinstance(node, Scalar):
            _wrong_kind(node, reading, "one of " + ", ".join(self.words))
            return None
        if node.text in self.later:
            reading.fault(node, Check.NOT_YET, f"{node.text} is not in this version of the hub", "one of " + ", ".join(self.words))
            return None
        if node.text not in self.words:
            reading.fault(node, Check.OUT_OF_RANGE, f"{shown(node.text) or 'nothing'} is none of {', '.join(self.words)}", did_you_mean(node.text, self.words))
            return None
        return node.text

    def schema(self) -> dict[str, Json]:
        return {"enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class Flag:
    """true or false; neither yes nor on."""

    def read(self, node: Node, reading: Reading) -> bool | None:
        if isinstance(node, Scalar) and not node.quoted and node.text in ("true", "false"):
            return node.text == "true"
        got = shown(node.text) if isinstance(node, Scalar) else _kind(node)
        reading.fault(node, Check.WRONG_TYPE, f"{got or 'nothing'} is neither true nor false", "write true or false, without quotes")
        return None

    def schema(self) -> dict[str, Json]:
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number in decimal digits, from `low` to `high`."""

    low: int
    high: int

    def read(self, node: Node, reading: Reading) -> int | None:
        if not isinstance(node, Scalar):
            _wrong_kind(node, reading, "a whole number")
            return None
        if node.quoted or not re.fullmatch(r"-?(0|[1-9][0-9]{0,18})", node.text, re.ASCII):
            text = f"{shown(node.text) or 'nothing'} is not a whole number"
            reading.fault(node, Check.WRONG_TYPE, text, f"write digits, from {self.low} to {self.high}, without quotes")
            return None
        number = int(node.text)
        if not self.low <= number <= self.high:
            reading.fault(node, Check.OUT_OF_RANGE, f"{number} is out of range", f"write {self.low} to {self.high}")
            return None
        return number

    def schema(self) -> dict[str, Json]:
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True, slots=True)
class Number:
    """A number, whole or with a fraction, from `low` to `high`."""

    low: float
    high: float

    def read(self, node: Node, reading: Reading) -> float | None:
        if not isinstance(node, Scalar):
            _wrong_kind(node, reading, "a number")
            return None
        if node.quoted or not re.fullmatch(r"-?(0|[1-9][0-9]{0,8})(\.[0-9]{1,9})?", node.text, re.ASCII):
            reading.fault(node, Check.WRONG_TYPE, f"{shown(node.text) or 'nothing'} is not a number", f"write {self.low:g} to {self.high:g}, without quotes")
            return None
        number = float(node.text)
        if not self.low <= number <= self.high:
            reading.fault(node, Check.OUT_OF_RANGE, f"{node.text} is out of range", f"write {self.low:g} to {self.high:g}")
            return None
        return number

    def schema(self) -> dict[str, Json]:
        return {"type": "number", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True, slots=True)
class Span:
    """A duration such as 10s, from `low` to `high`, both as they would be written."""

    low: str
    high: str

    def read(self, node: Node, reading: Reading) -> timedelta | None:
        want = f"write a duration from {self.low} to {self.high}, such as 800ms, 10s, 30m, 2h or 3d"
        if not isinstance(node, Scalar):
            _wrong_kind(node, reading, "a duration such as 10s")
            return None
        try:
            value = durations.parse(node.text)
        except ValueError:
            reading.fault(node, Check.OUT_OF_RANGE, f"{shown(node.text) or 'nothing'} is not a duration", want)
            return None
        if not durations.parse(self.low) <= value <= durations.parse(self.high):
            reading.fault(node, Check.OUT_OF_RANGE, f"{node.text} is out of range", want)
            return None
        return value

    def schema(self) -> dict[str, Json]:
        return {"type": "string", "pattern": f"^{durations.PATTERN}$"}


@dataclass(frozen=True, slots=True)
class Zone:
    """A time zone by its name in the IANA database."""

    def read(self, node: Node, reading: Reading) -> str | None:
        if not isinstance(node, Scalar):
            _wrong_kind(node, reading, "a time zone such as Asia/Shanghai")
            return None
        if node.text not in _zones():
            reading.fault(node, Check.OUT_OF_RANGE, f"{shown(node.text) or 'nothing'} is no time zone", did_you_mean(node.text, _zones()) or "Asia/Shanghai")
            return None
        return node.text

    def schema(self) -> dict[str, Json]:
        return {"type": "string", "maxLength": 64}


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


@dataclass(frozen=True, slots=True)
class Formula:
    """An expression (JSONata), compiled where it stands."""

    longest: int = 4_000

    def read(self, node: Node, reading: Reading) -> Expression | None:
        if not isinstance(node, Scalar):
            fix = QUOTE if not isinstance(node, List) or node.flow else "write the expression as a text"
            reading.fault(node, Check.NEEDS_QUOTES, f"{_kind(node)} stands where an expression is wanted", fix)
            return None
        if not node.text.strip():
            reading.fault(node, Check.WRONG_TYPE, "nothing stands here; wanted is an expression", "write it, or take the key out")
            return None
        if len(node.text) > self.longest:
            reading.fault(node, Check.OUT_OF_RANGE, f"{len(node.text)} characters are too many", f"write up to {self.longest}")
            return None
        try:
            return compile_expression(node.text)
        except ValueError as error:
            reading.fault(node, Check.BAD_EXPRESSION, f"{shown(node.text)} does not compile: {error}", "write JSONata (jsonata.org)")
            return None

    def schema(self) -> dict[str, Json]:
        return {"type": _SCALAR_TYPES, "maxLength": self.longest}


@dataclass(frozen=True, slots=True)
class Free:
    """Any JSON value, as a mapping. Read by whom it concerns."""

    def read(self, node: Node, reading: Reading) -> Json:
        return plain(node, reading.file, reading.findings)

    def schema(self) -> dict[str, Json]:
        return {}


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of `least` to `most` elements of one shape. Elements that could not be read are None, so that positions hold."""

    element: Shape
    least: int = 1
    most: int = 1_000

    def read(self, node: Node, reading: Reading) -> list[Any] | None:
        if not isinstance(node, List):
            _wrong_kind(node, reading, "a list")
            return None
        if not self.least <= len(node.elements) <= self.most:
            reading.fault(node, Check.OUT_OF_RANGE, f"the list has {len(node.elements)} elements", f"write {self.least} to {self.most}")
        return [self.element.read(element, reading) for element in node.elements[: self.most]]

    def schema(self) -> dict[str, Json]:
        return {"type": "array", "items": self.element.schema(), "minItems": self.least, "maxItems": self.most}


@dataclass(frozen=True, slots=True)
class MapOf:
    """Names of one form, each with a value of one shape. A name whose value could not be read stays, with None."""

    name: Text
    value: Shape
    most: int = 5_000

    def read(self, node: Node, reading: Reading) -> dict[str, Any] | None:
        if not isinstance(node, Map):
            _wrong_kind(node, reading, "a mapping")
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
        return {"type": "object", "propertyNames": names, "additionalProperties": self.value.schema(), "maxProperties": self.most}


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a record."""

    shape: Shape
    about: str = ""
    required: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """A mapping with known keys. `later`: keys of the language that this version of the hub does not have; whoever writes one must know."""

    keys: Mapping[str, Key]
    later: frozenset[str] = frozenset()
    what: str = ""
    excludes: tuple[tuple[str, str], ...] = field(default=())

    def read(self, node: Node, reading: Reading) -> dict[str, Any] | None:
        if not isinstance(node, Map):
            _wrong_kind(node, reading, self.what or "a mapping")
            return None
        values: dict[str, Any] = {}
        meant: set[str] = set()
        for key, value in node.entries:
            known = self.keys.get(key.text)
            if known is not None:
                values[key.text] = known.shape.read(value, reading)
            elif key.text in self.later:
                reading.fault(key, Check.NOT_YET, f"{key.text} is not in this version of the hub", "take it out; nothing would happen")
            else:
                missing = [name for name in self.keys if node.get(name) is None]
                reading.fault(key, Check.UNKNOWN_KEY, f"{shown(key.text)} is not a key of {self.what}", did_you_mean(key.text, missing))
                meant.add(nearest(key.text, missing) or "")
        # A key that was misspelt is not missing as well: one mistake, one finding.
        for name, key_ in self.keys.items():
            if key_.required and node.get(name) is None and name not in meant:
                reading.fault(node, Check.MISSING_KEY, f"{self.what} has no {name}", f"add {name}: {key_.about}".rstrip(": "))
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

    def read(self, node: Node, reading: Reading) -> Any:
        return (self.scalar if isinstance(node, Scalar) else self.other).read(node, reading)

    def schema(self) -> dict[str, Json]:
        return {"anyOf": [self.scalar.schema(), self.other.schema()]}


@dataclass(frozen=True, slots=True)
class OneOrMore:
    """One of a shape, or a list of such. Reads as (list, whether it was written as one); elements that could not be read are None."""

    element: Shape
    most: int = 100

    def read(self, node: Node, reading: Reading) -> tuple[list[Any], bool] | None:
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

    def read(self, node: Node, reading: Reading) -> tuple[str, Any] | None:
        values = self.of.read(node, reading)
        if not isinstance(node, Map) or values is None:
            return None
        if len(node.entries) != 1:
            reading.fault(node, Check.OUT_OF_RANGE, f"{len(node.entries)} names stand in one element", "begin a new line with - for each")
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

    def read(self, node: Node, reading: Reading) -> Any:
        if isinstance(node, Map) and node.get(self.word) is not None:
            return Record({self.word: Key(self.shape)}, what=f"an element with {self.word}").read(node, reading)
        return self.other.read(node, reading)

    def schema(self) -> dict[str, Json]:
        mine: dict[str, Json] = {"type": "object", "properties": {self.word: self.shape.schema()}, "required": [self.word], "additionalProperties": False}
        return {"anyOf": [mine, self.other.schema()]}


def published(shape: Shape, title: str) -> dict[str, Json]:
    """The JSON Schema of a whole file."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **shape.schema()}


def lacks(node: Node, key: str) -> bool:
    """Whether a mapping has no such key, and none that is probably a misspelling of it (which is reported on its own)."""
    return isinstance(node, Map) and node.get(key) is None and nearest(key, [name.text for name, _ in node.entries]) is None


def _kind(node: Node) -> str:
    names: dict[type, str] = {Scalar: "a text", List: "a list", Map: "a mapping"}
    return names[type(node)]


def _wrong_kind(node: Node, reading: Reading, want: str) -> None:
    if isinstance(node, Scalar):
        got = f"the text {shown(node.text)}" if node.text else "nothing"
        # What stands in a wrong place may be a secret; a text is shown only where it is short enough to be a slip of the pen.
        got = got if len(node.text) <= 20 else f"a text of {len(node.text)} characters"
        reading.fault(node, Check.WRONG_TYPE, f"{got} stands where {want} is wanted", f"write {want}")
        return
    fix = QUOTE if isinstance(node, Map) and node.flow else f"write {want}"
    reading.fault(node, Check.WRONG_TYPE, f"{_kind(node)} stands where {want} is wanted", fix)
