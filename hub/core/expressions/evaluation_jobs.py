"""What is handed through the door, as texts, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hub.core import json
from hub.core.errors import Fault
from hub.core.expressions import evaluation_door
from hub.core.expressions.prepared import MISSING, Over, PreparedValue
from hub.core.json import Limits
from hub.core.message import Json

MAPPING_CPU_MS = 1_000  # of one mapping over one message
CONTRACT_CPU_MS = 100
LIMITS = Limits(max_bytes=1 << 31, max_depth=400, max_values=1 << 31, max_name=1 << 31)  # of what the hub itself wrote


def evaluate(
    text: str,
    limit_ms: int,
    value: Over,
    now: datetime,
    bindings: Mapping[str, Over] | None,
    tables: Mapping[str, Mapping[str, Json]],
    *,
    is_identity: bool,
) -> Any:
    """The result of an expression, or MISSING. Raises GiveUp, Busy, NeedsTime."""

    def job() -> evaluation_door.Job:
        fixed: Any = {
            "text": text,
            "limit_ms": limit_ms,
            "is_identity": is_identity,
            "tables": {name: rows for name, rows in tables.items() if name in text},
        }
        body: Any = {
            "now": now.isoformat(),
            "bindings": {name: _plain(part) for name, part in (bindings or {}).items() if "$" + name in text},
        }
        if value is not MISSING:
            body["value"] = _plain(value)
        return evaluation_door.Job(
            "expression", json.encode(fixed), json.encode(body), limit_ms, f"The expression {_short(text)}"
        )

    return answered(evaluation_door.away(job))


def apply(fixed: bytes, payload: Json, now: datetime, lookups: Mapping[str, Json]) -> Any:
    """What a mapping makes. Raises GiveUp, Busy, NeedsTime."""

    def job() -> evaluation_door.Job:
        return evaluation_door.Job(
            "mapping",
            fixed,
            json.encode({"value": payload, "now": now.isoformat(), "bindings": dict(lookups)}),
            MAPPING_CPU_MS,
            "The mapping",
        )

    return answered(evaluation_door.away(job))


def check(fixed: bytes, value: Json) -> list[Fault]:
    """The faults of a value against a contract. Raises GiveUp, Busy, NeedsTime."""
    found = answered(
        evaluation_door.away(
            lambda: evaluation_door.Job(
                "contract", fixed, json.encode({"value": value}), CONTRACT_CPU_MS, "The check against the contract"
            )
        )
    )
    return [Fault(**fault) for fault in found]


def answered(answer: bytes) -> Any:
    found = json.decode(answer, LIMITS)
    assert isinstance(found, dict)
    return found.get("made", MISSING)


def _plain(value: Any) -> Any:
    return value.value if type(value) is PreparedValue else value


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 80 else line[:77] + "..."
