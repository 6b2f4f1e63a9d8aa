"""What an answer means (faults F45–F52): the order of judgement, what is still under way, what is busy, and whose words
are repeated.
"""

import json
from datetime import UTC, datetime

import pytest

from hub.core.adapter import Reply
from hub.core.config.system import Accept
from hub.core.config.target_answers import read
from hub.core.config.verdict import Response, verdict
from hub.core.errors import GiveUp, Reason, TryLater, Unknown
from hub.core.expressions.expression import compile_expression

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def judged(status, body=b"{}", headers=(), *, is_doubted=False, is_whole=True, **given):
    compiled = {name: compile_expression(text) for name, text in given.items()}
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = Response(status, tuple(headers), raw, read(raw), is_whole)
    return verdict(Accept("wms/order", "", {}, {}, "POST", "/o", **compiled), response, now=NOW, is_doubted=is_doubted)


@pytest.mark.parametrize("status", [409, 423, 425])
@pytest.mark.parametrize("after", ["2", "0", "-1", "1.5", "soon", "Thu, 01 Jan 2026 00:00:02 GMT"])
def test_a_conflict_that_names_a_time_is_still_under_way(status, after):
    found = judged(status, {"code": "idempotency_key_in_use"}, [("retry-after", after)])
    assert isinstance(found, TryLater)
    assert found.after_s is None or 1 <= found.after_s <= 3600


@pytest.mark.parametrize("status", [409, 423])
def test_a_conflict_after_a_try_in_doubt_is_still_under_way(status):
    found = judged(status, is_doubted=True)
    assert isinstance(found, TryLater)
    assert found.why.reason is Reason.UNDER_WAY
    assert isinstance(judged(status), GiveUp)
    assert isinstance(judged(status, headers=[("retry-after", " ")]), GiveUp)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422])
def test_a_refusal_is_one_whatever_else_it_says(status):
    assert isinstance(judged(status, headers=[("retry-after", "5")], is_doubted=True), GiveUp)


@pytest.mark.parametrize("status", [302, 307, 413, 429, 503])
def test_a_retry_after_is_honoured_wherever_it_has_a_meaning(status):
    found = judged(status, headers=[("retry-after", "7")])
    assert isinstance(found, TryLater)
    assert found.after_s == 7


@pytest.mark.parametrize(
    "again",
    ["body.errcode in [-1, 45009]", "body.errcode = -1", "$contains(body.errmsg, 'busy')", "headers.`x-busy` = '1'"],
)
def test_a_200_that_says_busy_is_tried_again(again):
    body = {"errcode": -1, "errmsg": "system busy, try again"}
    found = judged(200, body, [("x-busy", "1"), ("retry-after", "3")], success="body.errcode = 0", again=again)
    assert isinstance(found, TryLater)
    assert (found.why.reason, found.after_s) == (Reason.THROTTLED, 3)
    assert "-1, system busy, try again" in found.why.text
    # Also where any 2xx is success, and where the status alone would be a refusal
    assert isinstance(judged(200, body, [("x-busy", "1")], again=again), TryLater)
    assert isinstance(judged(400, body, [("x-busy", "1")], again=again), TryLater)


def test_the_order_of_judgement():
    both = {"success": "body.code = 0", "already": "body.code = 0", "again": "body.code = 0"}
    found = judged(200, {"code": 0}, **both)
    assert isinstance(found, Reply)
    assert found.already
    assert isinstance(judged(200, {"code": 0}, success="body.code = 0", again="true"), Reply)
    assert isinstance(judged(409, {"code": 7}, already="body.code = 7", again="true"), Reply)
    assert isinstance(judged(422, {"code": 7}, success="body.code = 0", again="body.code = 7"), TryLater)
    assert isinstance(judged(422, {"code": 8}, success="body.code = 0", again="body.code = 7"), GiveUp)


@pytest.mark.parametrize(
    "given",
    [
        {"success": "body.code = 0"},
        {"success": "status = 201", "already": "body.code = 7"},
        {"again": "body.code = -1"},
    ],
)
@pytest.mark.parametrize("body", [b"<html>", b'{"code":', b"\x00\xff"])
def test_a_2xx_whose_body_decides_and_cannot_be_read_is_unknown(given, body):
    found = judged(200, body, **given)
    assert isinstance(found, Unknown)
    assert found.why.reason is Reason.BAD_ANSWER


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"success": "status < 300"},
        {"success": "status < 300", "already": "body.code = 7"},
        {"already": "body.code = 7"},
    ],
)
def test_a_2xx_that_needs_no_body_is_success(given):
    assert isinstance(judged(200, b"<html>", **given), Reply)
    assert isinstance(judged(204, b"", **given), Reply)


def test_an_empty_body_says_neither_busy_nor_already():
    assert isinstance(judged(204, b"", again="body.code = -1"), Reply)
    assert isinstance(judged(200, b"", success="body.code = 0"), Unknown)


def test_what_cannot_be_computed_is_never_sent_again_on_a_guess():
    assert isinstance(judged(200, {"code": "x"}, success="$number(body.code) = 0"), Unknown)
    assert isinstance(judged(200, {"code": 1}, success="body.code = 0", again="body.code > 'a'"), Unknown)
    assert isinstance(judged(400, {"code": "x"}, already="$number(body.code) = 0"), GiveUp)
    assert isinstance(judged(503, {"code": "x"}, again="$number(body.code) = 0"), TryLater)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"code": 40001, "message": "库存不足"}, "40001, 库存不足"),
        ({"code": 1, "msg": "no stock"}, "1, no stock"),
        ({"errcode": 40013, "errmsg": "invalid appid"}, "40013, invalid appid"),
        ({"error": {"code": "E7", "message": "no stock"}}, "E7, no stock"),
        ({"errors": [{"code": 3, "detail": "no stock"}]}, "3, no stock"),
        ({"errors": ["no stock"]}, "no stock"),
        ({"error": "invalid_grant", "error_description": "expired"}, "expired"),
        ({"type": "about:blank", "title": "Out of stock", "status": 422, "detail": "SKU-1 is gone"}, "SKU-1 is gone"),
        ({"type": "about:blank", "title": "Out of stock", "status": 422}, "Out of stock"),
        ([{"code": 3, "message": "row 1"}], "3, row 1"),
    ],
)
def test_the_targets_own_words_are_found(body, words):
    found = judged(422, body)
    assert isinstance(found, GiveUp)
    assert f"({words})" in found.why.text


def test_the_place_that_a_system_declares_is_asked_first():
    body = {"code": 7, "message": "FAIL", "data": {"reasons": ["no such sku", "x"]}}
    found = judged(200, body, success="body.code = 0", refused_message="$join(body.data.reasons, '; ')")
    assert "(7, no such sku; x)" in found.why.text
    # Where nothing stands there, the usual places are
    assert "(7, FAIL)" in judged(400, body, refused_message="body.nowhere").why.text
    assert "(7, FAIL)" in judged(400, body, refused_message="$number(body.message)").why.text


def test_words_are_short_plain_and_masked():
    nasty = "a\u202eb\x1b[31m <b>\n key whsec_c2tfZGVtbw== call 13812345678 " + "x" * 500
    for given in ({}, {"refused_message": "body.why"}):
        text = judged(400, {"msg": nasty, "why": nasty}, **given).why.text
        assert text.isprintable()
        assert not [part for part in ("13812345678", "c2tfZGVtbw", "x" * 60) if part in text]
        assert len(text) < 200
