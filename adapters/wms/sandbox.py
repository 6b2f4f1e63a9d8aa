"""A small WMS: takes outbound instructions, picks for a moment, ships (seed 002 section 2), and receives returns (seed
001 section 3.2).
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

from hub.kit.envelope import Answer, No
from hub.kit.sandbox import Sandbox

PICKING_S, INSPECTING_S = 0.3, 0.2
ADDRESSES = {"WH001": "北京市大兴区XX仓库", "WH002": "上海市青浦区XX仓库"}
WEIGHT, VOLUME = Decimal("0.5"), Decimal("0.002")  # of one piece, in kg and m³


class WmsSandbox(Sandbox):
    def begin(self) -> None:
        self.calls = {
            "POST /api/wms/outbound/create": self.create,
            "POST /api/wms/shipment/callback": self.ended,
            "POST /api/wms/return/receive": self.receive,
        }
        self.moments = {"picked": self.picked, "inspected": self.inspected}
        self.outbounds: dict[str, dict[str, Any]] = {}  # by orderNo
        self.by_waybill: dict[str, str] = {}
        self.returns: dict[str, dict[str, Any]] = {}

    def state(self) -> dict[str, Any]:
        return {"outbounds": self.outbounds, "returns": self.returns}

    def summary(self) -> dict[str, Any]:
        by_status = Counter(outbound["status"] for outbound in self.outbounds.values())
        return {"outbounds": len(self.outbounds), "by_status": dict(by_status), "returns": len(self.returns)}

    def create(self, body: dict[str, Any]) -> Answer:
        """One outbound per order (seed 002 section 4.1): a second instruction is answered 40901, with the number that
        there is.
        """
        number = body["orderNo"]
        if number in self.outbounds:
            known = self.outbounds[number]
            raise No(
                Answer(
                    {"outboundNo": known["outboundNo"], "status": known["status"]},
                    code=40901,
                    message="出库单已存在",
                    status=409,
                )
            )
        told = {
            name: body[name]
            for name in ("orderNo", "warehouseCode", "priority", "timeRequirement", "items", "consignee")
        }
        outbound_no = f"WMS{self.day()}{len(self.outbounds) + 1:04d}"
        self.outbounds[number] = {**told, "outboundNo": outbound_no, "status": "PENDING"}
        self.after(PICKING_S, "picked", {"orderNo": number})
        return _ok({"outboundNo": outbound_no, "status": "PENDING"})

    def picked(self, data: dict[str, Any]) -> None:
        """Picked, packed and handed over: the OMS and, through the hub, the TMS are to know."""
        outbound = self.outbounds[data["orderNo"]]
        waybill = f"SF{1_000_000_000 + len(self.by_waybill) + 1}"
        self.by_waybill[waybill] = outbound["orderNo"]
        outbound |= {"status": "SHIPPED", "waybillNo": waybill, "shippedTime": self.local_time()}
        pieces = sum(line["quantity"] for line in outbound["items"])
        consignee = outbound["consignee"]
        # 北京市 once, not twice
        place = "".join(dict.fromkeys(consignee.get(part, "") for part in ("province", "city", "district")))
        told = {
            "orderNo": outbound["orderNo"],
            "outboundNo": outbound["outboundNo"],
            "waybillNo": waybill,
            "carrier": "顺丰速运",
            "actualItems": outbound["items"],
            "shippedTime": outbound["shippedTime"],
            "shipperAddress": ADDRESSES.get(outbound["warehouseCode"], ADDRESSES["WH001"]),
            "consigneeAddress": place + consignee["address"],
            "cargoInfo": {"weight": WEIGHT * pieces, "volume": VOLUME * pieces, "quantity": pieces},
            "timeRequirement": outbound["timeRequirement"],
        }
        self.post("outbound.confirmed", told, order_key=outbound["orderNo"])

    def ended(self, body: dict[str, Any]) -> Answer:
        """The parcel was signed for or refused."""
        waybill, status = body["waybillNo"], body["status"]
        if waybill not in self.by_waybill:
            raise No.unknown(str(waybill))
        outbound = self.outbounds[self.by_waybill[waybill]]
        outbound |= {"status": status, "signer": body.get("signer")}
        return _ok({"outboundNo": outbound["outboundNo"], "status": status})

    def receive(self, body: dict[str, Any]) -> Answer:
        told = {name: body[name] for name in ("returnNo", "orderNo", "waybillNo", "warehouseCode", "items")}
        if told["returnNo"] not in self.returns:
            self.returns[told["returnNo"]] = {**told, "status": "RECEIVED"}
            self.after(INSPECTING_S, "inspected", {"returnNo": told["returnNo"]})
        return _ok({"returnNo": told["returnNo"], "status": self.returns[told["returnNo"]]["status"]})

    def inspected(self, data: dict[str, Any]) -> None:
        received = self.returns[data["returnNo"]]
        received |= {"status": "INSPECTED", "result": "ACCEPTED"}
        told = {name: received[name] for name in ("returnNo", "orderNo", "warehouseCode", "result", "items")}
        self.post("return.inspected", {**told, "inspectedTime": self.local_time()}, order_key=received["orderNo"])


def _ok(data: dict[str, Any]) -> Answer:
    """The WMS says 200 where the others say 0 (seed 002 section 2.1)."""
    return Answer(data, code=200)


SANDBOX = WmsSandbox
