"""Health: alive at all, and ready for work. Open to everybody, so it says ok or not, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable

from hub.core.errors import Code, Refused, StoreBusy
from hub.core.message import Json
from hub.flow.hub import Hub

STALE_TICK_S = 30.0


def live() -> dict[str, Json]:
    return {"status": "ok"}


def ready(hub: Hub, ticked_at: Callable[[], float] | None) -> dict[str, Json]:
    """Ready for work: the store answers and has this hub's schema, and the tick, where there is one, goes round. Raises
    Refused.
    """
    parts = {
        "store": _store_is_current(hub),
        "loop": ticked_at is None or time.monotonic() - ticked_at() < STALE_TICK_S,
    }
    if not all(parts.values()):
        raise Refused(
            Code.UNAVAILABLE, "Not ready: " + ", ".join(name for name, good in parts.items() if not good) + "."
        )
    # A newest configuration that this process refused does not make it unready: it serves the one before. Why is the
    # operators' to read.
    refused: dict[str, Json] = (
        {"configuration": "refused: see /ops/v1/revision"} if hub.catalogs.refused is not None else {}
    )
    return {"status": "ok", **refused}


def _store_is_current(hub: Hub) -> bool:
    try:
        return hub.store.is_current()
    except StoreBusy:
        return False
