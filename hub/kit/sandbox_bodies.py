"""What a sandbox reads from bodies, and answers if it cannot."""

from __future__ import annotations

import time
from typing import Any

from hub.core.errors import Code, Refused
from hub.core.json import decode
from hub.kit.envelope import Answer


def read_object(raw: bytes) -> dict[str, Any]:
    value = decode(raw)
    if not isinstance(value, dict):
        raise Refused(Code.CONTRACT_VIOLATION, "An object is wanted.")
    return value


def refusal_body(error: Refused) -> bytes:
    return Answer(code=error.code, message=error.text).body(now_ms())


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def order_of(payload: Any) -> str | None:
    if not isinstance(payload, dict):
        return None
    found = payload.get("orderNo") or payload.get("channelOrderNo")
    return str(found) if found else None
