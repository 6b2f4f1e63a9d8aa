"""Bodies: what may be read at all, how long it may be, and how it is inflated. Pure; the two readers (ASGI, WSGI) keep
these rules.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import BinaryIO

from hub.core.documents.content_coding import CLOSE, coding_of, inflated, too_large
from hub.core.errors import Code, Fault, Refused
from hub.core.message import Request

JSON_TYPE = "application/json"
LINES_TYPE = "application/x-ndjson"

_CHARSET = re.compile(r'\s*charset\s*=\s*"?utf-?8"?\s*', re.ASCII | re.IGNORECASE)
_LENGTH = re.compile(r"[0-9]{1,18}", re.ASCII)
_PIECE = 65_536


def values(request: Request, name: str) -> list[str]:
    """All values of a header, in their order."""
    return [value for key, value in request.headers if key == name]


def check_type(request: Request, *, is_batch: bool = False) -> str:
    """JSON in UTF-8, said once. A form, which any page of a browser may send, does not pass (CSRF). Gives the content
    coding.

    Raises Refused (415), so that it can be asked before the body is read.
    """
    given = values(request, "content-type")
    kind, *parameters = (given[0] if len(given) == 1 else "").split(";")
    wanted = (JSON_TYPE, LINES_TYPE) if is_batch else (JSON_TYPE,)
    if (
        kind.strip().lower() not in wanted
        or len(parameters) > 1
        or not all(_CHARSET.fullmatch(one) for one in parameters)
    ):
        said = given[0][:64] if len(given) == 1 else f"{len(given) or 'no'} Content-Type headers"
        fault = Fault("", said, " or ".join(wanted) + ", in UTF-8", "send Content-Type: application/json")
        raise Refused(Code.UNSUPPORTED_MEDIA_TYPE, "The body's type is not taken here.", [fault])
    return coding_of(request)


def declared_length(request: Request, limit: int) -> int | None:
    """The length that was declared, judged before anything is read; None for a chunked body. Raises Refused: 400, or
    413 over the limit.

    A request whose length two readers could read differently could hide another one behind it: it ends the connection.
    """
    lengths = values(request, "content-length")
    codings = [value.strip().lower() for value in values(request, "transfer-encoding")]
    if codings and (lengths or codings != ["chunked"]):
        text = "Content-Length and Transfer-Encoding exclude each other, and `chunked` alone is taken."
        raise Refused(
            Code.BAD_REQUEST,
            text,
            [Fault("", "two ways to say the length", "one", "send Content-Length alone")],
            [CLOSE],
        )
    if not lengths:
        return None if codings else 0
    if len(lengths) > 1 or not _LENGTH.fullmatch(lengths[0]):
        fault = Fault("", lengths[0][:64], "the number of bytes, once", "send one Content-Length")
        raise Refused(Code.BAD_REQUEST, "The Content-Length is no single number.", [fault], [CLOSE])
    if int(lengths[0]) > limit:
        raise too_large(f"The body has {int(lengths[0])} bytes; at most {limit} are taken.")
    return int(lengths[0])


def read_stream(stream: BinaryIO, declared: int | None, limit: int) -> bytes:
    """The whole body of a WSGI request, within `limit`. Raises Refused: also for a body that ended before its declared
    length.

    Servers hand a cut upload over as if it were whole, and some say so (`wsgi.input_terminated`): only counting finds
    out.
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
    """The request with its body as it was before `coding`. Its sender is proven already. Raises Refused; see
    `core.documents.content_coding`.
    """
    return replace(request, body=inflated(request.body, coding, limit)) if coding else request
