"""Usage: who sends which version, and which of its fields. Counted in memory, written by the tick; a kill loses the last seconds of counts, no message."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from datetime import datetime

from hub.core.documents.json import escape
from hub.core.message import Json, Ref
from hub.store import Store, Used

MAX_FIELDS = 500  # of one contract version and caller: names that a sender makes up fill its own room, nobody else's
MAX_PATH = 200  # characters of a place
MAX_DEPTH = 16
REFUSED = "refused"  # no field's name: those begin with a slash
ELEMENT = re.compile(r"/[0-9]+(?=/|$)", re.ASCII)  # of a pointer: whichever element it is
OTHER = "/*"  # stands for what is beyond that


class Usage:
    """Counts of this process that are not written yet. Safe in all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[tuple[Ref, str, str], dict[str, list[int]]] = {}
        self._times: dict[tuple[Ref, str, str], tuple[datetime, datetime]] = {}
        self._known: dict[tuple[Ref, str], set[str]] = {}

    def saw(self, ref: Ref, caller: str, payload: Json, at: datetime) -> None:
        """One message that was accepted for the first time."""
        self.note(ref, caller, set(paths(payload)), at)

    def note(self, ref: Ref, caller: str, fields: set[str], at: datetime) -> None:
        """The same with the fields as given: for a version in shadow, those that it would refuse, and REFUSED."""
        key = (ref, caller, at.date().isoformat())
        with self._lock:
            known = self._known.setdefault((ref, caller), set())
            row = self._rows.setdefault(key, {})
            if not fields <= known:  # mostly all of them are known, and go in as they are
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
        """Writes what was counted; gives how many rows. Raises StoreBusy: then it is written the next time."""
        with self._lock:
            rows, self._rows = self._rows, {}
            times, self._times = self._times, {}
        batch = [
            Used(ref, day, caller, field, number, *times[ref, caller, day]) for (ref, caller, day), fields in rows.items() for field, [number] in fields.items()
        ]
        try:
            store.add_usage(batch)
        except BaseException:
            self._put_back(rows, times)
            raise
        return len(batch)

    def _put_back(self, rows: dict[tuple[Ref, str, str], dict[str, list[int]]], times: dict[tuple[Ref, str, str], tuple[datetime, datetime]]) -> None:
        with self._lock:
            for key, fields in rows.items():
                row = self._rows.setdefault(key, {})
                for field, [number] in fields.items():
                    row.setdefault(field, [0])[0] += number
                first, last = self._times.get(key, times[key])
                self._times[key] = (min(first, times[key][0]), max(last, times[key][1]))


def _named(field: str, known: set[str]) -> str:
    """The place as it is counted: by its name while there is room, else among the others."""
    if field in known:
        return field
    if len(field) > MAX_PATH or len(known) >= MAX_FIELDS:
        return OTHER
    known.add(field)
    return field


def paths(payload: Json, under: str = "", depth: int = 0) -> Iterator[str]:
    """The places of all fields of a message, each once or more: `/items/*/sku`, whatever the element's number."""
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
