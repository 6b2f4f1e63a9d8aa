"""What odd transport, framing and credentials get , by raw sockets through the real front. Named by row:
docs/design/inputs.md.
"""

import gzip
import re
import socket
import zlib
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.hubs import ORDER
from tests.support.waiting import wait_until

PATH = "/api/v1/shop/order.placed"


def raw(hub, text, *, more=b"", seconds=8):
    """Sends bytes, reads until the server closes or falls silent. Gives the status and everything that was read."""
    with socket.create_connection(("127.0.0.1", hub.port), seconds) as wire:
        wire.settimeout(seconds)
        wire.sendall(text if isinstance(text, bytes) else text.encode("latin-1"))
        if more:
            wire.sendall(more)
        got = b""
        try:
            while part := wire.recv(65_536):
                got += part
                if b"\r\n\r\n" in got and got.endswith(b"}"):
                    break
        except TimeoutError:
            pass
    found = re.match(rb"HTTP/1\.[01] (\d{3})", got)
    return (int(found[1]) if found else 0), got


def head(caller, body, message_id="t-1", **extra):
    given = {
        "host": "hub",
        **caller.headers(body, message_id),
        **{name.replace("_", "-"): value for name, value in extra.items()},
    }
    return f"POST {PATH} HTTP/1.1\r\n" + "".join(
        f"{name}: {value}\r\n" for name, value in given.items() if value is not None
    )


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("content_type", None, 415),
        ("content_type", "text/plain", 415),
        ("content_type", "application/x-www-form-urlencoded", 415),
        ("content_type", "application/json; charset=utf-16", 415),
        ("content_type", "application/json; charset=latin-1", 415),
        ("content_encoding", "br", 415),
        ("content_encoding", "gzip, gzip", 415),
        ("content_encoding", "gzip", 400),
        ("idempotency_key", "", 400),
        ("idempotency_key", "a" * 256, 400),
        ("idempotency_key", "a b", 400),
    ],
    ids=[
        "B7-none",
        "B7-text",
        "B7-form",
        "B8-utf-16",
        "B8-latin-1",
        "B9-br",
        "B9-gzip-in-gzip",
        "B9-not-gzip",
        "B48-empty",
        "B48-long",
        "B48-blank",
    ],
)
def test_a_header_that_cannot_be_taken(caller, name, value, status):
    answer = caller.post(PATH, ORDER, "h-1", **{name: value})
    assert answer.status_code == status, answer.text
    assert answer.json()["code"] // 100 == status


def test_a_declared_length_over_the_limit_is_refused_unread(hub, caller):  # B2
    status, _ = raw(hub, head(caller, b"", content_length="999999999999") + "\r\n")
    assert status == 413


def test_a_chunked_body_is_counted_while_it_comes(hub, caller):  # B3
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    text = head(caller, b"", transfer_encoding="chunked") + "\r\n"
    try:
        status, _ = raw(hub, text, more=chunk * 170)
    except (BrokenPipeError, ConnectionResetError):
        status = 413  # the server hung up in the midst of our sending: nothing more was read
    assert status == 413


def test_a_body_that_stalls_is_ended(hub, caller):
    status, _ = raw(hub, head(caller, ORDER, content_length="100") + "\r\n", more=b'{"orderNo"')
    assert status == 408


@pytest.mark.parametrize(
    "codings",
    ["chunked, identity", "identity, chunked", "xchunked"],
    ids=["B5-chunked-identity", "B5-identity-chunked", "B5-xchunked"],
)
def test_other_transfer_codings_are_refused(hub, caller, codings):
    smuggled = b"0\r\n\r\nGET /health/live HTTP/1.1\r\nhost: hub\r\n\r\n"
    status, got = raw(hub, head(caller, b"", transfer_encoding=codings) + "\r\n", more=smuggled)
    assert status in (0, 400, 501)
    assert b'"status":"ok"' not in got


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("POST /api/v1/shop/../admin HTTP/1.1", {404, 400}),
        ("POST //api/v1/shop/order.placed HTTP/1.1", {404, 400}),
        ("POST /api/v1/%2e%2e/order.placed HTTP/1.1", {404, 400}),
        ("POST /api/v1/shop/order.placed%00 HTTP/1.1", {404, 400}),
        ("POST /api/v1/shop/order.placed;jsession=1 HTTP/1.1", {404, 400}),
        (f"POST /api/v1/shop/{'a' * 5000} HTTP/1.1", {404, 414, 400}),
        ("PUT /api/v1/shop/order.placed HTTP/1.1", {405}),
        ("DELETE /api/v1/shop/order.placed HTTP/1.1", {405}),
        ("GET /api/v1/shop/order.placed HTTP/1.1", {405}),
        ("POST /api/v1/shop/order.placed?a=1&a=2 HTTP/1.1", {400}),
        ("POST /api/v1/shop/order.placed?apikey=ak_x HTTP/1.1", {400}),
        ("GET /ops/v1/messages?limit=1&limit=2 HTTP/1.1", {400}),
        ("POST /api/v0/shop/order.placed HTTP/1.1", {404}),
    ],
    ids=[
        "B11-dots",
        "B11-slashes",
        "B11-escape",
        "B11-nul",
        "B11-semicolon",
        "B11-long",
        "B12-put",
        "B12-delete",
        "B12-get",
        "B14-twice",
        "B41-key-in-query",
        "B14-ops",
        "version-0",
    ],
)
def test_no_path_is_taken_for_another(hub, caller, line, status):
    text = line + "\r\n" + head(caller, ORDER).split("\r\n", 1)[1] + f"content-length: {len(ORDER)}\r\n\r\n"
    got, answer = raw(hub, text, more=ORDER)
    assert got in status, answer
    if got == 405:
        assert b"allow: post" in answer.lower()


