"""A foreign request, opened: its query, form and JSON, each read once and only if somebody asks. Nothing in it is
guessed.

Signatures are over what was sent: fields of a form keep their bytes, and numbers of a JSON body are kept as they were
written as well.
"""

from __future__ import annotations

import json as standard
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any, TypeAlias
from urllib.parse import unquote_plus, unquote_to_bytes

from hub.core import json
from hub.core.config.scheme import Spot
from hub.core.documents.content_coding import coding_of, inflated
from hub.core.errors import Code, Fault, Refused
from hub.core.json import LIMITS, Limits
from hub.core.message import Json, Request

FORM_TYPE = "application/x-www-form-urlencoded"
PARTS_TYPE = "multipart/form-data"
MAX_FIELDS = 1_000
# What partners of this trade send; no name that a stranger gives is trusted to be any codec of Python's. GB18030 has
# all of GBK and of GB2312.
CHARSETS: Mapping[str, str] = {
    name: codec
    for codec, names in {"utf-8": ("utf-8", "utf8"), "gb18030": ("gbk", "gb2312", "gb18030", "cp936", "ms936")}.items()
    for name in names
}
_IN_FORM = re.compile(rb"(?:^|&)charset=([A-Za-z0-9_-]{1,20})(?:&|$)")
_IN_HEADER = re.compile(r""";\s*charset\s*=\s*["']?([A-Za-z0-9_.:-]{1,40})""", re.ASCII | re.IGNORECASE)

Field: TypeAlias = "tuple[bytes, bytes]"


class ParsedRequest:
    """`body` is the body as it was before its content coding; `payload` is what expressions see. `charset`: the hook's
    own, where it declares one.
    """

    def __init__(self, request: Request, limits: Limits = LIMITS, charset: str = "") -> None:
        self.request = request
        self._limits = limits
        self._declared = charset

    @property
    def is_form(self) -> bool:
        return self._kind == FORM_TYPE

    def header(self, name: str) -> str | None:
        """Raises Refused where it was sent twice."""
        try:
            return self.request.header(name)
        except ValueError as error:
            raise Refused(Code.BAD_REQUEST, f"The {error}. Send it once.") from error

    @cached_property
    def body(self) -> bytes:
        """The body, inflated where its header says that it is compressed. Raises Refused."""
        return inflated(self.request.body, coding_of(self.request), self._limits.max_bytes)

    @cached_property
    def charset(self) -> str:
        """The codec of the body's text: what its hook declares, else what a form says in its field `charset` (Alipay),
        else the header, else UTF-8.

        What nobody here knows is read as ASCII, which is the same in all of them; a byte beyond is refused.
        """
        if self._declared:
            return CHARSETS[self._declared]
        in_form = _IN_FORM.search(self.body) if self.is_form else None
        in_header = _IN_HEADER.search(self.header("content-type") or "")
        name = in_form[1].decode() if in_form else in_header[1] if in_header else "utf-8"
        # JSON is UTF-8 by its standard; what else a header may say of it is not looked at, and bytes that are none are
        # found.
        return CHARSETS.get(name.lower(), "ascii" if self.is_form else "utf-8")

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """The form's fields in their order, unescaped, as bytes. Raises Refused: too many."""
        return _split(self.body, "form") if self.is_form else ()

    @cached_property
    def asked(self) -> tuple[Field, ...]:
        """The query's fields, likewise."""
        return _split(self.request.query.encode("latin-1", "replace"), "query")

    @cached_property
    def form(self) -> dict[str, Json]:
        """The form's fields as texts; a name that stands twice, or ends in `[]`, has a list. Raises Refused: not in its
        charset.
        """
        return _texts(self.fields, self.charset, "form")

    @cached_property
    def query(self) -> dict[str, Json]:
        return _texts(self.asked, "utf-8", "query")

    @cached_property
    def json(self) -> Json:
        """The body by the one strict decoder. Raises Refused."""
        if self._kind == PARTS_TYPE:
            fault = Fault("", PARTS_TYPE, f"JSON, or {FORM_TYPE}", "send the fields as a form, or as JSON")
            raise Refused(Code.UNSUPPORTED_MEDIA_TYPE, "A body in parts is not taken here.", [fault])
        return json.decode(self._text, self._limits)

    @cached_property
    def written(self) -> dict[str, str]:
        """The top level of a JSON body as texts, numbers as they were written. Raises Refused."""
        if not isinstance(self.json, dict):
            raise Refused(Code.MALFORMED_JSON, "The body is no JSON object.")
        # Read again by the standard library, which hands numbers over as text; that it is well-formed, and no name
        # twice, is proven already.
        raw: dict[str, Any] = standard.loads(self._text, parse_int=_Digits, parse_float=_Digits)
        return {name: _as_written(value) for name, value in raw.items()}

    @cached_property
    def payload(self) -> Json:
        """A form's fields, else JSON; None for an empty body. Text of a field is text, whatever it begins with. Raises
        Refused.
        """
        if not self.body:
            return None
        return dict(self.form) if self.is_form else self.json

    def at(self, spot: Spot) -> str | None:
        """The text at a place, untouched; None if there is nothing. Raises Refused: a field that stands twice, where
        one is meant.
        """
        match spot.kind:
            case "header":
                return self.header(spot.name)
            case "query" | "form":
                raw = self.raw_at(spot)
                return (
                    None if raw is None else _decoded(raw, "utf-8" if spot.kind == "query" else self.charset, spot.kind)
                )
            case _:
                return self._in_json(spot.name)

    def raw_at(self, spot: Spot) -> bytes | None:
        """The bytes of a field of the form or the query, unescaped, as its sender signed them. Raises Refused like
        `at`.
        """
        is_form = spot.kind == "form"
        name = spot.name.encode(self.charset if is_form else "utf-8", "replace")
        values = [value for key, value in (self.fields if is_form else self.asked) if key == name]
        if len(values) > 1:
            text = f"The field {spot.name[:64]!r} stands twice in the {spot.kind}; readers differ on which one counts."
            raise Refused(
                Code.DUPLICATE_PARAMETER, text, [Fault("", f"{len(values)} fields of this name", "one", "send it once")]
            )
        return values[0] if values else None

    def decoded_at(self, spot: Spot) -> Json:
        """The JSON text at a place, decoded; one that is URL-encoded is unpacked first. Raises Refused."""
        text = self.at(spot)
        if text is None:
            raise Refused(
                Code.CONTRACT_VIOLATION,
                f"There is nothing at {spot}.",
                [Fault("", "nothing", f"JSON at {spot}", "send it there")],
            )
        return json.decode((unquote_plus(text) if text[:1] == "%" else text).encode(), self._limits)

    def view(self) -> dict[str, Json]:
        """What the expressions of a hook are over. Raises Refused."""
        headers: dict[str, Json] = dict(self.request.headers)
        return {
            "method": self.request.method,
            "headers": headers,
            "query": dict(self.query),
            "form": dict(self.form),
            "body": self.payload,
        }

    @property
    def _kind(self) -> str:
        return (self.header("content-type") or "").partition(";")[0].strip().lower()

    @cached_property
    def _text(self) -> bytes:
        """The body in UTF-8. Raises Refused."""
        if self.charset in ("utf-8", "ascii") or self.is_form:
            return self.body
        return _decoded(self.body, self.charset, "body").encode()

    def _in_json(self, path: str) -> str | None:
        first, *rest = path.split(".")
        if not rest:
            return self.written.get(first)
        here: Any = (
            standard.loads(self._text, parse_int=_Digits, parse_float=_Digits) if isinstance(self.json, dict) else None
        )
        for name in (first, *rest):
            here = here.get(name) if isinstance(here, dict) else None
        return None if here is None else _as_written(here)


