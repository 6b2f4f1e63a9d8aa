"""The one strict decoder of JSON, and its encoder (docs/design/inputs.md#decoder). Foreign bytes become values here and
nowhere else.

msgspec keeps every digit and refuses what RFC 8259 refuses. What it lets pass is refused by a second look: names that
stand twice, NUL, numbers out of range, and more depth, values or name than the limits allow. Whatever parsing can raise
becomes one `Refused`.

A whole number `-0` is read as 0. `1.0` and `1e5` are read as Decimal and leave with the same digits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn, cast

import msgspec

from hub.core.errors import Code, Fault, Refused
from hub.core.message import Json, Writable

LOW, HIGH = -(2**63), 2**63 - 1  # whole numbers: what a BIGINT, a Java long and a Go int64 hold
MAX_EXPONENT = 308  # fractions: what a double reaches, so that no reader makes infinity or zero of it
MAX_DIGITS = 400  # characters of one fraction


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one message may be: bytes; nesting; values in all; characters of a name."""

    max_bytes: int = 10 * 1024 * 1024
    max_depth: int = 64
    max_values: int = 100_000
    max_name: int = 255


LIMITS = Limits()


def decode(raw: bytes, limits: Limits = LIMITS) -> Json:
    """One JSON value of strict UTF-8. Fractions are Decimal, whole numbers int; no digit is lost.

    Raises Refused: empty_body, malformed_json (with position; also for a name that stands twice), too_deep,
    number_out_of_range, invalid_utf8, invalid_unicode, too_large, too_many_values.
    """
    if len(raw) > limits.max_bytes:
        text = f"The body has {len(raw)} bytes; at most {limits.max_bytes} are taken."
        _refuse(Code.TOO_LARGE, text, f"{len(raw)} bytes", f"at most {limits.max_bytes} bytes")
    # Counted before parsing, where it can matter: a million small values would be a hundred megabytes before anyone
    # could count them.
    if raw.count(b",") >= limits.max_values and _STRING.sub(b"", raw).count(b",") >= limits.max_values:
        _too_many(limits)
    try:
        value = cast("Json", _DECODER.decode(raw))
    except (ValueError, RecursionError) as error:
        raise _malformed(raw, error, limits) from None
    names = _count(value, limits)
    # A name that stands twice leaves fewer names in the result than there are `":` in the bytes. White space before a
    # colon could hide one, and text may hold more of them: then a second, slow pass decides. A doubt costs one slow
    # decode, never a miss.
    if raw.count(b'":') != names or _has_space_before_colon(raw):
        _refuse_doubles(raw)
    if b"\\" in raw and b"\\u0000" in raw:
        _refuse_nul(value, "")
    return value


def encode(value: Writable) -> bytes:
    """Compact UTF-8. Decimals keep their digits. Raises ValueError for what JSON cannot say: NaN, infinity, a lone
    surrogate.
    """
    return _checked(_ENCODER.encode(value), value)


def readable(value: Writable) -> str:
    """As `encode`, indented: for people."""
    return msgspec.json.format(encode(value), indent=2).decode()


def canonical(value: Json) -> bytes:
    """As `encode`, with names sorted: for bytes that are hashed or compared."""
    return _checked(_CANONICAL.encode(value), value)


def _has_space_before_colon(raw: bytes) -> bool:
    # A single byte is found ten times faster than two, and most messages have no white space, or only one kind of it.
    return (
        (b" " in raw and b" :" in raw)
        or (b"\n" in raw and b"\n:" in raw)
        or (b"\t" in raw and b"\t:" in raw)
        or (b"\r" in raw and b"\r:" in raw)
    )