def test_a_method_override_is_ignored(caller):  # B12
    assert caller.post(PATH, ORDER, "o-1", x_http_method_override="DELETE").status_code == 202


def test_too_many_headers_and_a_huge_one(hub, caller):  # B6
    many = "".join(f"x-{number}: 1\r\n" for number in range(500))
    status, _ = raw(hub, head(caller, ORDER, content_length=str(len(ORDER))) + many + "\r\n", more=ORDER)
    assert status == 431
    status, _ = raw(
        hub, head(caller, ORDER, content_length=str(len(ORDER))) + f"x-big: {'a' * 65_536}\r\n\r\n", more=ORDER
    )
    assert status in (431, 400)


def test_gzip_is_taken_and_a_bomb_is_not(caller):  # B9
    assert caller.post(PATH, ORDER, "g-0").status_code == 202
    small = gzip.compress(b'{"orderNo":"GZ-1","items":[{"sku":"S","quantity":1}]}')
    assert (
        caller.session.post(
            caller.base + PATH,
            data=small,
            headers={**caller.headers(small, "g-1"), "content-encoding": "gzip"},
            timeout=30,
        ).status_code
        == 202
    )
    bomb = gzip.compress(b" " * 200_000_000)
    assert caller.post(PATH, bomb, "g-2", content_encoding="gzip").status_code == 413
    cut = gzip.compress(ORDER)[:-6]
    assert caller.post(PATH, cut, "g-3", content_encoding="gzip").json()["code"] == 40007
    assert (
        caller.post(
            PATH,
            zlib.compress(b'{"orderNo":"GZ-2","items":[{"sku":"S","quantity":1}]}'),
            "g-4",
            content_encoding="deflate",
        ).status_code
        == 202
    )


def test_expect_continue_without_a_key_is_refused_before_the_body(hub):  # B10
    text = f"POST {PATH} HTTP/1.1\r\nhost: hub\r\ncontent-type: application/json\r\ncontent-length: 100\r\nexpect: 100-continue\r\n\r\n"
    status, got = raw(hub, text)
    assert status == 401
    assert b"100 Continue" not in got


