"""Which places of the source make each field of the target."""

import pytest

from hub.core.analysis.lineage import forwards, lineage
from hub.core.expressions.read_paths import paths


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a.b", ["a.b"]),
        ("items[0].sku", ["items.sku"]),
        ("items[quantity > limit].sku", ["items.quantity", "items.limit", "items.sku"]),
        ("$sum(items.(price * quantity))", ["items.price", "items.quantity"]),
        ("a ? b : c", ["a", "b", "c"]),
        ("($x := a.b; $x.c & d)", ["a.b.c", "d"]),
        ("$map(items, function($i) { $i.sku & no })", ["items.sku", "no"]),
        ("items ~> $filter(function($i) { $i.q > 1 })", ["items.q"]),
        ("items^(>price).sku", ["items.price", "items.sku"]),
        ("$sort(items).sku", ["items.sku"]),
        ("items{sku: quantity}", ["items.sku", "items.quantity"]),
        ("'fixed'", []),
        ("$stock.qty", ["$stock.qty"]),
        ("$$.a & $.b", ["a", "b"]),
        ("{'x': a, 'y': [b, c]}", ["a", "b", "c"]),
        ("$exists(a.b) and c in ['x']", ["a.b", "c"]),
    ],
)
def test_what_an_expression_reads(text, wanted):
    assert [".".join(path) for path in paths(text)] == wanted


MAPPING = {
    "fields": {
        "no": "orderNo",
        "first": "items.0.sku",
        "level": {"table": "levels", "of": "customer.level", "otherwise": "X"},
        "fixed": {"const": "CROSSDOCK"},
        "note": {"when": "gift", "value": "'Gift: ' & gift", "otherwise": {"const": ""}},
        "who": {"copy": "consignee", "except": ["idCard"]},
        "lines": {
            "each": "items",
            "fields": {"sku": "sku", "no": "$source.orderNo", "tags": {"each": "tags", "value": "$"}},
        },
        "sum": "$dec_round($sum(items.price), 2)",
        "code": "$table('codes', kind)",
        "nested": {"a": {"b": "x.y"}},
    }
}


def test_each_form_of_a_leaf():
    found = lineage(MAPPING)
    assert {field: origin.paths for field, origin in found.items()} == {
        "/no": ("/orderNo",),
        "/first": ("/items/sku",),
        "/level": ("/customer/level",),
        "/fixed": (),
        "/note": ("/gift",),
        "/who": ("/consignee",),
        "/lines": ("/items",),
        "/lines/*/sku": ("/items/*/sku",),
        "/lines/*/no": ("/orderNo",),
        "/lines/*/tags": ("/items/*/tags",),
        "/lines/*/tags/*": ("/items/*/tags/*",),
        "/sum": ("/items/price",),
        "/code": ("/kind",),
        "/nested/a/b": ("/x/y",),
    }
    assert (found["/level"].tables, found["/level"].constants) == (("levels",), ("X",))
    assert found["/code"].tables == ("codes",)
    assert found["/sum"].functions == ("$dec_round", "$sum")
    assert found["/fixed"].constants == ("CROSSDOCK",)


def test_forwards_from_a_field_of_the_source():
    found = lineage(MAPPING)
    assert forwards(found, "/orderNo") == ["/no", "/lines/*/no"]
    assert forwards(found, "/consignee/name") == ["/who"]
    assert forwards(found, "/customer") == ["/level"]
