"""The one outbound client, over real sockets: what left the house, what came back; nothing is repeated
(docs/design/inputs.md#targets, faults F45–F61).
"""

import ipaddress
import socket
import threading
import time
from contextlib import suppress

import pytest

from hub.core.config.target_answers import JUDGED_BYTES
from hub.kit.http.call import Call
from hub.kit.http.sender import Sender

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]


class Server:
    """Reads one request per connection and lets `answer` do what it will with the socket."""

    def __init__(self, answer):
        self.answer, self.seen = answer, []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/x"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                wire, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(wire,), daemon=True).start()

    def _one(self, wire):
        with wire:
            got = b""
            while b"\r\n\r\n" not in got or not got.endswith(b"}"):
                part = wire.recv(65_536)
                if not part:
                    return
                got += part
            self.seen.append(got)
            with suppress(OSError):  # the client may be gone: that is what the test is about
                self.answer(wire)


@pytest.fixture
def sender():
    made = Sender(LOOPBACK)
    yield made
    made.close()


@pytest.fixture
def serve():
    made = []

    def start(answer):
        made.append(Server(answer if callable(answer) else lambda wire: wire.sendall(answer)))
        return made[-1]

    yield start
    for server in made:
        server.listener.close()


def call(url, **given):
    return Call("POST", url, (("content-type", "application/json"),), b"{}", **{"deadline_s": 1.0, **given})


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
CASES = {
    "200": (OK, "ok", 200),
    "204-with-a-body": (b"HTTP/1.1 204 No Content\r\n\r\nx", "ok", 204),
    "B88-301": (b"HTTP/1.1 301 M\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n", "ok", 301),
    "B85-no-status-line": (b"hello there\r\n\r\n", "bad_answer", None),
    "B85-http-0.9": (b"<html>old</html>", "bad_answer", None),
    "B85-status-abc": (b"HTTP/1.1 abc OK\r\n\r\n", "bad_answer", None),
    "B85-status-999": (b"HTTP/1.1 999 OK\r\ncontent-length: 0\r\n\r\n", "bad_answer", None),
    "B85-status-99": (b"HTTP/1.1 99 OK\r\ncontent-length: 0\r\n\r\n", "bad_answer", None),
    "F48-cut-body-under-200": (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{", "no_answer", 200),
    "F48-cut-head-under-200": (b"HTTP/1.1 200 OK\r\ncontent-le", "no_answer", None),
    "F48-broken-chunk": (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", "no_answer", 200),
    "F59-closed-without-an-answer": (b"", "no_answer", None),
    "B84-header-of-1-MB": (b"HTTP/1.1 200 OK\r\nx-a: " + b"a" * 1_000_000 + b"\r\n\r\n", "ok", 200),
    "B84-10000-headers": (b"HTTP/1.1 200 OK\r\n" + b"x-a: 1\r\n" * 10_000 + b"\r\n", "ok", 200),
    "B84-length-of-minus-one": (b"HTTP/1.1 503 X\r\ncontent-length: -1\r\n\r\n", "ok", 503),
    "B84-length-of-1-GB": (b"HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n{", "ok", 200),
    "B85-interim-without-end": (b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000, "bad_answer", None),
    "B85-101": (b"HTTP/1.1 101 S\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n", "bad_answer", None),
    "200-headers": (b"HTTP/1.1 200 OK\r\n" + b"x-a: 1\r\n" * 199 + b"content-length: 0\r\n\r\n", "ok", 200),
}


@pytest.mark.parametrize("name", CASES)
def test_what_an_answer_counts_as(sender, serve, name):
    answer, kind, status = CASES[name]
    server = serve(answer)
    [done] = sender.send([call(server.url)])
    assert (done.kind, done.status, done.sent) == (kind, status, True), done


def test_a_target_that_never_answers_ends_at_the_deadline(sender, serve):  # F46
    server = serve(lambda wire: wire.recv(1))
    began = time.monotonic()
    [done] = sender.send([call(server.url, deadline_s=0.4)])
    assert (done.kind, done.sent) == ("no_answer", True)
    assert time.monotonic() - began < 2


def test_a_dripping_answer_ends_at_the_deadline(sender, serve):  # F47
    def drip(wire):
        wire.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        while True:
            wire.sendall(b"x")
            time.sleep(0.05)

    [done] = sender.send([call(serve(drip).url, deadline_s=0.5)])
    assert done.kind == "no_answer"


def test_an_endless_body_is_read_to_the_cap_and_cut(sender, serve):  # B84
    def pour(wire):
        wire.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            wire.sendall(b"x" * 65_536)

    [done] = sender.send([call(serve(pour).url, deadline_s=10.0)])
    assert (done.kind, done.status) == ("ok", 200)
    assert len(done.body) == JUDGED_BYTES


def test_nothing_left_the_house(sender):  # F45
    for url in ("http://127.0.0.1:1/x", "http://no-such-name.invalid/x"):
        [done] = sender.send([call(url)])
        assert (done.kind, done.sent) == ("unreachable", False), done


def test_an_address_that_is_not_allowed_is_not_connected_to(serve):  # F51
    server = serve(OK)
    strict = Sender()
    [done] = strict.send([call(server.url)])
    strict.close()
    assert (done.kind, done.sent, server.seen) == ("unreachable", False, [])
    assert "HUB_ALLOW_CIDRS" in done.error


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\0b", "张", "a\x1bb"])
def test_a_header_cannot_start_another(sender, serve, value):
    server = serve(OK)
    [done] = sender.send([Call("POST", server.url, (("x-a", value),), b"{}")])
    assert (done.kind, server.seen) == ("unreachable", [])


def test_one_that_hangs_does_not_delay_the_others_answers(sender, serve):
    slow, fast = serve(lambda wire: wire.recv(1)), serve(OK)
    order = [index for index, _ in sender.stream([call(slow.url, deadline_s=0.5), call(fast.url), call(fast.url)], 8)]
    assert order[-1] == 0
    assert sorted(order) == [0, 1, 2]


def test_a_call_waits_for_its_place_and_its_neighbours_answers_come_meanwhile(sender, serve):
    # Given three calls, the second of which may not go before a moment has passed
    server, began = serve(OK), time.monotonic()

    def wait(index):
        return max(0.0, began + 0.4 - time.monotonic()) if index == 1 else 0.0

    ended = [(index, time.monotonic() - began) for index, _ in sender.stream([call(server.url)] * 3, 8, wait=wait)]
    # Then the first does not wait for it, and the third stands behind it
    assert ended[0][0] == 0
    assert ended[0][1] < 0.4 <= ended[1][1]
    assert {index for index, _ in ended} == {0, 1, 2}


def test_each_attempt_is_one_request_on_the_wire(sender, serve):  # F59, P9
    server = serve(lambda wire: wire.sendall(b"HTTP/1.1 503 X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"))
    done = sender.send([call(server.url) for _ in range(20)], 4)
    assert {one.status for one in done} == {503}
    assert len(server.seen) == 20


def test_cookies_are_forgotten(sender, serve):  # B87
    server = serve(b"HTTP/1.1 200 OK\r\nset-cookie: a=b\r\ncontent-length: 2\r\n\r\n{}")
    sender.send([call(server.url)])
    sender.send([call(server.url)])
    assert all(b"cookie:" not in request.lower() for request in server.seen)
