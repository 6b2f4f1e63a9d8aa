"""Whether an address can be reached: its name, a connection, TLS with the certificate's end. No word of any protocol is
said, nothing is asked for.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import certifi

from hub.kit.http.address_rules import Network, judge_url, may_connect

PORTS = {"http": 80, "https": 443, "amqp": 5672, "amqps": 5671, "redis": 6379, "rediss": 6379}
SECURE = frozenset({"https", "amqps", "rediss"})
DEADLINE_S = 5.0


@dataclass(frozen=True, slots=True)
class Step:
    """One step: address, dns, tcp or tls. `text` says what was found, or what went wrong; `until`: the certificate's
    end.
    """

    name: str
    ok: bool
    ms: int = 0
    text: str = ""
    until: datetime | None = None


def reach(url: str, allow: Sequence[Network] = (), *, ca: str = "", deadline_s: float = DEADLINE_S) -> list[Step]:
    """The steps to `url`, up to the first that fails; all of them together take at most about `deadline_s`.

    HTTP addresses are judged as those of calls are, by the ranges that an operator allows; a broker's lies where an
    operator put it.
    """
    end = time.monotonic() + deadline_s
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or PORTS.get(parts.scheme, 0)
    except ValueError as error:
        return [Step("address", ok=False, text=f"it cannot be read: {error}")]
    is_http = parts.scheme in ("http", "https")
    if not is_http:
        ca = dict(parse_qsl(parts.query)).get("ssl_ca_certs", ca)  # a broker's address names its authority itself
    wrong = (
        judge_url(url, allow) if is_http else None if host and port else "it is no address of a kind that is known here"
    )
    if wrong:
        return [Step("address", ok=False, text=wrong)]
    began = time.monotonic()
    found = _within(lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM), end - began)
    if isinstance(found, Exception):
        return [Step("dns", ok=False, ms=_since(began), text=f"{host}: {_said(found)}")]
    addresses = [str(one[4][0]) for one in found]
    usable = [address for address in addresses if not is_http or may_connect(address, allow)]
    steps = [Step("dns", ok=bool(usable), ms=_since(began), text=", ".join(dict.fromkeys(usable or addresses)))]
    if not usable:
        why = f"{steps[0].text}: private or reserved; an operator allows a range by HUB_ALLOW_CIDRS"
        return [Step("dns", ok=False, ms=steps[0].ms, text=why)]
    began = time.monotonic()
    try:
        made = socket.create_connection((usable[0], port), timeout=max(0.1, end - began))
    except OSError as error:
        return [*steps, Step("tcp", ok=False, ms=_since(began), text=f"{usable[0]} port {port}: {_said(error)}")]
    with made:
        steps.append(Step("tcp", ok=True, ms=_since(began), text=f"{usable[0]} port {port}"))
        if parts.scheme in SECURE:
            made.settimeout(max(0.1, end - time.monotonic()))
            steps.append(_tls(made, host, ca))
    return steps


def _tls(made: socket.socket, host: str, ca: str) -> Step:
    began = time.monotonic()
    try:
        context = ssl.create_default_context(cafile=ca or certifi.where())
        with context.wrap_socket(made, server_hostname=host) as secured:
            end = str((secured.getpeercert() or {}).get("notAfter", ""))
            version = secured.version() or "TLS"
    except (OSError, ValueError) as error:
        return Step("tls", ok=False, ms=_since(began), text=_said(error))
    until = datetime.fromtimestamp(ssl.cert_time_to_seconds(end), UTC) if end else None
    return Step("tls", ok=True, ms=_since(began), text=version, until=until)


def _within(ask: Callable[[], Any], seconds: float) -> Any:
    """The answer, or what it raised; a resolver that does not come back is left to itself."""
    answers: list[Any] = []

    def run() -> None:
        try:
            answers.append(ask())
        except OSError as error:
            answers.append(error)

    thread = threading.Thread(target=run, name="reach", daemon=True)
    thread.start()
    thread.join(max(0.1, seconds))
    return answers[0] if answers else TimeoutError("no answer in time")


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


def _said(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
