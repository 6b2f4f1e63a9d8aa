"""A new workspace: two systems, a contract each, a mapping with an example, a route. Small, and it passes `hub check`
as it is.
"""

from __future__ import annotations

from pathlib import Path

from hub.catalog.files import schemas
from hub.catalog.files.schemas import first_line

_SHOP = """\
name: shop
title: Web shop
owner: shop-team
emits:
  order.placed:
    about: A customer has placed an order.
    versions: {1: {state: current}}
    keys: {orderNo: orderNo}
    order_by: orderNo
    dedupe_by: [orderNo]
auth:
  inbound: {scheme: hub-signature}
"""

_WAREHOUSE = """\
name: warehouse
title: Warehouse
owner: warehouse-team
accepts:
  order.create:
    about: Pick and ship this order.
    versions: {1: {state: current}}
    call: POST /orders
auth:
  outbound: {scheme: none}
settings:
  url: {help: Root of the warehouse's API, default: "http://127.0.0.1:9001"}
"""

_CONTRACT = """\
{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "required": ["orderNo", "items"],
  "properties": {
    "orderNo": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", "maxLength": 64},
    "items": {
      "type": "array",
      "minItems": 1,
      "maxItems": 500,
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": ["sku", "quantity"],
        "properties": {
          "sku": {"type": "string", "minLength": 1, "maxLength": 64},
          "quantity": {"type": "integer", "minimum": 1, "maximum": 1000000}
        }
      }
    }
  }
}
"""

_MAPPING = """\
from: shop/order.placed@1
to: warehouse/order.create@1
fields:
  orderNo: orderNo
  items:
    each: items
    fields: {sku: sku, quantity: quantity}
examples:
  - given: adapters/shop/samples/order.placed.v1/one-line.json
    expect: {orderNo: SO-1}
"""

_SANDBOX = '''\
"""A small warehouse to try the hub with: `hub up --demo` runs it. It takes each order once, and keeps them in its journal under var/sandbox."""

from __future__ import annotations

from typing import Any

from hub.kit.envelope import Answer
from hub.kit.sandbox import Sandbox


class WarehouseSandbox(Sandbox):
    def begin(self) -> None:
        self.calls = {"POST /orders": self.create}
        self.orders: dict[str, Any] = {}

    def state(self) -> dict[str, Any]:
        return {"orders": self.orders}

    def summary(self) -> dict[str, Any]:
        return {"orders": len(self.orders)}

    def create(self, body: dict[str, Any]) -> Answer:
        number, items = body["orderNo"], body["items"]
        self.orders[number] = items
        return Answer({"orderNo": number})


SANDBOX = WarehouseSandbox
'''

_ROUTES = """\
version: 1
defaults:
  retry: {attempts: 16, first: 10s, factor: 2, max: 2h, jitter: full, give_up_after: 3d}
  order: {when_dead: park}
  timeout: 5s
routes:
  orders:
    about: What the shop sells, the warehouse ships.
    owner: fulfilment
    from: shop/order.placed
    to: [warehouse/order.create@1]
"""

_README = """\
# A workspace

`routes.yaml` says what goes where, `mappings/` how one shape becomes another, `adapters/` what each system sends and takes.

    hub check        every fault at file:line:column
    hub test         every example of every mapping, every test of every route
    hub new          a system, a route, a mapping to begin with
    hub schema --write    what editors complete and check these files by
    hub up --demo    run it with a small warehouse and a sign-in for the console, to try it
    hub up           run it on http://127.0.0.1:8080

The first message, while the demo runs, in another terminal:

    hub send shop/order.placed@1 adapters/shop/samples/order.placed.v1/one-line.json
    hub trace SO-1

A target in a private range is refused until an operator allows it: `HUB_ALLOW_CIDRS=127.0.0.0/8 hub up` for this machine's own. The demo does so by itself.
"""

_MAPPING_FILE = "mappings/shop.order.placed.v1--warehouse.order.create.v1.yaml"
# The first message to send: its kind, its file, and the number to follow it by.
FIRST = ("shop/order.placed@1", "adapters/shop/samples/order.placed.v1/one-line.json", "SO-1")
# What is no source: the store with its key, secrets, and what tools leave behind.
_IGNORED = "/var/\n*.sqlite3\n*.sqlite3-*\nmaster.key\n*.key\n*.pem\n*.p12\n.env\n.env.*\nhub.env\n__pycache__/\n"
FILES: dict[str, str] = {
    "README.md": _README,
    "routes.yaml": first_line(schemas.ROUTES, "routes.yaml") + _ROUTES,
    _MAPPING_FILE: first_line(schemas.MAPPING, _MAPPING_FILE) + _MAPPING,
    "adapters/shop/system.yaml": first_line(schemas.SYSTEM, "adapters/shop/system.yaml") + _SHOP,
    "adapters/shop/contracts/order.placed.v1.json": _CONTRACT,
    "adapters/shop/samples/order.placed.v1/one-line.json": '{"orderNo": "SO-1", "items": [{"sku": "SKU-1", "quantity": 2}]}\n',
    "adapters/shop/samples/order.placed.v1/no-quantity.bad.json": '{"//": "/items/0/quantity required", "orderNo": "SO-1", "items": [{"sku": "SKU-1"}]}\n',
    "adapters/warehouse/system.yaml": first_line(schemas.SYSTEM, "adapters/warehouse/system.yaml") + _WAREHOUSE,
    "adapters/warehouse/contracts/order.create.v1.json": _CONTRACT,
    "adapters/warehouse/sandbox.py": _SANDBOX,
}


def init(folder: Path) -> list[Path]:
    """Writes the workspace with the schemas of its files, and gives all of them. Raises ValueError where one exists:
    nothing is overwritten.
    """
    files = FILES | schemas.texts()
    there = [name for name in files if (folder / name).exists()]
    if there:
        raise ValueError(f"{folder / there[0]} exists already. Choose an empty folder.")
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    _ignore(folder / ".gitignore")
    return [folder / ".gitignore", *(folder / name for name in files)]


def _ignore(path: Path) -> None:
    """Adds what is missing to a list that may be there: a folder that is a repository already is a good place for a
    workspace.
    """
    known = path.read_text("utf-8") if path.exists() else ""
    missing = [line for line in _IGNORED.splitlines() if line not in known.splitlines()]
    path.write_text(
        known + ("\n" if known and not known.endswith("\n") else "") + "".join(f"{line}\n" for line in missing), "utf-8"
    )
