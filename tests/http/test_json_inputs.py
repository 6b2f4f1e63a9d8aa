"""What bad JSON bodies get (docs/design/inputs.md#json), over a real socket. Named by row. After each, the next good
post is taken, and nothing was stored.
"""

import json

import pytest

from tests.support.hubs import ORDER

PATH = "/api/v1/shop/order.placed"
BIG = 10**18 + 1


def order(**fields):
    return json.dumps(
        {"orderNo": "SO-1", "items": [{"sku": "S", "quantity": 1}], **fields}, ensure_ascii=False
    ).encode()


def quantity(text):
    return b'{"orderNo":"SO-1","items":[{"sku":"S","quantity":' + text + b"}]}"


CASES = [
    ("B1-empty", b"", 400, 40001),
    ("B19-cut-off", b'{"orderNo":"SO-1"', 400, 40002),
    ("B19-trailing-comma", b'{"orderNo":"SO-1",}', 400, 40002),
    ("B19-comment", b'{"orderNo":"SO-1"/* c */}', 400, 40002),
    ("B19-single-quotes", b"{'orderNo':'SO-1'}", 400, 40002),
    ("B19-two-values", b"{}{}", 400, 40002),
    ("B19-text-after-the-end", ORDER + b" x", 400, 40002),
    ("B20-null", b"null", 422, 42200),
    ("B20-number", b"42", 422, 42200),
    ("B20-text", b'"x"', 422, 42200),
    ("B20-array", b"[]", 422, 42200),
    ("B21-100000-arrays", b"[" * 100_000, 400, 40003),
    ("B21-10000-objects", b'{"a":' * 10_000 + b"1" + b"}" * 10_000, 400, 40003),
    ("B22-a-million-elements", b"[" + b"1," * 1_000_000 + b"1]", 413, 41301),
    ("B22-a-million-names", b"{" + b",".join(b'"a%d":1' % number for number in range(1_000_000)) + b"}", 413, None),
    ("B22-a-name-of-a-million-characters", b'{"' + b"a" * 1_000_000 + b'":1}', 413, 41301),
    ("B23-NaN", quantity(b"NaN"), 400, 40002),
    ("B23-Infinity", quantity(b"Infinity"), 400, 40002),
    ("B23--Infinity", quantity(b"-Infinity"), 400, 40002),
    ("B24-1e400", quantity(b"1e400"), 400, 40004),
    ("B24--1e400", quantity(b"-1e400"), 400, 40004),
    ("B24-1e-400", quantity(b"1e-400"), 400, 40004),
    ("B24-0.1-where-an-integer-belongs", quantity(b"0.1"), 422, 42200),
    ("B25-5000-digits", quantity(b"9" * 5_000), 400, 40004),
    ("B25-10^18+1-over-the-contract", quantity(str(BIG).encode()), 422, 42200),
    ("B25-2^53+1-over-the-contract", quantity(b"9007199254740993"), 422, 42200),
    ("B25-leading-zero", quantity(b"01"), 400, 40002),
    ("B25-plus", quantity(b"+1"), 400, 40002),
    ("B25-underscore", quantity(b"1_000"), 400, 40002),
    ("B25-fullwidth", quantity("１２".encode()), 400, 40002),
    ("B26-text-for-a-number", quantity(b'"12,50"'), 422, 42200),
    ("B26-exponent-text", quantity(b'"1e3"'), 422, 42200),
    ("B26-blanks", quantity(b'" 12 "'), 422, 42200),
    ("B26-newline", quantity(b'"12\\n"'), 422, 42200),
    ("B26-arabic-digit", quantity('"٣"'.encode()), 422, 42200),
    ("B27-ff", b'{"orderNo":"\xff"}', 400, 40005),
    ("B27-overlong", b'{"orderNo":"\xc0\xaf"}', 400, 40005),
    ("B27-cut-sequence", b'{"orderNo":"\xe5\xbc"}', 400, 40005),
    ("B27-latin-1", '{"orderNo":"Müller"}'.encode("latin-1"), 400, 40005),
    ("B28-bom", b"\xef\xbb\xbf" + ORDER, 400, 40002),
    ("B28-utf-16", ORDER.decode().encode("utf-16"), 400, None),
    ("B28-utf-32", ORDER.decode().encode("utf-32"), 400, None),
    ("B29-lone-surrogate", b'{"orderNo":"\\ud800"}', 400, 40006),
    ("B29-reversed-surrogates", b'{"orderNo":"\\udc00\\ud800"}', 400, 40006),
    ("B30-control-in-an-identifier", order(orderNo="SO\u0007"), 422, 42200),
    ("B30-escape-in-an-identifier", order(orderNo="SO\u001b[31m"), 422, 42200),
    ("B30-right-to-left-in-an-identifier", order(orderNo="SO\u202e1"), 422, 42200),
    ("B30-zero-width-in-an-identifier", order(orderNo="SO\u200b1"), 422, 42200),
    ("B31-fullwidth-identifier", order(orderNo="ＡB1"), 422, 42200),
    ("B31-blank-at-the-end", order(orderNo="ab1 "), 422, 42200),
    ("B32-5MB-in-a-field-of-64", order(orderNo="A" * 5_000_000), 422, 42200),
    ("B33-__proto__", order(__proto__={"a": 1}), 422, 42200),
    ("B33-$ref", order(**{"$ref": "file:///etc/passwd"}), 422, 42200),
    ("B34-fields-of-ours", order(id="x", state="delivered", is_admin=True), 422, 42200),
    ("B35-true-for-an-integer", quantity(b"true"), 422, 42200),
    ("B35-text-for-an-array", b'{"orderNo":"SO-1","items":"x"}', 422, 42200),
    ("B37-negative-quantity", quantity(b"-1"), 422, 42200),
    ("B37-zero", quantity(b"0"), 422, 42200),
    ("B37-10^15-pieces", quantity(b"1000000000000000"), 422, 42200),
    ("B38-line-twice", b'{"orderNo":"SO-1","items":[{"sku":"S","quantity":1},{"sku":"S","quantity":2}]}', 422, 42201),
    ("NUL-in-text", b'{"orderNo":"SO\\u0000"}', 400, 40006),
    ("duplicate-key", b'{"orderNo":"A","orderNo":"B","items":[{"sku":"S","quantity":1}]}', 400, 40002),
]


