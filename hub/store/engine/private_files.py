"""Files and folders that hold what people sent: the owner's alone, whatever the umask says."""

from __future__ import annotations

import os
from pathlib import Path

FILE = 0o600
FOLDER = 0o700


def folder(path: Path) -> None:
    """Makes a folder that is not there yet; one that is there stays as its owner wants it. Raises OSError.

    What stands in it is no source: `git add -A` passes it by, in whatever repository it was made.
    """
    if not path.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(FOLDER)
        with open(path / ".gitignore", "w", encoding="ascii", opener=opener) as ignored:
            ignored.write("*\n")


def opener(path: str, flags: int) -> int:
    """For `open(…, opener=opener)`: what is made, or written anew, is the owner's alone."""
    handle = os.open(path, flags, FILE)
    if os.fstat(handle).st_uid == os.geteuid():
        os.fchmod(handle, FILE)
    return handle


def touch(path: Path) -> None:
    """Makes an empty file where there is none; the SQLite files beside it (-wal, -shm) take its mode. Raises
    OSError.
    """
    os.close(opener(str(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC))
