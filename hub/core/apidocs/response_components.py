"""What partners are answered, as components of the OpenAPI document: the envelopes, and a response per status, made
from the table of codes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hub.core.errors import Code
from hub.core.message import Disposition, Json
from hub.core.model.delivery import Status
from hub.core.model.error_catalogue import MEANINGS

_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
_TRACE: dict[str, Json] = {"traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "timestamp": 1_780_272_000_000}
_DETAIL: dict[str, Json] = {
    "pointer": "/items/0/quantity",
    "got": "string, 1 character",
    "want": "integer, at least 1, at most 1000000",
    "fix": "send 2, without quotes",
}
_DETAILED = {
    Code.CONTRACT_VIOLATION: _DETAIL,
    Code.INCONSISTENT: {
        **_DETAIL,
        "pointer": "",
        "got": "fields that contradict each other",
        "want": "$sum(lines.amount) = total",
        "fix": "name a total that is the sum of its lines",
    },
}

# The headers that an answer of a status carries: RFC 9110 asks for most of them.
_HEADERS = {
    401: ["WWW-Authenticate"],
    405: ["Allow"],
    409: ["Retry-After"],
    410: ["Link"],
    429: ["Retry-After"],
    503: ["Retry-After"],
    507: ["Retry-After"],
}
STATUSES = tuple(dict.fromkeys(code.status for code in MEANINGS))  # all that a post may be refused with
READING = (400, 401, 404, 405, 414, 431, 500, 503)  # a question about one's own message, which has no body


def refusals(statuses: Iterable[int] = STATUSES) -> dict[str, Json]:
    """By status, the shared response; for an operation."""
    return {str(status): {"$ref": f"#/components/responses/{_name(status)}"} for status in statuses}


def responses() -> dict[str, Json]:
    """The shared responses: each with all codes of its status, what they mean, what to do, and an example of each."""
    return {_name(status): _response(status) for status in STATUSES}


def lifetime_headers(*, since: bool, sunset: bool, successor: bool) -> dict[str, Json]:
    """The headers that an answer under a deprecated version carries, as far as its dates are known."""
    given = (("Deprecation", since), ("Sunset", sunset), ("Link", successor))
    return {name: _header(name) for name, is_given in given if is_given}


def exchange_headers() -> dict[str, Json]:
    """The headers of an answer that came from a target."""
    return {name: _header(name) for name in ("X-Crossdock-Message", "Age", "X-Crossdock-Fallback")}


def content(schema: str, **examples: Json) -> dict[str, Json]:
    """A JSON body in one of the shared schemas."""
    found: dict[str, Json] = {"schema": {"$ref": f"#/components/schemas/{schema}"}}
    if examples:
        found["examples"] = {name: {"value": value} for name, value in examples.items()}
    return {"application/json": found}


def accepted() -> dict[str, Json]:
    """The receipt of one message, new and repeated."""
    return {
        name: {"code": 0, "message": "success", "data": {"messageId": _ID, "duplicate": again}, **_TRACE}
        for name, again in (("stored", False), ("known-already", True))
    }


def batch_accepted() -> Json:
    """The receipt of a batch, of which one item was refused."""
    items: list[Json] = [
        {"index": 0, "code": 0, "messageId": _ID, "duplicate": False},
        {"index": 1, **_refused(Code.CONTRACT_VIOLATION)},
    ]
    return {"code": 0, "message": "success", "data": {"accepted": 1, "refused": 1, "items": items}, **_TRACE}


def _name(status: int) -> str:
    """`ContractViolation`: what generators make a type's name of."""
    return "".join(word.capitalize() for word in _codes(status)[0].label.split("_"))


def _codes(status: int) -> list[Code]:
    return [code for code in MEANINGS if code.status == status]


def _response(status: int) -> Json:
    codes = _codes(status)
    lines = [f"- `{int(code)}` {code.label}: {MEANINGS[code].title} {MEANINGS[code].do}" for code in codes]
    examples: dict[str, Json] = {
        code.label: {"summary": MEANINGS[code].title, "value": _envelope(code)} for code in codes
    }
    if status in (422, 503):
        examples["whole_batch"] = {"summary": "Of a batch nothing was accepted.", "value": _whole_batch(codes[0])}
    known: dict[str, Json] = {"properties": {"code": {"enum": [int(code) for code in codes]}}}
    found: dict[str, Json] = {
        "description": "\n".join(lines),
        "content": {
            "application/json": {
                "schema": {"allOf": [{"$ref": "#/components/schemas/Refusal"}, known]},
                "examples": examples,
            },
            "application/problem+json": {
                "schema": {"allOf": [{"$ref": "#/components/schemas/Problem"}, known]},
                "example": _problem(codes[0]),
            },
        },
    }
    if status in _HEADERS:
        found["headers"] = {name: _header(name) for name in _HEADERS[status]}
    return found


def _refused(code: Code) -> dict[str, Json]:
    return {
        "code": int(code),
        "message": MEANINGS[code].title,
        "details": [_DETAILED[code]] if code in _DETAILED else [],
    }


def _envelope(code: Code) -> dict[str, Json]:
    return {**_refused(code), "data": None, **_TRACE}


def _whole_batch(code: Code) -> Json:
    items: list[Json] = [{"index": 0, **_refused(code)}]
    return {**_envelope(code), "data": {"accepted": 0, "refused": 1, "items": items}, "details": []}


