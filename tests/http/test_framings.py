"""Requests that are framed badly, by raw sockets through the real server: each door answers 4xx, or the server closes;
never 500, never a wait.

The table is generated: every mistake in a body's framing meets every door that reads bodies; every mistake in the head
meets each kind of path.
"""

import re
import socket

import pytest

from tests.support.hubs import OPS_TOKEN, ORDER, Caller, HubProcess, Sink, small_workspace

POST, HOOK, EVENTS, OPS, CONSOLE = (
    "/api/v1/shop/order.placed",
    "/in/shop/push",
    "/in/cloudevents",
    "/ops/v1/messages/raw",
    "/console/sign-in",
)
HOOKED = "hooks:\n  push:\n    verify: {alg: none}\n    peers: [127.0.0.0/8]\n    read: {emit: shop/order.placed@1}\n"
CLOSED = "closed"  # the server ended the connection without a word, which says as much
TE = "Transfer-Encoding: chunked"
SIZE = len(ORDER)
CHUNK = b"%x\r\n%s\r\n" % (SIZE, ORDER)


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    sink = Sink()
    folder = tmp_path_factory.mktemp("framings")
    workspace = small_workspace(folder / "workspace", sink.url)
    system = workspace / "adapters" / "shop" / "system.yaml"
    system.write_text(system.read_text("utf-8") + HOOKED, "utf-8")
    with (folder / "log").open("w+") as log:
        made = HubProcess(workspace, f"sqlite:///{folder}/hub.sqlite3", hub_body_seconds=1)
        made.stderr = log
        made.start()
        yield made
        made.stop()
        log.seek(0)
        assert "request.failed" not in log.read()
    sink.shutdown()
    sink.server_close()


@pytest.fixture(scope="module")
def caller(hub) -> Caller:
    return hub.caller("shop")


def sent(hub, raw, *, half_closed=False, seconds=6.0):
    """The status of the answer to these bytes; CLOSED where none came, 0 where neither came."""
    with socket.create_connection(("127.0.0.1", hub.port), seconds) as wire:
        wire.settimeout(seconds)
        got = b""
        try:
            wire.sendall(raw)
            if half_closed:
                wire.shutdown(socket.SHUT_WR)
            while not re.match(rb"HTTP/1\.[01] [2-5]\d\d.*?\r\n\r\n", got, re.DOTALL):
                part = wire.recv(65_536)
                if not part:
                    return CLOSED
                got = (got + part).removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
        except ConnectionError:
            return CLOSED
        except TimeoutError:
            return 0
    return int(got[9:12])


def head(door, headers, *, line=None, host="Host: hub", kind="Content-Type: application/json"):
    return "\r\n".join([line or f"POST {door} HTTP/1.1", *filter(None, [host, kind]), *headers, "", ""]).encode(
        "latin-1"
    )


def at(caller, door, headers, body, **head_):
    """A request that gets as far as its body: at the partners' door it is signed for the right body."""
    proof = (
        [f"{name}: {value}" for name, value in caller.headers(ORDER, "framing-1").items() if name != "content-type"]
        if door in (POST, EVENTS)
        else []
    )
    return head(door, [*proof, *headers], **head_) + body


def alive(hub, caller):
    """The next good request is answered as if nothing had been."""
    assert sent(hub, head("/health/live", [], line="GET /health/live HTTP/1.1", kind="")) == 200
    assert caller.post(POST, ORDER, "framing-good").status_code == 202


