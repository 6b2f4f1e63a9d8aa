"""Fate: how a delivery or a message stands, and why. Derived here alone, so that lists, traces, pages and calls say the
same. Values only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from hub.core.errors import Cause, Reason
from hub.core.message import Disposition, Json, Ref
from hub.core.model.delivery import Status
from hub.core.model.unrouted import cause_of

# What a row still says of an earlier try, or of an hour that has come, is no reason for these: the attempts tell of it.
_WITHOUT_REASON = (Status.DELIVERED, Status.LEASED)


def reason_of(status: Status, why: Cause | None) -> Cause | None:
    """Why a delivery is in this state; None where the state says it all."""
    return None if status in _WITHOUT_REASON else why


def delivery_stands(
    status: Status, why: Cause | None, *, attempts: int, due_at: datetime, release_at: datetime | None
) -> str:
    """How a delivery stands, as one sentence. `why`: as `reason_of` gives it."""
    text = why.text if why is not None else ""
    match status:
        case Status.DELIVERED:
            return f"Delivered at attempt {attempts}." if attempts > 1 else "Delivered."
        case Status.LEASED:
            return f"Under way, attempt {attempts}."
        case Status.PENDING:
            return f"Due {_at(due_at)}{': ' + text if text else '.'}"
        case Status.HELD if release_at is not None and why is not None and why.reason is not Reason.PAUSED:
            return f"Held until {_at(release_at)}: {text}"
        case _:
            return text or f"It is {status.value}."


def message_stands(source: Ref, disposition: Disposition, why: Mapping[str, Json], lines: Sequence[Status]) -> str:
    """How a message stands, as one sentence: of what its deliveries are, or why it has none."""
    lines_said = why.get("considered")
    considered = [line for line in lines_said if isinstance(line, dict)] if isinstance(lines_said, list) else []
    match disposition:
        case Disposition.ROUTED:
            numbers = Counter(lines)
            return (
                ", ".join(f"{numbers[status]} {status.value}" for status in Status if numbers[status]) + "."
                if numbers
                else "Routed."
            )
        case Disposition.UNROUTED:
            return cause_of(source, considered).text
        case Disposition.FILTERED:
            dropped = why.get("dropped")
            if isinstance(dropped, dict):
                return f"Let go by {dropped.get('by')}: {dropped.get('why')}"
            said = [
                f"{line.get('route')}: {line.get('why') or 'the trial does not take it'}"
                for line in considered
                if line.get("why") or line.get("canary")
            ]
            return "; ".join(said) or "A route leaves it out."


def _at(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
