"""Archives: files of messages that are about to be pruned, by the day of their acceptance. Knows no database.

`2026-06-01.1.ndjson.gz` holds a header line, a line per message (hub.store.records), and a last line with the counts.
Beside it stands `2026-06-01.1.json`, its manifest: the file's SHA-256, its size and its counts. The manifest comes
last, so what has one is whole; a file without one is what somebody left who died, and is written anew. A day with many
messages has several files, and one in which something ended late gets another.
"""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import io
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import IO, Any

from hub.store.engine import private_files
from hub.store.engine.backup import sync

FORMAT = 1
MOST = 20_000  # messages in one file: what has to be known of it while it is written stays small
_NAME = re.compile(r"(\d{4}-\d{2}-\d{2})\.(\d+)\.json", re.ASCII)


class BadArchive(ValueError):
    """A file that is not, or no longer, what was archived; the text says which and why."""


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """A file that is whole, as its manifest tells."""

    path: Path
    day: date
    number: int
    messages: int
    deliveries: int
    attempts: int
    sha256: str
    bytes: int


class Archive:
    """A folder of archives, with one writer (whoever leads, or the command line)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def files(self, day: date | None = None) -> list[ArchiveFile]:
        """What is whole, by day and number."""
        found = [
            path
            for path in self.folder.glob("*.json")
            if (name := _NAME.fullmatch(path.name)) and day in (None, date.fromisoformat(name[1]))
        ]
        return sorted((manifest(path) for path in found), key=lambda one: (one.day, one.number))

    def ids(self, day: date) -> set[str]:
        """The messages of `day` that are safely here. Every file is read through and compared with its manifest. Raises
        BadArchive.
        """
        return {str(record["message"]["id"]) for one in self.files(day) for record in read(one.path)}

    def begin(self, day: date) -> ArchiveWriter:
        """A new file for `day`, under the first number that no whole file has."""
        private_files.folder(self.folder)
        return ArchiveWriter(self.folder, day, max((one.number for one in self.files(day)), default=0) + 1)


class ArchiveWriter:
    """A file that is being written. Nothing in it counts before `finish`."""

    def __init__(self, folder: Path, day: date, number: int) -> None:
        self.day = day
        self.ids: list[str] = []
        self._number = number
        self._counts = {"messages": 0, "deliveries": 0, "attempts": 0}
        self._path = folder / f"{day.isoformat()}.{number}.ndjson.gz"
        self._beside = folder / f".{self._path.name}.partial"
        self._lock = open(folder / ".lock", "w", encoding="ascii", opener=private_files.opener)  # noqa: SIM115  held until the file is finished
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            raise BadArchive(f"Another process is writing to {folder}; wait until it is done.") from error
        self._file = open(self._beside, "wb", opener=private_files.opener)  # noqa: SIM115
        # No name and no time inside: the same messages make the same file.
        self._packed = gzip.GzipFile(filename="", mode="wb", fileobj=self._file, mtime=0, compresslevel=6)
        self._line({"crossdock": "archive", "format": FORMAT, "day": day.isoformat(), "number": number})

    def add(self, records: Iterable[Mapping[str, Any]]) -> None:
        for record in records:
            self._line(record)
            self.ids.append(record["message"]["id"])
            self._counts["messages"] += 1
            self._counts["deliveries"] += len(record["delivery"])
            self._counts["attempts"] += len(record["attempt"])

    def finish(self) -> ArchiveFile:
        """On the disk, under its name, read back and compared; only now may its messages be pruned. Raises OSError,
        BadArchive.
        """
        self._line({"end": self._counts})
        self._packed.close()
        self._file.close()
        sync(self._beside)
        digest, size = _digest(self._beside)
        self._beside.rename(self._path)
        sync(self._path.parent)
        # If we die here, a file without a manifest is left: it counts for nothing, and the next run writes it anew.
        told = {
            "file": self._path.name,
            "format": FORMAT,
            "day": self.day.isoformat(),
            "number": self._number,
            "sha256": digest,
            "bytes": size,
            **self._counts,
        }
        beside = self._path.with_name(f".{self._path.name}.manifest.partial")
        private_files.touch(beside)
        beside.write_text(json.dumps(told, indent=1) + "\n", "utf-8")
        sync(beside)
        beside.rename(manifest_of(self._path))
        sync(self._path.parent)
        self._lock.close()
        if [str(record["message"]["id"]) for record in read(self._path)] != self.ids:
            raise BadArchive(f"{self._path} does not hold what was written to it.")
        return manifest(manifest_of(self._path))

    def drop(self) -> None:
        """Gives it up: what was written is of no use to anybody."""
        self._packed.close()
        self._file.close()
        self._beside.unlink(missing_ok=True)
        self._lock.close()

    def _line(self, document: Mapping[str, Any]) -> None:
        self._packed.write(json.dumps(document, separators=(",", ":")).encode("ascii") + b"\n")


def manifest_of(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(".ndjson.gz") + ".json")


def manifest(path: Path) -> ArchiveFile:
    """What a manifest tells. Raises BadArchive."""
    try:
        told = json.loads(path.read_text("utf-8"))
        if told["format"] != FORMAT:
            raise BadArchive(f"{path} is of format {told['format']}; this hub reads format {FORMAT}.")
        counts = (told["messages"], told["deliveries"], told["attempts"])
        return ArchiveFile(
            path.with_name(Path(told["file"]).name),
            date.fromisoformat(told["day"]),
            told["number"],
            *counts,
            told["sha256"],
            told["bytes"],
        )
    except (OSError, KeyError, TypeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BadArchive(f"{path} is no manifest of an archive: {error!r}. A file without one is not whole.") from error


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a file, after it was compared with its manifest. Raises BadArchive."""
    told = manifest(manifest_of(path))
    if _digest(path) != (told.sha256, told.bytes):
        raise BadArchive(f"{path} is not what its manifest tells: its SHA-256 or its size differs.")
    number = 0
    try:
        with gzip.open(path, "rb") as file:
            header = json.loads(next(_lines(file), b"{}"))
            if header.get("crossdock") != "archive" or header.get("format") != FORMAT:
                raise BadArchive(f"{path} is no archive of a hub in format {FORMAT}.")
            for line in _lines(file):
                record = json.loads(line)
                if "end" in record:
                    break
                number += 1
                yield record
    except (OSError, EOFError, zlib.error, json.JSONDecodeError) as error:
        raise BadArchive(f"{path} cannot be read: {error!r}.") from error
    if number != told.messages:
        raise BadArchive(f"{path} has {number} messages; its manifest tells {told.messages}.")


def _lines(file: IO[bytes] | gzip.GzipFile) -> Iterator[bytes]:
    return iter(file.readline, b"")


def _digest(path: Path) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            while block := file.read(io.DEFAULT_BUFFER_SIZE * 16):
                digest.update(block)
                size += len(block)
    except OSError as error:
        raise BadArchive(f"{path} cannot be read: {error!r}.") from error
    return digest.hexdigest(), size
