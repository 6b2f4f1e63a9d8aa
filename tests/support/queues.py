"""A workspace whose stock system speaks by queues: orders, stock and logistics, to create, update and cancel."""

import json

from hub.catalog.scaffold.new_workspace import init

EVENT = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "required": ["orderNo", "step"],
    "properties": {
        "orderNo": {"type": "string", "minLength": 2, "maxLength": 40},
        "step": {"type": "integer", "minimum": 0, "maximum": 1000000},
        "action": {"enum": ["create", "update", "cancel"]},
    },
}
SYSTEM = """\
name: stock
title: The stock system
owner: integration
emits:
  order.changed:
    about: Something changed with an order.
    versions: {1: {state: current}}
    keys: {orderNo: orderNo}
    order_by: orderNo
queues:
  orders:
    queue: hub.orders
    exchange: topics
    topics: ["order.*"]
    read:
      - {when: "topic = 'order.ignored'", skip: nobody wants it}
      - {when: "topic != 'order.ignored'", emit: stock/order.changed@1}
  lines:
    queue: hub.lines
    prefetch: 50
    read: {each: body.lines, emit: stock/order.changed@1, map: told--order-changed, id: "body.no & '/' & step"}
settings:
  url: {help: The broker, default: "BROKER"}
"""
MAPPING = """\
from: told
to: stock/order.changed@1
fields: {orderNo: body.no, step: step}
examples:
  - given: {step: 3, body: {no: SO-1}}
    exactly: {orderNo: SO-1, step: 3}
"""
ACCEPTS = """\
  order.note:
    about: What changed with an order.
    versions: {1: {state: current}}
    call: POST /notes
"""
NOTE = "from: stock/order.changed@1\nto: warehouse/order.note@1\nfields: {orderNo: orderNo, step: step}\n"
ROUTE = """\
routes:
  notes:
    about: What changes with an order, for the warehouse.
    owner: integration
    from: stock/order.changed
    to: [warehouse/order.note]
"""


def queue_workspace(folder, url, sink_url="http://127.0.0.1:9001", system=SYSTEM):
    """The scaffold's two systems, and one that speaks by queues of the broker at `url`."""
    init(folder)
    stock = folder / "adapters" / "stock"
    (stock / "contracts").mkdir(parents=True)
    (stock / "system.yaml").write_text(system.replace("BROKER", url), "utf-8")
    (stock / "contracts" / "order.changed.v1.json").write_text(json.dumps(EVENT), "utf-8")
    (folder / "mappings" / "told--order-changed.yaml").write_text(MAPPING, "utf-8")
    (folder / "mappings" / "stock.order.changed.v1--warehouse.order.note.v1.yaml").write_text(NOTE, "utf-8")
    warehouse = folder / "adapters" / "warehouse"
    (warehouse / "contracts" / "order.note.v1.json").write_text(json.dumps(EVENT), "utf-8")
    path = warehouse / "system.yaml"
    path.write_text(
        path.read_text("utf-8").replace("auth:\n", ACCEPTS + "auth:\n").replace("http://127.0.0.1:9001", sink_url),
        "utf-8",
    )
    routes = folder / "routes.yaml"
    text = routes.read_text("utf-8")
    routes.write_text(text.replace("routes:\n", ROUTE, 1), "utf-8")
    return folder
