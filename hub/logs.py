"""Logs: one event, one dict, one line. Never a payload, a secret or a personal field; never an exception of its own.

Imports hub.core and hub.settings. Third party that lives here: structlog.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import queue
import re
import sys
import threading
import traceback
from collections.abc import Mapping, MutableMapping
from types import TracebackType
from typing import Any, TextIO

import structlog

HIDDEN = frozenset(
    {
        "secret",
        "password",
        "authorization",
        "token",
        "key",
        "body",
        "payload",
        "signature",
        "master_key",
        "phone",
        "address",
        "name",
    }
)

MAX_WAITING = 10_000  # lines that wait for a slow reader of standard error; what comes beyond them is counted, not kept
DRAIN_S = 1.0  # that an ending process gives its last lines

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_DRIVERS = frozenset({"sqlalchemy", "psycopg", "pymysql", "sqlite3"})
_ROWS = re.compile(r"\s*(?:\[SQL: |\[parameters: |\bDETAIL: |\bFailing row ).*", re.DOTALL)
_logger = structlog.get_logger()
_outlets: list[Outlet] = []
_about: dict[str, str] = {}  # what stands on every line; a process has one log, as it has one standard error


def set_up(level: str = "info", form: str = "json") -> None:
    """Lines to standard error: JSON for machines, or text for people."""
    outlet = Outlet(sys.stderr)
    _outlets.append(outlet)
    renderer = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            _stamp,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _hide,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=lambda *_: outlet,
        cache_logger_on_first_use=True,
    )
    _hide_rows()


def drain() -> None:
    """Waits until all lines are out, at most DRAIN_S: for a process that is about to end."""
    for outlet in _outlets:
        outlet.drain()


atexit.register(drain)


def about(**fields: str) -> None:
    """What this process is: on every line from now on. Where one log gathers several, a line says whose it is."""
    _about.update(fields)


class Outlet:
    """Writes lines from a thread of its own: a pipe that nobody reads stops the log, never the hub. Lines that find no
    room are counted.
    """

    def __init__(self, stream: TextIO, room: int = MAX_WAITING) -> None:
        self._stream = stream
        self._lines: queue.Queue[str] = queue.Queue(room)
        self._dropped = 0
        threading.Thread(target=self._write, name="log", daemon=True).start()

    def msg(self, line: str) -> None:
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._dropped += 1

    debug = info = warning = error = msg

    def drain(self, seconds: float = DRAIN_S) -> None:
        """Waits until all lines are out, at most so long."""
        with self._lines.all_tasks_done:
            self._lines.all_tasks_done.wait_for(lambda: not self._lines.unfinished_tasks, seconds)

    def _write(self) -> None:
        while True:
            line = self._lines.get()
            dropped, self._dropped = self._dropped, 0
            with contextlib.suppress(OSError, ValueError):  # a closed stream; the next line may find it open again
                if dropped:
                    self._stream.write(f'{{"event": "log.dropped", "level": "warning", "lines": {dropped}}}\n')
                self._stream.write(line + "\n")
                self._stream.flush()
            self._lines.task_done()


def event(key: str, text: str = "", *, level: str = "info", **fields: Any) -> None:
    """One line. `key` is `<noun>.<past participle>` and never changes; the text may. A log that cannot be written is no
    reason to stop.
    """
    with contextlib.suppress(OSError, ValueError):
        _logger.log(_LEVELS.get(level, logging.INFO), key, text=_one_line(text), **fields)


def told(error: BaseException) -> str:
    """An error that nobody foresaw: what it is and where it came up, never what it says. Its text may quote a payload,
    or a row of the store.
    """
    places = [f"{frame.name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)[-3:]]
    return " > ".join([type(error).__name__, *places])


def is_of_a_database(error: BaseException | None) -> bool:
    """Whether an error, or one that it came of, is a database driver's: its text may quote a row, with a password's
    hash or a sealed secret in it.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if type(error).__module__.partition(".")[0] in _DRIVERS:
            return True
        error = error.__cause__ or error.__context__
    return False


def _hide_rows() -> None:
    """What ends a process or a thread, and what libraries log, shows no row either; a traceback is for faults of our
    own.
    """

    def ended(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if is_of_a_database(error):
            event("process.failed", told(error), level="error")
        else:
            sys.__excepthook__(kind, error, trace)

    def thread_ended(given: threading.ExceptHookArgs) -> None:
        if given.exc_value is not None and is_of_a_database(given.exc_value):
            event(
                "thread.failed",
                told(given.exc_value),
                level="error",
                thread=given.thread.name if given.thread is not None else "",
            )
        else:
            threading.__excepthook__(given)

    sys.excepthook, threading.excepthook = ended, thread_ended


def without_rows(text: str) -> str:
    """A text without what a database's error quotes: the statement, its parameters, the row."""
    return _ROWS.sub("", text) if _ROWS.search(text) else text


def _stamp(_: Any, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in _about.items():
        fields.setdefault(name, value)
    return fields


def _hide(_: Any, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in fields.items():
        if name != "event":
            fields[name] = "***" if name in HIDDEN else _shown(value)
    return fields


def _shown(value: Any) -> Any:
    """A value as a line may show it, at any depth: what has a hidden name is masked, texts stay on one line."""
    if isinstance(value, Mapping):
        return {
            _one_line(str(name)): "***" if str(name).lower() in HIDDEN else _shown(member)
            for name, member in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_shown(member) for member in value]
    return _one_line(value) if isinstance(value, str) else value


def _one_line(text: str) -> str:
    """What came from outside must not start a line of its own, nor steer a terminal."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in without_rows(str(text))[:2_000])
