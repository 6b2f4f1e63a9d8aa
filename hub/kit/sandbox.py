"""A sandbox system: a small real neighbour for trying the hub, with its own HTTP, its own durable state and its own
faults on request.

The state is a fold over the journal. Each line is an input (a call, an act of a person, a moment that came) with its
time; applying it is deterministic and gives the answer, the posts for the hub and the moments to come. So one line is
the whole transaction: it is written before the caller hears of it, and after kill -9 the same lines give the same
state, the same posts under the same ids, the same moments.

Two more files are for whoever checks the hub: `<name>.requests.jsonl`, a line per request seen, and
`<name>.effects.jsonl`, a line per Idempotency-Key applied for the first time.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import os
import random
import secrets
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from hub.core.errors import Code, Refused
from hub.core.json import encode
from hub.core.message import Request
from hub.kit.envelope import Answer, No
from hub.kit.journal import Journal
from hub.kit.loading import load_module
from hub.kit.matching import matched
from hub.kit.outbox import Caller, Outbox, Post
from hub.kit.sandbox_bodies import now_ms, order_of, read_object, refusal_body
from hub.kit.sandbox_faults import Faults
from hub.kit.sandbox_server import Listener, Response
from hub.kit.signature import UNPROVEN, read_credentials, verify_default

SHANGHAI = ZoneInfo("Asia/Shanghai")  # the zone of the seeds' times without an offset


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """What a sandbox is handed. `key`, `secret`: as whom it posts to the hub. `verify_*`: how the hub signs; empty: not
    looked at.
    """

    name: str
    port: int  # 0: any free one
    hub_url: str
    data: Path
    key: str = ""
    secret: str = ""
    verify_key: str = ""
    verify_secret: str = ""
    seed: int = 0
    speed: float = 1.0  # 10: each moment takes a tenth of its time
    sync: bool = False  # wait for the disk, not only for the operating system
    threads: int = 4  # posting to the hub


Handler = Callable[[dict[str, Any]], Answer]
Moment = Callable[[dict[str, Any]], None]


class Sandbox:
    """Subclasses declare `calls`, `acts` and `moments` in `begin`, keep their state in attributes, and change it in
    those functions alone.

    Such a function may use its body, the state, `now`, `after`, `post` and `self.config.seed`; no clock, no randomness,
    no I/O. It reads all of its body before it changes anything: a body that does not fit (KeyError, TypeError) is
    answered 422 and leaves no line.
    """

    def __init__(self, config: SandboxConfig) -> None:
        self.config = config
        self.name = config.name
        self.now = datetime.now(SHANGHAI)  # of the line that is being applied
        # "POST /path", "PUT /orders/{orderNo}" → what the hub may call; holes and query stand in the body
        self.calls: Mapping[str, Handler] = {}
        # "POST /_path" → what a person may do; not signed, not counted as an effect
        self.acts: Mapping[str, Handler] = {}
        self.moments: Mapping[str, Moment] = {}  # kind → what happens when its time has come
        self._lock = threading.RLock()
        self._number = 0  # of the line that is being applied
        self._made = 0  # posts and moments that this line has made so far
        self._run = ""
        self._answers: dict[str, tuple[str, int, bytes]] = {}  # Idempotency-Key → fingerprint, status, body
        self._fresh: list[Post] = []  # made by the line that is being applied; go out once it is written
        self._unsent: dict[str, Post] = {}
        self._refused: list[dict[str, Any]] = []
        self._due: list[tuple[int, int, str]] = []  # heap of (due in ms, order, id)
        self._pending: dict[str, tuple[str, dict[str, Any]]] = {}  # moment's id → kind and data
        self._count = {"requests": 0, "effects": 0, "repeats": 0, "posted": 0}
        self._faults = Faults(config.seed)
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._live = False
        self.begin()
        # The port before the files: a second one that is started by mistake finds it taken, and has touched nothing.
        self._listener = Listener(config.port, self._answer)
        self.port = self._listener.port
        self._journal = Journal(config.data / f"{self.name}.journal.jsonl", sync=config.sync)
        self._requests = Journal(config.data / f"{self.name}.requests.jsonl")
        self._effects = Journal(config.data / f"{self.name}.effects.jsonl")
        self._replay()
        self._outbox = Outbox(Caller(config.hub_url, config.key, config.secret), self._posted, threads=config.threads)
        self._clock = threading.Thread(target=self._tick, name=f"{self.name}-moments", daemon=True)

    # What a subclass says and uses.

    def begin(self) -> None:
        """Sets `calls`, `acts`, `moments` and the state before the first line."""

    def state(self) -> dict[str, Any]:
        """The whole business state, for /_state."""
        return {}

    def summary(self) -> dict[str, Any]:
        """A few figures of it, for /_control."""
        return {}

    def post(self, message: str, payload: dict[str, Any], *, order_key: str) -> None:
        """Tells the hub, durably: `message` is one that this system emits, in version 1."""
        self._made += 1
        self._fresh.append(
            Post(
                f"{self.name}_{self._run}_{self._number}_{self._made}",
                f"/api/v1/{self.name}/{message}",
                encode(payload),
                order_key,
            )
        )

    def after(self, seconds: float, kind: str, data: dict[str, Any]) -> None:
        """The moment `kind` comes in `seconds` (at speed 1), also if the process dies in between."""
        self._made += 1
        moment = f"{self._number}.{self._made}"
        due = int(self.now.timestamp() * 1000 + seconds * 1000 / self.config.speed)
        self._pending[moment] = (kind, data)
        heapq.heappush(self._due, (due, self._number * 1_000_000 + self._made, moment))
        self._wake.set()

    def local_time(self) -> str:
        """Now, as the seeds write it: 2025-11-22T10:00:00, in Asia/Shanghai."""
        return self.now.strftime("%Y-%m-%dT%H:%M:%S")

    def day(self) -> str:
        return self.now.strftime("%Y%m%d")

    # Its life.

    def start(self) -> None:
        self._live = True
        for post in self._unsent.values():
            self._outbox.add(post)
        self._outbox.start()
        self._clock.start()
        self._listener.start()

    def stop(self) -> None:
        """Ends without hurry; whatever is not finished stands in the journal."""
        self._stop.set()
        self._wake.set()
        self._faults.release()
        self._listener.stop()
        self._outbox.stop()
        if self._clock.is_alive():
            self._clock.join(10)
        for file in (self._journal, self._requests, self._effects):
            file.close()

    # One line.

    def _replay(self) -> None:
        logged = {line["key"] for line in self._effects.lines()}
        for line in self._journal.lines():
            self._apply(line)
            # Between the journal and the list of effects the process may have died; the journal is right.
            if line["kind"] == "call" and line["key"] not in logged:
                self._log_effect(line, line["at"], line["at"])
        if not self._run:
            self._run = secrets.token_hex(4)  # posts of another life of this system never have our ids
            self._journal.append({"kind": "opened", "at": now_ms(), "run": self._run})
            self._number += 1

    def _apply(self, line: dict[str, Any]) -> Answer | None:
        """Folds one line into the state. Raises No where it is refused; nothing is changed then."""
        self._made = 0
        self._fresh = []
        self.now = datetime.fromtimestamp(int(line["at"]) / 1000, SHANGHAI)
        answer: Answer | None = None
        match line["kind"]:
            case "opened":
                self._run = str(line["run"])
            case "call":
                answer = self.calls[line["call"]](line["body"])
                self._answers[line["key"]] = (line["print"], answer.status, answer.body(line["at"]))
                self._count["effects"] += 1
            case "act":
                answer = self.acts[line["call"]](line["body"])
            case "moment":
                kind, data = self._pending.pop(line["moment"])
                self.moments[kind](data)
            case "repeat":
                self._count["repeats"] += 1
            case "posted":
                self._unsent.pop(line["post"], None)
                self._count["posted"] += 1
            case "refused":
                self._unsent.pop(line["post"], None)
                self._refused.append({name: line[name] for name in ("post", "path", "status", "answer")})
        self._unsent |= {post.id: post for post in self._fresh}
        self._number += 1
        return answer

    def _write(self, line: dict[str, Any]) -> Answer | None:
        """Applies and writes one line, in this order: what is refused leaves no line. Nobody hears of it before it is
        written.
        """
        with self._lock:
            answer = self._apply(line)
            try:
                self._journal.append(line)
            except OSError:
                os._exit(74)  # the state is ahead of the journal, and cannot be taken back: only the journal is true
            if self._live:
                for post in self._fresh:
                    self._outbox.add(post)
            return answer

    # Requests.

    def _answer(self, request: Request) -> Response | None:
        """One request → one answer, or None to hang up."""
        if request.path.startswith("/_"):
            return self._control(request)
        start, key = (
            now_ms(),
            request.header("idempotency-key") or request.header("webhook-id") or f"none-{secrets.token_hex(8)}",
        )
        fault = self._faults.meet(self._stop)
        if fault is not None:
            self._log_request(request, key, start, fault, None)
            return (
                Response(
                    fault,
                    encode(
                        {
                            "code": fault * 100,
                            "message": "a fault that was asked for",
                            "data": None,
                            "timestamp": now_ms(),
                        }
                    ),
                )
                if fault
                else None
            )
        status, body, payload = self._judge(request, key, start)
        self._log_request(request, key, start, status, payload)
        return Response(status, b"<garbage" if self._faults.garbage else body)

    def _judge(self, request: Request, key: str, start: int) -> tuple[int, bytes, Any]:
        payload: Any = None
        try:
            self._verify(request)
            found = matched(self.calls, request)
            if found is None:
                raise No.unknown(f"{request.method} {request.path}")
            call, fields = found
            payload = fields | (read_object(request.body) if request.body or not fields else {})
            return (*self._call(call, key, request, payload, start), payload)
        except Refused as error:
            return error.code.status, refusal_body(error), payload
        except No as error:
            return error.answer.status, error.answer.body(now_ms()), payload
        except (KeyError, TypeError, AttributeError) as error:
            # A field that the handler needs is missing or of another kind: the contract was not kept.
            text = f"the body does not fit: {type(error).__name__} {error}"
            return 422, Answer(code=Code.CONTRACT_VIOLATION, message=text).body(now_ms()), payload

    def _call(self, call: str, key: str, request: Request, payload: dict[str, Any], start: int) -> tuple[int, bytes]:
        asked = "?".join(filter(None, (request.path, request.query)))
        mark = hashlib.sha256(f"{request.method} {asked}\n".encode() + request.body).hexdigest()
        with self._lock:
            known = self._answers.get(key)
            if known is None:
                line = {"kind": "call", "at": now_ms(), "key": key, "print": mark, "call": call, "body": payload}
                self._write(line)
                self._log_effect(line, start, now_ms())
            elif known[0] != mark:
                raise Refused(Code.IDEMPOTENCY_MISMATCH, "This Idempotency-Key came with another body before.")
            else:
                self._write({"kind": "repeat", "at": now_ms(), "key": key})
            return self._answers[key][1:]

    def _verify(self, request: Request) -> None:
        if not self.config.verify_secret:
            return
        credentials = read_credentials(request)
        if credentials.key != self.config.verify_key:
            raise Refused(Code.UNAUTHENTICATED, UNPROVEN)
        verify_default(credentials, [self.config.verify_secret], request.body, now=datetime.now(UTC))

    def _control(self, request: Request) -> Response:
        """What is for people and tests: never signed, never in the logs of requests and effects."""
        call = f"{request.method} {request.path}"
        try:
            body = read_object(request.body or b"{}")
            match call:
                case "GET /_health":
                    return Response(200, encode({"status": "ok", "system": self.name}))
                case "GET /_state":
                    with self._lock:
                        return Response(200, encode(plain({**self.state(), "refused_posts": self._refused})))
                case "GET /_control":
                    return Response(200, encode(plain(self._figures())))
                case "POST /_control":
                    self._faults.change(body)
                    return Response(200, encode(plain(self._figures())))
            if call not in self.acts:
                raise No.unknown(call)
            answer = self._write({"kind": "act", "at": now_ms(), "call": call, "body": body})
            assert answer is not None
            return Response(answer.status, answer.body(now_ms()))
        except Refused as error:
            return Response(error.code.status, refusal_body(error))
        except No as error:
            return Response(error.answer.status, error.answer.body(now_ms()))
        except (KeyError, TypeError, ValueError, ArithmeticError) as error:
            return Response(
                400, Answer(code=Code.BAD_REQUEST, message=f"{type(error).__name__}: {error}").body(now_ms())
            )

    def _figures(self) -> dict[str, Any]:
        with self._lock:
            figures = {
                **self._count,
                "unsent": len(self._unsent),
                "refused": len(self._refused),
                "moments": len(self._pending),
            }
            return {"system": self.name, "faults": self._faults.as_json(), **figures, "summary": self.summary()}

    # Moments, posts and the two lists.

    def _tick(self) -> None:
        while not self._stop.is_set():
            with self._lock:
                now = now_ms()
                while self._due and self._due[0][0] <= now:
                    moment = heapq.heappop(self._due)[2]
                    if moment in self._pending:  # a moment that the journal has already seen is not in it any more
                        self._write({"kind": "moment", "at": max(now, now_ms()), "moment": moment})
                wait = (self._due[0][0] - now_ms()) / 1000 if self._due else None
                self._wake.clear()
            self._wake.wait(wait if wait is None else max(wait, 0))

    def _posted(self, post: Post, status: int, answer: str) -> None:
        if status < 300:
            self._write({"kind": "posted", "at": now_ms(), "post": post.id})
        else:
            self._write(
                {
                    "kind": "refused",
                    "at": now_ms(),
                    "post": post.id,
                    "path": post.path,
                    "status": status,
                    "answer": answer,
                }
            )

    def _log_request(self, request: Request, key: str, start: int, status: int, payload: Any) -> None:
        """Before the answer leaves, so that no answer was given that the list does not have. Status 0: no answer."""
        with self._lock:
            self._count["requests"] += 1
            line = {
                "start": start,
                "end": now_ms(),
                "key": key,
                "path": request.path,
                "status": status,
                "order": order_of(payload),
            }
            self._requests.append(line)

    def _log_effect(self, line: dict[str, Any], start: int, end: int) -> None:
        path = str(line["call"]).partition(" ")[2]
        self._effects.append(
            {
                "number": self._count["effects"],
                "start": start,
                "end": end,
                "key": line["key"],
                "path": path,
                "order": order_of(line["body"]),
            }
        )


def run(sandbox_file: Path, config: SandboxConfig) -> None:
    """Serves the sandbox of an adapter's file (its `SANDBOX`) until SIGTERM or SIGINT. Call it in the main thread of a
    process of its own.
    """
    sandbox = load(sandbox_file)(config)
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    sandbox.start()
    sys.stdout.write(json.dumps({"system": config.name, "port": sandbox.port, "pid": os.getpid()}) + "\n")
    sys.stdout.flush()
    done.wait()
    sandbox.stop()


def load(sandbox_file: Path) -> type[Sandbox]:
    """The class that the file exports as SANDBOX. Raises ValueError if there is none."""
    found = getattr(load_module(sandbox_file), "SANDBOX", None)
    if not (isinstance(found, type) and issubclass(found, Sandbox)):
        raise ValueError(f"{sandbox_file} exports no SANDBOX; write SANDBOX = <the class>")  # noqa: TRY004  one kind of error for a file that is none
    return found


def plain(value: Any) -> Any:
    """The same value with the names of its objects as text."""
    if isinstance(value, dict):
        return {str(name): plain(child) for name, child in value.items()}
    return [plain(child) for child in value] if isinstance(value, list | tuple) else value


def cents(value: Decimal | float) -> Decimal:
    """Money with two places."""
    return Decimal(value).quantize(Decimal("0.01"))


def seeded(seed: int, number: int) -> random.Random:
    """A source of choices that depends on the seed and the number alone."""
    return random.Random(f"{seed}:{number}")  # noqa: S311  made-up orders, no secret
