"""Declared schemes against the partners' own vectors, and against ours for the primitives (docs/hooks.md). A scheme's
name is its case.
"""

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from ruamel.yaml import YAML

from hub.catalog.yaml import durations
from hub.core.config.parsed_request import ParsedRequest
from hub.core.config.scheme import read_scheme
from hub.core.errors import Code, Refused
from hub.core.message import Request
from hub.kit.proof import open_gcm, sign, signed_text, verify

B = b'{"orderNo":"OMS202511220001"}'
F = b"b=2&a=1&c=&sign=x"
FORM = ("content-type", "application/x-www-form-urlencoded")
NOW = datetime(2024, 1, 29, 9, 0, tzinfo=UTC)

SCHEMES = YAML(typ="safe", pure=True).load(r"""
shopify:     {alg: hmac-sha256, encode: base64, over: "{body}", at: header:X-Shopify-Hmac-Sha256}
woocommerce: {alg: hmac-sha256, encode: base64, over: "{body}", at: header:X-WC-Webhook-Signature}
standard:    {alg: hmac-sha256, encode: base64, over: "{id}.{timestamp}.{body}", at: {signature: header:webhook-signature#v1, timestamp: header:webhook-timestamp, id: header:webhook-id}, tolerance: 5m}
stripe:      {alg: hmac-sha256, encode: hex, over: "{timestamp}.{body}", at: {signature: header:Stripe-Signature#v1, timestamp: header:Stripe-Signature#t}, tolerance: 5m}
wechat-pay:  {alg: rsa-sha256, encode: base64, over: "{timestamp}\n{nonce}\n{body}\n", at: {signature: header:Wechatpay-Signature, timestamp: header:Wechatpay-Timestamp, nonce: header:Wechatpay-Nonce}, tolerance: 5m}
alipay:      {alg: rsa-sha256, encode: base64, over: {sorted: form, except: [sign, sign_type], pair: "=", join: "&", empty: skip}, at: form:sign}
doudian:     {alg: md5, encode: hex, over: "{app_key}{body}{secret}", at: header:event-sign}
douyin:      {alg: sha1, encode: hex, over: "{secret}{body}", at: header:X-Douyin-Signature}
youzan:      {alg: md5, encode: hex, over: "{client_id}{body}{secret}", at: header:Event-Sign}
meituan:     {alg: md5, encode: hex, over: {sorted: form, except: [sign], pair: "=", join: "&", before: "{url}?", after: "{secret}", empty: keep}, at: form:sign}
peisong:     {alg: sha1, encode: hex, over: {sorted: form, except: [sign], pair: "", join: "", empty: skip, before: "{secret}"}, at: form:sign}
eleme:       {alg: md5, encode: HEX, over: {sorted: json, except: [signature], pair: "=", join: "", after: "{secret}"}, at: json:signature}
jd-daojia:   {alg: md5, encode: HEX, over: {sorted: form, except: [sign], pair: "", join: "", before: "{secret}", after: "{secret}"}, at: form:sign}
sf-express:  {alg: md5, encode: base64, over: "{form:msgData}{timestamp}{secret}", quote: form, at: form:msgDigest}
sf-routes:   {alg: none}
sf-city:     {alg: md5, encode: base64-hex, over: "{body}&{dev_id}&{secret}", at: query:sign}
kuaidi100:   {alg: md5, encode: HEX, over: "{form:param}{secret}", at: form:sign}
cainiao:     {alg: md5, encode: base64, over: "{form:logistics_interface}{secret}", at: form:data_digest}
wechat-push: {alg: sha1, encode: hex, over: {sorted: ["{token}", "{timestamp}", "{nonce}"], join: ""}, at: {signature: query:signature, timestamp: query:timestamp, nonce: query:nonce}}
""")


def scheme(name, **changed):
    row = {**SCHEMES[name], **changed}
    if "tolerance" in row:
        row["tolerance"] = durations.parse(row["tolerance"])
    return read_scheme(row)


def request(body=b"", headers=(), query="", path="/in/demo/push"):
    return Request("POST", path, query, tuple((name.lower(), value) for name, value in headers), body)


def form(**fields):
    return urlencode(fields).encode()


