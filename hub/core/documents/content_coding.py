"""Content codings of a body: gzip and deflate, said by its header and inflated within a limit. Pure. Source: RFC 9110
section 8.4.
"""

from __future__ import annotations

import zlib

from hub.core.errors import Code, Fault, Refused
from hub.core.message import Request

CLOSE = ("connection", "close")  # what is left of an unread body is not searched for the next request

_GZIP = b"\x1f\x8b"


def coding_of(request: Request) -> str:
    """The one content coding: `gzip`, `deflate`, or nothing. Raises Refused (415) for any other."""
    coding = ", ".join([value for name, value in request.headers if name == "content-encoding"]).strip().lower()
    if coding not in ("", "identity", "gzip", "x-gzip", "deflate"):
        fault = Fault("", coding[:64], "gzip, deflate or none", "send the body plain, or compress it once")
        raise Refused(Code.UNSUPPORTED_ENCODING, "The body's coding is not taken here.", [fault], [CLOSE])
    return "" if coding == "identity" else coding.removeprefix("x-")


def inflated(body: bytes, coding: str, limit: int) -> bytes:
    """The body as it was before `coding`, held to `limit` bytes while it grows.

    Raises Refused: 400 for a body that is cut or goes on after its end, 413 over the limit, 415 for one that was
    compressed twice.
    """
    if not coding or not body:
        return body
    # gzip's frame, or zlib's, which is what HTTP calls deflate
    stream = zlib.decompressobj(31 if coding == "gzip" else 15)
    try:
        plain = stream.decompress(body, limit + 1)
    except zlib.error as error:
        fault = Fault("", "bytes that cannot be inflated", coding, "compress the whole body once")
        raise Refused(Code.BAD_ENCODING, f"The body is not {coding}.", [fault]) from error
    if len(plain) > limit:
        raise too_large(f"The inflated body has more than {limit} bytes.")
    if not stream.eof or stream.unused_data:
        fault = Fault(
            "",
            "a body that is cut off" if not stream.eof else "bytes after the end",
            f"one whole {coding} body",
            "send all of it, in one piece",
        )
        raise Refused(Code.BAD_ENCODING, f"The {coding} body is cut off, or goes on after its end.", [fault])
    if plain.startswith(_GZIP):
        fault = Fault("", "gzip in gzip", "gzip, deflate or none", "compress the body once")
        raise Refused(Code.UNSUPPORTED_ENCODING, "The body was compressed twice.", [fault])
    return plain


def too_large(text: str) -> Refused:
    return Refused(Code.TOO_LARGE, text, headers=[CLOSE])
