"""What a hook reads of a request: nothing is guessed, nothing unsigned is taken for the event, and bodies come as
partners send them.
"""

import gzip
import hashlib
import hmac
import http.client
import json
import zlib
from urllib.parse import quote_from_bytes, urlencode

import pytest

from hub.catalog import check
from hub.catalog.scaffold.new_workspace import init
from tests.support.servers import served, small_hub

SECRET = "abc123"
FORM = "application/x-www-form-urlencoded"
PAY = """\
name: pay
owner: lab
emits:
  paid:
    about: A payment came.
    versions: {1: {state: current}}
    keys: {orderNo: orderNo}
settings:
  secret: {help: What they sign with, secret: true}
hooks:
  notify:
    verify: {alg: md5, encode: hex, over: {sorted: form, except: [sign, sign_type], after: "{secret}"}, at: form:sign}
    read: {emit: pay/paid@1, map: notified--paid, id: orderNo}
    ack: {body: success, otherwise: {status: 500, body: fail}}
  param:
    verify: {alg: md5, encode: hex, over: "{form:param}{secret}", at: form:sign}
    read:
      - {from: "form:param", when: "body.kind = 'paid'", emit: pay/paid@1, map: parameter--paid}
      - {when: "$exists(form.ping)", skip: it only asks whether somebody is there}
  bytes:
    verify: {alg: hmac-sha256, encode: hex, over: "{body}", at: header:X-Sign}
    read: {emit: pay/paid@1, map: notified--paid}
  gbk:
    verify: {alg: md5, encode: hex, over: {sorted: form, except: [sign], after: "{secret}"}, at: form:sign}
    charset: gbk
    read: {emit: pay/paid@1, map: notified--paid}
  top:
    verify: {alg: md5, encode: hex, over: {sorted: json, except: [sign], after: "{secret}"}, at: json:sign}
    read: {emit: pay/paid@1, map: notified--paid}
"""
CONTRACT = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "required": ["orderNo", "amount"],
    "properties": {
        "orderNo": {"type": "string", "minLength": 1, "maxLength": 64},
        "amount": {"type": "string", "maxLength": 20},
        "subject": {"type": "string", "maxLength": 400},
        "tags": {"type": "array", "maxItems": 9, "items": {"type": "string", "maxLength": 20}},
    },
}
MAPPING = """\
from: {name}
to: pay/paid@1
fields:
  orderNo: {at}orderNo
  amount: {at}amount
  subject: {{when: {at}subject, value: {at}subject}}
  tags: {{when: "{at}`tag[]`", value: "{at}`tag[]`"}}
"""


def pay_workspace(folder, system=PAY):
    init(folder)
    pay = folder / "adapters" / "pay"
    (pay / "contracts").mkdir(parents=True)
    (pay / "system.yaml").write_text(system, "utf-8")
    (pay / "contracts" / "paid.v1.json").write_text(json.dumps(CONTRACT), "utf-8")
    (folder / "mappings" / "notified--paid.yaml").write_text(MAPPING.format(name="notified", at=""), "utf-8")
    (folder / "mappings" / "parameter--paid.yaml").write_text(MAPPING.format(name="parameter", at="body."), "utf-8")
    return folder


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bodies")
    with (
        small_hub(
            pay_workspace(folder / "workspace"), f"sqlite:///{folder}/hub.sqlite3", HUB_PAY_SECRET=SECRET
        ) as accepting,
        served(accepting, "granian") as made,
    ):
        yield made


def call(hub, hook, body, content_type=FORM, query="", **headers):
    wire = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=10)
    try:
        given = {"content-type": content_type, **{name.replace("_", "-"): value for name, value in headers.items()}}
        wire.request("POST", f"/in/pay/{hook}{query}", body, given)
        answer = wire.getresponse()
        return answer.status, answer.read().decode()
    finally:
        wire.close()


def md5(raw):
    return hashlib.md5(raw + SECRET.encode(), usedforsecurity=False).hexdigest()


def signed(fields, charset="utf-8", unsigned=()):
    """A form as its partner signs it: the fields' own bytes, sorted by name, in the partner's charset."""
    pairs = [(name.encode(charset), value.encode(charset)) for name, value in fields]
    sign = md5(b"&".join(name + b"=" + value for name, value in sorted(pairs, key=lambda pair: pair[0])))
    return urlencode([*fields, *unsigned, ("sign", sign)], encoding=charset).encode()