# name, request, settings, now. The first four are the partners' own; the others prove the primitive.
CASES = {
    "standard": (
        request(
            b'{"test": 2432232314}',
            [
                ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
                ("webhook-timestamp", "1614265330"),
                ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
            ],
        ),
        {"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
        datetime.fromtimestamp(1614265330, UTC),
    ),
    "sf-express": (
        request(
            form(
                msgData='{"language":"zh-CN","orderId":"QIAO-20200618-004"}',
                timestamp="12312334453453",
                msgDigest="IIKJtuLVzoFTu4kHI8M8vA==",
            ),
            [FORM],
        ),
        {"secret": "fjcg5PGKaNpPSHFAZ4QsCOkV71R3zVci"},
        NOW,
    ),
    "wechat-push": (
        request(query="signature=f464b24fc39322e44b38aa78f5edd27bd1441696&timestamp=1714036504&nonce=1514711492"),
        {"token": "AAAAA"},
        NOW,
    ),
    "shopify": (request(B, [("X-Shopify-Hmac-Sha256", "4sDmWtsuXvYYsghPQ3wzFlsKvmDNb2wAHEeAxG5u/Go=")]), {}, NOW),
    "woocommerce": (request(B, [("X-WC-Webhook-Signature", "4sDmWtsuXvYYsghPQ3wzFlsKvmDNb2wAHEeAxG5u/Go=")]), {}, NOW),
    "stripe": (
        request(
            B,
            [
                (
                    "Stripe-Signature",
                    "t=1706518800,v1=00,v1=e312aad094079d354151b26073d735f8a8f338c1fae03553215d474bc2701bae",
                )
            ],
        ),
        {},
        NOW,
    ),
    "douyin": (request(B, [("X-Douyin-Signature", "66fe57632510c02cddf8f8d5bb9379a5d4be1e3b")]), {}, NOW),
    "doudian": (request(B, [("event-sign", "0e071af9796a240506a4036aa92363c4")]), {"app_key": "ak_demo"}, NOW),
    "youzan": (request(B, [("Event-Sign", "0e071af9796a240506a4036aa92363c4")]), {"client_id": "ak_demo"}, NOW),
    "meituan": (request(F.replace(b"sign=x", b"sign=f194bb694e34c76f83ade756129e760a"), [FORM]), {}, NOW),
    "peisong": (request(F.replace(b"sign=x", b"sign=64d88aa7547975074b4952c42ede183d97cd8302"), [FORM]), {}, NOW),
    "jd-daojia": (request(F.replace(b"sign=x", b"sign=165621698A0896E8AD9C7C4BE332BE7C"), [FORM]), {}, NOW),
    "eleme": (request(b'{"type":10,"requestId":"r1","signature":"6171E01E08C5AD43C3163DD8C0335942"}'), {}, NOW),
    "sf-city": (request(B, query="sign=OGRlOGFhZjAyN2QzZGZlMGE5ZTYxNmZmN2E5NzNhOTY%3D"), {"dev_id": "1"}, NOW),
    "kuaidi100": (request(form(param=B.decode(), sign="300634A4A7BCFD8A78F91D9322460B35"), [FORM]), {}, NOW),
    "cainiao": (request(form(logistics_interface=B.decode(), data_digest="MAY0pKe8/Yp4+R2TIkYLNQ=="), [FORM]), {}, NOW),
}


@pytest.mark.parametrize("name", CASES)
def test_a_partners_request_is_proven_and_any_other_is_not(name):
    given, settings, now = CASES[name]
    settings = {"secret": "sk_demo", **settings}
    url = "https://hub.example/in/demo/push"
    verify(scheme(name), ParsedRequest(given), settings, now=now, url=url)
    # while a secret rotates
    verify(
        scheme(name), ParsedRequest(given), {**settings, "secret": f"another {settings['secret']}"}, now=now, url=url
    )
    for worse in (
        replace(given, body=given.body.replace(b"1", b"2"), query=given.query.replace("1", "2")),
        replace(given, body=b"", headers=(FORM,), query=""),
    ):
        with pytest.raises(Refused):
            verify(scheme(name), ParsedRequest(worse), settings, now=now, url=url)
    other = {**settings, "secret": "sk_other", "token": "BBBBB"}
    with pytest.raises(Refused) as refused:
        verify(scheme(name), ParsedRequest(given), other, now=now, url=url)
    assert refused.value.code is Code.UNAUTHENTICATED


def test_what_is_signed_is_as_the_partners_say():
    opened = ParsedRequest(request(F, [FORM]))
    assert signed_text(scheme("meituan"), opened, {"secret": "sk_demo"}, url="https://hub.example/in/demo/push") == (
        b"https://hub.example/in/demo/push?a=1&b=2&c=sk_demo"
    )
    assert signed_text(scheme("peisong"), opened, {"secret": "sk_demo"}) == b"sk_demoa1b2"
    assert signed_text(scheme("jd-daojia"), opened, {"secret": "sk_demo"}) == b"sk_demoa1b2csk_demo"
    quoted = read_scheme({"alg": "md5", "encode": "hex", "over": "{form:t}", "at": "form:s", "quote": "form"})
    assert signed_text(quoted, ParsedRequest(request(form(t="a b~c*d 张"), [FORM])), {}) == b"a+b%7Ec*d+%E5%BC%A0"
    percent = read_scheme({"alg": "md5", "encode": "hex", "over": "{form:t}", "at": "form:s", "quote": "percent"})
    assert signed_text(percent, ParsedRequest(request(form(t="a b~c*d"), [FORM])), {}) == b"a%20b~c%2Ad"


@pytest.mark.parametrize(("ahead_s", "is_good"), [(0, True), (-299, True), (299, True), (-301, False), (301, False)])
def test_time_is_judged_both_ways(ahead_s, is_good):
    given, settings, now = CASES["standard"]
    at = now - timedelta(seconds=ahead_s)
    if is_good:
        verify(scheme("standard"), ParsedRequest(given), settings, now=at)
    else:
        with pytest.raises(Refused):
            verify(scheme("standard"), ParsedRequest(given), settings, now=at)


@pytest.mark.parametrize("text", ["", "soon", "17065188", "1706518800.5", "-1706518800", "9999999999999999"])
def test_an_odd_timestamp_is_no_timestamp(text):
    made = scheme("stripe", over="{body}")
    sent = request(B, [("Stripe-Signature", f"t={text},v1=4sDm")])
    with pytest.raises(Refused):
        verify(made, ParsedRequest(sent), {"secret": "sk_demo"}, now=NOW)


def test_a_chinese_timestamp_is_read_in_the_zone_of_its_sender():
    made = read_scheme(
        {
            "alg": "md5",
            "encode": "hex",
            "over": "{form:timestamp}{secret}",
            "at": "form:sign",
            "tolerance": timedelta(minutes=5),
        }
    )
    text = signed_text(made, ParsedRequest(request(form(timestamp="2024-01-29 17:00:00"), [FORM])), {"secret": "s"})
    import hashlib

    body = form(timestamp="2024-01-29 17:00:00", sign=hashlib.md5(text, usedforsecurity=False).hexdigest())
    verify(made, ParsedRequest(request(body, [FORM])), {"secret": "s"}, now=NOW, zone="Asia/Shanghai")
    with pytest.raises(Refused):
        verify(made, ParsedRequest(request(body, [FORM])), {"secret": "s"}, now=NOW, zone="UTC")


@pytest.fixture(scope="module")
def rsa_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key):
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def test_rsa_is_proven_by_the_public_key(rsa_key):
    text = b"1706518800\nn1\n" + B + b"\n"
    signature = base64.b64encode(rsa_key.sign(text, PKCS1v15(), hashes.SHA256())).decode()
    headers = [("Wechatpay-Signature", signature), ("Wechatpay-Timestamp", "1706518800"), ("Wechatpay-Nonce", "n1")]
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    verify(scheme("wechat-pay"), ParsedRequest(request(B, headers)), {"secret": pem(rsa_key)}, now=NOW)
    verify(scheme("wechat-pay"), ParsedRequest(request(B, headers)), {"secret": pem(other) + pem(rsa_key)}, now=NOW)
    verify(
        scheme("wechat-pay"),
        ParsedRequest(request(B, headers)),
        {"secret": base64.b64encode(pem(rsa_key).encode()).decode()},
        now=NOW,
    )
    for settings in (
        {"secret": pem(other)},
        {"secret": "no key"},
        {"secret": pem(ed25519.Ed25519PrivateKey.generate())},
        {},
    ):
        with pytest.raises(Refused):
            verify(scheme("wechat-pay"), ParsedRequest(request(B, headers)), settings, now=NOW)


