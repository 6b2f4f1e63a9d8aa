"""Foreign webhooks over sockets, behind each server: proven, read, stored, and acknowledged in the partner's own
words.
"""

import base64
import hashlib
import hmac
import http.client
import json
import os
from urllib.parse import quote, urlencode

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.support.foreign import foreign_workspace
from tests.support.servers import served, small_hub

SECRET, TOKEN = "sk_carrier", "AAAAA"
FORM = "application/x-www-form-urlencoded"
GOOD, AGAIN = (
    {"result": True, "returnCode": "200", "message": "ok"},
    {"result": False, "returnCode": "500", "message": "again"},
)


@pytest.fixture(scope="module")
def accepting(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hooks")
    secrets = {"HUB_CARRIER_SECRET": SECRET, "HUB_CARRIER_TOKEN": TOKEN}
    with small_hub(foreign_workspace(folder / "workspace"), f"sqlite:///{folder}/hub.sqlite3", **secrets) as hub:
        yield hub


@pytest.fixture(scope="module", params=["granian", "uvicorn", "wsgi"])
def hub(request, accepting):
    with served(accepting, request.param) as made:
        yield made


def call(hub, path, body=b"", method="POST", **headers):
    wire = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=10)
    try:
        wire.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = wire.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        wire.close()


def pushed(number, *events):
    data = [
        {"time": f"2025-11-22 10:0{minute}:00", "status": status, "context": text}
        for minute, (status, text) in enumerate(events)
    ]
    param = json.dumps({"status": "polling", "lastResult": {"nu": number, "data": data}}, ensure_ascii=False)
    return form(param, hashlib.md5((param + SECRET).encode(), usedforsecurity=False).hexdigest().upper())


def form(param, sign):
    return urlencode({"param": param, "sign": sign}).encode()


def messages(hub, waybill):
    return hub.hub.store.story(waybill)


def test_a_whole_track_becomes_events_and_a_repeat_adds_what_is_new_alone(hub):
    number = f"SF{hub.port}"
    status, headers, answer = call(
        hub, "/in/carrier/track-push", pushed(number, ("1", "picked up"), ("0", "on its way 张")), content_type=FORM
    )
    assert (status, json.loads(answer), headers["content-type"]) == (200, GOOD, "application/json")
    told = messages(hub, number)
    assert [(row.type, row.source, row.caller, row.disposition.value) for row in told] == [
        ("carrier/track.event", "hook", "hook:carrier/track-push", "routed")
    ] * 2
    again = call(
        hub,
        "/in/carrier/track-push",
        pushed(number, ("1", "picked up"), ("0", "on its way 张"), ("3", "signed")),
        content_type=FORM,
    )
    assert json.loads(again[2]) == GOOD
    bodies = [json.loads(hub.hub.store.body(row.id)) for row in messages(hub, number)]
    assert [body["status"] for body in bodies] == ["PICKED", "MOVING", "SIGNED"]
    origin = hub.hub.store.origin(told[0].trace_id)
    assert origin.raw == pushed(number, ("1", "picked up"), ("0", "on its way 张"))
    assert origin.source == "hook:carrier/track-push"


@pytest.mark.parametrize(
    "body",
    [
        form("{}", "0" * 32),
        form("{}", ""),
        form("{}", hashlib.md5(("{}" + SECRET).encode(), usedforsecurity=False).hexdigest()),  # lower case
        b"param=%7B%7D",
        b"",
    ],
)
def test_what_is_not_proven_gets_401_and_leaves_nothing(hub, body):
    status, _, answer = call(hub, "/in/carrier/track-push", body, content_type=FORM)
    assert (status, json.loads(answer)["code"]) == (401, 40100)


def test_a_field_twice_is_refused(hub):
    assert call(hub, "/in/carrier/track-push", pushed("SF0", ("1", "x")) + b"&sign=A", content_type=FORM)[0] == 400


def test_a_bad_event_keeps_no_good_one_out_and_is_asked_for_again(hub):
    number = f"BAD{hub.port}"
    status, _, answer = call(
        hub, "/in/carrier/track-push", pushed(number, ("1", "picked up"), ("9", "no such state")), content_type=FORM
    )
    assert (status, json.loads(answer)) == (500, AGAIN)
    assert len(messages(hub, number)) == 1


def test_what_lacks_its_list_is_answered_in_the_partners_words(hub):
    param = '{"status":"abort"}'
    sign = hashlib.md5((param + SECRET).encode(), usedforsecurity=False).hexdigest().upper()
    status, _, answer = call(hub, "/in/carrier/track-push", form(param, sign), content_type=FORM)
    assert (status, json.loads(answer)) == (500, AGAIN)


def hmac_of(body):
    return base64.b64encode(hmac.digest(SECRET.encode(), body, "sha256")).decode()


def test_a_header_says_what_it_is_about(hub):
    body = b'{"waybillNo":"TP%d","status":"MOVING","time":"t"}' % hub.port
    for duplicate in (False, True):
        status, _, answer = call(
            hub, "/in/carrier/topics", body, x_topic="tracks/update", x_id=f"id-{hub.port}", x_hook_hmac=hmac_of(body)
        )
        assert status == 200
        assert json.loads(answer)["data"]["items"][0]["duplicate"] is duplicate
    skipped = call(hub, "/in/carrier/topics", body, x_topic="shop/update", x_hook_hmac=hmac_of(body))
    assert (skipped[0], json.loads(skipped[2])["data"]) == (200, {"items": []})
    other = call(hub, "/in/carrier/topics", body, x_topic="orders/paid", x_hook_hmac=hmac_of(body))
    assert (other[0], json.loads(other[2])["code"]) == (422, 42200)


