"""Kept-alive connections: reused, never trusted, and nothing is repeated in silence (faults F48, F59, promise I9;
docs/design/inputs.md#targets).
"""

import ipaddress
import time

import pytest

from hub.core.config.target_answers import JUDGED_BYTES
from hub.kit.http.call import Call
from hub.kit.http.sender import Sender
from tests.support.sockets import CLOSE, HANG, RESET, Rude, answer, drip
from tests.support.waiting import wait_until

OK = answer()


@pytest.fixture
def sender():
    made = Sender([ipaddress.ip_network("127.0.0.0/8")])
    yield made
    made.close()


@pytest.fixture
def rude():
    made = []

    def start(script):
        made.append(Rude(script))
        return made[-1]

    yield start
    for server in made:
        server.stop()


def call(url, **given):
    return Call("POST", url, (("content-type", "application/json"),), b"{}", **{"deadline_s": 2.0, **given})


def test_one_connection_carries_many_calls(sender, rude):
    target = rude(lambda turn: OK)
    for _ in range(3):
        sender.send([call(target.url)] * 5, 1)
    assert (len(target.seen), target.opened) == (15, 1)


def test_no_more_are_under_way_than_asked(sender, rude):
    target = rude(lambda turn: OK)
    assert len(sender.send([call(target.url)] * 60, 4)) == 60
    assert target.opened <= 4
    # A limit of nothing is a limit of one, not a wait without end
    assert [done.kind for done in sender.send([call(target.url)], 0)] == ["ok"]


def test_a_connection_that_dies_before_the_answer_is_not_sent_on_again(sender, rude):  # F59
    # Given a kept-alive connection, which the target closes once it has read the second request
    target = rude(lambda turn: CLOSE if turn == 2 else OK)
    sender.send([call(target.url)])
    # Then libcurl's own second try is stopped: one attempt, one arrival, and the outcome is in doubt
    [done] = sender.send([call(target.url)])
    assert (done.kind, done.sent, done.status) == ("no_answer", True, None)
    assert len(target.seen) == 2


def test_a_target_that_closes_after_each_answer_gets_each_request_once(sender, rude):  # F59, I9
    target = rude(lambda turn: [OK, CLOSE])
    bodies = [b'{"n":%d}' % number for number in range(20)]
    calls = [Call("POST", target.url, (), body) for body in bodies]
    answers = [done for start in range(0, 20, 4) for done in sender.send(calls[start : start + 4], 2)]
    # Whatever raced with the closing: what was answered arrived, and nothing arrived twice
    arrived = [request.partition(b"\r\n\r\n")[2] for _, request in target.seen]
    assert len(arrived) == len(set(arrived))
    assert {body for body, done in zip(bodies, answers, strict=True) if done.kind == "ok"} <= set(arrived)
    assert {done.kind for done in answers} <= {"ok", "no_answer"}


@pytest.mark.parametrize("length", [b"", b"content-length: 60\r\n"])
def test_a_body_behind_a_204_is_not_the_next_calls_answer(sender, rude, length):  # B85
    stray = b"HTTP/1.1 500 Stray\r\ncontent-length: 4\r\n\r\nhaha"
    target = rude(lambda turn: b"HTTP/1.1 204 No Content\r\n" + length + b"\r\n" + stray if turn == 1 else OK)
    assert [done.status for done in sender.send([call(target.url)])] == [204]
    [second] = sender.send([call(target.url)])
    assert (second.status, second.body) == (200, b"{}")


