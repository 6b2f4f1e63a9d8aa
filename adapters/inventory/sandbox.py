"""A small inventory centre: stock per warehouse and SKU (库存数据标准, seed 001 § 6.2), queried, reserved, deducted,
released, increased.

For every SKU, whatever the hub repeats or overtakes: initial + increased = available + reserved + deducted.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from hub.kit.envelope import Answer, No
from hub.kit.sandbox import Sandbox

WAREHOUSES = ("WH001", "WH002")
SKUS = tuple(f"SKU{number:03d}" for number in range(1, 21))
INITIAL = 100_000  # of each SKU in each warehouse


class InventorySandbox(Sandbox):
    def begin(self) -> None:
        self.calls = {
            "POST /api/inventory/stock/query": self.query,
            "POST /api/inventory/stock/reserve": self.reserve,
            "POST /api/inventory/stock/deduct": self.deduct,
            "POST /api/inventory/stock/release": self.release,
            "POST /api/inventory/stock/increase": self.increase,
        }
        self.acts = {"POST /_stock": self.set_stock}
        self.available = {(place, sku): INITIAL for place in WAREHOUSES for sku in SKUS}
        self.initial = dict(self.available)
        self.reserved: Counter[tuple[str, str]] = Counter()
        self.deducted: Counter[tuple[str, str]] = Counter()
        self.increased: Counter[tuple[str, str]] = Counter()
        self.orders: dict[str, dict[str, Any]] = {}  # by orderNo: RESERVED, DEDUCTED, RELEASED, with what is kept
        self.returns: set[str] = set()

    def state(self) -> dict[str, Any]:
        stock = [
            {
                **self._stock(place, sku),
                "initialQty": self.initial[place, sku],
                "deductedQty": self.deducted[place, sku],
            }
            for place, sku in sorted(self.initial)
        ]
        return {"stock": stock, "orders": self.orders, "totals": self.summary()}

    def summary(self) -> dict[str, Any]:
        sums = {
            "initial": sum(self.initial.values()),
            "available": sum(self.available.values()),
            "reserved": self.reserved.total(),
            "deducted": self.deducted.total(),
            "increased": self.increased.total(),
        }
        balanced = all(
            self.initial[at] + self.increased[at] == self.available[at] + self.reserved[at] + self.deducted[at]
            and self.available[at] >= 0
            for at in self.initial
        )
        return {
            **sums,
            "balanced": balanced,
            "by_state": dict(Counter(order["state"] for order in self.orders.values())),
        }

    def query(self, body: dict[str, Any]) -> Answer:
        number, place, wanted = body["orderNo"], body["warehouseCode"], _wanted(body)
        enough = all(self.available.get((place, sku), 0) >= pieces for sku, pieces in wanted.items())
        stock = [self._stock(place, sku) for sku in wanted]
        return Answer({"orderNo": number, "warehouseCode": place, "sufficient": enough, "items": stock})

    def reserve(self, body: dict[str, Any]) -> Answer:
        """All lines or none. An order that was reserved before is not reserved twice, and one that was released stays
        released.
        """
        number, place, wanted = body["orderNo"], body["warehouseCode"], _wanted(body)
        known = self.orders.get(number)
        if known is not None:
            return _reserved(number, known) if known["state"] != "RELEASED" else _short(number, place, "订单已释放")
        for sku, pieces in wanted.items():
            available = self.available.get((place, sku), 0)
            if available < pieces:
                return _short(number, place, "库存不足", {"skuId": sku, "required": pieces, "available": available})
        for sku, pieces in wanted.items():
            self.available[place, sku] -= pieces
            self.reserved[place, sku] += pieces
        self.orders[number] = {"state": "RESERVED", "warehouseCode": place, "items": wanted}
        return _reserved(number, self.orders[number])

    def deduct(self, body: dict[str, Any]) -> Answer:
        """The goods have left for good: what was kept is gone."""
        number = body["orderNo"]
        order = self.orders.get(number)
        if order is None or order["state"] == "RELEASED":
            raise No(Answer({"orderNo": number}, code=40902, message="未预占", status=409))
        if order["state"] == "RESERVED":
            order["state"] = "DEDUCTED"
            for sku, pieces in order["items"].items():
                self.reserved[order["warehouseCode"], sku] -= pieces
                self.deducted[order["warehouseCode"], sku] += pieces
        return Answer({"orderNo": number, "state": order["state"]})

    def release(self, body: dict[str, Any]) -> Answer:
        """Also of an order that is not kept: a mark stays, so that a reservation which comes late keeps nothing."""
        number, place = body["orderNo"], body["warehouseCode"]
        order = self.orders.setdefault(number, {"state": "RELEASED", "warehouseCode": place, "items": {}})
        if order["state"] == "RESERVED":
            order["state"] = "RELEASED"
            for sku, pieces in order["items"].items():
                self.reserved[order["warehouseCode"], sku] -= pieces
                self.available[order["warehouseCode"], sku] += pieces
        return Answer({"orderNo": number, "state": order["state"]})

    def increase(self, body: dict[str, Any]) -> Answer:
        """Once per return."""
        number, place, wanted = body["returnNo"], body["warehouseCode"], _wanted(body)
        if number not in self.returns:
            self.returns.add(number)
            for sku, pieces in wanted.items():
                self.initial.setdefault((place, sku), 0)
                self.available[place, sku] = self.available.get((place, sku), 0) + pieces
                self.increased[place, sku] += pieces
        return Answer({"returnNo": number})

    def set_stock(self, body: dict[str, Any]) -> Answer:
        """{"sku", "warehouseCode", "availableQty"}: counted anew, as if it had always been so."""
        at, pieces = (str(body["warehouseCode"]), str(body["sku"])), int(body["availableQty"])
        self.initial[at] = self.initial.get(at, 0) + pieces - self.available.get(at, 0)
        self.available[at] = pieces
        return Answer(self._stock(*at))

    def _stock(self, place: str, sku: str) -> dict[str, Any]:
        available, reserved = self.available.get((place, sku), 0), self.reserved[place, sku]
        return {
            "sku": sku,
            "warehouseCode": place,
            "availableQty": available,
            "reservedQty": reserved,
            "inTransitQty": 0,
            "totalQty": available + reserved,
        }


def _wanted(body: dict[str, Any]) -> dict[str, int]:
    """Pieces by SKU: a SKU may stand on two lines."""
    wanted: dict[str, int] = {}
    for line in body["items"]:
        wanted[line["sku"]] = wanted.get(line["sku"], 0) + int(line["quantity"])
    return wanted


def _reserved(number: str, order: dict[str, Any]) -> Answer:
    items = [{"sku": sku, "quantity": pieces} for sku, pieces in order["items"].items()]
    return Answer({"orderNo": number, "warehouseCode": order["warehouseCode"], "reserved": True, "items": items})


def _short(number: str, place: str, text: str, details: dict[str, Any] | None = None) -> Answer:
    return Answer(
        {"orderNo": number, "warehouseCode": place, "reserved": False, "items": []},
        code=40001,
        message=text,
        details=details,
    )


SANDBOX = InventorySandbox
