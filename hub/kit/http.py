"""The one outbound HTTP client: libcurl's multi interface, one per thread, many calls side by side, each with one deadline for everything.

It repeats nothing, follows nothing, believes nothing: no redirects, no proxies from the environment, no cookies, no retry (DESIGN law 7).
What it gives for each call says whether anything left the house, because that decides between "again" and "in doubt".
"""

from __future__ import annotations

import re
import socket
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import responses
from io import BytesIO
from typing import Any, Literal, TypeAlias

import certifi
import pycurl
import requests
from requests.adapters import BaseAdapter

from hub import __version__
from hub.kit.addresses import Network, judge_url, may_connect

KEPT_BYTES = 65_536  # of an answer's body; the rest is read to the cap and dropped
MAX_BYTES = 10_485_760  # of an answer's body; beyond it the connection is cut
MAX_HEADERS = 200
MAX_HEADER_BYTES = 65_536
IDLE = 64  # handles kept for reuse, with their connections
MAX_JUDGED = 1_000  # URLs whose judgement is remembered

Kind: TypeAlias = Literal["ok", "unreachable", "no_answer", "bad_answer"]


@dataclass(frozen=True, slots=True)
class Tls:
    """Files in PEM: our certificate and its key, where the other side asks for one; the authority that the other side is judged by."""

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
class Done:
    """What became of a call. `kind`: ok (an answer came), unreachable (nothing left), no_answer (sent, no whole answer), bad_answer (no HTTP).

    Under `no_answer` a status means that the head came whole and the body did not: where only the status counts, that is an answer.
    `is_cut`: there is more of the body than stands here, because of our own cap or because the connection broke.
    """

    kind: Kind
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    sent: bool = False
    error: str = ""
    ms: int = 0
    timings: Mapping[str, int] = field(default_factory=dict)  # dns, connect, tls, first_byte; milliseconds from the start
    is_cut: bool = False

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


class Sender:
    """Sends many calls side by side. Belongs to the thread that uses it; keeps its connections alive between batches."""

    def __init__(self, allow: Sequence[Network] = ()) -> None:
        self._allow = tuple(allow)
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, IDLE)
        self._idle: dict[Tls | None, list[_Line]] = {}  # a handle cannot forget a certificate that it once had
        self._judged: dict[str, str | None] = {}

    def send(self, calls: Sequence[Call], concurrency: int = 32) -> list[Done]:
        """All answers, in the order of the calls."""
        answers: list[Done | None] = [None] * len(calls)
        for index, done in self.stream(calls, concurrency):
            answers[index] = done
        return [done for done in answers if done is not None]

    def stream(self, calls: Sequence[Call], concurrency: int = 32, *, halt: Callable[[], bool] = lambda: False) -> Iterator[tuple[int, Done]]:
        """Each answer as it comes, with the number of its call. At most `concurrency` are under way at once.

        Once `halt` says so no further call goes out: those under way are finished, the others have no answer.
        Nothing moves while the consumer is busy with an answer, but the deadlines run on. One stream at a time.
        """
        waiting = deque(enumerate(calls))
        flying: dict[Any, tuple[int, _Line]] = {}
        try:
            while waiting or flying:
                if waiting and halt():
                    waiting.clear()
                while waiting and len(flying) < max(1, concurrency):
                    index, call = waiting.popleft()
                    wrong = self._unsendable(call)
                    if wrong:
                        yield index, Done("unreachable", error=wrong)
                        continue
                    line = self._line(call.tls)
                    line.load(call)
                    flying[line.handle] = (index, line)
                    self._multi.add_handle(line.handle)
                yield from self._landed(flying)
        finally:
            for _, line in flying.values():  # the consumer left in the midst: nothing may stay in the multi handle
                self._multi.remove_handle(line.handle)
                line.handle.close()

    def _landed(self, flying: dict[Any, tuple[int, _Line]]) -> Iterator[tuple[int, Done]]:
        self._multi.perform()
        ended = False
        while True:
            left, good, bad = self._multi.info_read()
            for handle, code, text in [*((handle, 0, "") for handle in good), *bad]:
                index, line = flying.pop(handle)
                done = line.done(code, text)
                self._multi.remove_handle(handle)
                self._keep(line)
                ended = True
                yield index, done
            if not left:
                break
        if flying and not ended:
            self._multi.select(0.2)

    def _line(self, tls: Tls | None) -> _Line:
        idle = self._idle.get(tls)
        return idle.pop() if idle else _Line(self._allow, tls)

    def _keep(self, line: _Line) -> None:
        idle = self._idle.setdefault(line.tls, [])
        if sum(len(lines) for lines in self._idle.values()) < IDLE:
            line.rest()
            idle.append(line)
        else:
            line.handle.close()

    def _unsendable(self, call: Call) -> str | None:
        """What is wrong with a call before anything is sent; None if nothing is."""
        # Libcurl writes a line break in a header out as it stands: whoever controls the value would write headers of his own.
        if not _TOKEN.fullmatch(call.method):
            return "the method is no word of HTTP"
        for name, value in call.headers:
            if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
                return f"the header {name[:64]!r} holds a line break, a control character or letters beyond ASCII"
            if name.lower() in _FRAMING:
                return f"the header {name} is made by the client itself; leave it out"
        place, _, query = call.url.partition("?")
        if not _QUERY.fullmatch(query):
            return "the URL cannot be used: its query holds a fragment, a blank, a control character or letters beyond ASCII"
        if place not in self._judged:
            if len(self._judged) >= MAX_JUDGED:
                self._judged.clear()
            self._judged[place] = judge_url(place, self._allow)
        wrong = self._judged[place]
        return f"the URL cannot be used: {wrong}" if wrong else None

    def send_prepared(self, request: requests.PreparedRequest, deadline_s: float = 5.0) -> requests.Response:
        """One prepared request of the `requests` library. Raises requests.ConnectionError: unsent; requests.ReadTimeout: sent, no whole answer."""
        done = self.send([call_of(request, deadline_s)])[0]
        if done.kind == "ok":
            return response_of(done, request)
        raised = requests.ReadTimeout if done.kind == "no_answer" else requests.ConnectionError
        raise raised(done.error, request=request)

    def close(self) -> None:
        for line in [line for lines in self._idle.values() for line in lines]:
            line.handle.close()
        self._idle.clear()
        self._multi.close()


