"""The evaluator's own process: `python -m hub.kit.evaluation.evaluator_process`. Evaluates what it is told on its
standard input, under budgets that the system keeps.

A frame: three lengths (kind and fixed part, body; the milliseconds) and the parts; the answer is a length and JSON.
What goes over its processor time is ended by SIGPROF, over its memory by the allocator; whoever asked sees the end, and
says why. It has no files, no sockets, no secrets.
"""

from __future__ import annotations

import hashlib
import os
import resource
import signal
import struct
import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from hub.core import json
from hub.core.config.mapping import compile_mapping
from hub.core.errors import Cause, GiveUp, Reason
from hub.core.expressions import evaluation_door
from hub.core.expressions.evaluation_jobs import LIMITS
from hub.core.expressions.expression import compile_expression
from hub.core.expressions.prepared import MISSING
from hub.core.message import Ref
from hub.core.schemas.contract import compile_contract

HEAD = struct.Struct(">BIIII")  # kind, fixed, body, milliseconds of processor time, bytes of memory
ANSWER = struct.Struct(">BI")  # what it is, and its length
MADE, FAULT, WORN = 0, 1, 2  # an answer, a fault, an answer after which this process ends
KINDS = ("expression", "mapping", "contract")
HARD = 4  # times its budget in processor time before it is ended: the engine's own limits come first, and have words
MAX_ANSWER = 32 << 20
MAX_KEPT = 500  # compiled expressions and mappings
WORN_BYTES = 48 << 20  # resident over what it began with: what was freed within is not given back to the system
PAGE = resource.getpagesize()
MEMORY = 66  # the exit code of one that ran out of it

Make = Callable[[dict[str, Any]], Any]


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started it ends it, by closing its input
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    evaluation_door.measure(lambda: time.process_time() * 1_000)
    kept: OrderedDict[bytes, Make] = OrderedDict()
    begun = _pages()[1]
    while True:
        head = _read(sys.stdin.buffer, HEAD.size)
        if head is None:
            return
        kind, fixed_size, body_size, cpu_ms, memory = HEAD.unpack(head)
        fixed, body = _read(sys.stdin.buffer, fixed_size), _read(sys.stdin.buffer, body_size)
        if fixed is None or body is None:
            return
        _limit(memory)
        signal.setitimer(signal.ITIMER_PROF, cpu_ms * HARD / 1_000 + 0.1)
        try:
            what, answer = _answer(kept, KINDS[kind], fixed, body)
        except MemoryError:
            os._exit(MEMORY)
        signal.setitimer(signal.ITIMER_PROF, 0)
        if what == MADE and (_pages()[1] - begun) * PAGE > WORN_BYTES:
            what = WORN
        sys.stdout.buffer.write(ANSWER.pack(what, len(answer)))
        sys.stdout.buffer.write(answer)
        sys.stdout.buffer.flush()


def _answer(kept: OrderedDict[bytes, Make], kind: str, fixed: bytes, body: bytes) -> tuple[int, bytes]:
    try:
        made = _maker(kept, kind, fixed)(json.decode(body, LIMITS))  # type: ignore[arg-type]  # it is an object
        answer = json.encode({} if made is MISSING else {"made": made})
    except GiveUp as error:
        return FAULT, json.encode(dict(error.why.as_json()))
    except (RecursionError, ValueError) as error:
        why = Cause(
            Reason.TRANSFORM_ERROR,
            f"It cannot be computed: {type(error).__name__}.",
            fix="Mend the expression or the data, then replay.",
        )
        return FAULT, json.encode(dict(why.as_json()))
    if len(answer) > MAX_ANSWER:
        return FAULT, json.encode(
            dict(Cause(Reason.TRANSFORM_ERROR, "What it makes is too large.", fix="Make less of it.").as_json())
        )
    return MADE, answer


def _maker(kept: OrderedDict[bytes, Make], kind: str, fixed: bytes) -> Make:
    name = hashlib.sha256(fixed).digest()
    maker = kept.pop(name, None)
    if maker is None:
        maker = _compiled(kind, json.decode(fixed, LIMITS))
    kept[name] = maker
    if len(kept) > MAX_KEPT:
        kept.popitem(last=False)
    return maker


def _compiled(kind: str, given: Any) -> Make:
    if kind == "contract":
        contract = compile_contract(Ref.parse(given["ref"]), given["schema"])
        return lambda body: [dict(fault.as_json()) for fault in contract.check(body["value"])]
    if kind == "mapping":
        mapping = compile_mapping(given["document"], given["tables"])
        return lambda body: mapping.here(
            body["value"], now=datetime.fromisoformat(body["now"]), lookups=body["bindings"]
        )
    expression = compile_expression(given["text"], limit_ms=given["limit_ms"], is_identity=given["is_identity"])
    return lambda body: expression.evaluate(
        body.get("value", MISSING),
        now=datetime.fromisoformat(body["now"]),
        bindings=body["bindings"] or None,
        tables=given["tables"],
    )


def _limit(memory: int) -> None:
    """So much more than it has now; the system refuses the rest."""
    size = _pages()[0] * PAGE
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    if size:
        resource.setrlimit(resource.RLIMIT_AS, (size + memory, hard))


def _pages() -> tuple[int, int]:
    """Of this process: mapped, and resident. (0, 0) where the system does not say."""
    try:
        mapped, resident = Path("/proc/self/statm").read_text("ascii").split()[:2]
    except OSError:
        return 0, 0
    return int(mapped), int(resident)


def _read(stream: BinaryIO, size: int) -> bytes | None:
    """Exactly so many bytes; None at the end of the stream."""
    parts = b"" if size == 0 else stream.read(size)
    return parts if len(parts) == size else None


if __name__ == "__main__":
    main()
