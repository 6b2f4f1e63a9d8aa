"""What a target's answer means where it is not plain: half answers, odd `success` tests, what a reason may repeat
(faults F48, F49; input B86).
"""

import json
from datetime import UTC, datetime

import pytest
import requests

from hub.core.adapter import Parcel, Reply
from hub.core.config.system import Accept, System
from hub.core.errors import Cause, GiveUp, Reason, TryLater, Unknown
from hub.core.expressions.expression import compile_expression
from hub.core.message import Ref
from hub.core.model.retry import retry_after
from hub.kit.http.call import HttpResult
from hub.kit.target import DeclaredTarget, PythonTarget

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PARCEL = Parcel(
    "01a1fc1c-9171-7a54-b6ad-3ee0d12002bd", Ref("wms", "outbound.create", 1), {"a": 1}, b'{"a":1}', "m-1", "a" * 32, 1
)


def verdict(done, **given):
    compiled = {name: compile_expression(text) for name, text in given.items() if name in ("success", "already")}
    keys = tuple((name, compile_expression(text)) for name, text in given.get("keys", {}).items())
    accept = Accept("wms/outbound.create", "", {}, {}, "POST", "/create", reply_keys=keys, **compiled)
    return DeclaredTarget(
        System("wms", "", "", accepts={"outbound.create": accept}), "http://wms.example", lambda: NOW
    ).verdict(PARCEL, done, now=NOW)


def broken(status):
    return HttpResult("no_answer", status, (), b'{"co', sent=True, error="cut", is_cut=True)


def answer(status, body=b"{}", **given):
    return HttpResult("ok", status, (), body, sent=True, **given)


def test_a_whole_head_that_says_yes_is_enough_where_nobody_asks_for_the_body():  # F48
    assert isinstance(verdict(broken(201)), Reply)
    assert isinstance(verdict(broken(202), success="status = 202"), Reply)


@pytest.mark.parametrize(
    "given",
    [
        {"success": "body.code = 0"},
        {"success": "$count(*) > 0"},
        {"success": "$exists($.body)"},
        {"keys": {"no": "body.no"}},
    ],
)
def test_a_broken_body_that_somebody_asks_for_leaves_it_in_doubt(given):
    assert isinstance(verdict(broken(200), **given), Unknown)


@pytest.mark.parametrize("status", [302, 422, 503, None])
def test_a_broken_answer_that_does_not_say_yes_leaves_it_in_doubt(status):
    assert isinstance(verdict(broken(status)), Unknown)


@pytest.mark.parametrize("status", [202, 204, 207])
def test_a_success_that_asks_for_the_status_alone_needs_no_body(status):  # F49
    assert isinstance(verdict(answer(status, b""), success="status < 300"), Reply)


@pytest.mark.parametrize("text", ["$not($exists(body.error))", "body.code != 1"])
def test_no_body_is_no_proof_of_success(text):
    assert isinstance(verdict(answer(200, b"<html>"), success=text), Unknown)


def test_a_5xx_whose_page_says_code_0_is_no_success():
    found = verdict(answer(503, b'{"code":0}'), success="body.code = 0")
    assert isinstance(found, TryLater)
    assert found.why.reason is Reason.SERVER_ERROR
    assert isinstance(verdict(answer(422, b'{"code":0}'), success="body.code = 0"), GiveUp)
    # Who asks for the status himself is believed
    assert isinstance(verdict(answer(302, b'{"code":0}'), success="status = 302"), Reply)


def test_an_answer_beyond_what_is_kept_says_so():
    found = verdict(answer(200, b'{"a":"' + b"x" * 65_530, is_cut=True), success="body.code = 0")
    assert isinstance(found, Unknown)
    assert "longer than is read" in found.why.text


def test_i_have_it_is_asked_first():
    found = verdict(answer(500, b'{"code":40901}'), already="body.code = 40901", success="body.code = 0")
    assert isinstance(found, Reply)
    assert found.already