class Transport(BaseAdapter):
    """For a partner's own library that insists on a `requests.Session`: mount it, and the bytes travel by the one client.

    `session.trust_env = False` belongs beside it, or a .netrc overwrites Authorization. As a Session, it belongs to one thread.
    """

    def __init__(self, sender: Sender, deadline_s: float = 5.0) -> None:
        super().__init__()
        self._sender = sender
        self._deadline_s = deadline_s

    def send(self, request: requests.PreparedRequest, *_: Any, timeout: Any = None, **__: Any) -> requests.Response:
        """`timeout`, in seconds, becomes the deadline for everything; of a pair its sum. Proxies, streams and `verify=False` are not known here."""
        parts = [part for part in (timeout if isinstance(timeout, tuple) else (timeout,)) if part is not None]
        return self._sender.send_prepared(request, float(sum(parts)) if parts else self._deadline_s)

    def close(self) -> None:
        """The sender belongs to whoever made it."""


def call_of(request: requests.PreparedRequest, deadline_s: float) -> Call:
    """A prepared request of the `requests` library in our terms. A file or a generator as its body is read whole."""
    raw: Any = request.body or b""
    if hasattr(raw, "read"):
        raw = raw.read()
    elif not isinstance(raw, bytes | str):
        raw = b"".join(raw)
    headers: list[tuple[str, Any]] = [(str(name), value) for name, value in request.headers.items() if str(name).lower() not in _LEFT_OUT]
    texts = tuple((name, value.decode("latin-1") if isinstance(value, bytes) else str(value)) for name, value in headers)
    return Call(request.method or "GET", request.url or "", texts, raw.encode() if isinstance(raw, str) else raw, deadline_s)


def response_of(done: Done, request: requests.PreparedRequest | None = None) -> requests.Response:
    """An answer in the terms of the `requests` library."""
    response = requests.Response()
    response.status_code = done.status or 0
    response.reason = responses.get(response.status_code, "")
    response.headers.update(done.headers)
    response.encoding = requests.utils.get_encoding_from_headers(response.headers)
    response.raw = BytesIO(done.body)
    response._content = done.body  # noqa: SLF001  the library has no public way to make a response
    if request is not None:
        response.request = request
        response.url = request.url or ""
    return response


class _Opened:
    """A socket for libcurl, which keeps a duplicate of its descriptor: ours is closed as soon as that is taken, not whenever the collector comes."""

    def __init__(self, made: socket.socket) -> None:
        self._made = made

    def fileno(self) -> int:
        return self._made.fileno()

    def __del__(self) -> None:
        self._made.close()


