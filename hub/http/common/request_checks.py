"""What holds for every request, whatever it asks for: sizes, characters and doubles of its line and its headers."""

from __future__ import annotations

import re
from collections import Counter
from urllib.parse import parse_qsl

from hub.core.documents.content_coding import CLOSE
from hub.core.errors import Code, Fault, Refused
from hub.core.message import Request

MAX_HEADERS = 100
MAX_HEADER_BYTES = 32_768
MAX_PATH = 2_048
MAX_QUERY = 8_192
MAX_PARAMETERS = 100

# Escapes that would make another path of it, after the routes were judged: dots, slashes, semicolons, controls, escapes
# of escapes.
_TRICK = re.compile(
    r"//|[;\\]|(?:^|/)\.\.?(?:/|$)|%(?:[01][0-9a-f]|2[5ef]|3b|5c|7f|(?![0-9a-f]{2}))", re.ASCII | re.IGNORECASE
)
# Read by the hub itself. The headers that a hook declares are read as UTF-8.
_ASCII = frozenset(
    {
        "accept", "api-version", "authorization", "client-cert", "content-encoding", "content-length", "content-type", "expect", "forwarded", "host",
        "idempotency-key", "origin", "traceparent", "tracestate", "transfer-encoding", "webhook-id", "webhook-signature", "webhook-timestamp",
        "x-csrf-token", "x-forwarded-for", "x-signature", "x-ssl-client-cert", "x-timestamp",
    }
)  # fmt: skip
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._~!$&'()*+,;=-]*)(?::[0-9]{0,5})?", re.ASCII)
_ONCE = ("host", "content-type", "content-length", "transfer-encoding", "expect", "api-version")


def check_line(request: Request) -> None:  # noqa: C901  # one rule per line
    """Sizes, characters and doubles of the line and the headers: what holds for every request. Raises Refused."""
    if len(request.path) > MAX_PATH or len(request.query) > MAX_QUERY:
        raise Refused(Code.URI_TOO_LONG, f"The path has at most {MAX_PATH} characters, the query {MAX_QUERY}.")
    names = [name for name, _ in request.headers]
    text = "".join([part for header in request.headers for part in header])
    if len(names) > MAX_HEADERS or len(text) > MAX_HEADER_BYTES:
        raise Refused(
            Code.HEADERS_TOO_LARGE,
            f"At most {MAX_HEADERS} headers of {MAX_HEADER_BYTES} bytes together are taken.",
            headers=[CLOSE],
        )
    if "\r" in text or "\n" in text or "\0" in text:
        raise Refused(
            Code.BAD_REQUEST,
            "A header holds a line break or NUL.",
            [Fault("", "such a header", "visible ASCII", "encode it")],
            [CLOSE],
        )
    if not text.isascii():
        _check_letters(request)
    if len(set(names)) != len(names):
        twice = next((name for name in _ONCE if names.count(name) > 1), None)
        if twice is not None:
            raise Refused(
                Code.BAD_REQUEST,
                f"The header {twice} was sent {names.count(twice)} times. Send it once.",
                headers=[CLOSE],
            )
    if not request.method.isupper():
        raise Refused(
            Code.METHOD_NOT_ALLOWED, "Methods are written in capitals.", headers=[("allow", "GET, HEAD, POST")]
        )
    if not all(_HOST.fullmatch(value) for name, value in request.headers if name == "host"):
        raise Refused(
            Code.BAD_REQUEST, "The header Host is no host name, or no address with its port.", headers=[CLOSE]
        )
    if _TRICK.search(request.path) or not request.path.isascii():
        raise Refused(
            Code.NOT_FOUND,
            "There is nothing here; a path holds no dot segments, empty parts, parameters or escapes of such.",
        )
    if request.query:
        _check_query(request.query)


def read_value(raw: bytes) -> str:
    """A header's value as text: UTF-8, which ASCII is; where it is not, each byte stands for itself."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _check_letters(request: Request) -> None:
    """What a proxy adds may be a person's name in UTF-8, and concerns nobody here; a header that decides something is
    ASCII (RFC 9110).
    """
    for name, value in request.headers:
        if not name.isascii() or (name in _ASCII and not value.isascii()):
            shown = name if name.isascii() else "its name"
            fault = Fault("", f"{shown} with other letters", "visible ASCII", "encode it")
            raise Refused(Code.BAD_REQUEST, "A header that is read here holds what is not ASCII.", [fault])


def _check_query(query: str) -> None:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_PARAMETERS, errors="strict")
    except ValueError as error:
        raise Refused(
            Code.BAD_REQUEST, f"The query cannot be read: at most {MAX_PARAMETERS} parameters, in UTF-8."
        ) from error
    twice = [name for name, number in Counter(name for name, _ in pairs).items() if number > 1]
    if twice:
        raise Refused(
            Code.DUPLICATE_PARAMETER,
            f"The parameter {twice[0][:64]!r} stands twice; readers differ on which one counts.",
        )