def test_an_id_that_is_known_with_other_content_is_refused_and_another_wording_is_not(hub):
    first, other = (b'{"waybillNo":"%s%d","status":"MOVING","time":"t"}' % (word, hub.port) for word in (b"WC", b"WD"))
    worded = first.replace(b",", b" ,\n")
    codes = []
    for body in (first, worded, other):
        status, _, answer = call(
            hub,
            "/in/carrier/topics",
            body,
            x_topic="tracks/update",
            x_id=f"known-{hub.port}",
            x_hook_hmac=hmac_of(body),
        )
        told = json.loads(answer)
        codes.append((status, told["data"]["items"][0].get("duplicate") if status == 200 else told["code"]))
    assert codes == [(200, False), (200, True), (422, 42202)]


def test_a_contract_holds_for_hooks_too(hub):
    body = b'{"waybillNo":"TP99","status":"LOST","time":"t"}'
    status, _, answer = call(hub, "/in/carrier/topics", body, x_topic="tracks/update", x_hook_hmac=hmac_of(body))
    assert (status, json.loads(answer)["details"][0]["pointer"]) == (422, "/status")


def signature(timestamp, nonce):
    return hashlib.sha1("".join(sorted([TOKEN, timestamp, nonce])).encode(), usedforsecurity=False).hexdigest()


def test_a_signed_handshake_is_echoed_as_it_stands(hub):
    query = urlencode(
        {
            "signature": signature("1714036504", "n"),
            "timestamp": "1714036504",
            "nonce": "n",
            "echostr": "4875120432567267146",
        }
    )
    status, headers, answer = call(hub, f"/in/carrier/echo?{query}", method="GET")
    assert (status, answer, headers["content-type"]) == (200, b"4875120432567267146", "text/plain; charset=utf-8")
    assert call(hub, f"/in/carrier/echo?{query}1".replace("nonce=n", "nonce=m"), method="GET")[0] == 401
    posted = call(
        hub,
        f"/in/carrier/echo?{query}",
        json.dumps({"waybillNo": f"EC{hub.port}", "status": "MOVING", "time": "t"}).encode(),
        content_type="application/json",
    )
    assert posted[2] == b"success"


def test_a_challenge_is_answered_before_anything_is_proven(hub):
    status, _, answer = call(
        hub,
        "/in/carrier/challenge",
        b'{"event":"verify_webhook","content":{"challenge":12345}}',
        content_type="application/json",
    )
    assert (status, json.loads(answer)) == (200, {"challenge": "12345"})


def test_json_within_json_is_unpacked(hub):
    inner = quote(json.dumps({"waybillNo": f"IN{hub.port}", "status": "SIGNED", "time": "t"}))
    body = json.dumps({"msg": inner, "msg_id": "1"}).encode()
    sign = hashlib.sha1(SECRET.encode() + body, usedforsecurity=False).hexdigest()
    assert json.loads(call(hub, "/in/carrier/challenge", body, x_sign=sign)[2]) == {"code": 0, "msg": "success"}
    assert json.loads(hub.hub.store.body(messages(hub, f"IN{hub.port}")[0].id))["status"] == "SIGNED"


def test_an_address_that_is_not_named_gets_401(hub):
    assert call(hub, "/in/carrier/inside", b'{"waybillNo":"ADDR","status":"MOVING","time":"t"}')[0] == 401


def test_an_adapter_opens_what_is_sealed(hub):
    nonce = "n" * 12
    plain = json.dumps({"waybillNo": f"SE{hub.port}", "status": "SIGNED", "time": "t"}).encode()
    sealed = base64.b64encode(AESGCM(SECRET.encode().ljust(32, b"0")).encrypt(nonce.encode(), plain, b"")).decode()
    body = json.dumps({"id": f"s{hub.port}", "nonce": nonce, "sealed": sealed}).encode()
    assert call(hub, "/in/carrier/sealed", body)[::2] == (204, b"")
    assert len(messages(hub, f"SE{hub.port}")) == 1
    assert call(hub, "/in/carrier/sealed", body.replace(b'"sealed": "', b'"sealed": "AA'))[0] == 401


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/in/carrier/nothing", 404),
        ("POST", "/in/nobody/track-push", 404),
        ("DELETE", "/in/carrier/echo", 405),
        ("POST", "/in/carrier/echo/x", 404),
        ("POST", "/in/carrier/..%2Fecho", 404),
    ],
)
def test_what_is_not_there(hub, method, path, status):
    assert call(hub, path, b"{}", method)[0] == status


def test_any_bytes_are_answered(hub):
    for size in (1, 100, 70_000):
        body = os.urandom(size)
        assert call(hub, "/in/carrier/topics", body, x_topic="tracks/update", x_hook_hmac=hmac_of(body))[0] in (
            400,
            413,
            422,
        )
        assert call(hub, "/in/carrier/track-push", body, content_type=FORM)[0] in (400, 401)