def test_a_form_in_gbk_is_signed_in_gbk(rsa_key):
    text = "charset=GBK&subject=张三".encode("gbk")
    sign_ = base64.b64encode(rsa_key.sign(text, PKCS1v15(), hashes.SHA256())).decode()
    body = urlencode(
        {"charset": "GBK", "subject": "张三".encode("gbk"), "empty": "", "sign": sign_, "sign_type": "RSA2"}
    ).encode()
    opened = ParsedRequest(request(body, [FORM]))
    verify(scheme("alipay"), opened, {"secret": pem(rsa_key)}, now=NOW)
    assert opened.form["subject"] == "张三"


def test_ed25519_is_proven_by_the_public_key():
    key = ed25519.Ed25519PrivateKey.generate()
    made = scheme(
        "standard",
        alg="ed25519",
        at={
            "signature": "header:webhook-signature#v1a",
            "timestamp": "header:webhook-timestamp",
            "id": "header:webhook-id",
        },
    )
    signature = base64.b64encode(key.sign(b"m1.1706518800." + B)).decode()
    headers = [
        ("webhook-id", "m1"),
        ("webhook-timestamp", "1706518800"),
        ("webhook-signature", f"v1,xx v1a,{signature}"),
    ]
    verify(made, ParsedRequest(request(B, headers)), {"secret": pem(key)}, now=NOW)
    with pytest.raises(Refused):
        verify(made, ParsedRequest(request(B + b" ", headers)), {"secret": pem(key)}, now=NOW)


