"""A workspace whose order has two versions: the mapping to the warehouse is at v2, and v1 is upgraded first."""

import json

from tests.support.hubs import small_workspace

V2 = """\
{
  "type": "object",
  "additionalProperties": false,
  "required": ["orderNumber", "lines"],
  "properties": {
    "orderNumber": {"type": "string", "maxLength": 64},
    "lines": {
      "type": "array",
      "minItems": 1,
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": ["sku", "quantity"],
        "properties": {
          "sku": {"type": "string", "maxLength": 64},
          "quantity": {"type": "integer", "minimum": 1, "maximum": 1000000},
          "gift": {"type": "boolean"}
        }
      }
    }
  }
}
"""
UPGRADE = """\
from: shop/order.placed@1
to: shop/order.placed@2
fields:
  orderNumber: orderNo
  lines: {each: items, fields: {sku: sku, quantity: quantity}}
examples:
  - given: adapters/shop/samples/order.placed.v1/one-line.json
    expect: {orderNumber: SO-1}
"""
MAPPING = """\
from: shop/order.placed@2
to: warehouse/order.create@1
fields:
  orderNo: orderNumber
  items: {each: lines, fields: {sku: sku, quantity: quantity}}
examples:
  - given: {orderNumber: SO-1, lines: [{sku: SKU-1, quantity: 2}]}
    exactly: {orderNo: SO-1, items: [{sku: SKU-1, quantity: 2}]}
"""


def versioned(
    folder,
    sink_url,
    *,
    states="{1: {state: deprecated, since: 2026-06-01, sunset: 2099-12-01}, 2: {state: current}}",
    **more,
):
    """The small workspace with `states` for the versions 1 and 2 of shop/order.placed."""
    small_workspace(folder, sink_url, **more)
    old = folder / "mappings" / "shop.order.placed.v1--warehouse.order.create.v1.yaml"
    old.unlink()
    (folder / "mappings" / "shop.order.placed.v1--shop.order.placed.v2.yaml").write_text(UPGRADE, "utf-8")
    (folder / "mappings" / "shop.order.placed.v2--warehouse.order.create.v1.yaml").write_text(MAPPING, "utf-8")
    (folder / "adapters" / "shop" / "contracts" / "order.placed.v2.json").write_text(V2, "utf-8")
    system = folder / "adapters" / "shop" / "system.yaml"
    text = system.read_text("utf-8").replace("versions: {1: {state: current}}", f"versions: {states}")
    if "2: {state: current}" in states:  # keys are over the newest version that may be posted
        text = text.replace("orderNo: orderNo", "orderNo: orderNumber").replace(
            "order_by: orderNo", "order_by: orderNumber"
        )
        text = text.replace("dedupe_by: [orderNo]", "dedupe_by: [orderNumber]")
    system.write_text(text, "utf-8")
    return folder


def old_order(number):
    return json.dumps({"orderNo": f"OLD-{number}", "items": [{"sku": "SKU-1", "quantity": 1}]}).encode()


def new_order(number):
    line = {"sku": "SKU-1", "quantity": 1} | ({"gift": True} if number % 2 else {})
    return json.dumps({"orderNumber": f"NEW-{number}", "lines": [line]}).encode()
