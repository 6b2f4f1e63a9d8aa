"""Usage of contracts: counts which caller sends which version and which fields. In memory; the tick writes it. A kill
loses seconds of counts, no message.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from datetime import datetime

from hub.core.json import escape
from hub.core.message import Json, Ref
from hub.store import Store, UsageCount

# maximum number of field names per contract version and caller: invented names fill only their own sender's room
MAX_FIELDS = 500
MAX_PATH = 200  # maximum length of a field path, in characters
MAX_DEPTH = 16
REFUSED = "refused"  # cannot be a field path: those begin with a slash
ELEMENT = re.compile(r"/[0-9]+(?=/|$)", re.ASCII)  # the index of an array element in a JSON pointer
OTHER = "/*"  # counts the fields beyond these limits


class Usage:
    """The counts of this process that are not written yet. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[tuple[Ref, str, str], dict[str, list[int]]] = {}
        self._times: dict[tuple[Ref, str, str], tuple[datetime, datetime]] = {}
        self._known: dict[tuple[Ref, str], set[str]] = {}

    def saw(self, ref: Ref, caller: str, payload: Json, at: datetime) -> None:
        """Counts a message that was accepted for the first time."""
        self.note(ref, caller, set(paths(payload)), at)

    def note(self, ref: Ref, caller: str, fields: set[str], at: datetime) -> None:
        """Counts the given fields: for a shadow version, those that it would refuse, and REFUSED."""
        key = (ref, caller, at.date().isoformat())
        with self._lock:
            known = self._known.setdefault((ref, caller), set())
            row = self._rows.setdefault(key, {})
            if not fields <= known:  # usually all are known and need no check
                fields = {_named(field, known) for field in fields}
            for field in {"", *fields}:
                cell = row.get(field)
                if cell is None:
                    row[field] = [1]
                else:
                    cell[0] += 1
            first, _ = self._times.get(key, (at, at))
            self._times[key] = (min(first, at), at)

    def flush(self, store: Store) -> int:
        """Writes the counts; gives the number of rows. Raises StoreBusy: then they are written the next time."""
        with self._lock:
            rows, self._rows = self._rows, {}
            times, self._times = self._times, {}
        batch = [
            UsageCount(ref, day, caller, field, number, *times[ref, caller, day])
            for (ref, caller, day), fields in rows.items()
            for field, [number] in fields.items()
        ]
        try:
            store.add_usage(batch)
        except BaseException:
            self._put_back(rows, times)
            raise
        return len(batch)

    def _put_back(
        self,
        rows: dict[tuple[Ref, str, str], dict[str, list[int]]],
        times: dict[tuple[Ref, str, str], tuple[datetime, datetime]],
    ) -> None:
        with self._lock:
            for key, fields in rows.items():
                row = self._rows.setdefault(key, {})
                for field, [number] in fields.items():
                    row.setdefault(field, [0])[0] += number
                first, last = self._times.get(key, times[key])
                self._times[key] = (min(first, times[key][0]), max(last, times[key][1]))


def _named(field: str, known: set[str]) -> str:
    """The field path under which it is counted: its own while the limits allow, else OTHER."""
    if field in known:
        return field
    if len(field) > MAX_PATH or len(known) >= MAX_FIELDS:
        return OTHER
    known.add(field)
    return field


def paths(payload: Json, under: str = "", depth: int = 0) -> Iterator[str]:
    """The paths of all fields of a message, each once or more. Array elements have no number: `/items/*/sku`."""
    if depth > MAX_DEPTH:
        return
    if isinstance(payload, dict):
        for name, member in payload.items():
            place = f"{under}/{name}" if "/" not in name and "~" not in name else f"{under}/{escape(name)}"
            yield place
            if isinstance(member, dict | list):
                yield from paths(member, place, depth + 1)
    elif isinstance(payload, list):
        for member in payload:
            if isinstance(member, dict | list):
                yield from paths(member, f"{under}/*", depth + 1)
