"""A foreign request, opened: its query, form and JSON, each read once and only if somebody asks. A field that is repeated is refused.

Signatures are over the text as it came, so numbers of a JSON body are kept as they were written as well.
"""

from __future__ import annotations

import json as standard
import re
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

from hub.core import json
from hub.core.errors import Code, Fault, Refused
from hub.core.json import LIMITS, Limits
from hub.core.message import Json, Request
from hub.core.scheme import Spot

FORM_TYPE = "application/x-www-form-urlencoded"
MAX_FIELDS = 1_000
# What partners of this trade send; the name that a form gives itself is not trusted to be any codec of Python's.
CHARSETS = {"utf-8": "utf-8", "utf8": "utf-8", "gbk": "gbk", "gb2312": "gbk", "gb18030": "gb18030"}
_CHARSET = re.compile(r"(?:^|&)charset=([A-Za-z0-9_-]{1,20})(?:&|$)", re.ASCII)


class Opened:
    """`body` is what expressions see: decoded JSON, a form's fields, or null; see `payload`."""

    def __init__(self, request: Request, limits: Limits = LIMITS) -> None:
        self.request = request
        self._limits = limits

    @property
    def is_form(self) -> bool:
        return (self.header("content-type") or "").partition(";")[0].strip().lower() == FORM_TYPE

    def header(self, name: str) -> str | None:
        """Raises Refused where it was sent twice."""
        try:
            return self.request.header(name)
        except ValueError as error:
            raise Refused(Code.BAD_REQUEST, f"The {error}. Send it once.") from error

    @cached_property
    def charset(self) -> str:
        """The codec of the form: what its field `charset` says (Alipay sends GBK), else UTF-8."""
        if not self.is_form:
            return "utf-8"
        found = _CHARSET.search(self.request.body.decode("latin-1"))
        name = found[1].lower() if found else "utf-8"
        if name not in CHARSETS:
            raise Refused(Code.BAD_REQUEST, f"The form's charset {name!r} is not taken; there are {', '.join(sorted(set(CHARSETS)))}.")
        return CHARSETS[name]

    @cached_property
    def form(self) -> dict[str, str]:
        """Raises Refused: no form, not in its charset, or a field twice."""
        return _fields(self.request.body.decode("latin-1"), self.charset, "form") if self.is_form else {}

    @cached_property
    def query(self) -> dict[str, str]:
        return _fields(self.request.query, "utf-8", "query") if self.request.query else {}

    @cached_property
    def json(self) -> Json:
        """The body by the one strict decoder. Raises Refused."""
        return json.decode(self.request.body, self._limits)

    @cached_property
    def written(self) -> dict[str, str]:
        """The top level of a JSON body as texts, numbers as they were written. Raises Refused."""
        if not isinstance(self.json, dict):
            raise Refused(Code.MALFORMED_JSON, "The body is no JSON object.")
        # Read again by the standard library, which hands numbers over as text; that it is well-formed, and no name twice, is proven already.
        raw: dict[str, Any] = standard.loads(self.request.body, parse_int=_Digits, parse_float=_Digits)
        return {name: _as_written(value) for name, value in raw.items()}

    @cached_property
    def payload(self) -> Json:
        """JSON, or of a form the one field that holds a JSON object or list; else the form's fields. None for an empty body. Raises Refused."""
        if not self.request.body:
            return None
        if not self.is_form:
            return self.json
        inner = [text for text in self.form.values() if text[:1] in ("{", "[")]
        return json.decode(inner[0].encode(), self._limits) if len(inner) == 1 else dict(self.form)

    def at(self, spot: Spot) -> str | None:
        """The text at a place, untouched; None if there is nothing. Raises Refused."""
        match spot.kind:
            case "header":
                return self.header(spot.name)
            case "query":
                return self.query.get(spot.name)
            case "form":
                return self.form.get(spot.name)
            case _:
                return self._in_json(spot.name)

    def decoded_at(self, spot: Spot) -> Json:
        """The JSON text at a place, decoded; one that is URL-encoded is unpacked first. Raises Refused."""
        text = self.at(spot)
        if text is None:
            raise Refused(Code.CONTRACT_VIOLATION, f"There is nothing at {spot}.", [Fault("", "nothing", f"JSON at {spot}", "send it there")])
        return json.decode((unquote_plus(text) if text[:1] == "%" else text).encode(), self._limits)

    def view(self) -> dict[str, Json]:
        """What the expressions of a hook are over. Raises Refused."""
        headers: dict[str, Json] = dict(self.request.headers)
        return {"method": self.request.method, "headers": headers, "query": dict(self.query), "form": dict(self.form), "body": self.payload}

    def _in_json(self, path: str) -> str | None:
        first, *rest = path.split(".")
        if not rest:
            return self.written.get(first)
        here: Any = standard.loads(self.request.body, parse_int=_Digits, parse_float=_Digits) if isinstance(self.json, dict) else None
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
        return "{" + ",".join(f"{standard.dumps(name, ensure_ascii=False)}:{_packed(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_packed(inner) for inner in value) + "]"
    return str(value) if isinstance(value, _Digits) else standard.dumps(value, ensure_ascii=False)


def _fields(text: str, charset: str, what: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), encoding=charset, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise Refused(Code.BAD_REQUEST, f"The {what} cannot be read as {charset}, with at most {MAX_FIELDS} fields.") from error
    fields = dict(pairs)
    if len(fields) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Refused(Code.DUPLICATE_PARAMETER, f"The field {twice[:64]!r} stands twice in the {what}; readers differ on which one counts.")
    return fields
