"""One request of ours and what became of it, as values: whatever sends, and whatever reads answers, speaks in these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from hub.core.config.target_answers import shown

Kind: TypeAlias = Literal["ok", "unreachable", "no_answer", "bad_answer"]


@dataclass(frozen=True, slots=True)
class Tls:
    """Files in PEM: our certificate and its key, where the other side asks for one; the authority that the other side
    is judged by.
    """

    certificate: str = ""
    key: str = ""
    ca: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `deadline_s` covers name, connection, TLS, sending and the whole answer."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    deadline_s: float = 5.0
    connect_s: float = 3.0
    tls: Tls | None = None
    shown: str = ""  # the URL as people may see it, where it holds a key; empty: the URL itself


@dataclass(frozen=True, slots=True)
class HttpResult:
    """What became of a call. `kind`: ok (an answer came), unreachable (nothing left), no_answer (sent, no whole
    answer), bad_answer (no HTTP).

    Under `no_answer` a status means that the head came whole and the body did not: where only the status counts, that
    is an answer. `body` is unpacked. `is_cut`: it is not whole, because of our own cap, because the connection broke,
    or because it cannot be unpacked.
    """

    kind: Kind
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    sent: bool = False
    error: str = ""
    ms: int = 0
    # dns, connect, tls, first_byte; milliseconds from the start
    timings: Mapping[str, int] = field(default_factory=dict)
    is_cut: bool = False

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)

    @property
    def kept(self) -> bytes:
        """What an attempt shows of the body: its beginning, as UTF-8."""
        return shown(self.body, self.header("content-type") or "")
