"""Everything that can go wrong, as one tree; and the stable codes that a sender may rely on.

HubError
├── Refused       the sender must change something: code, faults     → 4xx, not accepted
├── TryLater      the target cannot take it now: after               → Retry
├── GiveUp        the target never will: why                         → Dead
├── Unknown       sent, the answer not seen: why                     → InDoubt, then `in_doubt`
├── StoreBusy     no write lock, no connection, or a commit in doubt → 503, or the next round
└── BadWorkspace  files are wrong: faults with file:line:column      → the old revision stays

A fault is a value (pointer, got, want, fix); errors carry faults, they are not faults.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Code(IntEnum):
    """The answer's stable five digits: the HTTP status and two more. Append-only; names are for people and logs."""

    BAD_REQUEST = 40000
    EMPTY_BODY = 40001
    MALFORMED_JSON = 40002
    TOO_DEEP = 40003
    NUMBER_OUT_OF_RANGE = 40004
    INVALID_UTF8 = 40005
    INVALID_UNICODE = 40006
    BAD_ENCODING = 40007
    DUPLICATE_PARAMETER = 40008
    BAD_IDEMPOTENCY_KEY = 40009
    BAD_TIMESTAMP = 40010
    UNAUTHENTICATED = 40100
    STALE_TIMESTAMP = 40101
    CLOCK_SKEW = 40102
    FORBIDDEN = 40300
    NOT_FOUND = 40400
    METHOD_NOT_ALLOWED = 40500
    REQUEST_TIMEOUT = 40800
    CONFLICT = 40900
    GONE = 41000
    TOO_LARGE = 41300
    TOO_MANY_VALUES = 41301
    URI_TOO_LONG = 41400
    UNSUPPORTED_MEDIA_TYPE = 41500
    UNSUPPORTED_ENCODING = 41501
    CONTRACT_VIOLATION = 42200
    INCONSISTENT = 42201
    IDEMPOTENCY_MISMATCH = 42202
    EMPTY_BATCH = 42203
    TOO_MANY_REQUESTS = 42900
    HEADERS_TOO_LARGE = 43100
    INTERNAL = 50000
    BAD_GATEWAY = 50200
    UNAVAILABLE = 50300
    GATEWAY_TIMEOUT = 50400
    STORAGE_FULL = 50700

    @property
    def status(self) -> int:
        """The HTTP status."""
        return int(self) // 100

    @property
    def label(self) -> str:
        """The name as it stands in logs and documents: `contract_violation`."""
        return self.name.lower()


