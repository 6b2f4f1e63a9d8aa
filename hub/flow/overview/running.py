"""Processes and the store, as operators see them."""

from __future__ import annotations

from hub.flow.answers import administration as answers
from hub.flow.answers.fields import fill
from hub.settings import Settings
from hub.store import Store

KEEPING = "keep"  # the lead of the retention round


def processes(store: Store) -> list[answers.Process]:
    """All processes with a heartbeat within a day, the latest started first."""
    return [fill(answers.Process, process, silent=process.is_silent) for process in store.processes()]


def stored(store: Store, settings: Settings) -> answers.Stored:
    """The store's size, partitions and retention. `keptAt`: the last retention round; `oldestAt`: the oldest
    message.
    """
    size, last, oldest = store.size(), store.leader(KEEPING), store.oldest_message_at()
    return {
        "kind": size.kind,
        "bytes": size.bytes,
        "schema": store.schema_revision(),
        "tables": [{"name": table.name, "rows": table.rows, "bytes": table.bytes} for table in size.tables],
        "parts": [
            {
                "table": part.table,
                "name": part.name,
                "day": part.day.isoformat() if part.day else None,
                "rows": part.rows,
                "bytes": part.bytes,
            }
            for part in store.parts()
        ],
        "keepMessagesDays": settings.keep_messages,
        "keepKeysDays": settings.keep_keys,
        "archive": str(settings.archive) if settings.archive is not None else None,
        "keptAt": last.until.isoformat() if last is not None else None,
        "oldestAt": oldest.isoformat() if oldest is not None else None,
    }