def _problem(code: Code) -> Json:
    refused = _refused(code)
    return {
        "type": f"/docs/errors#{int(code)}",
        "title": MEANINGS[code].title,
        "status": code.status,
        "detail": refused["message"],
        "code": int(code),
        "traceId": _TRACE["traceId"],
        "details": refused["details"],
    }


def _header(name: str) -> Json:
    return {"$ref": f"#/components/headers/{name}"}


HEADERS: dict[str, Json] = {
    "Allow": {"description": "The methods that are taken here.", "schema": {"type": "string"}, "example": "POST"},
    "Retry-After": {"description": "Seconds to wait; then the same again, under the same key.", "schema": {"type": "integer"}, "example": 1},
    "WWW-Authenticate": {"description": "The scheme that is wanted.", "schema": {"type": "string"}, "example": "ApiKey"},
    "Deprecation": {"description": "Since when the version is deprecated: @ and seconds since 1970 (RFC 9745).", "schema": {"type": "string", "pattern": "^@[0-9]+$"}, "example": "@1780272000"},
    "Sunset": {"description": "Until when the version is taken (RFC 8594).", "schema": {"type": "string"}, "example": "Tue, 01 Dec 2026 00:00:00 GMT"},
    "Link": {"description": 'The version that comes after: rel="successor-version" (RFC 5829).', "schema": {"type": "string"}, "example": '</api/v2/shop/order.placed>; rel="successor-version"'},
    "X-Crossdock-Message": {"description": "The id of the message that the question was stored as.", "schema": {"type": "string", "format": "uuid"}, "example": _ID},
    "Age": {"description": "Only with an earlier answer that serves again: how many seconds old it is.", "schema": {"type": "integer"}, "example": 12},
    "X-Crossdock-Fallback": {"description": "Only with an earlier answer that serves again.", "schema": {"const": "cached"}},
}  # fmt: skip

_TIMED: dict[str, Json] = {
    "traceId": {"type": "string", "description": "What to tell the hub's operator when asking about this answer."},
    "timestamp": {"type": "integer", "description": "Milliseconds since 1970."},
}
_CODE: dict[str, Json] = {"type": "integer", "description": "The status and two digits; stable."}
_UUID: dict[str, Json] = {"type": "string", "format": "uuid"}
_DETAILS: dict[str, Json] = {"type": "array", "items": {"$ref": "#/components/schemas/Fault"}}


def _object(*required: str, **properties: Any) -> dict[str, Json]:
    return {"type": "object", "required": list(required), "properties": properties}


def _success(data: Json) -> dict[str, Json]:
    return _object(
        "code",
        "message",
        "data",
        "traceId",
        "timestamp",
        code={"const": 0},
        message={"type": "string"},
        data=data,
        **_TIMED,
    )


SCHEMAS: dict[str, Json] = {
    "Accepted": _success(_object("messageId", "duplicate", messageId=_UUID, duplicate={"type": "boolean", "description": "True: it was known under this key, and nothing was stored twice."})),
    "BatchAccepted": _success({"$ref": "#/components/schemas/BatchResult"}),
    "BatchResult": _object("accepted", "refused", "items", accepted={"type": "integer", "minimum": 0}, refused={"type": "integer", "minimum": 0}, items={"type": "array", "description": "One per message, in the order of the batch.", "items": {"oneOf": [{"$ref": "#/components/schemas/ItemAccepted"}, {"$ref": "#/components/schemas/ItemRefused"}]}}),
    "ItemAccepted": _object("index", "code", "messageId", "duplicate", index={"type": "integer", "minimum": 0, "description": "The place in the batch, from 0."}, code={"const": 0}, messageId=_UUID, duplicate={"type": "boolean"}),
    "ItemRefused": _object("index", "code", "message", "details", index={"type": "integer", "minimum": 0, "description": "The place in the batch, from 0."}, code={**_CODE, "minimum": 1}, message={"type": "string"}, details=_DETAILS),
    "Answer": _success({"description": "What the system behind answered."}),
    "MessageStatus": _success(_object("messageId", "type", "version", "receivedAt", "disposition", "deliveries", messageId=_UUID, type={"type": "string"}, version={"type": "integer"}, receivedAt={"type": "string", "format": "date-time"}, disposition={"enum": [one.value for one in Disposition]}, deliveries={"type": "array", "items": _object("target", "status", "attempts", "settledAt", target={"type": "string"}, status={"enum": [one.value for one in Status]}, attempts={"type": "integer"}, settledAt={"type": ["string", "null"], "format": "date-time"})})),
    "Fault": _object("pointer", "got", "want", "fix", pointer={"type": "string", "description": "Where: a JSON pointer (RFC 6901)."}, got={"type": "string", "description": "What stands there."}, want={"type": "string", "description": "What is wanted."}, fix={"type": "string", "description": "What to write instead."}),
    "Refusal": _object("code", "message", "data", "details", code=_CODE, message={"type": "string"}, data={"description": "Null; of a batch of which nothing was accepted, what became of each item.", "oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/BatchResult"}]}, details=_DETAILS, **_TIMED),
    "Problem": _object("type", "title", "status", "code", type={"type": "string", "format": "uri-reference"}, title={"type": "string"}, status={"type": "integer"}, detail={"type": "string"}, code=_CODE, traceId=_TIMED["traceId"], details=_DETAILS),
}  # fmt: skip
