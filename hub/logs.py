"""Logs: one event, one dict, one line. Never a payload, a secret or a personal field; never an exception of its own.

Imports hub.core and hub.settings. Third party that lives here: structlog.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

HIDDEN = frozenset({"secret", "password", "authorization", "token", "key", "body", "payload", "signature", "master_key", "phone", "address", "name"})

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_logger = structlog.get_logger()


def set_up(level: str = "info", form: str = "json") -> None:
    """Lines to standard error: JSON for machines, or text for people."""
    renderer = structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _hide,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def event(key: str, text: str = "", *, level: str = "info", **fields: Any) -> None:
    """One line. `key` is `<noun>.<past participle>` and never changes; the text may. A log that cannot be written is no reason to stop."""
    with contextlib.suppress(OSError, ValueError):
        _logger.log(_LEVELS.get(level, logging.INFO), key, text=_one_line(text), **fields)


def _hide(_: Any, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in fields.items():
        if name in HIDDEN:
            fields[name] = "***"
        elif isinstance(value, str) and name != "event":
            fields[name] = _one_line(value)
    return fields


def _one_line(text: str) -> str:
    """What came from outside must not start a line of its own, nor steer a terminal."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in str(text)[:2_000])
