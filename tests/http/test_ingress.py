"""The same post gets the same answer through the front on either server, and through Flask alone
(docs/design/inputs.md#answers). Named by row.
"""

import gzip
import http.client
import json
import socket

import pytest

from tests.support.hubs import ORDER, small_workspace
from tests.support.servers import served, small_hub

PATH = "/api/v1/shop/order.placed"


@pytest.fixture(scope="module")
def accepting(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ingress")
    with small_hub(
        small_workspace(folder / "workspace", "http://127.0.0.1:9009"), f"sqlite:///{folder}/hub.sqlite3"
    ) as hub:
        yield hub


@pytest.fixture(scope="module", params=["granian", "uvicorn", "wsgi"])
def hub(request, accepting):
    with served(accepting, request.param) as made:
        yield made


@pytest.fixture(scope="module")
def caller(hub):
    return hub.caller("shop")


def order(number):
    return b'{"orderNo":"%s","items":[{"sku":"S","quantity":1}]}' % number.encode()


def ask(hub, method, path, body=b"", headers=()):
    """One request by the standard library's client, which sends what it is told. Gives status, headers and the decoded
    answer.
    """
    wire = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=10)
    try:
        wire.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in {"host": f"127.0.0.1:{hub.port}", **dict(headers)}.items():
            wire.putheader(name, value)
        wire.putheader("content-length", str(len(body)))
        wire.endheaders(body)
        answer = wire.getresponse()
        text = answer.read()
        return (
            answer.status,
            {name.lower(): value for name, value in answer.getheaders()},
            json.loads(text) if text else None,
        )
    finally:
        wire.close()


def post(hub, caller, body, message_id, path=PATH, method="POST", **changed):
    headers = {**caller.headers(body, message_id), **{name.replace("_", "-"): value for name, value in changed.items()}}
    return ask(hub, method, path, body, {name: value for name, value in headers.items() if value is not None})


def test_a_good_post_is_accepted_once(hub, caller):
    number = f"IN-{hub.port}"
    status, headers, first = post(hub, caller, order(number), number)
    assert status == 202
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["content-type"] == "application/json"
    assert (first["code"], first["message"], first["data"]["duplicate"]) == (0, "success", False)
    assert post(hub, caller, order(number), number)[2]["data"] == {
        "messageId": first["data"]["messageId"],
        "duplicate": True,
    }
    status, _, told = post(
        hub, caller, b"", "own", f"/api/messages/{first['data']['messageId']}", "GET", content_type=None
    )
    assert (status, told["data"]["messageId"]) == (200, first["data"]["messageId"])


def test_the_trace_id_of_the_answer_is_the_one_that_is_stored(hub, caller):
    told = post(hub, caller, order(f"TR-{hub.port}"), f"tr-{hub.port}")[2]
    assert hub.hub.store.message(told["data"]["messageId"]).trace_id == told["traceId"]
    given = "4bf92f3577b34da6a3ce929d0e0e4736"
    assert post(hub, caller, b"{", "tr-x", traceparent=f"00-{given}-00f067aa0ba902b7-01")[2]["traceId"] == given


