"""One handle of libcurl: its options, its callbacks, and what they saw of the present call. `http.Sender` has many of
them.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

import certifi
import pycurl

from hub import __version__
from hub.core.config.target_answers import JUDGED_BYTES, inflated
from hub.kit.http.address_rules import Network, may_connect
from hub.kit.http.call import Call, HttpResult, Kind, Tls

# of an answer's body; what is beyond JUDGED_BYTES is read to this and dropped, and beyond it the connection is cut
MAX_BYTES = 10_485_760
# what `core.config.target_answers` unpacks. Not libcurl: what it cannot unpack would be no answer at all
ACCEPT_ENCODING = "gzip, deflate"
MAX_HEADERS = 200
MAX_HEADER_BYTES = 65_536
# a head that is odd; a write that a callback ended; a file too large; headers too large
_BEYOND_CAPS = frozenset({8, 23, 63, 100})
# no protocol of ours; an odd head; ended by a callback; bad use; an unknown content encoding
_NO_HTTP = frozenset({1, 8, 23, 43, 61})
_TIMES = (
    ("dns", pycurl.NAMELOOKUP_TIME),
    ("connect", pycurl.CONNECT_TIME),
    ("tls", pycurl.APPCONNECT_TIME),
    ("first_byte", pycurl.STARTTRANSFER_TIME),
)


class _Opened:
    """A socket for libcurl, which keeps a duplicate of its descriptor: ours is closed as soon as that is taken, not
    whenever the collector comes.
    """

    def __init__(self, made: socket.socket) -> None:
        self._made = made

    def fileno(self) -> int:
        return self._made.fileno()

    def __del__(self) -> None:
        self._made.close()


class CurlHandle:
    """One handle of libcurl with what its callbacks have seen of the present call. What never changes is set once: a
    call costs a third less.
    """

    def __init__(self, allow: Sequence[Network], tls: Tls | None = None) -> None:
        self.handle: Any = pycurl.Curl()
        self.tls = tls
        self._allow = allow
        for option, value in (
            (pycurl.NOSIGNAL, 1),
            (pycurl.PROXY, ""),
            (pycurl.FOLLOWLOCATION, 0),
            (pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
            (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
            (pycurl.HTTP09_ALLOWED, 0),
            (pycurl.PATH_AS_IS, 1),  # what is signed is what is sent
            # what is declared larger is not begun; what grows larger is cut in `_on_body`
            (pycurl.MAXFILESIZE_LARGE, MAX_BYTES),
            (pycurl.CAINFO, (tls and tls.ca) or certifi.where()),
            *(
                [(pycurl.SSLCERT, tls.certificate), (pycurl.SSLKEY, tls.key)]
                if tls is not None and tls.certificate
                else ()
            ),
            (pycurl.TCP_NODELAY, 1),
            (pycurl.USERAGENT, f"crossdock/{__version__}"),
            (pycurl.WRITEFUNCTION, self._on_body),
            (pycurl.HEADERFUNCTION, self._on_header),
            (pycurl.OPENSOCKETFUNCTION, self._open),
            (pycurl.PREREQFUNCTION, self._before_request),
        ):
            self.handle.setopt(option, value)

    def load(self, call: Call) -> None:
        """Makes the handle ready for `call`, and forgets the one before."""
        self._sent = 0
        self._headers: list[tuple[str, str]] = []
        self._header_bytes = 0
        self._is_head_whole = False
        self._is_over = False  # one of our own caps ended it
        self._kept = bytearray()
        self._read = 0
        self._refused = ""
        handle = self.handle
        handle.setopt(pycurl.URL, call.url)
        handle.setopt(pycurl.TIMEOUT_MS, max(1, int(call.deadline_s * 1000)))
        handle.setopt(pycurl.CONNECTTIMEOUT_MS, max(1, int(min(call.connect_s, call.deadline_s) * 1000)))
        handle.setopt(pycurl.HTTPHEADER, _header_lines(call.headers))
        if call.body or call.method not in ("GET", "HEAD"):
            handle.setopt(pycurl.NOBODY, 0)
            handle.setopt(pycurl.POST, 1)
            handle.setopt(pycurl.POSTFIELDS, call.body)  # sets the length too; COPYPOSTFIELDS refuses a NUL byte
        else:
            handle.setopt(pycurl.HTTPGET, 1)
            handle.setopt(pycurl.NOBODY, int(call.method == "HEAD"))
        handle.setopt(pycurl.CUSTOMREQUEST, call.method)

    def rest(self) -> None:
        """Lets the bodies go: 64 idle handles must not hold 64 large ones."""
        self.handle.setopt(pycurl.POSTFIELDS, b"")
        self._kept = bytearray()

    def _open(self, purpose: int, address: Any) -> Any:
        family, kind, protocol, where = address
        # After the name was resolved, for the very address that would be connected to: a name that answers differently
        # later does not help.
        if not may_connect(str(where[0]), self._allow):
            self._refused = (
                f"the address {where[0]} is private or reserved; an operator allows a range by HUB_ALLOW_CIDRS"
            )
            return pycurl.SOCKET_BAD
        try:
            return _Opened(socket.socket(family, kind, protocol))
        except OSError as error:  # no descriptors left
            self._refused = f"no socket: {error.strerror}"
            return pycurl.SOCKET_BAD

    def _before_request(self, *_: Any) -> int:
        self._sent += 1
        # A second call means that the kept-alive connection died before the first answer byte and libcurl would send
        # again by itself. One attempt is one request on the wire (fault F59): whether it is sent again is for the retry
        # layer to say, which writes it down.
        return int(pycurl.PREREQFUNC_ABORT if self._sent > 1 else pycurl.PREREQFUNC_OK)

    def _on_header(self, line: bytes) -> int:
        self._header_bytes += len(line)
        if self._header_bytes > MAX_HEADER_BYTES or (len(self._headers) >= MAX_HEADERS and line.strip()):
            self._is_over = True
            return 0  # ends the transfer
        if line.startswith(b"HTTP/"):
            self._headers.clear()  # an interim answer (1xx) came before
            self._is_head_whole = False
        elif not line.strip():
            self._is_head_whole = True
        elif not self._is_head_whole:  # what follows a chunked body is no header
            name, colon, value = line.decode("latin-1").partition(":")
            if colon:
                self._headers.append((name.strip().lower(), value.strip()))
        return len(line)

    def _on_body(self, part: bytes) -> int:
        self._read += len(part)
        if len(self._kept) < JUDGED_BYTES:
            self._kept += part[: JUDGED_BYTES - len(self._kept)]
        if self._read > MAX_BYTES:
            self._is_over = True
            return 0
        return len(part)

    def done(self, code: int, text: str) -> HttpResult:
        handle = self.handle
        status = int(handle.getinfo(pycurl.RESPONSE_CODE))
        timings = {name: int(handle.getinfo(what) * 1000) for name, what in _TIMES}
        kind = self._kind(code, status)
        is_answer = kind == "ok" or (kind == "no_answer" and self._is_head_whole and 200 <= status <= 599)
        raw = bytes(self._kept)
        is_cut = code != 0 or self._read > JUDGED_BYTES
        body = inflated(raw, ", ".join(value for name, value in self._headers if name == "content-encoding"))
        return HttpResult(
            kind,
            status if is_answer else None,
            tuple(self._headers),
            raw if body is None else body[:JUDGED_BYTES],
            sent=self._sent > 0,
            error=self._error(kind, code, text),
            ms=int(handle.getinfo(pycurl.TOTAL_TIME) * 1000),
            timings=timings,
            is_cut=is_cut or body is None or len(body) > JUDGED_BYTES,
        )

    def _kind(self, code: int, status: int) -> Kind:
        if self._sent == 0:
            return "unreachable"
        is_status = 200 <= status <= 599
        if code == 0:
            # Libcurl takes a head that ends in the middle for a whole one.
            return "bad_answer" if not is_status else "ok" if self._is_head_whole else "no_answer"
        # Who sent a status line of HTTP has answered; that the rest is too much for our caps, or of no length at all,
        # does not undo it.
        if code in _BEYOND_CAPS and (code != 23 or self._is_over):
            return "ok" if is_status else "bad_answer"
        # A switch of protocols that nobody asked for reads as an empty answer.
        return "bad_answer" if code in _NO_HTTP or status == 101 else "no_answer"

    def _error(self, kind: Kind, code: int, text: str) -> str:
        if self._refused and kind == "unreachable":
            return self._refused
        if code:
            return f"{text or 'the answer is too large'} (libcurl {code})"
        return "" if kind == "ok" else "its head was cut" if kind == "no_answer" else "an impossible status"


def _header_lines(headers: Sequence[tuple[str, str]]) -> list[str]:
    """What libcurl would put in by itself is taken out by an empty line of its name; a header without a value is
    written with a semicolon.
    """
    given = {name.lower() for name, _ in headers}
    lines = [f"{name}: {value}" if value.strip() else f"{name};" for name, value in headers]
    if "accept" not in given:
        lines.append("Accept: application/json")
    if "accept-encoding" not in given:
        lines.append(f"Accept-Encoding: {ACCEPT_ENCODING}")
    if "content-type" not in given:
        lines.append("Content-Type:")
    lines.append("Expect:")
    return lines