@pytest.mark.parametrize(
    "text",
    ["\x16\x03\x01\x02\x00garbage", "GARBAGE\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ids=["B17-tls", "B17-garbage", "B17-http2"],
)
def test_what_is_no_request_hurts_nobody(hub, caller, text):
    status, _ = raw(hub, text, seconds=3)
    assert status in (0, 400, 404, 405, 505)
    assert caller.post(PATH, ORDER, "ok-1").status_code == 202


def test_a_sender_that_leaves_in_the_midst_leaves_nothing(hub, caller):  # B18
    before = hub.ops("/conservation")["messages"]
    with socket.create_connection(("127.0.0.1", hub.port)) as wire:
        wire.sendall((head(caller, ORDER, content_length=str(len(ORDER))) + "\r\n").encode() + ORDER[:10])
    assert hub.ops("/conservation")["messages"] == before


@pytest.mark.parametrize(
    "key",
    [None, "", "Bearer x", "ApiKey", "ApiKey nobody-knows-this", "ApiKey " + "a" * 1_000_000, "ApiKey ключ"],
    ids=["none", "empty", "scheme", "no-key", "unknown", "B42-1MB", "B42-not-ascii"],
)
def test_who_is_not_known_gets_one_answer(hub, caller, key):  # B41, B42
    headers = {**caller.headers(ORDER, "k-1")}
    headers.pop("authorization")
    if key is not None:
        headers["authorization"] = key.encode()
    answer = caller.session.post(caller.base + PATH, data=ORDER, headers=headers, timeout=30)
    assert answer.status_code in ((401, 431, 400) if key and (len(key) > 1_000 or not key.isascii()) else (401,))
    if answer.status_code == 401:
        assert answer.json()["message"] == "The key, the signature or the permission is not valid."


def test_two_authorization_headers(hub, caller):  # B42
    text = head(caller, ORDER, content_length=str(len(ORDER))) + "Authorization: ApiKey other\r\n\r\n"
    assert raw(hub, text, more=ORDER)[0] == 400


def test_one_byte_changed_and_equal_json_written_otherwise(caller):  # B43
    headers = caller.headers(ORDER, "c-1")
    for body in (ORDER.replace(b"SO-1", b"SO-2"), ORDER.replace(b",", b", ")):
        assert caller.session.post(caller.base + PATH, data=body, headers=headers, timeout=30).status_code == 401


@pytest.mark.parametrize(
    ("stamp", "code"),
    [("-360", 40101), ("+360", 40102), ("abc", 40010), ("1.5", 40010), ("1" * 20, 40010), ("-5", 40010), ("", 40100)],
    ids=["6-minutes-old", "6-minutes-ahead", "letters", "fraction", "10^20", "negative", "empty"],
)
def test_timestamps(caller, stamp, code):  # B44
    if stamp in ("-360", "+360"):
        headers = caller.headers(ORDER, "ts-1", datetime.now(UTC) + timedelta(seconds=int(stamp)))
    else:
        headers = {**caller.headers(ORDER, "ts-1"), "webhook-timestamp": stamp}
    answer = caller.session.post(caller.base + PATH, data=ORDER, headers=headers, timeout=30)
    assert answer.json()["code"] == code, answer.text


def test_a_good_request_again_is_a_duplicate_and_from_another_caller_401(hub, caller):  # B45
    body = b'{"orderNo":"RP-1","items":[{"sku":"S","quantity":1}]}'
    headers = caller.headers(body, "rp-1")
    first, again = (
        caller.session.post(caller.base + PATH, data=body, headers=headers, timeout=30).json()["data"] for _ in range(2)
    )
    assert again == {"messageId": first["messageId"], "duplicate": True}
    other = hub.caller("warehouse")
    assert (
        caller.session.post(
            caller.base + PATH, data=body, headers={**headers, "authorization": f"ApiKey {other.key}"}, timeout=30
        ).status_code
        == 401
    )


def test_an_id_with_the_separator(caller):  # B46
    assert caller.post(PATH, ORDER, "a.b").status_code == 400


@pytest.mark.parametrize("version", ["v0", "v1a", "none"])
def test_another_algorithm(caller, version):  # B47
    headers = caller.headers(ORDER, "alg-1")
    headers["webhook-signature"] = headers["webhook-signature"].replace("v1,", version + ",")
    assert caller.session.post(caller.base + PATH, data=ORDER, headers=headers, timeout=30).status_code == 401


def test_the_same_key_with_another_body_or_path(caller):  # B49
    one, two = (b'{"orderNo":"MM-%d","items":[{"sku":"S","quantity":1}]}' % number for number in (1, 2))
    assert caller.post(PATH, one, "mm-1").status_code == 202
    assert caller.post(PATH, two, "mm-1").json()["code"] == 42202
    assert caller.post(PATH, two, "mm-2", idempotency_key="mine").status_code == 202
    assert caller.post(PATH, one.replace(b"MM-1", b"MM-3"), "mm-3", idempotency_key="mine").json()["code"] == 42202


def test_two_keys_and_one_business_number(caller):  # B52
    body = b'{"orderNo":"BN-1","items":[{"sku":"S","quantity":1}]}'
    first = caller.post(PATH, body, "bn-1").json()["data"]
    assert caller.post(PATH, body, "bn-2").json()["data"] == {"messageId": first["messageId"], "duplicate": True}


def test_a_key_may_not_speak_for_another_system(hub):
    assert hub.caller("warehouse").post(PATH, ORDER, "f-1").json()["code"] == 40300


def test_a_revoked_key_dies(hub):
    caller = hub.caller("shop")
    assert caller.post(PATH, ORDER, "rv-1").status_code == 202
    newest = hub.json("key", "list")[-1]
    hub.json("key", "revoke", newest["id"])
    wait_until(
        lambda: caller.post(PATH, ORDER, "rv-2").status_code == 401, seconds=5, what="the refusal of a revoked key"
    )


def test_somebody_elses_message_is_not_told_apart_from_none(hub, caller):
    mine = ORDER.replace(b"SO-1", b"SO-OWN")
    single = caller.post(PATH, mine, "own-1").json()["data"]["messageId"]
    [item] = caller.post(f"{PATH}/batch", b"[" + mine.replace(b"SO-OWN", b"SO-OWN-2") + b"]", "own-2").json()["data"][
        "items"
    ]
    none = caller.get("/api/messages/01a00000-0000-7000-8000-000000000000")
    assert none.status_code == 404
    # Another key is another caller: of another system, of the same one, of both, whatever its name
    for stranger in (hub.caller("warehouse"), hub.caller("shop"), hub.caller("shop", "warehouse")):
        for id_ in (single, item["messageId"]):
            assert caller.get(f"/api/messages/{id_}").status_code == 200
            answer = stranger.get(f"/api/messages/{id_}")
            assert (answer.status_code, answer.json()["message"], answer.json()["details"]) == (
                404,
                none.json()["message"],
                [],
            )
