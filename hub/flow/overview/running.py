"""What runs, and on what: processes and the store, as operators see them."""

from __future__ import annotations

from hub.core.message import Json
from hub.settings import Settings
from hub.store import Process, Store

KEEPING = "keep"  # what is led while the store is kept small


def processes(store: Store) -> list[Json]:
    """All that signed within a day, the latest started first."""
    return [_process_json(one) for one in store.processes()]


def _process_json(one: Process) -> Json:
    return {
        "name": one.name,
        "role": one.role,
        "version": one.version,
        "revision": one.revision,
        "startedAt": one.started_at.isoformat(),
        "seenAt": one.seen_at.isoformat(),
        "leads": list(one.leads),
        "silent": one.is_silent,
    }


def stored(store: Store, settings: Settings) -> dict[str, Json]:
    """The store's size, its parts, and how long things are kept. `keptAt`: when it was last made smaller; `oldestAt`: of the oldest message."""
    size, last, oldest = store.size(), store.leader(KEEPING), store.oldest_message_at()
    return {
        "kind": size.kind,
        "bytes": size.bytes,
        "schema": store.schema_revision(),
        "tables": [{"name": one.name, "rows": one.rows, "bytes": one.bytes} for one in size.tables],
        "parts": [
            {"table": one.table, "name": one.name, "day": one.day.isoformat() if one.day else None, "rows": one.rows, "bytes": one.bytes}
            for one in store.parts()
        ],
        "keepMessagesDays": settings.keep_messages,
        "keepKeysDays": settings.keep_keys,
        "archive": str(settings.archive) if settings.archive is not None else None,
        "keptAt": last.until.isoformat() if last is not None else None,
        "oldestAt": oldest.isoformat() if oldest is not None else None,
    }
