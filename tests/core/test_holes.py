"""Holes of an address: filled from what is sent, escaped whole, and never another path (RFC 3986 sections 2.1 and
5.2.4).
"""

from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import unquote

import pytest

from hub.core.config.call_address import address_of
from hub.core.errors import GiveUp, Reason
from hub.core.message import Ref
from hub.core.schemas.contract import compile_contract

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def filled(text, payload, key="k-1"):
    return address_of(text).filled(payload, key=key, now=NOW)


@pytest.mark.parametrize(
    ("text", "payload", "made"),
    [
        ("/orders", {}, "/orders"),
        ("/orders/{orderNo}", {"orderNo": "SO-1"}, "/orders/SO-1"),
        ("/orders/{orderNo}/cancel", {"orderNo": "a/b?c#d e%f;g"}, "/orders/a%2Fb%3Fc%23d%20e%25f%3Bg/cancel"),
        ("/orders/{orderNo}", {"orderNo": "单号-1"}, "/orders/%E5%8D%95%E5%8F%B7-1"),
        ("/orders/{order.items[0].no}", {"order": {"items": [{"no": 7}]}}, "/orders/7"),
        ("/orders/{$uppercase(no) & '-' & $string(part)}", {"no": "so", "part": 2}, "/orders/SO-2"),
        ("/o/{no}?sku={sku}&n={$count(items)}", {"no": 1, "sku": "A&b=c", "items": [1, 2]}, "/o/1?sku=A%26b%3Dc&n=2"),
        ("/o?key={key}&own={$.key}", {"key": "mine"}, "/o?key=k-1&own=mine"),
        (
            "/o/{is}/{sum}/{whole}/{big}",
            {"is": True, "sum": Decimal("1.50"), "whole": Decimal("1E+2"), "big": 2**63 - 1},
            "/o/true/1.50/100/9223372036854775807",
        ),
        ("/o/{a}{b}-x", {"a": 1, "b": 2}, "/o/12-x"),
        ("/o/v{no}..x", {"no": "..1"}, "/o/v..1..x"),
        ("/o?path={no}", {"no": "../x"}, "/o?path=..%2Fx"),
    ],
)
def test_holes_are_filled_and_escaped_whole(text, payload, made):
    assert filled(text, payload) == made


@pytest.mark.parametrize(
    ("text", "value", "told"),
    [
        ("/orders/{no}", None, "nothing"),
        ("/orders/{no}", "", "empty"),
        ("/orders/{no}", " \t", "empty"),
        ("/orders/{no}", ["SO-1"], "a list"),
        ("/orders/{no}", ["SO-1", "SO-2"], "a list"),
        ("/orders/{no}", {"a": 1}, "an object"),
        ("/orders/{no}", ".", "dot segment"),
        ("/orders/{no}", "..", "dot segment"),
        ("/orders/{no}", "%2e%2E", "dot segment"),
        ("/orders/{no}", "%252e.", "dot segment"),
        ("/orders/{no}", "../admin", "dot segment"),
        ("/orders/{no}", "a/../../admin", "dot segment"),
        ("/orders/{no}", "a%2f..%2fb", "dot segment"),
        ("/orders/{no}", "..\\admin", "dot segment"),
        ("/orders/{no}", "..;x=1", "dot segment"),
        ("/orders/.{no}/x", ".", "dot segment"),
        ("/orders/.{no}/x", "%2e", "dot segment"),
        ("/orders/{no}", "a\r\nX: 1", "control"),
        ("/orders/{no}", "a%0d%0aX", "control"),
        ("/orders/{no}", "x" * 1_001, "characters"),
        ("/orders?no={no}", "", "empty"),
        ("/orders?no={no}", {}, "an object"),
        ("/orders/{$number(no)}", "SO-1", "cannot be filled"),
    ],
)
def test_what_would_lead_elsewhere_is_refused_with_its_field(text, value, told):
    payload = {} if value is None else {"no": value}
    with pytest.raises(GiveUp) as caught:
        filled(text, payload)
    why = caught.value.why
    assert (why.reason, why.field) == (Reason.TRANSFORM_ERROR, "/no")
    assert told in why.text
    assert len(str(value)) < 4 or str(value) not in why.text  # it may be personal


def test_two_holes_do_not_make_a_dot_segment_together():
    with pytest.raises(GiveUp):
        filled("/orders/{a}{b}/x", {"a": "%2", "b": "e"})
    assert filled("/orders/{a}{b}/x", {"a": "1.", "b": ".2"}) == "/orders/1..2/x"


@pytest.mark.parametrize(
    "text",
    [
        "orders",
        "/orders/{a",
        "/orders/a}",
        "/orders/{a{b}}",
        "/orders/{}",
        "/orders/{a +}",
        "/a/../b",
        "/a/./{b}",
        "/a/%2e%2e/b",
        "/o/{$now()}",
        "/a b",
    ],
)
def test_an_address_that_cannot_be_meant_is_refused_where_it_is_written(text):
    with pytest.raises(ValueError, match=r"\S"):
        address_of(text)


def test_what_is_personal_is_not_shown():
    schema = {"type": "object", "properties": {"phone": {"type": "string", "x-pii": "phone"}, "no": {"type": "string"}}}
    contract = compile_contract(Ref("wms", "order", 1), schema)
    address = address_of("/o/{no}?phone={phone}&last={$substring(phone, 7)}")
    payload = {"no": "SO-1", "phone": "13812345678"}
    assert address.shown(payload, key="k", now=NOW, contract=contract) == "/o/SO-1?phone=***&last=***"
    assert address.shown(payload, key="k", now=NOW, contract=None) == "/o/***?phone=***&last=***"
    assert "13812345678" in unquote(address.filled(payload, key="k", now=NOW))
