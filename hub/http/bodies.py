"""Bodies: what may be read at all, how long it may be, and how it is inflated. Pure; the two readers (ASGI, WSGI) keep these rules."""

from __future__ import annotations

import re
import zlib
from dataclasses import replace
from typing import BinaryIO

from hub.core.errors import Code, Fault, Refused
from hub.core.message import Request

JSON_TYPE = "application/json"
LINES_TYPE = "application/x-ndjson"

CLOSE = ("connection", "close")  # what is left of an unread body is not searched for the next request

_CHARSET = re.compile(r'\s*charset\s*=\s*"?utf-?8"?\s*', re.ASCII | re.IGNORECASE)
_LENGTH = re.compile(r"[0-9]{1,18}", re.ASCII)
_GZIP = b"\x1f\x8b"
_PIECE = 65_536


def values(request: Request, name: str) -> list[str]:
    """All values of a header, in their order."""
    return [value for key, value in request.headers if key == name]


def check_type(request: Request, *, is_batch: bool = False) -> str:
    """JSON in UTF-8, said once. A form, which any page of a browser may send, does not pass (CSRF). Gives the content coding.

    Raises Refused (415), so that it can be asked before the body is read.
    """
    given = values(request, "content-type")
    kind, *parameters = (given[0] if len(given) == 1 else "").split(";")
    wanted = (JSON_TYPE, LINES_TYPE) if is_batch else (JSON_TYPE,)
    if kind.strip().lower() not in wanted or len(parameters) > 1 or not all(_CHARSET.fullmatch(one) for one in parameters):
        said = given[0][:64] if len(given) == 1 else f"{len(given) or 'no'} Content-Type headers"
        fault = Fault("", said, " or ".join(wanted) + ", in UTF-8", "send Content-Type: application/json")
        raise Refused(Code.UNSUPPORTED_MEDIA_TYPE, "The body's type is not taken here.", [fault])
    return _coding(request)


def _coding(request: Request) -> str:
    """The one content coding: `gzip`, `deflate`, or nothing."""
    coding = ", ".join(values(request, "content-encoding")).strip().lower()
    if coding not in ("", "identity", "gzip", "deflate"):
        fault = Fault("", coding[:64], "gzip, deflate or none", "send the body plain, or compress it once")
        raise Refused(Code.UNSUPPORTED_ENCODING, "The body's coding is not taken here.", [fault], [CLOSE])
    return "" if coding == "identity" else coding


def declared_length(request: Request, limit: int) -> int | None:
    """The length that was declared, judged before anything is read; None for a chunked body. Raises Refused: 400, or 413 over the limit.

    A request whose length two readers could read differently could hide another one behind it: it ends the connection.
    """
    lengths = values(request, "content-length")
    codings = [value.strip().lower() for value in values(request, "transfer-encoding")]
    if codings and (lengths or codings != ["chunked"]):
        text = "Content-Length and Transfer-Encoding exclude each other, and `chunked` alone is taken."
        raise Refused(Code.BAD_REQUEST, text, [Fault("", "two ways to say the length", "one", "send Content-Length alone")], [CLOSE])
    if not lengths:
        return None if codings else 0
    if len(lengths) > 1 or not _LENGTH.fullmatch(lengths[0]):
        fault = Fault("", lengths[0][:64], "the number of bytes, once", "send one Content-Length")
        raise Refused(Code.BAD_REQUEST, "The Content-Length is no single number.", [fault], [CLOSE])
    if int(lengths[0]) > limit:
        raise too_large(f"The body has {int(lengths[0])} bytes; at most {limit} are taken.")
    return int(lengths[0])


def too_large(text: str) -> Refused:
    return Refused(Code.TOO_LARGE, text, headers=[CLOSE])


def read_stream(stream: BinaryIO, declared: int | None, limit: int) -> bytes:
    """The whole body of a WSGI request, within `limit`. Raises Refused: also for a body that ended before its declared length.

    Servers hand a cut upload over as if it were whole, and some say so (`wsgi.input_terminated`): only counting finds out.
    """
    wanted = limit + 1 if declared is None else declared
    parts: list[bytes] = []
    size = 0
    while size < wanted and (part := stream.read(min(_PIECE, wanted - size))):
        parts.append(part)
        size += len(part)
    if size > limit:
        raise too_large(f"The body has more than {limit} bytes.")
    if declared is not None and size != declared:
        raise Refused(Code.BAD_REQUEST, f"The body ended after {size} of {declared} bytes.", headers=[CLOSE])
    return b"".join(parts)


def inflate(request: Request, coding: str, limit: int) -> Request:
    """The request with its body as it was before `coding`, held to `limit` while it grows. Its sender is proven already.

    Raises Refused: 400 for a body that is cut or goes on after its end, 413 over the limit, 415 for one that was compressed twice.
    """
    if not coding or not request.body:
        return request
    stream = zlib.decompressobj(31 if coding == "gzip" else 15)  # gzip's frame, or zlib's, which is what HTTP calls deflate
    try:
        plain = stream.decompress(request.body, limit + 1)
    except zlib.error as error:
        fault = Fault("", "bytes that cannot be inflated", coding, "compress the whole body once")
        raise Refused(Code.BAD_ENCODING, f"The body is not {coding}.", [fault]) from error
    if len(plain) > limit:
        raise too_large(f"The inflated body has more than {limit} bytes.")
    if not stream.eof or stream.unused_data:
        fault = Fault("", "a body that is cut off" if not stream.eof else "bytes after the end", f"one whole {coding} body", "send all of it, in one piece")
        raise Refused(Code.BAD_ENCODING, f"The {coding} body is cut off, or goes on after its end.", [fault])
    if plain.startswith(_GZIP):
        fault = Fault("", "gzip in gzip", "gzip, deflate or none", "compress the body once")
        raise Refused(Code.UNSUPPORTED_ENCODING, "The body was compressed twice.", [fault])
    return replace(request, body=plain)
