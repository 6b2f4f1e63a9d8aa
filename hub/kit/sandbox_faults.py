"""Faults that a sandbox system shows when it is asked to (`POST /_control`): slow, refusing, silent, unreadable,
dead.
"""

from __future__ import annotations

import os
import random
import threading
from dataclasses import asdict, dataclass
from typing import Any

from hub.core.errors import Code, Refused


@dataclass(frozen=True, slots=True)
class _Wanted:
    slow_ms: int = 0  # each request waits this long first
    fail: int = 0  # a status that is answered instead; nothing is applied
    fail_ratio: float = 1.0  # to this share of the requests
    garbage: bool = False  # applied, but the answer cannot be read
    hang: bool = False  # not applied, and no answer as long as this holds


class Faults:
    """What is wanted now. Changed while requests are under way; each request meets what holds when it comes."""

    def __init__(self, seed: int) -> None:
        self._wanted = _Wanted()
        self._random = random.Random(seed)  # noqa: S311  a repeatable choice, no secret
        self._released = threading.Event()
        self._lock = threading.Lock()

    @property
    def garbage(self) -> bool:
        return self._wanted.garbage

    def as_json(self) -> dict[str, Any]:
        return {name: str(value) if name == "fail_ratio" else value for name, value in asdict(self._wanted).items()}

    def change(self, body: dict[str, Any]) -> None:
        """Takes over what `body` names; the rest stays. `die` ends the process at once. Raises Refused."""
        wanted = asdict(self._wanted)
        unknown = body.keys() - wanted.keys() - {"die"}
        if unknown:
            raise Refused(Code.BAD_REQUEST, f"{min(unknown)!r} is none of {', '.join([*wanted, 'die'])}.")
        if body.get("die"):
            os._exit(70)  # as if the power had gone: no answer, no closing of files
        try:
            made = _Wanted(
                slow_ms=int(body.get("slow_ms", wanted["slow_ms"])),
                fail=int(body.get("fail", wanted["fail"])),
                fail_ratio=float(body.get("fail_ratio", wanted["fail_ratio"])),
                garbage=bool(body.get("garbage", wanted["garbage"])),
                hang=bool(body.get("hang", wanted["hang"])),
            )
        except (TypeError, ValueError) as error:
            raise Refused(Code.BAD_REQUEST, f"{error}.") from error
        if not (
            0 <= made.slow_ms <= 600_000 and (made.fail == 0 or 400 <= made.fail <= 599) and 0 <= made.fail_ratio <= 1
        ):
            raise Refused(Code.BAD_REQUEST, "slow_ms is 0 to 600000, fail is 0 or 400 to 599, fail_ratio is 0 to 1.")
        with self._lock:
            self._released.set()  # whoever hangs finds out that it is over
            self._released = threading.Event()
            self._wanted = made

    def meet(self, stop: threading.Event) -> int | None:
        """The fault for one request: None for none, a status to answer, or 0 for hanging up without an answer."""
        with self._lock:
            wanted, released = self._wanted, self._released
            fails = bool(wanted.fail) and self._random.random() < wanted.fail_ratio
        if wanted.hang:
            released.wait(120)
            return 0
        if wanted.slow_ms and stop.wait(wanted.slow_ms / 1000):
            return 0
        return wanted.fail if fails else None

    def release(self) -> None:
        """Lets go of whoever hangs."""
        with self._lock:
            self._released.set()