@pytest.mark.parametrize(
    ("body", "changed", "status", "code"),
    [
        (b"", {}, 400, 40001),
        (ORDER, {"content_type": None}, 415, 41500),
        (ORDER, {"content_type": "text/plain"}, 415, 41500),
        (ORDER, {"content_type": "application/x-www-form-urlencoded"}, 415, 41500),
        (ORDER, {"content_type": "application/x-ndjson"}, 415, 41500),
        (ORDER, {"content_type": "application/json; charset=utf-16"}, 415, 41500),
        (ORDER, {"content_type": "application/json; charset=latin-1"}, 415, 41500),
        (ORDER, {"content_encoding": "br"}, 415, 41501),
        (ORDER, {"content_encoding": "gzip, gzip"}, 415, 41501),
        (gzip.compress(gzip.compress(ORDER)), {"content_encoding": "gzip"}, 415, 41501),
        (gzip.compress(ORDER)[:-6], {"content_encoding": "gzip"}, 400, 40007),
        (gzip.compress(ORDER) + b"x", {"content_encoding": "gzip"}, 400, 40007),
        (gzip.compress(ORDER) * 2, {"content_encoding": "gzip"}, 400, 40007),
        (ORDER, {"content_encoding": "deflate"}, 400, 40007),
        (gzip.compress(b" " * 20_000_000), {"content_encoding": "gzip"}, 413, 41300),
        (ORDER, {"x_big": "a" * 40_000}, 431, 43100),
        (ORDER, {"api_version": "2"}, 400, 40000),
        (ORDER, {"accept": "application/vnd.crossdock.v2+json"}, 400, 40000),
        (ORDER, {"authorization": None}, 401, 40100),
    ],
    ids=[
        "B1-empty", "B7-none", "B7-text", "B7-form", "B7-lines", "B8-utf-16", "B8-latin-1", "B9-br", "B9-two-codings", "B9-gzip-in-gzip", "B9-cut",
        "B9-bytes-after-the-end", "B9-two-members", "B9-not-deflate", "B9-bomb", "B6-large", "two-versions", "two-versions-accept", "B41-no-key",
    ],
)  # fmt: skip
def test_a_bad_post_is_refused_and_leaves_nothing(hub, caller, body, changed, status, code):
    before = hub.hub.store.conservation().messages
    got, headers, told = post(hub, caller, body, "bad", **changed)
    if "x_big" in changed and got == 400:
        return  # uvicorn refuses it by itself, before the hub sees it
    assert (got, told["code"]) == (status, code)
    assert (told["data"], headers["content-type"]) == (None, "application/json")
    assert hub.hub.store.conservation().messages == before
    if status == 401:
        assert headers["www-authenticate"] == "ApiKey"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("POST", "/api/v1/shop/../shop/order.placed", 404, 40400),
        ("POST", "/api/v1//shop/order.placed", 404, 40400),
        ("POST", "/api/v1/%2e%2e/order.placed", 404, 40400),
        ("POST", "/api/v1/shop/order%2eplaced", 404, 40400),
        ("POST", "/api/v1/sh%6Fp/order.placed", 404, 40400),
        ("POST", "/api/v1/shop/order.placed%00", 404, 40400),
        ("POST", "/api/v1/shop/order.placed;jsession=1", 404, 40400),
        ("POST", "/api/v1/shop/order.placed/", 404, 40400),
        ("POST", "/api/v1/shop", 404, 40400),
        ("POST", "/api/v01/shop/order.placed", 404, 40400),
        ("POST", "/api/shop/order.placed", 202, 0),  # the newest version
        ("POST", "/api/v1/shop/" + "a" * 3_000, 414, 41400),
        ("POST", PATH + "?a=1&a=2", 400, 40008),
        ("POST", PATH + "?a=1&%61=2", 400, 40008),
        ("POST", PATH + "?key=ak_x", 400, 40000),
        ("POST", PATH + "?" + "&".join(f"p{n}" for n in range(200)), 400, 40000),
        ("GET", PATH, 405, 40500),
        ("OPTIONS", PATH, 405, 40500),
        ("TRACE", PATH, 405, 40500),
        ("DELETE", PATH, 405, 40500),
        ("POST", "/health/live", 405, 40500),
        ("GET", "/nowhere", 404, 40400),
    ],
)
def test_no_path_or_method_is_taken_for_another(hub, caller, method, path, status, code):
    got, headers, told = post(hub, caller, ORDER, "path", path, method)
    assert (got, told["code"]) == (status, code)
    if status == 405:
        assert headers["allow"] in ("POST", "GET, HEAD")


def test_head_is_answered_without_a_body(hub):
    assert ask(hub, "HEAD", "/health/live")[::2] == (200, None)
    assert ask(hub, "HEAD", "/nowhere")[::2] == (404, None)


def test_a_method_override_is_ignored(hub, caller):  # B12
    assert post(hub, caller, order(f"OV-{hub.port}"), f"ov-{hub.port}", x_http_method_override="DELETE")[0] == 202


def test_forwarded_headers_change_nothing(hub, caller):  # B13
    name = f"fw-{hub.port}"
    assert (
        post(hub, caller, order(name), name, host="evil.example", x_forwarded_for="1.2.3.4", x_forwarded_proto="https")[
            0
        ]
        == 202
    )


