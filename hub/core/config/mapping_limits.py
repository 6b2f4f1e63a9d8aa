"""How large the result of a mapping may become."""

from __future__ import annotations

from typing import Any

from hub.core.errors import Cause, GiveUp, Reason

MAX_VALUES = 100_000  # in one result: what a mapping makes is bounded like what a partner sends
MAX_TEXT = 10_000_000  # characters in one result


def measure(made: Any) -> None:
    """A result may not be larger than a message may be: a mapping that doubles its input harms one delivery, not the
    worker.
    """
    values = text = 0
    stack = [made]
    while stack:
        node = stack.pop()
        values += 1
        if isinstance(node, dict):
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)
        elif isinstance(node, str):
            text += len(node)
        if values > MAX_VALUES or text > MAX_TEXT:
            raise GiveUp(
                Cause(
                    Reason.TRANSFORM_ERROR,
                    f"The mapping made more than {MAX_VALUES} values or {MAX_TEXT} characters.",
                    fix="Mend the mapping, then replay.",
                )
            )