def _fraction(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:  # an exponent beyond what Decimal itself can hold
        number = Decimal("Infinity")
    if not number.is_finite() or len(text) > MAX_DIGITS or not -MAX_EXPONENT <= number.adjusted() <= MAX_EXPONENT:
        _out_of_range("", f"a fraction of {len(text)} characters")
    return number


_DECODER = msgspec.json.Decoder(float_hook=_fraction)
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_CANONICAL = msgspec.json.Encoder(decimal_format="number", order="deterministic")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_ESCAPE = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
_POSITION = re.compile(r" \(byte (\d+)\)$", re.ASCII)


def _count(value: Json, limits: Limits) -> int:  # noqa: C901  # called for each value of a message
    """How many names the value has. Level by level, so that no depth can exhaust the stack; refuses what is over the
    limits.

    In one piece: every message pays for each call made here.
    """
    if type(value) is int and not LOW <= value <= HIGH:
        _out_of_range("", "an integer")
    level: list[Any] = [value] if isinstance(value, dict | list) else []
    depth = names = 0
    values = 1
    while level:
        below: list[Any] = []
        for container in level:
            values += len(container)
            members = container
            if type(container) is dict:
                names += len(container)
                members = container.values()
                for name in container:
                    if len(name) > limits.max_name:
                        _long_name(name, limits)
            for member in members:
                kind = type(member)
                if kind is str:
                    continue
                if kind is dict or kind is list:
                    below.append(member)
                elif kind is int and not LOW <= member <= HIGH:
                    _out_of_range(_pointer_of(value, member), "an integer")
        depth += 1
        if values > limits.max_values:
            _too_many(limits)
        if depth > limits.max_depth:
            _too_deep(limits)
        level = below
    return names


def _pointer_of(value: Json, wanted: object) -> str:
    """Where `wanted` itself (not an equal one) stands in `value`. Only called to say what is wrong."""
    waiting: list[tuple[str, Json]] = [("", value)]
    while waiting:
        pointer, found = waiting.pop()
        if found is wanted:
            return pointer
        if isinstance(found, dict):
            waiting += [(f"{pointer}/{escape(name)}", member) for name, member in found.items()]
        elif isinstance(found, list):
            waiting += [(f"{pointer}/{index}", member) for index, member in enumerate(found)]
    return ""


def pointer(steps: Iterable[str | int]) -> str:
    """A path as a JSON pointer (RFC 6901)."""
    return "".join(f"/{escape(str(step))}" for step in steps)


def escape(name: str) -> str:
    """A name as one part of a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


class _StandsTwice(Exception):  # a signal inside this module, not an error of the tree
    pass


def _refuse_doubles(raw: bytes) -> None:
    def once(pairs: list[tuple[str, object]]) -> None:
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _StandsTwice(name)
            seen.add(name)

    try:
        # Numbers are not read a second time: only names matter here, and what msgspec took has no other trap left for
        # this reader.
        json.loads(raw.decode(), object_pairs_hook=once, parse_float=str, parse_int=str)
    except _StandsTwice as error:
        name = str(error)[:64]
        raise Refused(
            Code.MALFORMED_JSON,
            f"The name {name!r} stands twice in one object.",
            [
                Fault(
                    "",
                    f"the name {name!r} twice in one object",
                    "each name once",
                    f"send {name!r} once; two readers could take different ones",
                )
            ],
        ) from None


def _refuse_nul(value: Json, pointer: str) -> None:
    """NUL is a Unicode character that one of the two databases cannot keep, so it is refused on both."""
    if isinstance(value, str):
        if "\0" in value:
            _refuse(
                Code.INVALID_UNICODE,
                "Text holds the character NUL (U+0000).",
                "text with U+0000",
                "text without U+0000",
                "leave it out",
                pointer=pointer,
            )
    elif isinstance(value, list):
        for index, member in enumerate(value):
            _refuse_nul(member, f"{pointer}/{index}")
    elif isinstance(value, dict):
        for name, member in value.items():
            _refuse_nul(name, pointer)
            _refuse_nul(member, f"{pointer}/{escape(name)}")


def _malformed(raw: bytes, error: Exception, limits: Limits) -> Refused:
    """What a parser's complaint means for the sender. Slow, and only on bytes that were refused already."""
    try:
        if not raw.strip(b" \t\r\n"):
            _refuse(Code.EMPTY_BODY, "The body is empty.", "nothing", "one JSON value", "send the message as the body")
        if isinstance(error, RecursionError):
            _too_deep(limits)
        for mark, name in (
            (b"\xef\xbb\xbf", "a byte order mark"),
            (b"\xff\xfe", "the mark of UTF-16 or UTF-32"),
            (b"\xfe\xff", "the mark of UTF-16"),
        ):
            if raw.startswith(mark):
                _refuse(
                    Code.MALFORMED_JSON,
                    f"The body begins with {name}.",
                    name,
                    "UTF-8 without a mark",
                    "encode the body as UTF-8 without BOM",
                )
        _refuse_broken_utf8(raw)
        _refuse_lone_surrogates(raw)
        if "out of range" in str(error):
            _out_of_range("", "an integer")
        found = _POSITION.search(str(error))
        at = int(found[1]) if found else len(raw)
        text = str(error)[: found.start()].removeprefix("JSON is malformed: ") if found else "it ends too early"
        place = _place(raw, at)
        return Refused(
            Code.MALFORMED_JSON,
            f"The body is not JSON: {text} at {place}.",
            [
                Fault(
                    "",
                    f"{text} at {place}",
                    "one JSON value (RFC 8259)",
                    "write the body with a JSON library, not by hand",
                )
            ],
        )
    except Refused as refused:
        return refused


def _place(raw: bytes, at: int) -> str:
    line, column = raw.count(b"\n", 0, at) + 1, at - raw.rfind(b"\n", 0, at)
    return f"byte {at} (line {line}, column {column})"


def _refuse_broken_utf8(raw: bytes) -> None:
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        byte = f"byte 0x{raw[error.start]:02X} at {_place(raw, error.start)}"
        _refuse(
            Code.INVALID_UTF8,
            f"The body is not UTF-8: {byte}.",
            byte,
            "UTF-8",
            "encode the body as UTF-8; nothing else is taken",
        )


def _refuse_lone_surrogates(raw: bytes) -> None:
    awaited = -1  # where the second half of a pair must begin
    for found in _ESCAPE.finditer(raw):
        if awaited >= 0 and found.start() != awaited:
            _lone(raw, awaited - 6)
        unit = int(found[1], 16) if found[1] else 0
        if awaited >= 0:
            if not 0xDC00 <= unit <= 0xDFFF:
                _lone(raw, awaited - 6)
            awaited = -1
        elif 0xDC00 <= unit <= 0xDFFF:
            _lone(raw, found.start())
        elif 0xD800 <= unit <= 0xDBFF:
            awaited = found.end()
    if awaited >= 0:
        _lone(raw, awaited - 6)


def _lone(raw: bytes, at: int) -> NoReturn:
    got = f"half a surrogate pair at {_place(raw, at)}"
    _refuse(
        Code.INVALID_UNICODE,
        f"Text holds {got}.",
        got,
        "whole characters",
        "write the character itself in UTF-8, or both halves in order",
    )


def _out_of_range(pointer: str, got: str) -> NoReturn:
    _refuse(
        Code.NUMBER_OUT_OF_RANGE,
        "A number is out of range.",
        got + " out of range",
        f"integers from -2^63 to 2^63-1, fractions with an exponent within ±{MAX_EXPONENT} and at most {MAX_DIGITS} characters",
        "send longer numbers as text, where the contract allows it",
        pointer=pointer,
    )


def _too_deep(limits: Limits) -> NoReturn:
    _refuse(
        Code.TOO_DEEP,
        f"The body is nested deeper than {limits.max_depth} levels.",
        "deeper nesting",
        f"at most {limits.max_depth} levels",
    )


def _too_many(limits: Limits) -> NoReturn:
    _refuse(
        Code.TOO_MANY_VALUES,
        f"The message has more than {limits.max_values} values.",
        f"more than {limits.max_values} values",
        f"at most {limits.max_values} values in one message",
        "send it in several messages",
    )


def _long_name(name: str, limits: Limits) -> NoReturn:
    text = f"A name has {len(name)} characters; at most {limits.max_name} are taken."
    _refuse(
        Code.TOO_MANY_VALUES,
        text,
        f"a name of {len(name)} characters, beginning {name[:32]!r}",
        f"names of at most {limits.max_name} characters",
    )


def _refuse(code: Code, text: str, got: str, want: str, fix: str = "send less", *, pointer: str = "") -> NoReturn:
    raise Refused(code, text, [Fault(pointer, got, want, fix)])


def _checked(encoded: bytes, value: Writable) -> bytes:
    # The encoder writes NaN as `null` (float) or as a bare word (Decimal). Only bytes with these words in them need the
    # slow look.
    if b"null" in encoded or b"NaN" in encoded or b"Infinity" in encoded:
        _refuse_non_finite(value)
    return encoded


def _refuse_non_finite(value: Writable) -> None:
    if isinstance(value, Decimal | float):
        if not Decimal(value).is_finite():
            raise ValueError(f"{value} cannot be written as JSON; only finite numbers can")
    elif isinstance(value, list):
        for member in value:
            _refuse_non_finite(member)
    elif isinstance(value, dict):
        for member in value.values():
            _refuse_non_finite(member)
