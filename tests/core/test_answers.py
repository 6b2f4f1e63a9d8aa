"""Answers in other spellings than ours are read; nothing here raises, and nothing costs more than the answer may."""

import gzip
import time
import zlib
from decimal import Decimal

import pytest

from hub.core import json
from hub.core.config.target_answers import JUDGED_BYTES, KEPT_BYTES, inflated, read, shown

CASES = {
    "plain": (b'{"code":0}', "", {"code": 0}),
    "bom": (b'\xef\xbb\xbf{"code":0}', "", {"code": 0}),
    "utf-16 with a mark": ('{"code":0,"msg":"成功"}'.encode("utf-16"), "", {"code": 0, "msg": "成功"}),
    "utf-16 without": ('{"code":0,"msg":"成功"}'.encode("utf-16-le"), "application/json", {"code": 0, "msg": "成功"}),
    "gbk, declared": (
        '{"code":0,"msg":"成功"}'.encode("gbk"),
        "application/json;charset=GBK",
        {"code": 0, "msg": "成功"},
    ),
    "gbk, not declared": ('{"code":0,"msg":"成功"}'.encode("gbk"), "application/json", {"code": 0, "msg": "成功"}),
    "gbk whose bytes hold a backslash": (
        '{"code":0,"msg":"歕"}'.encode("gbk"),
        "application/json; charset=gb2312",
        {"code": 0, "msg": "歕"},
    ),
    "utf-8 that says gbk": (b'{"code":0,"msg":"\xff"}', "application/json; charset=GBK", {"code": 0, "msg": "\ufffd"}),
    "latin-1": (
        '{"code":0,"msg":"Größe"}'.encode("latin-1"),
        'application/json; charset="ISO-8859-1"',
        {"code": 0, "msg": "Größe"},
    ),
    "latin-1, not declared": ('{"code":0,"msg":"é"}'.encode("latin-1"), "", {"code": 0, "msg": "\ufffd"}),
    "a codec that nobody has": (b'{"code":0}', "application/json; charset=zip", {"code": 0}),
    "uint64": (b'{"id":18446744073709551615}', "", {"id": 18446744073709551615}),
    "beyond uint64": (
        b'{"id":340282366920938463463374607431768211456}',
        "",
        {"id": 340282366920938463463374607431768211456},
    ),
    "a name twice: the last one": (b'{"code":1,"code":0}', "", {"code": 0}),
    "a name twice, deep": (b'{"a":{"b":1,"b":2}}', "", {"a": {"b": 2}}),
    "nan": (b'{"code":0,"rate":NaN,"a":[Infinity,-Infinity]}', "", {"code": 0, "rate": None, "a": [None, None]}),
    "a raw line break": (b'{"code":0,"msg":"a\nb\tc"}', "", {"code": 0, "msg": "a\nb\tc"}),
    "nul": (b'{"code":0,"msg":"a\\u0000b"}', "", {"code": 0, "msg": "a\ufffdb"}),
    "half a pair": (b'{"code":0,"msg":"\\ud800"}', "", {"code": 0, "msg": "\ufffd"}),
    "money keeps its digits": (b'{"code":0,"code":0,"sum":19.90}', "", {"code": 0, "sum": Decimal("19.90")}),
    "a long list": (json.encode({"code": 0, "rows": list(range(200_000))}), "", None),
    "deep": (b"[" * 150 + b"]" * 150, "", None),
}


@pytest.mark.parametrize("name", CASES)
def test_what_says_the_same_is_read(name):
    raw, kind, value = CASES[name]
    body = read(raw, kind)
    assert body.is_read, body.trouble
    assert value is None or body.value == value
    json.encode(body.value)  # and can be handed on


@pytest.mark.parametrize(
    "raw",
    [
        b"<html>",
        b'{"code":',
        b"\xff",
        b"code=0",
        b'{"code":0} x',
        b"[" * 100_000,
        b'{"a":' * 900 + b"0" + b"}" * 900,
        b"9" * 5_000,
        b"1e999999999999",
    ],
)
def test_what_cannot_be_read_says_why(raw):
    body = read(raw)
    assert (body.is_read, body.value) == (False, None)
    assert body.trouble


def test_nothing_is_neither_read_nor_in_trouble():
    for raw in (b"", b" \r\n"):
        assert (read(raw).is_read, read(raw).trouble) == (False, "")


PLAIN = b'{"code":0}'
RAW = zlib.compressobj(wbits=-15)
RAW_DEFLATE = RAW.compress(PLAIN) + RAW.flush()


@pytest.mark.parametrize(
    ("raw", "coding"),
    [
        (PLAIN, ""),
        (PLAIN, "identity"),
        (gzip.compress(PLAIN, mtime=0), "gzip"),
        (gzip.compress(PLAIN, mtime=0), " X-GZIP "),
        (gzip.compress(PLAIN, mtime=0), ""),
        (gzip.compress(PLAIN[:4], mtime=0) + gzip.compress(PLAIN[4:], mtime=0), "gzip"),
        (zlib.compress(PLAIN), "deflate"),
        (RAW_DEFLATE, "deflate"),
        (gzip.compress(gzip.compress(PLAIN, mtime=0), mtime=0), "gzip, gzip"),
        (gzip.compress(zlib.compress(PLAIN), mtime=0), "deflate, gzip"),
        (PLAIN, "gzip"),
        (PLAIN, "deflate"),
    ],
)
def test_codings_are_taken_off(raw, coding):
    assert inflated(raw, coding) == PLAIN


@pytest.mark.parametrize(
    ("raw", "coding"),
    [
        (gzip.compress(PLAIN, mtime=0)[:-9], "gzip"),
        (b"\x1f\x8bxx", "gzip"),
        (b"\x00\x01", "deflate"),
        (PLAIN, "br"),
        (PLAIN, "gzip, gzip, gzip"),
    ],
)
def test_what_cannot_be_unpacked_is_said_so(raw, coding):
    assert inflated(raw, coding) is None


def test_bombs_are_cut_at_the_cap():
    began = time.monotonic()
    assert len(inflated(gzip.compress(b"0" * 50_000_000), "gzip")) == JUDGED_BYTES + 1
    assert inflated(gzip.compress(b"") * 100_000, "gzip") is None
    assert time.monotonic() - began < 5


def test_people_see_text():
    assert shown('{"msg":"成功"}'.encode("gbk"), "application/json;charset=GBK").decode() == '{"msg":"成功"}'
    assert shown(b"\xef\xbb\xbf{}") == b"{}"
    assert shown(b"\xff\x00") == b"\xff\x00"
    assert len(shown(b"x" * 100_000)) == KEPT_BYTES
