"""A copy of an embedded store while it is in use. On PostgreSQL `pg_dump` does it, on MariaDB `mariadb-dump`, from
outside (docs/keeping.md).
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from hub.core.errors import StoreBusy
from hub.store.engine import private_files, store_faults
from hub.store.engine.database import Database


def backup(database: Database, file: Path) -> int:
    """Writes all that is committed at this moment to `file`, which must not be there yet; gives its size. Writers are
    not held up.

    Written beside and renamed: a file of that name is whole, however this ended. Raises ValueError on PostgreSQL and
    for a file that is there.
    """
    if database.kind == "mariadb":
        raise ValueError(
            "MariaDB is backed up by its own tools: mariadb-dump --single-transaction --hex-blob --result-file=FILE NAME (docs/keeping.md)."
        )
    if database.is_postgresql:
        raise ValueError(
            "PostgreSQL is backed up by its own tools: pg_dump --format=custom --file=FILE NAME (docs/keeping.md)."
        )
    if file.exists():
        raise ValueError(f"{file} exists already. Choose another file.")
    beside = file.with_name(f".{file.name}.partial")
    beside.unlink(missing_ok=True)  # what an earlier try left when it died
    private_files.touch(beside)
    # A plain connection: inside a transaction, which our engines begin by themselves, there is no VACUUM. Never a copy
    # of the file: what stands in the log beside it would be missing.
    source = sqlite3.connect(database.url.database or "", isolation_level=None, timeout=5)
    try:
        source.execute("VACUUM INTO ?", (str(beside),))
    except sqlite3.DatabaseError as error:
        beside.unlink(missing_ok=True)
        raise StoreBusy(store_faults.line("The store could not be copied", str(error), database.url)) from error
    finally:
        source.close()
    sync(beside)
    beside.rename(file)
    sync(file.parent)
    return file.stat().st_size


def sync(path: Path) -> None:
    """Waits until a file, or the names in a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
