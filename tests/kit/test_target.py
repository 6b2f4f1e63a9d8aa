"""What a target's answer means (faults F45–F52): retried, dead at once, in doubt, or done."""

from datetime import UTC, datetime

import pytest

from hub.core.adapter import Parcel, Reply
from hub.core.config.system import Accept, System
from hub.core.errors import GiveUp, Reason, TryLater, Unknown
from hub.core.expressions.expression import compile_expression
from hub.core.message import Ref
from hub.core.model.retry import retry_after
from hub.kit.http.call import HttpResult
from hub.kit.target import DeclaredTarget

NOW = datetime(2026, 1, 1, tzinfo=UTC)
REF = Ref("wms", "outbound.create", 1)
PARCEL = Parcel("01a1fc1c-9171-7a54-b6ad-3ee0d12002bd", REF, {"a": 1}, b'{"a":1}', "m", "a" * 32, 1)


def target(**given):
    accept = Accept("wms/outbound.create", "", {}, {}, "POST", "/create", **given)
    return DeclaredTarget(
        System("wms", "", "", accepts={"outbound.create": accept}), "http://wms.example/", lambda: NOW
    )


SEED = target(
    success=compile_expression("status < 300 and body.code in [0, 200]"),
    already=compile_expression("body.code = 40901"),
    reply_keys=(("outboundNo", compile_expression("body.data.outboundNo")),),
)


def answer(status, body=b"{}", headers=()):
    return HttpResult("ok", status, tuple(headers), body, sent=True)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 413, 422])
def test_a_4xx_is_dead_at_once(status):
    found = target().verdict(PARCEL, answer(status), now=NOW)
    assert isinstance(found, GiveUp)
    assert found.why.reason is Reason.REFUSED


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(status):
    found = target().verdict(PARCEL, answer(status, headers=[("retry-after", "7")]), now=NOW)
    assert isinstance(found, TryLater)
    assert found.after_s == 7.0


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(status):
    assert isinstance(target().verdict(PARCEL, answer(status), now=NOW), GiveUp)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 207])
def test_any_2xx_is_success_by_default(status):
    assert isinstance(target().verdict(PARCEL, answer(status, b""), now=NOW), Reply)


def test_success_is_judged_by_the_body_where_the_system_says_so():
    found = SEED.verdict(
        PARCEL, answer(200, b'{"code":200,"message":"success","data":{"outboundNo":"WMS202511220001"}}'), now=NOW
    )
    assert isinstance(found, Reply)
    assert found.keys == (("outboundNo", "WMS202511220001"),)


def test_an_error_inside_a_200_is_a_business_error_and_final():
    found = SEED.verdict(PARCEL, answer(200, '{"code":40001,"message":"库存不足"}'.encode()), now=NOW)
    assert isinstance(found, GiveUp)
    assert "40001, 库存不足" in found.why.text


def test_i_have_it_counts_as_success():
    found = SEED.verdict(PARCEL, answer(409, b'{"code":40901}'), now=NOW)
    assert isinstance(found, Reply)
    assert found.already


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"code":', b"\xff"])
def test_garbage_where_the_body_decides_leaves_it_in_doubt(body):  # F48: it may have been done
    found = SEED.verdict(PARCEL, answer(200, body), now=NOW)
    assert isinstance(found, Unknown)
    assert found.why.reason is Reason.BAD_ANSWER


@pytest.mark.parametrize(
    ("kind", "sent", "expected"),
    [("unreachable", False, TryLater), ("no_answer", True, Unknown), ("bad_answer", True, TryLater)],
)
def test_what_was_not_answered_goes_by_whether_it_left(kind, sent, expected):
    assert isinstance(SEED.verdict(PARCEL, HttpResult(kind, sent=sent, error="x"), now=NOW), expected)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        ("0", 1.0),
        (" 7.5 ", 7.5),
        ("90 s", 90.0),
        ("Thu, 01 Jan 2026 00:01:00 GMT", 60.0),
        ("Thursday, 01-Jan-26 00:01:00 GMT", 60.0),
        ("Thu Jan  1 00:01:00 2026", 60.0),
        ("2026-01-01T08:01:00+08:00", 60.0),
        ("Wed, 31 Dec 2025 00:00:00 GMT", 1.0),
        ("Fri, 01 Jan 2027 00:00:00 GMT", 3600.0),
        ("-5", 1.0),
        ("soon", None),
        ("1" * 20, 3600.0),
        ("9" * 400, 3600.0),
        (None, None),
    ],
)
def test_retry_after(text, seconds):
    assert retry_after(text, NOW) == seconds


def test_a_call_carries_the_deliverys_key_and_the_trace():
    call = target().call(PARCEL)
    headers = dict(call.headers)
    assert (call.method, call.url) == ("POST", "http://wms.example/create")
    assert headers["idempotency-key"] == PARCEL.key
    assert headers["traceparent"].startswith(f"00-{'a' * 32}-")