@pytest.mark.parametrize(("body", "status", "code"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_bad_body_gets_its_answer_and_leaves_nothing(hub, caller, body, status, code):
    before = hub.ops("/conservation")["messages"]
    answer = caller.post(PATH, body, "bad-1")
    assert answer.status_code == status, answer.text[:300]
    told = answer.json()
    if code is not None:
        assert told["code"] == code
    assert told["code"] // 100 == status
    assert told["data"] is None
    assert told["message"]
    assert len(answer.content) < 60_000
    assert "Traceback" not in answer.text
    assert hub.ops("/conservation")["messages"] == before


@pytest.mark.parametrize("name", ["names", "integers"])
def test_what_is_made_to_collide_takes_linear_time(caller, name):  # B39
    members = (
        b",".join(b'"%d":1' % (number * (2**61 - 1)) for number in range(10_000))
        if name == "integers"
        else b",".join(b'"k%05d":1' % number for number in range(10_000))
    )
    answer = caller.post(PATH, b"{" + members + b"}", "col-1")
    assert answer.status_code == 422
    assert answer.elapsed.total_seconds() < 2


@pytest.mark.parametrize("text", [b"1.0", b"1"], ids=["B25-1.0-is-an-integer", "B25-1"])
def test_an_integer_as_json_schema_has_it_travels_as_an_integer(hub, caller, text):
    name = f"N{len(text)}"
    body = b'{"orderNo":"' + name.encode() + b'","items":[{"sku":"S","quantity":' + text + b"}]}"
    message_id = caller.post(PATH, body, f"int-{name}").json()["data"]["messageId"]
    hub.delivered(message_id)
    assert any(name.encode() in sent and b'"quantity":1}' in sent for _, _, sent, _ in hub.sink.requests)


def test_a_wrong_field_is_told_with_pointer_got_want_and_fix(caller):
    told = caller.post(PATH, quantity(b'"2"'), "told-1").json()
    [detail] = told["details"]
    assert detail["pointer"] == "/items/0/quantity"
    assert detail["got"].startswith("string, 1 character")
    assert detail["want"].startswith("integer, at least 1")
    assert detail["fix"] == "send 2, without quotes"


def test_all_faults_are_listed_up_to_fifty(caller):
    items = [{"sku": "", "quantity": 0} for _ in range(60)]
    told = caller.post(PATH, json.dumps({"orderNo": "!", "items": items}).encode(), "many-1").json()
    assert len(told["details"]) == 50


def test_problem_json_where_it_is_asked_for(caller):
    answer = caller.post(PATH, b"{}", "p-1", accept="application/problem+json")
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert (told["status"], told["code"]) == (422, 42200)
    assert {"type", "title", "detail", "traceId", "details"} <= told.keys()


def test_an_empty_batch_and_one_too_many(caller):
    assert caller.post(PATH + "/batch", b"[]", "b-0").json()["code"] == 42203
    many = b"[" + b",".join([b"{}"] * 10_001) + b"]"
    assert caller.post(PATH + "/batch", many, "b-1").status_code == 413


def test_a_batch_answers_per_item(caller):
    good = b'{"orderNo":"BATCH-1","items":[{"sku":"S","quantity":1}]}'
    told = caller.post(PATH + "/batch", b"[" + good + b',{"orderNo":"BATCH-2"}]', "b-2").json()["data"]
    assert (told["accepted"], told["refused"]) == (1, 1)
    lines = good + b"\nnot json\n"
    told = caller.post(PATH + "/batch", lines, "b-3", content_type="application/x-ndjson").json()
    assert told["data"]["items"][0]["duplicate"] is True
    assert told["data"]["items"][1]["code"] == 40002
