"""A journal: what a sandbox system has done, one JSON line each, append-only. The state is what reading it from the top
gives.

A line is handed to the operating system before anybody is told of it: killing the process loses nothing that was
answered. Against a power cut there is `sync`, which waits for the disk as well.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hub.core.json import decode, encode


class Journal:
    """One file of lines. Not for several threads: its owner holds a lock, so that the order of lines is the order of
    what happened.
    """

    def __init__(self, path: Path, *, sync: bool = False) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._sync = sync
        # A line without its end was being written when the process died; nobody was told of it, so it did not happen.
        if path.exists():
            raw = path.read_bytes()
            if not raw.endswith(b"\n"):
                os.truncate(path, raw.rfind(b"\n") + 1)
        self._file = path.open("ab", buffering=0)

    def lines(self) -> Iterator[dict[str, Any]]:
        """All lines so far, oldest first. Raises Refused where a line is no JSON: the file was written by someone
        else.
        """
        with self._path.open("rb") as file:
            for raw in file:
                line = decode(raw)
                assert isinstance(line, dict)
                yield line

    def append(self, line: dict[str, Any]) -> None:
        """Adds one line; when this returns, killing the process does not lose it."""
        self._file.write(encode(line) + b"\n")
        if self._sync:
            os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()
