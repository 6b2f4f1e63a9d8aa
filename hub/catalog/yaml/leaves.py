"""Shapes of single values: texts, words, numbers, spans, zones, expressions."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from zoneinfo import available_timezones

from hub.catalog.yaml import durations
from hub.catalog.yaml.codes import Check
from hub.catalog.yaml.file_reading import QUOTE, FileContext, kind_of, wrong_kind
from hub.catalog.yaml.findings import did_you_mean, shown
from hub.catalog.yaml.yaml_documents import List, Node, Scalar, plain
from hub.core.expressions.expression import Expression, compile_expression
from hub.core.expressions.slips import hint
from hub.core.message import Json

_SCALAR_TYPES: Json = ["string", "number", "boolean"]  # text is taken as it is written, so an editor may see a number


@dataclass(frozen=True, slots=True)
class Text:
    """A text, as written: `1.10`, `012`, `NO` and dates stay what they are. `private`: its value is never quoted in a
    finding.
    """

    want: str = "a text"
    pattern: str = r".+"
    longest: int = 400
    private: bool = False
    mend: Callable[[str], str] | None = None  # what a text that is wrong was probably meant to be

    def read(self, node: Node, reading: FileContext) -> str | None:
        if not isinstance(node, Scalar):
            wrong_kind(node, reading, self.want)
            return None
        if not node.quoted and node.text in ("", "~", "null", "Null", "NULL"):
            reading.fault(
                node, Check.WRONG_TYPE, f"nothing stands here; wanted is {self.want}", "write it, or take the key out"
            )
            return None
        if len(node.text) > self.longest:
            reading.fault(
                node, Check.OUT_OF_RANGE, f"{len(node.text)} characters are too many", f"write up to {self.longest}"
            )
            return None
        if not re.fullmatch(self.pattern, node.text, re.ASCII | re.DOTALL):
            got = "this" if self.private else shown(node.text)
            meant = self.mend(node.text) if self.mend is not None else ""
            fix = (
                f"did you mean {meant}?"
                if meant and re.fullmatch(self.pattern, meant, re.ASCII)
                else f"write {self.want}"
            )
            reading.fault(node, Check.OUT_OF_RANGE, f"{got} is not {self.want}", fix)
            return None
        return node.text

    def schema(self) -> dict[str, Json]:
        return {"type": _SCALAR_TYPES, "pattern": f"^(?:{self.pattern})$", "maxLength": self.longest}


@dataclass(frozen=True, slots=True)
class Word:
    """One of a few words. `later`: words of the language that this version of the hub does not have."""

    words: tuple[str, ...]
    later: tuple[str, ...] = ()

    def read(self, node: Node, reading: FileContext) -> str | None:
        if not isinstance(node, Scalar):
            wrong_kind(node, reading, "one of " + ", ".join(self.words))
            return None
        if node.text in self.later:
            reading.fault(
                node, Check.NOT_YET, f"{node.text} is not in this version of the hub", "one of " + ", ".join(self.words)
            )
            return None
        if node.text not in self.words:
            reading.fault(
                node,
                Check.OUT_OF_RANGE,
                f"{shown(node.text) or 'nothing'} is none of {', '.join(self.words)}",
                did_you_mean(node.text, self.words),
            )
            return None
        return node.text

    def schema(self) -> dict[str, Json]:
        return {"enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class Flag:
    """true or false; neither yes nor on."""

    def read(self, node: Node, reading: FileContext) -> bool | None:
        if isinstance(node, Scalar) and not node.quoted and node.text in ("true", "false"):
            return node.text == "true"
        got = shown(node.text) if isinstance(node, Scalar) else kind_of(node)
        reading.fault(
            node,
            Check.WRONG_TYPE,
            f"{got or 'nothing'} is neither true nor false",
            "write true or false, without quotes",
        )
        return None

    def schema(self) -> dict[str, Json]:
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number in decimal digits, from `low` to `high`."""

    low: int
    high: int

    def read(self, node: Node, reading: FileContext) -> int | None:
        if not isinstance(node, Scalar):
            wrong_kind(node, reading, "a whole number")
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

    def read(self, node: Node, reading: FileContext) -> float | None:
        if not isinstance(node, Scalar):
            wrong_kind(node, reading, "a number")
            return None
        if node.quoted or not re.fullmatch(r"-?(0|[1-9][0-9]{0,8})(\.[0-9]{1,9})?", node.text, re.ASCII):
            reading.fault(
                node,
                Check.WRONG_TYPE,
                f"{shown(node.text) or 'nothing'} is not a number",
                f"write {self.low:g} to {self.high:g}, without quotes",
            )
            return None
        number = float(node.text)
        if not self.low <= number <= self.high:
            reading.fault(
                node, Check.OUT_OF_RANGE, f"{node.text} is out of range", f"write {self.low:g} to {self.high:g}"
            )
            return None
        return number

    def schema(self) -> dict[str, Json]:
        return {"type": "number", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True, slots=True)
class Span:
    """A duration such as 10s, from `low` to `high`, both as they would be written."""

    low: str
    high: str

    def read(self, node: Node, reading: FileContext) -> timedelta | None:
        want = f"write a duration from {self.low} to {self.high}, such as 800ms, 10s, 30m, 2h or 3d"
        if not isinstance(node, Scalar):
            wrong_kind(node, reading, "a duration such as 10s")
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

    def read(self, node: Node, reading: FileContext) -> str | None:
        if not isinstance(node, Scalar):
            wrong_kind(node, reading, "a time zone such as Asia/Shanghai")
            return None
        if node.text not in _zones():
            reading.fault(
                node,
                Check.OUT_OF_RANGE,
                f"{shown(node.text) or 'nothing'} is no time zone",
                did_you_mean(node.text, _zones()) or "Asia/Shanghai",
            )
            return None
        return node.text

    def schema(self) -> dict[str, Json]:
        return {"type": "string", "maxLength": 64}


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


@dataclass(frozen=True, slots=True)
class Formula:
    """An expression (JSONata), compiled where it stands. `is_identity`: something is known by what it gives."""

    longest: int = 4_000
    is_identity: bool = False

    def read(self, node: Node, reading: FileContext) -> Expression | None:
        if not isinstance(node, Scalar):
            fix = QUOTE if not isinstance(node, List) or node.flow else "write the expression as a text"
            reading.fault(node, Check.NEEDS_QUOTES, f"{kind_of(node)} stands where an expression is wanted", fix)
            return None
        if not node.text.strip():
            reading.fault(
                node, Check.WRONG_TYPE, "nothing stands here; wanted is an expression", "write it, or take the key out"
            )
            return None
        if len(node.text) > self.longest:
            reading.fault(
                node, Check.OUT_OF_RANGE, f"{len(node.text)} characters are too many", f"write up to {self.longest}"
            )
            return None
        try:
            return compile_expression(node.text, is_identity=self.is_identity)
        except ValueError as error:
            reading.fault(
                node,
                Check.BAD_EXPRESSION,
                f"{shown(node.text)} does not compile: {error}",
                hint(node.text) or "write JSONata (jsonata.org)",
            )
            return None

    def schema(self) -> dict[str, Json]:
        return {"type": _SCALAR_TYPES, "maxLength": self.longest}


@dataclass(frozen=True, slots=True)
class Free:
    """Any JSON value, as a mapping. Read by whom it concerns."""

    def read(self, node: Node, reading: FileContext) -> Json:
        return plain(node, reading.file, reading.findings)

    def schema(self) -> dict[str, Json]:
        return {}
