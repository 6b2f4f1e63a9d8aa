"""Thirty mappings that are right and look as if they were not: no false alarm, and each really does what it says (its
example holds).
"""

import json

import pytest

from hub.catalog import check
from hub.catalog.scaffold.new_workspace import init
from tests.support.hubs import ROOT

SOURCE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["no", "level", "total", "items", "when", "phone"],
    "properties": {
        "no": {"type": "string", "maxLength": 20},
        "level": {"enum": ["GOLD", "SILVER", "BRONZE"]},
        "note": {"type": ["string", "null"], "maxLength": 50},
        "total": {"type": "number"},
        "count": {"type": "integer", "maximum": 100},
        "when": {"type": "string", "format": "date-time"},
        "phone": {"type": "string", "x-pii": "phone", "maxLength": 20},
        "vip": {"type": "boolean"},
        "address": {"$ref": "#/$defs/address"},
        "items": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/item"}},
        "either": {
            "oneOf": [
                {"type": "string", "maxLength": 9},
                {"type": "object", "required": ["code"], "properties": {"code": {"type": "string"}}},
            ]
        },
        "free": {"type": "object"},
    },
    "$defs": {
        "address": {
            "type": "object",
            "additionalProperties": False,
            "required": ["city"],
            "properties": {"city": {"type": "string"}, "zip": {"type": "string", "maxLength": 6}},
        },
        "item": {
            "type": "object",
            "additionalProperties": False,
            "required": ["sku", "quantity"],
            "properties": {
                "sku": {"type": "string", "maxLength": 30},
                "quantity": {"type": "integer"},
                "price": {"type": "number"},
                "tags": {"type": "array", "items": {"type": "string"}},
            },
        },
    },
}
SAMPLE = {
    "no": "A1",
    "level": "GOLD",
    "note": None,
    "total": 19.5,
    "count": 3,
    "when": "2026-06-01T10:00:00Z",
    "phone": "13800000000",
    "vip": True,
    "address": {"city": "上海", "zip": "200000"},
    "items": [{"sku": "S1", "quantity": 2, "price": 1.5, "tags": ["a"]}, {"sku": "S2", "quantity": 1}],
    "either": "x",
    "free": {"any": 1},
}
TEXT, WHOLE, NUMBER, TEXTS = (
    {"type": "string"},
    {"type": "integer"},
    {"type": "number"},
    {"type": "array", "items": {"type": "string"}},
)