class _Digits(str):
    """A number as it was written."""

    __slots__ = ()


def _as_written(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str) else _packed(value)


def _packed(value: Any) -> str:
    """A nested value on one line, its numbers as written."""
    if isinstance(value, dict):
        return (
            "{"
            + ",".join(f"{standard.dumps(name, ensure_ascii=False)}:{_packed(inner)}" for name, inner in value.items())
            + "}"
        )
    if isinstance(value, list):
        return "[" + ",".join(_packed(inner) for inner in value) + "]"
    return str(value) if isinstance(value, _Digits) else standard.dumps(value, ensure_ascii=False)


def _split(text: bytes, what: str) -> tuple[Field, ...]:
    """Fields as the URL standard reads them: empty parts are skipped, a name without `=` has an empty value. Raises
    Refused: too many.
    """
    parts = [part for part in text.split(b"&") if part]
    if len(parts) > MAX_FIELDS:
        raise Refused(Code.BAD_REQUEST, f"The {what} has more than {MAX_FIELDS} fields.")
    pairs = [part.partition(b"=") for part in parts]
    return tuple(
        (unquote_to_bytes(name.replace(b"+", b" ")), unquote_to_bytes(value.replace(b"+", b" ")))
        for name, _, value in pairs
    )


def _texts(fields: tuple[Field, ...], charset: str, what: str) -> dict[str, Json]:
    texts: dict[str, list[Json]] = {}
    for raw, value in fields:
        texts.setdefault(_decoded(raw, charset, what), []).append(_decoded(value, charset, what))
    return {name: values if len(values) > 1 or name.endswith("[]") else values[0] for name, values in texts.items()}


def _decoded(raw: bytes, charset: str, what: str) -> str:
    try:
        return raw.decode(charset)
    except UnicodeDecodeError as error:
        known = ", ".join(sorted({name.upper() for name in ("utf-8", "gbk", "gb18030")}))
        fault = Fault(
            "", f"byte 0x{raw[error.start]:02X}", charset.upper(), f"say its charset in Content-Type: {known}"
        )
        raise Refused(Code.BAD_ENCODING, f"The {what} cannot be read as {charset}.", [fault]) from error