class Reason(StrEnum):
    """Why a delivery ended or waits, as a stable word. Stands on the attempt, and on the delivery once it is not on its
    way.
    """

    TRANSFORM_ERROR = "transform_error"  # the mapping cannot make what the target's contract wants
    TRANSFORM_TIMEOUT = "transform_timeout"  # an expression ran into its limits
    CODELIST_MISS = "codelist_miss"  # a table has no row for the value
    POISON = "poison"  # three workers were lost to it
    REFUSED = "refused"  # the target said no, for good (4xx)
    BAD_ANSWER = "bad_answer"  # the target's answer cannot be understood
    UNREACHABLE = "unreachable"  # nothing left the house: no name, no connection, no TLS
    SERVER_ERROR = "server_error"  # 5xx
    THROTTLED = "throttled"  # 408, 425, 429; or `again` holds
    UNDER_WAY = "under_way"  # 409 or 423: the target is still at the same call
    UNSUCCESSFUL = "unsuccessful"  # answered, but `success` says no
    NO_ANSWER = "no_answer"  # sent, and no complete answer came
    OUTCOME_NOT_SEEN = "outcome_not_seen"  # the worker's lease ended before it wrote what happened
    CANCELLED = "cancelled"  # a person ended it
    EXHAUSTED = "exhausted"  # all attempts are used, or it became too old to try
    ORPHANED = "orphaned"  # its route or target is gone from the active revision
    UNEXPECTED = "unexpected"  # nobody foresaw this; the text says what
    OVERTAKEN = "overtaken"  # a newer one on the same key made it pointless
    SCHEDULED = "scheduled"  # its route holds it until a time that the message names
    OVER_CAPACITY = "over_capacity"  # the window was full when it came; it goes in the next one that is not
    DECLINED = "declined"  # its route could not be decided at first, and does not take it now that it can
    EXPIRED = "expired"  # older than its route lets it become
    LOOKUP_FAILED = "lookup_failed"  # what its route looks up before it goes was not to be had
    CIRCUIT_OPEN = "circuit_open"  # the target's breaker is open
    PAUSED = "paused"  # a person stopped its route or target for a while
    DEADLINE = "deadline"  # the caller of a synchronous route no longer waits


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with what was sent: where (JSON pointer, RFC 6901), what stands there, what is wanted, what to
    write instead.

    `got` shows a type and a length, or at most 64 characters of a value that is not personal
    (docs/design/inputs.md#answers).
    """

    pointer: str
    got: str
    want: str
    fix: str

    def as_json(self) -> dict[str, str]:
        return {"pointer": self.pointer, "got": self.got, "want": self.want, "fix": self.fix}


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing wrong with a workspace: the place (lines and columns count from 1), a stable code, what is wrong, what
    to write instead.
    """

    file: str
    line: int
    column: int
    code: str
    text: str
    fix: str = ""
    level: str = "error"  # or "warning": reported, but does not refuse the workspace

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

    def as_json(self) -> dict[str, str | int]:
        return {
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "code": self.code,
            "level": self.level,
            "text": self.text,
            "fix": self.fix,
        }


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a delivery is where it is: a stable reason, a sentence, the target's field if one is to blame, and what would
    mend it.
    """

    reason: Reason
    text: str
    field: str = ""
    fix: str = ""

    def as_json(self) -> dict[str, str]:
        return {"reason": self.reason.value, "text": self.text, "field": self.field, "fix": self.fix}

    @classmethod
    def from_json(cls, row: Mapping[str, str]) -> Cause:
        return cls(Reason(row["reason"]), row["text"], row.get("field", ""), row.get("fix", ""))


class HubError(Exception):
    """Whatever goes wrong on purpose."""


class Trail:
    """What a refused request leaves behind: `core.config.identified_request` says it."""

    __slots__ = ()


class Refused(HubError):
    """The sender must change something; nothing was stored."""

    def __init__(
        self, code: Code, text: str, faults: Iterable[Fault] = (), headers: Iterable[tuple[str, str]] = ()
    ) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.faults = tuple(faults)
        self.headers = tuple(headers)  # further headers of the answer, such as Allow and Retry-After
        self.sent: Trail | None = None  # what was refused, where its sender is known: it is kept


class TryLater(HubError):
    """The target cannot take it now. `after_s`: what its Retry-After asked for, in seconds."""

    def __init__(self, why: Cause, after_s: float | None = None) -> None:
        super().__init__(why.text)
        self.why = why
        self.after_s = after_s


class GiveUp(HubError):
    """The target never will take it: trying again cannot help."""

    def __init__(self, why: Cause) -> None:
        super().__init__(why.text)
        self.why = why


class Busy(GiveUp):
    """It was not computed, for want of time or room: nothing is said of it. The next claim, or the same post again, may
    have more.
    """


class Unknown(HubError):
    """It was sent, and nobody saw the answer. It may have happened."""

    def __init__(self, why: Cause) -> None:
        super().__init__(why.text)
        self.why = why


class StoreBusy(HubError):
    """The store cannot promise anything now: no write lock within 5 s, no connection, or a commit whose answer was
    lost.
    """


class StoreUnusable(StoreBusy):
    """The store cannot be used until somebody changes something: its file, its server, the way to it, or its tables.
    One line that says what to do.
    """


class BadWorkspace(HubError):
    """Files are wrong; all of the faults at once, in the order of their places."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(sorted(findings))
        super().__init__("\n".join(f"{f.place}: {f.text}" for f in self.findings))