# what it shows; the leaf; the target field's schema; whether it is required; what it gives of the sample
CASES = [
    ("a fallback for what may be missing", "$exists(count) ? count : 0", WHOLE, True, 3),
    ("the same, said shorter", "count ? count : 0", WHOLE, True, 3),
    ("null and missing both replaced", "note ? note : 'none'", TEXT, True, "none"),
    ("null left out where it is optional", {"when": "note != null", "value": "note"}, TEXT, False, None),
    ("null kept where null is taken", "note", {"type": ["string", "null"]}, False, "null"),
    ("a list kept a list", "items.sku[]", TEXTS, True, ["S1", "S2"]),
    ("one element chosen", "items[0].sku", TEXT, True, "S1"),
    ("a list joined to a text", "$join(items.sku, ',')", TEXT, True, "S1,S2"),
    ("a sum over a path of many", "$sum(items.quantity)", NUMBER, True, 3),
    ("a count is an integer", "$count(items)", WHOLE, True, 2),
    ("a product in each element", "$sum(items.(quantity * (price ? price : 0)))", NUMBER, True, 3),
    ("a table with an otherwise", {"table": "levels", "of": "level", "otherwise": "X"}, {"enum": ["G", "S", "X"]}, True, "G"),
    ("a table that has every value", {"table": "all", "of": "level"}, {"enum": ["G", "S", "B"]}, True, "G"),
    ("a subset proven by a condition", {"when": "level in ['GOLD', 'SILVER']", "value": "level"}, {"enum": ["GOLD", "SILVER"]}, False, "GOLD"),
    ("one value proven by a condition", {"when": "level = 'GOLD'", "value": "level"}, {"enum": ["GOLD"]}, False, "GOLD"),
    ("a constant of the target's own", {"const": "CROSSDOCK"}, {"enum": ["CROSSDOCK"]}, True, "CROSSDOCK"),
    ("both branches are known values", "vip ? 'HIGH' : 'LOW'", {"enum": ["HIGH", "LOW"]}, True, "HIGH"),
    ("cut to what the target takes", "$substring(no & '/' & level, 0, 10)", {"type": "string", "maxLength": 10}, True, "A1/GOLD"),
    ("a fraction rounded away", "$round(total)", WHOLE, True, 20),
    ("a number written as text", "$string(total)", TEXT, True, "19.5"),
    ("a text read as a number", "$number(address.zip)", NUMBER, False, 200000),
    ("a masked phone is not personal", "$mask(phone)", TEXT, True, "138****0000"),
    ("a phone where phones are declared", "phone", {"type": "string", "x-pii": "phone"}, True, "13800000000"),
    ("whether there is a phone is not personal", "$exists(phone)", {"type": "boolean"}, True, True),
    ("through a reference of the contract", "address.city", TEXT, False, "上海"),
    ("an object copied whole", {"copy": "address"}, {"type": "object", "properties": {"city": TEXT, "zip": TEXT}, "additionalProperties": False}, False, SAMPLE["address"]),
    ("an object copied without what the target lacks", {"copy": "address", "except": ["zip"]}, {"type": "object", "properties": {"city": TEXT}, "additionalProperties": False}, False, {"city": "上海"}),
    ("each element by itself", {"each": "items", "fields": {"s": "sku", "of": "$source.no"}}, {"type": "array", "items": {"type": "object", "required": ["s", "of"], "properties": {"s": TEXT, "of": TEXT}}}, True, [{"s": "S1", "of": "A1"}, {"s": "S2", "of": "A1"}]),
    ("a filter that may give one or many, kept a list", "items[quantity > 1].sku[]", TEXTS, False, ["S1"]),
    ("an integer where a number is wanted", "$count(items)", NUMBER, True, 2),
    ("one branch of a oneOf is a text", "$string(either)", TEXT, False, "x"),
    ("what is in an open object is nobody's mistake", "free.any", NUMBER, False, 1),
    ("a time of the same format", "when", {"type": "string", "format": "date-time"}, True, "2026-06-01T10:00:00Z"),
    ("tags of all elements, laid flat", "items.tags[]", TEXTS, False, ["a"]),
    ("a variable that is bound on the way", "($n := $count(items); $n > 1 ? 'many' : 'one')", {"enum": ["many", "one"]}, True, "many"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("leaf", "schema", "required", "gives"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_no_false_alarm_and_it_works(tmp_path, leaf, schema, required, gives):
    init(tmp_path)
    target = {
        "type": "object",
        "additionalProperties": False,
        "required": ["made"] if required else [],
        "properties": {"made": schema},
    }
    write = {
        "adapters/shop/contracts/order.placed.v1.json": json.dumps(SOURCE),
        "adapters/shop/samples/order.placed.v1/one-line.json": json.dumps(SAMPLE),
        "adapters/warehouse/contracts/order.create.v1.json": json.dumps(target),
        "mappings/shop.order.placed.v1--warehouse.order.create.v1.yaml": json.dumps(
            {
                "from": "shop/order.placed@1",
                "to": "warehouse/order.create@1",
                "fields": {"made": leaf},
                "tables": {"levels": {"GOLD": "G", "SILVER": "S"}, "all": {"GOLD": "G", "SILVER": "S", "BRONZE": "B"}},
                "examples": [
                    {
                        "given": "adapters/shop/samples/order.placed.v1/one-line.json",
                        "exactly": {} if gives is None else {"made": None if gives == "null" else gives},
                    }
                ],
            },
            ensure_ascii=False,
        ),
    }
    for name, text in write.items():
        (tmp_path / name).write_text(text, "utf-8")
    (tmp_path / "adapters/shop/samples/order.placed.v1/no-quantity.bad.json").unlink()
    system = tmp_path / "adapters" / "shop" / "system.yaml"
    system.write_text(
        system.read_text("utf-8")
        .replace("orderNo: orderNo", "orderNo: 'no'")
        .replace("order_by: orderNo", "order_by: 'no'")
        .replace("[orderNo]", "['no']"),
        "utf-8",
    )
    assert [(finding.code, finding.place, finding.text) for finding in check(tmp_path)] == []


def test_there_are_thirty():
    assert len(CASES) >= 30


def test_the_reference_supply_chain_has_not_one_finding():
    assert check(ROOT) == []