class _Line:
    """One handle of libcurl with what its callbacks have seen of the present call. What never changes is set once: a call costs a third less."""

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
            (pycurl.MAXFILESIZE_LARGE, MAX_BYTES),  # what is declared larger is not begun; what grows larger is cut in `_on_body`
            (pycurl.CAINFO, (tls and tls.ca) or certifi.where()),
            *([(pycurl.SSLCERT, tls.certificate), (pycurl.SSLKEY, tls.key)] if tls is not None and tls.certificate else ()),
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
        # After the name was resolved, for the very address that would be connected to: a name that answers differently later does not help.
        if not may_connect(str(where[0]), self._allow):
            self._refused = f"the address {where[0]} is private or reserved; an operator allows a range by HUB_ALLOW_CIDRS"
            return pycurl.SOCKET_BAD
        try:
            return _Opened(socket.socket(family, kind, protocol))
        except OSError as error:  # no descriptors left
            self._refused = f"no socket: {error.strerror}"
            return pycurl.SOCKET_BAD

    def _before_request(self, *_: Any) -> int:
        self._sent += 1
        # A second call means that the kept-alive connection died before the first answer byte and libcurl would send again by itself. One attempt
        # is one request on the wire (PROMISES F59): whether it is sent again is for the retry layer to say, which writes it down.
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
        if len(self._kept) < KEPT_BYTES:
            self._kept += part[: KEPT_BYTES - len(self._kept)]
        if self._read > MAX_BYTES:
            self._is_over = True
            return 0
        return len(part)

    def done(self, code: int, text: str) -> Done:
        handle = self.handle
        status = int(handle.getinfo(pycurl.RESPONSE_CODE))
        timings = {name: int(handle.getinfo(what) * 1000) for name, what in _TIMES}
        kind = self._kind(code, status)
        is_answer = kind == "ok" or (kind == "no_answer" and self._is_head_whole and 200 <= status <= 599)
        return Done(
            kind,
            status if is_answer else None,
            tuple(self._headers),
            bytes(self._kept),
            sent=self._sent > 0,
            error=self._error(kind, code, text),
            ms=int(handle.getinfo(pycurl.TOTAL_TIME) * 1000),
            timings=timings,
            is_cut=code != 0 or self._read > KEPT_BYTES,
        )

    def _kind(self, code: int, status: int) -> Kind:
        if self._sent == 0:
            return "unreachable"
        is_status = 200 <= status <= 599
        if code == 0:
            # Libcurl takes a head that ends in the middle for a whole one.
            return "bad_answer" if not is_status else "ok" if self._is_head_whole else "no_answer"
        # Who sent a status line of HTTP has answered; that the rest is too much for our caps, or of no length at all, does not undo it.
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


_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}", re.ASCII)  # RFC 9110 section 5.6.2
_VALUE = re.compile(r"[\t -~]{0,16384}", re.ASCII)
_QUERY = re.compile(r"(?:(?!#)[!-~]){0,8192}", re.ASCII)
_FRAMING = frozenset({"content-length", "transfer-encoding"})  # two opinions about where a request ends are two requests
_LEFT_OUT = _FRAMING | {"accept-encoding", "connection", "expect"}  # what `requests` sets by itself, and nobody here unpacks
_BEYOND_CAPS = frozenset({8, 23, 63, 100})  # a head that is odd; a write that a callback ended; a file too large; headers too large
_NO_HTTP = frozenset({1, 8, 23, 43, 61})  # no protocol of ours; an odd head; ended by a callback; bad use; an unknown content encoding
_TIMES = (
    ("dns", pycurl.NAMELOOKUP_TIME),
    ("connect", pycurl.CONNECT_TIME),
    ("tls", pycurl.APPCONNECT_TIME),
    ("first_byte", pycurl.STARTTRANSFER_TIME),
)


def _header_lines(headers: Sequence[tuple[str, str]]) -> list[str]:
    """What libcurl would put in by itself is taken out by an empty line of its name; a header without a value is written with a semicolon."""
    given = {name.lower() for name, _ in headers}
    lines = [f"{name}: {value}" if value.strip() else f"{name};" for name, value in headers]
    if "accept" not in given:
        lines.append("Accept: application/json")
    if "content-type" not in given:
        lines.append("Content-Type:")
    lines.append("Expect:")
    return lines
