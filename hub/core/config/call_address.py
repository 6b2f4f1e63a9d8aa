"""The address of a call, with holes: `/orders/{orderNo}?lines={$count(items)}`. Each hole is an expression over what is
sent. Pure.

One mechanism for `call` and `probe`: for deliveries, look-ups, synchronous questions and their previews. A value is
escaped whole: it may hold slashes and question marks, and never makes another path. What would be a dot segment, before
or after a reader has unescaped it, is refused before anything is sent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from hub.core.documents.pointers import places
from hub.core.errors import Cause, GiveUp, Reason
from hub.core.expressions.expression import Expression, compile_expression
from hub.core.expressions.prepared import MISSING
from hub.core.expressions.read_paths import paths
from hub.core.json import escape
from hub.core.message import Json
from hub.core.schemas.contract import MASK, Contract

KEY = "key"  # `{key}` is the Idempotency-Key; a field of that name is `{$.key}`
MAX_HOLES = 20
MAX_VALUE = 1_000  # characters of one value, once it is escaped
MAX_UNESCAPED = 4  # times that a value is unescaped to see what a careless reader would make of it
# Of one hole there are neither braces nor control characters, so that it is found without reading the expression.
PATTERN = r"/(?:[^\s\\#{}\x00-\x1f\x7f]|\{[^{}\x00-\x1f\x7f]{1,400}\})*"

_HOLE = re.compile(r"\{([^{}]+)\}")
_ESCAPED = re.compile(r"%([0-9A-Fa-f]{2})")
_PARTS = re.compile(r"[/\\]")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_CLOCK = re.compile(r"\$(?:now|millis|random|shuffle)\b")


@dataclass(frozen=True, slots=True)
class Hole:
    """`expression` None: the Idempotency-Key."""

    text: str
    expression: Expression | None
    in_path: bool

    @property
    def field(self) -> str:
        """The pointer of the field that it is filled from; the first, where it is made of several."""
        steps: Any = self.expression.path if self.expression is not None else ()
        if self.expression is not None and not steps:
            try:
                steps = next(iter(paths(self.text)), ())
            except ValueError:
                steps = ()
        return "".join(f"/{escape(str(step))}" for step in steps or ())


@dataclass(frozen=True, slots=True)
class Address:
    """A path and a query as they are written, their texts and holes in turn."""

    text: str
    parts: tuple[str | Hole, ...]

    @property
    def holes(self) -> tuple[Hole, ...]:
        return tuple(part for part in self.parts if isinstance(part, Hole))

    def filled(self, payload: Json, *, key: str, now: datetime) -> str:
        """The address for one payload. Raises GiveUp (transform_error, with the field): a value is missing, empty, no
        scalar, or a dot segment.
        """
        if not self.holes:
            return self.text
        made = "".join(
            part if isinstance(part, str) else _escaped(part, _value(part, payload, key, now)) for part in self.parts
        )
        path = made.partition("?")[0]
        if any(_is_dots(part) for part in path.split("/")):
            raise _refused(self.holes[0], "it would make a dot segment of the path")
        return made

    def shown(self, payload: Json, *, key: str, now: datetime, contract: Contract | None) -> str:
        """The same for people: what the contract calls personal is masked. Raises GiveUp."""
        self.filled(payload, key=key, now=now)
        return "".join(
            part if isinstance(part, str) else self._shown(part, payload, key, now, contract) for part in self.parts
        )

    def _shown(self, hole: Hole, payload: Json, key: str, now: datetime, contract: Contract | None) -> str:
        if hole.expression is not None and (contract is None or _is_personal(hole, payload, contract)):
            return MASK
        return _escaped(hole, _value(hole, payload, key, now))


@lru_cache(maxsize=5_000)
def address_of(text: str) -> Address:
    """Reads an address. Raises ValueError with the reason, in words for whoever wrote it."""
    if not re.fullmatch(PATTERN, text, re.ASCII):
        raise ValueError(
            "an address is a path such as /orders/{orderNo}?sku={items[0].sku}; a hole holds an expression without braces"
        )
    parts: list[str | Hole] = []
    at, in_path = 0, True
    for found in _HOLE.finditer(text):
        before = text[at : found.start()]
        in_path = in_path and "?" not in before
        parts += [before, _hole(found[1], in_path=in_path)] if before else [_hole(found[1], in_path=in_path)]
        at = found.end()
    if text[at:]:
        parts.append(text[at:])
    if sum(isinstance(part, Hole) for part in parts) > MAX_HOLES:
        raise ValueError(f"an address has at most {MAX_HOLES} holes")
    if any(_is_dots(part) for part in _HOLE.sub("x", text).partition("?")[0].split("/")):
        raise ValueError("a path has no dot segments; write where it leads")
    return Address(text, tuple(parts))


def _hole(text: str, *, in_path: bool) -> Hole:
    if text.strip() == KEY:
        return Hole(text, None, in_path)
    if _CLOCK.search(text):
        raise ValueError(f"{{{text}}} is another at each try; an address stays the same")
    try:
        return Hole(text, compile_expression(text), in_path)
    except ValueError as error:
        raise ValueError(f"{{{text}}} does not compile: {error}") from error


def _is_personal(hole: Hole, payload: Json, contract: Contract) -> bool:
    """Whether anything that it is made of is. What the reader of expressions does not know is taken to be."""
    try:
        return any(contract.is_personal(list(place)) for path in paths(hole.text) for place, _ in places(payload, path))
    except ValueError:
        return True


def _value(hole: Hole, payload: Json, key: str, now: datetime) -> str:
    if hole.expression is None:
        return key
    try:
        value: Any = hole.expression.evaluate(payload, now=now)
    except GiveUp as error:
        raise _refused(hole, error.why.text) from error
    if value is MISSING or value is None:
        raise _refused(hole, "there is nothing")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if not isinstance(value, str | int):
        raise _refused(hole, f"it is {'a list' if isinstance(value, list) else 'an object'}, no single value")
    text = str(value)
    if not text.strip():
        raise _refused(hole, "it is empty")
    return text


def _escaped(hole: Hole, text: str) -> str:
    """A value as one part of an address (RFC 3986 section 2.1). Raises GiveUp for what a reader could take for more
    than one.
    """
    plain = _unescaped(text)
    if hole.in_path and any(_is_dots(part) for part in _PARTS.split(plain)):
        raise _refused(hole, "it holds a dot segment, which would lead elsewhere")
    if any(ord(char) < 0x20 or ord(char) == 0x7F for one in (text, plain) for char in one):
        raise _refused(hole, "it holds a control character")
    try:
        made = "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in text.encode())
    except UnicodeEncodeError as error:
        raise _refused(hole, "it holds half a character") from error
    if len(made) > MAX_VALUE:
        raise _refused(hole, f"it has more than {MAX_VALUE} characters, once it is escaped")
    return made


def _unescaped(text: str) -> str:
    for _ in range(MAX_UNESCAPED):
        plain = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
        if plain == text:
            break
        text = plain
    return text


def _is_dots(part: str) -> bool:
    """Whether a part of a path is `.` or `..` to some reader: also escaped, and before a path parameter, which some
    take off.
    """
    return _unescaped(part).partition(";")[0].strip() in (".", "..")


def _refused(hole: Hole, text: str) -> GiveUp:
    # Never the value: it may be personal.
    fix = "Mend the mapping or the source's data, then replay; or mend the address in system.yaml."
    return GiveUp(
        Cause(
            Reason.TRANSFORM_ERROR,
            f"The hole {{{hole.text}}} of the address cannot be filled: {text}.",
            hole.field,
            fix,
        )
    )