def test_a_fault_is_json_whatever_is_asked_for(hub, caller):  # B16
    body = b'{"orderNo":"<script>alert(1)</script>"}'
    status, headers, told = post(hub, caller, body, "html", accept="text/html")
    assert (status, headers["content-type"], headers["x-content-type-options"]) == (422, "application/json", "nosniff")
    assert told["details"]
    status, headers, told = post(hub, caller, body, "html", accept="application/problem+json")
    assert (headers["content-type"], told["type"], told["title"]) == (
        "application/problem+json",
        "/docs/errors#42200",
        "The message does not fit its contract.",
    )


@pytest.mark.parametrize(
    "how", [{"api_version": "1"}, {"accept": "application/vnd.crossdock.v1+json"}], ids=["header", "accept"]
)
def test_the_version_may_stand_in_a_header(hub, caller, how):
    name = f"ve-{hub.port}-{next(iter(how))}"
    assert post(hub, caller, order(name), name, "/api/shop/order.placed", **how)[0] == 202


def test_a_batch_answers_per_item_and_is_a_refusal_if_nothing_was_accepted(hub, caller):
    good, bad = order(f"BA-{hub.port}"), b'{"orderNo":"x"}'
    status, _, told = post(hub, caller, b"[" + good + b"," + bad + b"]", f"ba-{hub.port}", PATH + "/batch")
    assert (status, told["code"], told["data"]["accepted"], told["data"]["refused"]) == (202, 0, 1, 1)
    assert [(item["index"], item["code"]) for item in told["data"]["items"]] == [(0, 0), (1, 42200)]
    status, _, told = post(hub, caller, b"[" + bad + b"]", f"bb-{hub.port}", PATH + "/batch")
    assert (status, told["code"], told["data"]["items"][0]["code"]) == (422, 42200, 42200)


def test_many_bad_items_make_no_endless_answer(hub, caller):
    bad = b'{"orderNo":"!","items":[' + b",".join([b'{"sku":"","quantity":0}'] * 30) + b"]}"
    status, _, told = post(hub, caller, b"[" + b",".join([bad] * 200) + b"]", f"bc-{hub.port}", PATH + "/batch")
    assert status == 422
    assert sum(len(item["details"]) for item in told["data"]["items"]) <= 1_050


@pytest.mark.parametrize(
    "framing",
    ["content-length: 5\r\ntransfer-encoding: chunked", "content-length: 5\r\ncontent-length: 6"],
    ids=["both", "two-lengths"],
)
def test_a_smuggled_request_is_never_seen(hub, caller, framing):  # B5
    signed = "".join(f"{name}: {value}\r\n" for name, value in caller.headers(b"", "sm").items())
    hidden = "0\r\n\r\nGET /health/live HTTP/1.1\r\nhost: hub\r\n\r\n"
    with socket.create_connection(("127.0.0.1", hub.port), 5) as wire:
        wire.sendall(f"POST {PATH} HTTP/1.1\r\nhost: hub\r\n{signed}{framing}\r\n\r\n{hidden}".encode())
        got = b""
        while part := wire.recv(65_536):
            got += part
    assert b'"status":"ok"' not in got
    assert got.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400", b"HTTP/1.1 401", b"HTTP/1.0 401")) or not got


def test_a_cut_upload_is_not_taken_for_a_whole_one(hub, caller):  # B18
    before = hub.hub.store.conservation().messages
    signed = "".join(f"{name}: {value}\r\n" for name, value in caller.headers(ORDER, "cut").items())
    with socket.create_connection(("127.0.0.1", hub.port), 5) as wire:
        wire.sendall(
            f"POST {PATH} HTTP/1.1\r\nhost: hub\r\n{signed}content-length: {len(ORDER) + 9}\r\n\r\n".encode() + ORDER
        )
        wire.shutdown(socket.SHUT_WR)
        assert b" 202 " not in wire.recv(65_536)
    assert hub.hub.store.conservation().messages == before


def test_http_1_0_is_served(hub):  # B17
    with socket.create_connection(("127.0.0.1", hub.port), 5) as wire:
        wire.sendall(b"GET /health/live HTTP/1.0\r\n\r\n")
        assert b" 200 " in wire.recv(65_536)