def stored(hub, order):
    return [json.loads(hub.hub.store.body(row.id)) for row in hub.hub.store.story(order)]


@pytest.mark.parametrize(
    ("order", "extra"),
    [
        ("F-1", [("subject", "[presale] tea")]),
        ("F-2", [("subject", "{gift} tea")]),
        ("F-3", [("fund_bill_list", '[{"amount":"0.01"}]')]),
        ("F-4", [("subject", '{"orderNo":"SOMEBODY-ELSES","amount":"9999"}')]),
        ("F-5", [("a", "{"), ("b", "[")]),
        ("F-6", [("empty", ""), ("xml", "<order/>")]),
    ],
)
def test_text_of_a_form_is_text_whatever_it_begins_with(hub, order, extra):
    status, answer = call(hub, "notify", signed([("orderNo", order), ("amount", "0.01"), *extra]))
    assert (status, answer) == (200, "success")
    subject = dict(extra).get("subject")
    assert stored(hub, order) == [{"orderNo": order, "amount": "0.01"} | ({"subject": subject} if subject else {})]


def test_json_in_a_field_that_nobody_signed_is_no_event(hub):
    forged = '{"orderNo":"NEVER-PAID","amount":"5000.00"}'
    assert (
        call(hub, "notify", signed([("orderNo", "G-1"), ("amount", "0.01")], unsigned=[("sign_type", forged)]))[0]
        == 200
    )
    assert call(hub, "param", param("G-2") + b"&data=" + quote_from_bytes(forged.encode()).encode())[0] == 200
    assert not stored(hub, "NEVER-PAID")
    assert len(stored(hub, "G-1")) == len(stored(hub, "G-2")) == 1


def param(order, kind="paid"):
    text = json.dumps({"kind": kind, "orderNo": order, "amount": "1"})
    return urlencode({"param": text, "sign": md5(text.encode())}).encode()


def test_a_condition_sees_the_json_of_the_named_field(hub):
    assert call(hub, "param", param("W-1"))[0] == 200
    assert call(hub, "param", param("W-2", kind="other"))[0] == 422
    assert len(stored(hub, "W-1")) == 1
    assert not stored(hub, "W-2")


def test_of_two_fields_of_one_name_none_is_chosen(hub):
    forged = quote_from_bytes(b'{"kind":"paid","orderNo":"TWICE","amount":"9"}').encode()
    for body in (
        param("TWICE-1") + b"&param=" + forged,
        b"param=" + forged + b"&" + param("TWICE-2"),
        param("TWICE-3") + b"&sign=0",
    ):
        status, answer = call(hub, "param", body)
        assert (status, json.loads(answer)["code"]) == (400, 40008)
    assert not stored(hub, "TWICE")


@pytest.mark.parametrize(
    ("order", "tail"),
    [
        ("L-1", b"&"),
        ("L-2", b"&&x=1&&"),
        ("L-3", b"&test"),
        ("L-4", b"&=odd"),
        ("L-5", b"&sku[]=a&sku[]=b"),
        ("L-6", b"&ids=1&ids=2"),
        ("L-7", b"&x=%zz"),
    ],
)
def test_forms_are_read_as_the_url_standard_has_it(hub, order, tail):
    body = b"orderNo=%s&amount=1%s" % (order.encode(), tail)
    sign = hmac.digest(SECRET.encode(), body, "sha256").hex()
    assert call(hub, "bytes", body, x_sign=sign, query="?v2")[0] == 200
    assert stored(hub, order) == [{"orderNo": order, "amount": "1"}]


def test_a_list_of_a_form_is_a_list_and_all_of_it_is_signed(hub):
    fields = [("orderNo", "LIST-1"), ("amount", "1"), ("tag[]", "x"), ("tag[]", "b")]
    assert call(hub, "notify", signed(fields))[0] == 200
    assert stored(hub, "LIST-1")[0]["tags"] == ["x", "b"]
    assert call(hub, "notify", signed(fields) + b"&tag[]=forged")[0] == 401
    assert call(hub, "notify", signed([("orderNo", "LIST-2"), ("amount", "1"), ("tag[]", "x")]))[0] == 200
    assert stored(hub, "LIST-2")[0]["tags"] == ["x"]