def test_a_reason_repeats_the_targets_words_short_plain_and_masked():  # B86
    message = "no\x1b[31m stock\r\n for 13812345678, key whsec_c2tfZGVtbw==, order OMS202511220001 " + "x" * 500
    found = verdict(answer(400, f'{{"code":40001,"message":{json.dumps(message)}}}'.encode()))
    assert isinstance(found, GiveUp)
    text = found.why.text
    assert "40001" in text
    assert text.isprintable()
    assert "138****5678" in text
    assert not [part for part in ("13812345678", "c2tfZGVtbw", "x" * 60) if part in text]
    assert len(text) < 200


@pytest.mark.parametrize(
    "body", [b"[1]", b'"x"', b'{"code":{"a":1},"message":[1]}', b"\xff\xfe", b"{" * 5_000, b'{"code":true}']
)
def test_odd_bodies_of_refusals_are_refusals(body):
    assert isinstance(verdict(answer(400, body)), GiveUp)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        ",",
        "1,",
        "Mon, 99 Foo 9999 99:99:99 GMT",
        "Thu, 01 Jan 99999999 00:00:00 GMT",
        "\x00",
        "٣",
        "(" * 500,
        "nan",
        "inf",
    ],
)
def test_a_retry_after_that_is_none_is_nothing(text):
    assert retry_after(text, NOW) is None


def test_a_call_names_the_message_and_its_trace_where_there_is_one():
    target = DeclaredTarget(
        System("wms", "", "", accepts={"outbound.create": Accept("wms/outbound.create", "", {}, {}, "POST", "/c")}),
        "http://w.example",
        lambda: NOW,
    )
    first = dict(target.call(PARCEL).headers)
    assert first["x-crossdock-message"] == "m-1"
    # Each attempt is a span of its own; the key stays
    again = dict(
        target.call(Parcel(**{name: getattr(PARCEL, name) for name in Parcel.__slots__} | {"attempt": 2})).headers
    )
    assert again["traceparent"] != first["traceparent"]
    assert again["idempotency-key"] == first["idempotency-key"]
    for odd in ("", "0" * 32, "A" * 32, "a" * 31, "x\r\ny: z"):
        headers = dict(
            target.call(
                Parcel(**{name: getattr(PARCEL, name) for name in Parcel.__slots__} | {"trace_id": odd})
            ).headers
        )
        assert "traceparent" not in headers


def test_what_the_system_does_not_accept_is_never_sent():
    with pytest.raises(GiveUp):
        DeclaredTarget(System("wms", "", ""), "http://w.example", lambda: NOW).call(PARCEL)


class Sf:
    """An adapter with a form body and its own codes."""

    def prepare(self, parcel):
        return requests.Request(
            "POST", "http://sf.example/std", data={"msgData": parcel.body.decode()}, headers={"x-req": parcel.key}
        )

    def verdict(self, parcel, response):
        match response.json()["code"]:
            case "ok":
                return Reply(response.status_code, body=response.content, payload=response.json())
            case "busy":
                raise TryLater(Cause(Reason.THROTTLED, "busy"), 3.0)
            case "lost":
                raise Unknown(Cause(Reason.NO_ANSWER, "lost"))
        raise GiveUp(Cause(Reason.REFUSED, "no"))


@pytest.mark.parametrize(
    ("code", "expected"), [("ok", Reply), ("busy", TryLater), ("lost", Unknown), ("other", GiveUp)]
)
def test_an_adapter_judges_in_the_terms_of_requests(code, expected):
    assert isinstance(
        PythonTarget(Sf()).verdict(PARCEL, answer(200, f'{{"code":"{code}"}}'.encode()), now=NOW), expected
    )


def test_an_adapter_s_request_becomes_one_call():
    call = PythonTarget(Sf()).call(PARCEL)
    headers = {name.lower(): value for name, value in call.headers}
    assert (call.method, call.url, call.body) == ("POST", "http://sf.example/std", b"msgData=%7B%22a%22%3A1%7D")
    assert headers["content-type"] == "application/x-www-form-urlencoded"
    assert "content-length" not in headers
    assert call.deadline_s == PARCEL.deadline_s


def test_an_adapter_is_not_asked_where_there_is_no_answer():
    assert isinstance(PythonTarget(Sf()).verdict(PARCEL, broken(200), now=NOW), Unknown)
