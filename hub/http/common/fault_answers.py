"""The one way from what went wrong to what is answered: status, envelope or problem+json, headers
(docs/design/inputs.md#answers, RFC 9457).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hub.core import json
from hub.core.errors import Code, Refused, StoreBusy
from hub.core.message import Json, Writable
from hub.core.model.error_catalogue import MEANINGS
from hub.logs import event, told

MAX_DETAILS = 50
RETRY_AFTER_S = "1"
BUSY = "The hub cannot promise anything now; send it again, under the same key."

JSON = "application/json"
PROBLEM = "application/problem+json"
# On every answer: nothing is guessed from it, kept of it, or framed by it.
ALWAYS = (("x-content-type-options", "nosniff"), ("cache-control", "no-store"))


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer. Header names in lower case."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Refusal(Answer):
    """An answer that says no, or not now."""

    code: Code


def success(data: Writable, trace_id: str, *, status: int = 200, headers: Sequence[tuple[str, str]] = ()) -> Answer:
    """The unified envelope (seed 003 §2.2); `timestamp` is epoch milliseconds, as there."""
    envelope = {"code": 0, "message": "success", "data": data, "traceId": trace_id, "timestamp": _now_ms()}
    return Answer(status, (("content-type", JSON), *ALWAYS, *headers), json.encode(envelope))


def failure(error: BaseException, trace_id: str, *, accept: str = "") -> Refusal:
    """What a sender is told. Of what nobody foresaw it is told nothing but the trace id, under which the log has it."""
    code, text, details, headers = _judged(error, trace_id)
    if PROBLEM in accept:
        problem: Json = {
            "type": f"/docs/errors#{int(code)}",
            "title": MEANINGS[code].title,
            "status": code.status,
            "detail": text,
            "code": int(code),
            "traceId": trace_id,
            "details": details,
        }
        return Refusal(code.status, (("content-type", PROBLEM), *ALWAYS, *headers), json.encode(problem), code)
    envelope: Json = {
        "code": int(code),
        "message": text,
        "data": None,
        "traceId": trace_id,
        "timestamp": _now_ms(),
        "details": details,
    }
    return Refusal(code.status, (("content-type", JSON), *ALWAYS, *headers), json.encode(envelope), code)


def batch_failure(
    code: Code, text: str, data: Json, trace_id: str, *, headers: tuple[tuple[str, str], ...] = ()
) -> Refusal:
    """A batch of which nothing was accepted: a refusal that says of each item why."""
    envelope: Json = {
        "code": int(code),
        "message": text,
        "data": data,
        "traceId": trace_id,
        "timestamp": _now_ms(),
        "details": [],
    }
    return Refusal(
        code.status, (("content-type", JSON), *ALWAYS, *_with_duties(code, headers)), json.encode(envelope), code
    )


def item_failure(error: Refused | StoreBusy, most: int = MAX_DETAILS) -> dict[str, Json]:
    """One item's place in a batch's answer, with at most `most` details."""
    if isinstance(error, StoreBusy):
        return {"code": int(Code.UNAVAILABLE), "message": BUSY, "details": []}
    return {"code": int(error.code), "message": error.text, "details": _details(error, most)}


def _judged(error: BaseException, trace_id: str) -> tuple[Code, str, Json, tuple[tuple[str, str], ...]]:
    match error:
        case Refused():
            return error.code, error.text, _details(error), _with_duties(error.code, error.headers)
        case StoreBusy():
            event("post.deferred", str(error), level="warning", trace_id=trace_id)
            return Code.UNAVAILABLE, BUSY, [], _with_duties(Code.UNAVAILABLE, ())
        case _:
            event("request.failed", told(error), level="error", trace_id=trace_id)
            return (
                Code.INTERNAL,
                "An internal error of the hub. Send it again, under the same key; if it stays, tell its operator the traceId.",
                [],
                (),
            )


def _with_duties(code: Code, headers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """The refusal's own headers, and those that its status asks for (RFC 9110: 401 names the scheme; 429, 503 and 507
    say when).
    """
    names = {name for name, _ in headers}
    if code.status in (429, 503, 507) and "retry-after" not in names:
        return (*headers, ("retry-after", RETRY_AFTER_S))
    if code.status == 401 and "www-authenticate" not in names:
        return (*headers, ("www-authenticate", "ApiKey"))
    return headers


def _details(refused: Refused, most: int = MAX_DETAILS) -> Json:
    return [dict[str, Any](fault.as_json()) for fault in refused.faults[: max(0, min(most, MAX_DETAILS))]]


def _now_ms() -> int:
    return int(time.time() * 1000)
