"""The one outbound HTTP client: libcurl's multi interface, one per thread, many calls side by side, each with one
deadline for everything.

It repeats nothing, follows nothing, believes nothing: no redirects, no proxies from the environment, no cookies, no
retry (law 7). What it gives for each call says whether anything left the house, because that decides between "again"
and "in doubt".
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from http.client import responses
from io import BytesIO
from typing import Any

import pycurl
import requests
from requests.adapters import BaseAdapter

from hub.kit.http.address_rules import Network, judge_url
from hub.kit.http.call import Call, HttpResult, Tls
from hub.kit.http.curl_handle import CurlHandle

IDLE = 64  # handles kept for reuse, with their connections
LOOK_S = 0.2  # so often at least a stream looks whether it is to halt
MAX_JUDGED = 1_000  # URLs whose judgement is remembered
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}", re.ASCII)  # RFC 9110 section 5.6.2
_VALUE = re.compile(r"[\t -~]{0,16384}", re.ASCII)
_QUERY = re.compile(r"(?:(?!#)[!-~]){0,8192}", re.ASCII)
# two opinions about where a request ends are two requests
_FRAMING = frozenset({"content-length", "transfer-encoding"})
# what `requests` sets by itself, and nobody here unpacks
_LEFT_OUT = _FRAMING | {"accept-encoding", "connection", "expect"}


class Sender:
    """Sends many calls side by side. Belongs to the thread that uses it; keeps its connections alive between
    batches.
    """

    def __init__(self, allow: Sequence[Network] = ()) -> None:
        self._allow = tuple(allow)
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, IDLE)
        self._idle: dict[Tls | None, list[CurlHandle]] = {}  # a handle cannot forget a certificate that it once had
        self._judged: dict[str, str | None] = {}

    def send(self, calls: Sequence[Call], concurrency: int = 32) -> list[HttpResult]:
        """All answers, in the order of the calls."""
        answers: list[HttpResult | None] = [None] * len(calls)
        for index, done in self.stream(calls, concurrency):
            answers[index] = done
        return [done for done in answers if done is not None]

    def stream(
        self,
        calls: Iterable[Call],
        concurrency: int = 32,
        *,
        halt: Callable[[], bool] = lambda: False,
        wait: Callable[[int], float] = lambda _: 0.0,
    ) -> Iterator[tuple[int, HttpResult]]:
        """Each answer as it comes, with the number of its call. At most `concurrency` are under way at once.

        Once `halt` says so no further call goes out: those under way are finished, the others have no answer. `wait` is
        asked by a call that is next: 0.0 means that it goes out now, anything else in how many seconds to ask again. A
        call is taken from `calls` once the one before it is out. Nothing moves while the consumer is busy with an
        answer, but the deadlines run on. One stream at a time.
        """
        flying: dict[Any, tuple[int, CurlHandle]] = {}
        try:
            coming = enumerate(calls)
            following = next(coming, None)
            while following is not None or flying:
                if following is not None and halt():
                    following = None
                pause = 0.0
                while following is not None and len(flying) < max(1, concurrency):
                    index, call = following
                    if pause := wait(index):
                        break
                    wrong = self._unsendable(call)
                    if wrong:
                        yield index, HttpResult("unreachable", error=wrong)
                    else:
                        line = self._line(call.tls)
                        line.load(call)
                        flying[line.handle] = (index, line)
                        self._multi.add_handle(line.handle)
                        self._multi.perform()  # it leaves before the next one is made
                    following = next(coming, None)
                if flying:
                    yield from self._landed(flying, pause or LOOK_S)
                elif pause:
                    time.sleep(min(pause, LOOK_S))
        finally:
            for _, line in flying.values():  # the consumer left in the midst: nothing may stay in the multi handle
                self._multi.remove_handle(line.handle)
                line.handle.close()

    def _landed(self, flying: dict[Any, tuple[int, CurlHandle]], patience_s: float) -> Iterator[tuple[int, HttpResult]]:
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
            self._multi.select(min(patience_s, LOOK_S))

    def _line(self, tls: Tls | None) -> CurlHandle:
        idle = self._idle.get(tls)
        return idle.pop() if idle else CurlHandle(self._allow, tls)

    def _keep(self, line: CurlHandle) -> None:
        idle = self._idle.setdefault(line.tls, [])
        if sum(len(lines) for lines in self._idle.values()) < IDLE:
            line.rest()
            idle.append(line)
        else:
            line.handle.close()

    def _unsendable(self, call: Call) -> str | None:
        """What is wrong with a call before anything is sent; None if nothing is."""
        # Libcurl writes a line break in a header out as it stands: whoever controls the value would write headers of
        # his own.
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
        """One prepared request of the `requests` library. Raises requests.ConnectionError: unsent;
        requests.ReadTimeout: sent, no whole answer.
        """
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
    """For a partner's own library that insists on a `requests.Session`: mount it, and the bytes travel by the one
    client.

    `session.trust_env = False` belongs beside it, or a .netrc overwrites Authorization. As a Session, it belongs to one
    thread.
    """

    def __init__(self, sender: Sender, deadline_s: float = 5.0) -> None:
        super().__init__()
        self._sender = sender
        self._deadline_s = deadline_s

    def send(self, request: requests.PreparedRequest, *_: Any, timeout: Any = None, **__: Any) -> requests.Response:
        """`timeout`, in seconds, becomes the deadline for everything; of a pair its sum. Proxies, streams and
        `verify=False` are not known here.
        """
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
    headers: list[tuple[str, Any]] = [
        (str(name), value) for name, value in request.headers.items() if str(name).lower() not in _LEFT_OUT
    ]
    texts = tuple(
        (name, value.decode("latin-1") if isinstance(value, bytes) else str(value)) for name, value in headers
    )
    return Call(
        request.method or "GET", request.url or "", texts, raw.encode() if isinstance(raw, str) else raw, deadline_s
    )


def response_of(done: HttpResult, request: requests.PreparedRequest | None = None) -> requests.Response:
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
