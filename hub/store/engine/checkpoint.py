"""SQLite's write-ahead log, copied into the database beside the commits: left to itself, whoever commits the thousandth
page copies it, and waits.
"""

from __future__ import annotations

import sqlite3
import threading

from hub.logs import event

EVERY_S = 0.5
# Pages (of 4 KiB) in the log beyond which whoever commits helps again: where this thread cannot keep up, the log must
# not grow without end.
HELP_PAGES = 16_000


class Checkpoints:
    """A thread of the one process that keeps writing. PASSIVE: it waits for nobody, and nobody waits for it. If we die,
    the log is read at the next start.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Returns once the thread has let go of the file."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        is_well = True
        while not self._stopping.wait(EVERY_S):
            try:
                if connection is None:
                    connection = sqlite3.connect(self._path, isolation_level=None)
                    connection.execute("PRAGMA synchronous=FULL")
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
                is_well = True
            except sqlite3.Error as error:
                # A full disk, for one. Nothing is lost: what was committed stands in the log, and is copied once it can
                # be.
                if is_well:
                    event("checkpoint.failed", str(error), level="warning")
                is_well = False
        if connection is not None:
            connection.close()