# Each is one mistake in the framing of a body; `{n}` is its true length.
BODIES = {
    "a chunk's size that is no number": ([TE], b"zz\r\n{}\r\n0\r\n\r\n"),
    "a negative size of a chunk": ([TE], b"-2\r\n{}\r\n0\r\n\r\n"),
    "an empty size of a chunk": ([TE], b"\r\n{}\r\n0\r\n\r\n"),
    "a size of a chunk over 64 bits": ([TE], b"fffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
    "a size of a chunk with 0x": ([TE], b"0x2\r\n{}\r\n0\r\n\r\n"),
    "an endless extension of a chunk": ([TE], b"2;" + b"a" * 70_000 + b"\r\n{}\r\n0\r\n\r\n"),
    "no line break after a chunk": ([TE], b"2\r\n{}0\r\n\r\n"),
    "a chunk longer than its size": ([TE], b"2\r\n{}{}\r\n0\r\n\r\n"),
    "chunks by line feeds alone": ([TE], b"2\n{}\n0\n\n"),
    "a trailer that is no header": ([TE], CHUNK + b"0\r\nX T\r\n\r\n"),
    "chunks without an end": ([TE], CHUNK),
    "a negative length": (["Content-Length: -1"], ORDER),
    "a length with a sign": ([f"Content-Length: +{SIZE}"], ORDER),
    "a length over 64 bits": (["Content-Length: 99999999999999999999999"], ORDER),
    "a length over every limit": (["Content-Length: 999999999999"], ORDER),
    "a length in hexadecimal": (["Content-Length: 0x39"], ORDER),
    "an empty length": (["Content-Length:"], ORDER),
    "a list of lengths": ([f"Content-Length: {SIZE}, {SIZE}"], ORDER),
    "two lengths": ([f"Content-Length: {SIZE}", f"Content-Length: {SIZE + 1}"], ORDER),
    "chunks that are zipped on the way": (["Transfer-Encoding: gzip, chunked"], CHUNK + b"0\r\n\r\n"),
    "another transfer coding": (["Transfer-Encoding: gzip"], ORDER),
    "an unknown transfer coding": (["Transfer-Encoding: xchunked"], CHUNK + b"0\r\n\r\n"),
    "chunked twice": ([TE, TE], CHUNK + b"0\r\n\r\n"),
    "a body that is shorter than said": ([f"Content-Length: {SIZE + 10}"], ORDER),
}
CODINGS = {
    "gzip that is none": (["Content-Encoding: gzip", f"Content-Length: {SIZE}"], ORDER),
    "gzip that is cut": (["Content-Encoding: gzip", "Content-Length: 5"], b"\x1f\x8b\x08\x00\x00"),
    "an unknown content coding": (["Content-Encoding: compress", f"Content-Length: {SIZE}"], ORDER),
}


@pytest.mark.parametrize("door", [POST, EVENTS])
@pytest.mark.parametrize("mistake", CODINGS)
def test_a_body_that_is_coded_badly_is_refused(hub, caller, door, mistake):
    headers, body = CODINGS[mistake]
    assert 400 <= sent(hub, at(caller, door, headers, body)) < 500
    alive(hub, caller)


@pytest.mark.parametrize("door", [POST, HOOK, EVENTS, OPS, CONSOLE])
@pytest.mark.parametrize("mistake", BODIES)
def test_a_body_that_is_framed_badly_is_refused(hub, caller, door, mistake):
    headers, body = BODIES[mistake]
    status = sent(
        hub,
        at(caller, door, headers, body),
        half_closed=mistake in {"chunks without an end", "a body that is shorter than said"},
    )
    assert status == CLOSED or 400 <= status < 500, status
    alive(hub, caller)


@pytest.mark.parametrize("door", [POST, CONSOLE])
@pytest.mark.parametrize(
    "kind",
    [
        'application/json; charset="utf-8',
        "application/json; charset=klingon",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        ";",
    ],
)
def test_a_type_that_cannot_be_read_is_refused(hub, caller, door, kind):
    assert 400 <= sent(hub, head(door, [f"Content-Length: {SIZE}"], kind=f"Content-Type: {kind}") + ORDER) < 500
    alive(hub, caller)


def test_what_is_framed_oddly_and_well_is_taken(hub, caller):
    # an extension says nothing to us (RFC 9112)
    assert sent(hub, at(caller, HOOK, [TE], b"%x;a=b\r\n%s\r\n0\r\n\r\n" % (SIZE, ORDER))) == 200
    # leading zeros, a trailer
    assert sent(hub, at(caller, HOOK, [TE], b"000%x\r\n%s\r\n0\r\nX-Sum: 1\r\n\r\n" % (SIZE, ORDER))) == 200
    assert sent(hub, at(caller, HOOK, ["Expect: 100-continue", f"Content-Length: {SIZE}"], ORDER)) == 200
    assert sent(hub, at(caller, HOOK, [f"Content-Length: {SIZE}"], ORDER, host="Host: [::1]:8080")) == 200
    # the chunks count, or neither (RFC 9112)
    assert sent(hub, at(caller, HOOK, [TE, f"Content-Length: {SIZE}"], CHUNK + b"0\r\n\r\n")) in (200, 400)


HEADS = {
    "NUL in a value": ["X-A: a\0b"],
    "a carriage return in a value": ["X-A: a\rb"],
    "a control character in a value": ["X-A: a\x01b"],
    "a folded header": ["X-A: a\r\n b"],
    "an empty name": [": x"],
    "a blank in a name": ["X A: b"],
    "a blank before the colon": ["X-A : b"],
    "no colon": ["X-A"],
    "a name beyond ASCII": ["X-\xc3\x84: b"],
    "headers without end": [f"X-{number}: a" for number in range(150)],
    "one huge header": ["X-A: " + "a" * 40_000],
    "a key beyond ASCII": ["Authorization: ApiKey \xe5\xbc\xa0"],
    "a type beyond ASCII": ["Content-Type: application/json; x=\xe5\xbc\xa0"],
    "two types": ["Content-Type: application/json", "Content-Type: text/plain"],
    "a host with a blank": ["Host: a b"],
    "a host with a slash": ["Host: a/../b"],
    "a host with a user": ["Host: user@hub"],
    "a host beyond ASCII": ["Host: \xe5\xbc\xa0"],
    "a bracket that is open": ["Host: [::1"],
    "a port that is none": ["Host: hub:x"],
    "two hosts": ["Host: hub", "Host: other"],
    "no host": [],
    "an expectation that is none": ["Expect: 200-maybe"],
    "two expectations": ["Expect: 100-continue", "Expect: 200-maybe"],
}


@pytest.mark.parametrize("door", [POST, HOOK, CONSOLE])
@pytest.mark.parametrize("mistake", HEADS)
def test_a_head_that_cannot_be_read_is_refused(hub, caller, door, mistake):
    names = {line.partition(":")[0].lower() for line in HEADS[mistake]}
    host = "" if "host" in names or mistake == "no host" else "Host: hub"
    kind = "" if "content-type" in names else "Content-Type: application/json"
    status = sent(hub, head(door, [*HEADS[mistake], f"Content-Length: {SIZE}"], host=host, kind=kind) + ORDER)
    taken = mistake == "an expectation that is none" and door == HOOK  # RFC 9110: it may be passed over
    assert status == 200 if taken else status == CLOSED or 400 <= status < 500, status
    alive(hub, caller)


LINES = {
    "a path that is no UTF-8": ("GET /health/%ff HTTP/1.1", 404),
    "a path with a broken escape": ("GET /health/%zz HTTP/1.1", 404),
    "a path with NUL": ("GET /console/%00 HTTP/1.1", 404),
    "a raw path beyond ASCII": ("GET /console/\xe5\xbc\xa0 HTTP/1.1", 404),
    "a query that is no UTF-8": ("GET /ops/v1/now?a=%ff HTTP/1.1", 400),
    "a query with a surrogate": ("GET /ops/v1/now?a=%ed%a0%80 HTTP/1.1", 400),
    "a parameter twice": ("GET /ops/v1/now?a=1&a=2 HTTP/1.1", 400),
    "the asterisk": ("OPTIONS * HTTP/1.1", None),
    "the asterisk of a GET": ("GET * HTTP/1.1", None),
    "a whole address with an open bracket": ("GET http://[::1/x HTTP/1.1", None),
    "a whole address without a host": ("GET http:///x HTTP/1.1", None),
    "another scheme": ("GET ftp://hub/x HTTP/1.1", None),
    "a tunnel": ("CONNECT hub:443 HTTP/1.1", None),
    "no path": ("GET  HTTP/1.1", None),
    "a path that does not begin with a slash": ("GET x HTTP/1.1", None),
    "two slashes": ("GET //ops/v1/now HTTP/1.1", 404),
    "a path without end": (f"GET /{'a' * 9_000} HTTP/1.1", 414),
    "a query without end": (f"GET /console?{'a' * 9_000} HTTP/1.1", 414),
    "a method beyond ASCII": ("G\xc3\x89T /console HTTP/1.1", None),
    "a method in small letters": ("get /console HTTP/1.1", 405),
    "a method of another protocol": ("PROPFIND /console HTTP/1.1", 405),
    "a method that nobody knows": ("!#$ /console HTTP/1.1", 405),
    "the preface of HTTP/2": ("PRI * HTTP/2.0", None),
    "HTTP/2 as a text": ("GET /console HTTP/2.0", None),
    "HTTP/0.9": ("GET /console", None),
    "a version that is none": ("GET /console HTTP/x", None),
    "the hello of TLS": ("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", None),
}


@pytest.mark.parametrize("mistake", LINES)
def test_a_line_that_cannot_be_read_is_refused(hub, caller, mistake):
    line, status = LINES[mistake]
    given = sent(hub, head("", [], line=line, kind=""))
    assert given == status if status is not None else given == CLOSED or 400 <= given < 500, given
    alive(hub, caller)


def test_http_1_0_needs_no_host(hub):  # the probes of balancers
    assert sent(hub, b"GET /health/live HTTP/1.0\r\n\r\n") == 200
    assert sent(hub, head("", [TE], line=f"POST {HOOK} HTTP/1.0", host="") + b"zz\r\n") in (CLOSED, 400)


NAME = "张三".encode().decode("latin-1")


@pytest.mark.parametrize(
    "header",
    [
        f"X-Webauth-Name: {NAME}",
        "X-Webauth-Name: M\xfcller",
        f"Cookie: name={NAME}",
        f"User-Agent: {NAME}",
        f"Referer: /{NAME}",
    ],
)
# a proxy's single sign-on adds a person's name
def test_a_header_that_nobody_reads_may_hold_any_letters(hub, caller, header):
    assert sent(hub, at(caller, POST, [header, f"Content-Length: {SIZE}"], ORDER)) == 202
    assert sent(hub, at(caller, HOOK, [header, f"Content-Length: {SIZE}"], ORDER)) == 200
    assert sent(hub, head("", [header], line="GET /console/sign-in HTTP/1.1", kind="")) == 200
    assert (
        sent(hub, head("", [header, f"Authorization: Bearer {OPS_TOKEN}"], line="GET /ops/v1/now HTTP/1.1", kind=""))
        == 200
    )