def test_a_list_where_the_contract_wants_a_text_is_refused_in_sight(hub):
    status, answer = call(hub, "notify", signed([("orderNo", "D-1"), ("amount", "1"), ("amount", "999")]))
    assert (status, answer) == (500, "fail")
    assert not stored(hub, "D-1")


@pytest.mark.parametrize(
    ("order", "hook", "kind", "charset", "extra"),
    [
        ("C-1", "notify", f"{FORM}; charset=GBK", "gbk", []),
        ("C-2", "notify", f'{FORM};charset="gb18030"', "gb18030", []),
        ("C-3", "notify", FORM, "gbk", [("charset", "GBK")]),
        ("C-4", "notify", f"{FORM}; charset=UTF-8", "gbk", [("charset", "gb2312")]),
        ("C-5", "gbk", FORM, "gbk", []),
        ("C-6", "gbk", f"{FORM}; charset=utf-8", "gbk", [("charset", "utf-8")]),
        ("C-7", "notify", f"{FORM}; charset=utf-8", "utf-8", []),
    ],
)
def test_a_form_is_read_and_proven_in_its_charset(hub, order, hook, kind, charset, extra):
    body = signed([("orderNo", order), ("amount", "1"), ("subject", "红茶 单"), *extra], charset)
    assert call(hub, hook, body, kind)[0] == 200
    assert stored(hub, order)[0]["subject"] == "红茶 单"


def test_bytes_that_are_not_escaped_are_read_too(hub):
    body = b"orderNo=RAW-1&amount=1&subject=" + "红茶".encode("gbk")
    assert (
        call(hub, "bytes", body, f"{FORM}; charset=gbk", x_sign=hmac.digest(SECRET.encode(), body, "sha256").hex())[0]
        == 200
    )
    assert stored(hub, "RAW-1")[0]["subject"] == "红茶"


@pytest.mark.parametrize("kind", [FORM, f"{FORM}; charset=utf-8", f"{FORM}; charset=latin-9", f"{FORM}; charset=rot13"])
def test_a_byte_that_the_charset_does_not_have_is_a_clear_400(hub, kind):
    body = b"orderNo=X&amount=1&subject=%B5%A5"
    status, answer = call(hub, "bytes", body, kind, x_sign=hmac.digest(SECRET.encode(), body, "sha256").hex())
    assert (status, json.loads(answer)["code"]) == (400, 40007)
    assert (
        call(
            hub,
            "bytes",
            b"orderNo=A&amount=1",
            kind,
            x_sign=hmac.digest(SECRET.encode(), b"orderNo=A&amount=1", "sha256").hex(),
        )[0]
        == 200
    )


def test_json_in_gbk_is_read_where_its_header_says_so(hub):
    body = '{"orderNo":"J-1","amount":"1","subject":"红茶"}'.encode("gbk")
    sign = hmac.digest(SECRET.encode(), body, "sha256").hex()
    assert call(hub, "bytes", body, "application/json; charset=GBK", x_sign=sign)[0] == 200
    assert stored(hub, "J-1")[0]["subject"] == "红茶"
    assert call(hub, "bytes", body, "application/json", x_sign=sign)[0] == 400


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_compressed_hook_is_proven_as_its_partner_signed_it(hub, coding, when):
    order = f"Z-{coding}-{when}"
    plain = json.dumps({"orderNo": order, "amount": "1"}).encode()
    body = zlib.compress(plain) if coding == "deflate" else gzip.compress(plain)
    sign = hmac.digest(SECRET.encode(), plain if when == "before" else body, "sha256").hex()
    assert call(hub, "bytes", body, "application/json", content_encoding=coding, x_sign=sign)[0] == 200
    assert stored(hub, order) == [{"orderNo": order, "amount": "1"}]
    [row] = hub.hub.store.story(order)
    assert hub.hub.store.origin(row.trace_id).raw == plain


def test_a_compressed_form_is_proven_by_its_fields(hub):
    body = gzip.compress(signed([("orderNo", "ZF-1"), ("amount", "1"), ("subject", "红茶")], "gbk"))
    assert call(hub, "notify", body, f"{FORM}; charset=gbk", content_encoding="gzip")[0] == 200
    inner = {"orderNo": "ZF-2", "amount": "1"}
    text = "&".join(f"{name}={value}" for name, value in sorted(inner.items()))
    body = gzip.compress(json.dumps({**inner, "sign": md5(text.encode())}).encode())
    assert call(hub, "top", body, "application/json", content_encoding="gzip")[0] == 200
    assert stored(hub, "ZF-1")
    assert stored(hub, "ZF-2")