@pytest.mark.parametrize("name", ["shopify", "standard", "stripe", "douyin", "doudian", "sf-city", "wechat-push"])
def test_what_we_sign_we_would_believe(name):
    settings = {"secret": "sk_demo", "app_key": "ak", "dev_id": "1", "token": "t"}
    made = scheme(name)
    headers, query = sign(made, request(B), settings, now=NOW, nonce="n1", message_id="m1")
    verify(made, ParsedRequest(request(B, headers, query)), settings, now=NOW)


def test_a_repeated_field_is_refused_before_anything_is_hashed():
    with pytest.raises(Refused) as refused:
        verify(scheme("kuaidi100"), ParsedRequest(request(b"param=a&param=b&sign=x", [FORM])), {"secret": "s"}, now=NOW)
    assert refused.value.code is Code.DUPLICATE_PARAMETER


def test_a_sealed_body_opens_under_its_key_alone():
    sealed = "FsdXzxryWfKwvLJKf8LG/ToRPTRh8RN9wROC"
    assert open_gcm(b"testAPIv3Key0000", "wCq51qZv4Yfg", "Dl56FrqWQJF1t9LtC3vEUsniZKvbqdR8", sealed) == b"Hello World"
    with pytest.raises(Refused):
        open_gcm(b"testAPIv3Key0001", "wCq51qZv4Yfg", "Dl56FrqWQJF1t9LtC3vEUsniZKvbqdR8", sealed)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"alg": "md5"}, "needs encode, over, at"),
        ({"alg": "none", "at": "form:sign"}, "needs no other key"),
        ({"alg": "md5", "encode": "hex", "over": "{nonce}", "at": "form:sign"}, "{nonce} is signed"),
        ({"alg": "md5", "encode": "hex", "over": "{body}", "at": "cookie:sign"}, "is no place"),
        ({"alg": "md5", "encode": "hex", "over": "{}", "at": "form:sign"}, "neither a name nor a place"),
        ({"alg": "md5", "encode": "hex", "over": "{body}", "at": "form:sign#v1"}, "picks from a header"),
        (
            {"alg": "md5", "encode": "hex", "over": {"sorted": "cookies"}, "at": "form:sign"},
            "sorted is form, query, json",
        ),
        (
            {"alg": "md5", "encode": "hex", "over": {"sorted": "form", "expect": ["sign"]}, "at": "form:sign"},
            "'expect' is not known",
        ),
        ({"alg": "md5", "encode": "hex", "over": "{body}", "at": {"timestamp": "form:t"}}, "at is a place"),
    ],
)
def test_a_scheme_that_cannot_work_says_what_to_write(row, told):
    with pytest.raises(ValueError, match=told.replace("{", r"\{").replace("}", r"\}")):
        read_scheme(row)
