"""The time, and new ids: UUIDv7 that rise within a process, also within one millisecond (RFC 9562 section 6.2, method
1).

What one request made many of is listed in the order in which it was told.
"""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime

from hub.core.model.ids import uuid7

_MOST = 0xFFF
_lock = threading.Lock()
_last = [0, 0]  # the millisecond, and how many were made in it


def now() -> datetime:
    return datetime.now(UTC)


def new_id() -> str:
    random = os.urandom(10)
    with _lock:
        ms = time.time_ns() // 1_000_000
        if ms > _last[0]:
            _last[:] = [ms, random[0] << 3]  # a random start in the lower half: two processes do not count alike
        elif _last[1] < _MOST:
            _last[1] += 1
        else:
            _last[:] = [_last[0] + 1, 0]  # more than there is room for: borrowed from the next millisecond
        at, count = _last
    return uuid7(at, count.to_bytes(2, "big") + random[2:])