def test_what_cannot_be_inflated_is_said(hub):
    bomb = gzip.compress(b"0" * (12 << 20))
    for body, coding, status in (
        (b"\x1f\x8bxx", "gzip", 400),
        (bomb, "gzip", 413),
        (gzip.compress(b"{}")[:-5], "gzip", 400),
        (b"{}", "br", 415),
    ):
        assert call(hub, "bytes", body, "application/json", content_encoding=coding, x_sign="0" * 64)[0] == status


def test_parts_and_xml_are_said_to_be_nothing_that_is_read(hub):
    for kind, body, status in (("multipart/form-data; boundary=x", b"--x\r\n\r\n", 415), ("text/xml", b"<a/>", 400)):
        sign = hmac.digest(SECRET.encode(), body, "sha256").hex()
        assert call(hub, "bytes", body, kind, x_sign=sign)[0] == status


READS = [
    ("map: parameter--paid}", "map: parameter--paid}", "", ""),  # as it is: no fault
    ('from: "form:param"', 'from: "form:data"', "E703", "reads its event from form:data"),
    ('from: "form:param"', 'from: "query:param"', "E703", "reads its event from query:param"),
    ('from: "form:param"', 'from: "header:x-event"', "E703", "reads its event from header:x-event"),
    ('from: "form:param", when: "body.kind = \'paid\'", ', "", "E703", "takes the whole body for its event"),
    ("read: {emit: pay/paid@1, map: notified--paid, id: orderNo}", 'read: {from: "form:sign_type", emit: pay/paid@1}', "E703", "from form:sign_type"),
    ('over: "{body}", at: header:X-Sign}\n    read: {', 'over: "{body}", at: header:X-Sign}\n    read: {from: "header:x-event", ', "E703", "header:x-event"),
    ('over: {sorted: json, except: [sign], after: "{secret}"}, at: json:sign}\n    read: {', 'over: {sorted: json, except: [sign, msg], after: "{secret}"}, at: json:sign}\n    read: {from: "json:msg.inner", ', "E703", "json:msg.inner"),
    ('over: "{body}", at: header:X-Sign}\n    read: {', 'over: "{body}", at: header:X-Sign}\n    read: {from: "json:msg", ', "", ""),
    ('over: "{form:param}{secret}"', 'over: "{form:other}{secret}"', "E703", "reads its event from form:param"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "code", "told"), READS, ids=[str(number) for number in range(len(READS))])
def test_the_check_proves_that_what_is_read_is_signed(tmp_path, old, new, code, told):
    assert old in PAY
    findings = [
        one
        for one in check(pay_workspace(tmp_path / "w", PAY.replace(old, new, 1)))
        if one.code in ("E703", "W807") and "pay" in one.file
    ]
    assert [one.code for one in findings] == ([code] if code else []), [one.text for one in findings]
    if code:
        assert told in findings[0].text
        line = PAY.replace(old, new, 1).splitlines()[findings[0].line - 1]
        assert "emit" in line
        # With peers the address proves it, and the check says so without refusing.
        hook = PAY[: PAY.index(old)].rpartition("    verify")[0].rpartition("\n  ")[2].partition(":")[0]
        named = PAY.replace(old, new, 1).replace(f"  {hook}:\n", f"  {hook}:\n    peers: [203.0.113.0/24]\n", 1)
        assert [
            one.code
            for one in check(pay_workspace(tmp_path / "p", named))
            if one.code in ("E703", "W807") and "pay" in one.file
        ] == ["W807"]


@pytest.mark.parametrize("place", ["query.order", "headers.`x-order`", "form.sign_type", "sign_type", "body.sign_type"])
def test_the_check_warns_of_a_mapping_that_reads_what_nobody_signed(tmp_path, place):
    folder = pay_workspace(tmp_path)
    path = folder / "mappings" / "notified--paid.yaml"
    path.write_text(path.read_text("utf-8").replace("orderNo: orderNo", f"orderNo: '{place}'"), "utf-8")
    told = [one.text for one in check(folder) if one.code == "W807" and one.text.startswith("notify")]
    assert len(told) == 1
    assert place.replace("`", "") in told[0]