def test_a_reset_in_the_body_leaves_the_head_that_was_seen(sender, rude):  # F48
    target = rude(lambda turn: [b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{", RESET])
    [done] = sender.send([call(target.url)])
    assert (done.kind, done.status, done.is_cut) == ("no_answer", 200, True)


def test_a_reset_in_the_head_leaves_nothing(sender, rude):
    [done] = sender.send([call(rude(lambda turn: [b"HTTP/1.1 200 OK\r\nx-a:", RESET]).url)])
    assert (done.kind, done.status) == ("no_answer", None)


def test_the_deadline_is_one_for_everything(sender, rude):  # F46, F47, P14
    for script in (lambda turn: HANG, lambda turn: drip(), lambda turn: drip(b"HTTP/1.1 200 OK\r\nx-a: ")):
        began = time.monotonic()
        [done] = sender.send([call(rude(script).url, deadline_s=0.4)])
        assert (done.kind, done.sent) == ("no_answer", True)
        assert 0.3 < time.monotonic() - began < 1.5
        assert 300 <= done.ms < 1_500


def test_the_next_call_on_the_same_handle_knows_nothing_of_the_last(sender, rude):
    target = rude(lambda turn: answer(b"x" * (JUDGED_BYTES + 1), b"500 Oh", b"x-old: 1") if turn == 1 else OK)
    first, second = (sender.send([call(target.url)])[0] for _ in range(2))
    assert (first.status, len(first.body), first.is_cut) == (500, JUDGED_BYTES, True)
    assert (second.status, second.body, second.is_cut, second.header("x-old")) == (200, b"{}", False, None)
    # And a method or a body does not stick either
    sender.send([Call("HEAD", target.url)])
    sender.send([Call("GET", target.url)])
    sender.send([Call("DELETE", target.url)])
    sender.send([call(target.url)])
    assert [request.split(b" ")[0] for _, request in target.seen] == [
        b"POST",
        b"POST",
        b"HEAD",
        b"GET",
        b"DELETE",
        b"POST",
    ]
    assert [request.endswith(b"\r\n\r\n{}") for _, request in target.seen] == [True, True, False, False, False, True]


def test_a_consumer_that_leaves_in_the_midst_spoils_nothing(sender, rude):
    target = rude(lambda turn: OK)
    hanging = rude(lambda turn: HANG)
    stream = sender.stream([call(target.url), call(hanging.url), call(hanging.url)], 3)
    assert next(stream)[0] == 0
    stream.close()
    assert sender.send([call(target.url)])[0].kind == "ok"


def test_a_call_has_left_on_its_open_connection_before_the_next_one_is_made(sender, rude):
    target = rude(lambda turn: OK)
    # Given three open connections
    sender.send([call(target.url)] * 3, 3)

    def calls():
        for seen in (3, 4, 5):
            wait_until(lambda seen=seen: len(target.seen) == seen, seconds=5, what="the call before it, at the target")
            yield call(target.url)

    # When three calls are sent, each of which is made when it is asked for, then each is with the target before the
    # next is made
    assert {index for index, _ in sender.stream(calls(), 3)} == {0, 1, 2}


def test_a_call_that_cannot_be_sent_says_nothing_about_its_neighbours(sender, rude):
    target = rude(lambda turn: OK)
    bad = [
        Call("POST", target.url, (("x-a", "张"),)),
        Call("POST", target.url, (("x-a: evil", "1"),)),
        Call("POST", target.url, (("Content-Length", "5"),), b"{}"),
        Call("PO ST", target.url),
        Call("POST", target.url + "张"),
        Call("POST", "http://user:pw@127.0.0.1/"),
        Call("POST", "http://127.0.0.1:22/"),
        Call("POST", "file:///etc/hostname"),
        Call("POST", ""),
    ]
    kinds = [(done.kind, done.sent) for done in sender.send([*bad, call(target.url)])]
    assert kinds == [("unreachable", False)] * len(bad) + [("ok", True)]


def test_what_goes_out_is_what_was_given(sender, rude):
    target = rude(lambda turn: OK)
    sender.send(
        [Call("POST", target.url, (("X-A", "a: b"), ("x-empty", ""), ("accept", "text/plain")), b"\x00\xff" * 600_000)]
    )
    head, _, body = target.seen[0][1].partition(b"\r\n\r\n")
    lines = [line.lower() for line in head.split(b"\r\n")]
    assert lines[0] == b"post /x http/1.1"
    assert {b"x-a: a: b", b"accept: text/plain", b"content-length: 1200000"} < set(lines)
    # One user agent, no Expect, no form type, no cookies, no encodings but those that we unpack ourselves
    names = [line.split(b":")[0] for line in lines[1:]]
    assert sorted(names) == [
        b"accept",
        b"accept-encoding",
        b"content-length",
        b"host",
        b"user-agent",
        b"x-a",
        b"x-empty",
    ]
    assert b"user-agent: crossdock/" in head.lower()
    assert body == b"\x00\xff" * 600_000


def test_proxies_of_the_environment_are_not_asked(sender, rude, monkeypatch):
    target, proxy = rude(lambda turn: OK), rude(lambda turn: OK)
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    assert sender.send([call(target.url)])[0].kind == "ok"
    assert proxy.seen == []
