"""A small TMS: moves parcels (揽收, 在途, 签收 or 拒收; seed 000 § 3.2) and fetches returns (seed 001 § 3.2)."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hub.kit.envelope import Answer
from hub.kit.sandbox import Sandbox

STEPS = (("PICKED_UP", 0.2), ("IN_TRANSIT", 0.3), ("DELIVERED", 0.4))  # and how long each takes, at speed 1
FETCHING_S = 0.3
REFUSES = "拒收"  # a consignee's address with this in it refuses the parcel


class TmsSandbox(Sandbox):
    def begin(self) -> None:
        self.calls = {"POST /api/tms/shipment/create": self.create, "POST /api/tms/return/pickup": self.pickup}
        self.moments = {"moved": self.moved, "arrived": self.arrived}
        self.shipments: dict[str, dict[str, Any]] = {}  # by waybillNo
        self.returns: dict[str, dict[str, Any]] = {}  # by returnNo

    def state(self) -> dict[str, Any]:
        return {"shipments": self.shipments, "returns": self.returns}

    def summary(self) -> dict[str, Any]:
        by_status = Counter(shipment["status"] for shipment in self.shipments.values())
        return {"shipments": len(self.shipments), "by_status": dict(by_status), "returns": len(self.returns)}

    def create(self, body: dict[str, Any]) -> Answer:
        """A waybill that is known is not moved a second time."""
        wanted = ("orderNo", "waybillNo", "shipperAddress", "consigneeAddress", "cargoInfo", "timeRequirement")
        told = {name: body[name] for name in wanted}
        waybill = told["waybillNo"]
        if waybill not in self.shipments:
            self.shipments[waybill] = {**told, "status": "CREATED", "track": []}
            self.after(STEPS[0][1], "moved", {"waybillNo": waybill, "step": 0})
        return Answer({"waybillNo": waybill, "status": self.shipments[waybill]["status"]})

    def moved(self, data: dict[str, Any]) -> None:
        shipment, step = self.shipments[data["waybillNo"]], data["step"]
        status, at = STEPS[step][0], self.local_time()
        if status == "DELIVERED" and REFUSES in shipment["consigneeAddress"]:
            status = "REJECTED"
        shipment["status"] = status
        shipment["track"].append([status, at])
        told = {"orderNo": shipment["orderNo"], "waybillNo": shipment["waybillNo"], "status": status, "statusTime": at}
        if status == "DELIVERED":
            told |= {"deliveredTime": at, "signer": "本人", "signImage": f"https://xxx.com/{shipment['waybillNo']}.jpg"}
        self.post("shipment.status", told, order_key=shipment["orderNo"])
        if step + 1 < len(STEPS):
            self.after(STEPS[step + 1][1], "moved", {"waybillNo": shipment["waybillNo"], "step": step + 1})

    def pickup(self, body: dict[str, Any]) -> Answer:
        told = {name: body[name] for name in ("returnNo", "orderNo", "warehouseCode", "items", "pickupAddress")}
        number = told["returnNo"]
        if number not in self.returns:
            self.returns[number] = {
                **told,
                "waybillNo": f"SFR{1_000_000_000 + len(self.returns) + 1}",
                "status": "FETCHING",
            }
            self.after(FETCHING_S, "arrived", {"returnNo": number})
        return Answer({"returnNo": number, "waybillNo": self.returns[number]["waybillNo"]})

    def arrived(self, data: dict[str, Any]) -> None:
        fetched = self.returns[data["returnNo"]]
        fetched["status"] = "ARRIVED"
        told = {name: fetched[name] for name in ("returnNo", "orderNo", "waybillNo", "warehouseCode", "items")}
        self.post("return.arrived", {**told, "arrivedTime": self.local_time()}, order_key=fetched["orderNo"])


SANDBOX = TmsSandbox
